"""The command that puts runs beside each other: compare."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from dtui.cli.command import Command, add_json, positive
from dtui.cli.outcome import Exit, Outcome
from dtui.errors import UsageError

if TYPE_CHECKING:
    from dtui.model import Incident, RunInfo
    from dtui.model.compare import Comparison, Difference, PairedRows
    from dtui.query import RunQuery

BY = ("iteration", "epoch", "share")
MEASURES = ("update-ratio", "weight-norm", "gradient-norm")
MOST_LETTERS = 26
LONGEST_LINE = 400


def run_compare(options: argparse.Namespace) -> Outcome:
    """Put runs beside each other: the first with each of the others; with --fail-on, judge by where they part."""
    from dtui.cli.as_json import to_json
    from dtui.model.compare import Alignment, Measure
    from dtui.query import open_run
    from dtui.query.compare.settings import differences, settings_of

    if not 2 <= len(options.runs) <= MOST_LETTERS:
        raise UsageError(f"compare: {len(options.runs)} run given; give 2 to {MOST_LETTERS}, as in dtui compare A B")
    by, measure = Alignment(options.by), Measure(options.measure.replace("-", " "))
    with ExitStack() as stack:
        queries = [stack.enter_context(open_run(run)) for run in options.runs]
        for query in queries:
            query.settle()
        infos = [query.info() for query in queries]
        settings = [settings_of(info, query.metadata()) for info, query in zip(infos, queries, strict=True)]
        pairs = [
            queries[0].compare(other, by, measure, called=letter(place)) for place, other in enumerate(queries[1:], 1)
        ]
        faults = [fault for query in queries for fault in query.faults()]
        errors = [_last_error(query, info) for query, info in zip(queries, infos, strict=True)]
        paths = [str(query.path) for query in queries]
    differing = differences(settings)
    remark = f"damaged: {faults[0]}" + (f" (and {len(faults) - 1} more)" if len(faults) > 1 else "") if faults else ""
    code = _code(options.fail_on, pairs, bool(faults))
    if options.json:
        fields = {
            "runs": [
                {"path": path, "run": info.run, "status": info.status} for path, info in zip(paths, infos, strict=True)
            ],
            "aligned_by": by,
            "differences": [{"kind": one.kind, "name": one.name, "values": one.values} for one in differing],
            "pairs": [_pair_fields(pair) for pair in pairs],
        }
        return Outcome(to_json(fields), code, remark)
    blocks = [_runs_table(infos, errors, _all_incidents(pairs)), _settings_table(differing, len(infos))]
    for place, pair in enumerate(pairs, 1):
        heading = f"A and {letter(place)}: " if len(pairs) > 1 else ""
        blocks.append(_pair_text(pair, heading, letter(place), options.top))
    return Outcome("\n\n".join(blocks), code, remark)


def letter(place: int) -> str:
    """Return what a run is called beside others: A, B and so on."""
    return chr(ord("A") + place)


def _code(fail_on: int | None, pairs: Sequence[Comparison], is_damaged: bool) -> Exit:
    if fail_on is None:
        return Exit.DONE
    if any(len(pair.divergences) >= fail_on for pair in pairs):
        return Exit.NOT_FINE
    is_judged = all(pair.is_judged for pair in pairs) and not is_damaged
    return Exit.DONE if is_judged else Exit.NOT_JUDGED


def _last_error(query: RunQuery, info: RunInfo) -> str:
    values = query.curves_at(info.last_iteration) if info.last_iteration is not None else {}
    for name, short in (("validation_error", "validation"), ("train_error", "train")):
        if name in values:
            return f"{short} {values[name]:.1%}".replace("%", " %")
    return f"loss {values['loss']:.4g}" if "loss" in values else ""


def _all_incidents(pairs: Sequence[Comparison]) -> list[tuple[Incident, ...]]:
    return [pairs[0].incidents[0], *(pair.incidents[1] for pair in pairs)]


# --- words
def _runs_table(infos: Sequence[RunInfo], errors: Sequence[str], incidents: Sequence[tuple[Incident, ...]]) -> str:
    from dtui.cli.table import table

    rows = []
    for place, (info, error, found) in enumerate(zip(infos, errors, incidents, strict=True)):
        span = "none" if info.first_iteration is None else f"{info.first_iteration:,}–{info.last_iteration:,}"
        new = sum(one.status == "new" for one in found)
        told = f"{len(found):,}" + (f", {new:,} to review" if new else "")
        rows.append([letter(place), info.run, str(info.status), span, error, told])
    return table(["", "run", "status", ">iterations", "last error", "incidents"], rows)


def _settings_table(differing: Sequence[Difference], runs: int) -> str:
    from dtui.cli.table import paint, table

    if not differing:
        return paint("settings: the same in hyper-parameters, network, data and versions", "dim")
    headings = ["what differs", "", *(letter(place) for place in range(runs))]
    rows = [[one.name, one.kind, *(value if value is not None else "–" for value in one.values)] for one in differing]
    return table(headings, rows)


def _pair_text(pair: Comparison, heading: str, other: str, top: int) -> str:
    from dtui.cli.table import sentence
    from dtui.safe_text import safe

    blocks = [sentence(safe(f"{heading}{pair.verdict}", LONGEST_LINE), "bold")]
    if pair.divergences:
        blocks[0] += f"\n{_divergences_table(pair, other)}"
    blocks += [_rows_table(rows, other, top) for rows in (pair.layers, pair.classes) if rows.names and len(rows.keys)]
    if pair.not_compared:
        blocks.append(
            "\n".join(sentence(safe(f"not compared: {line}", LONGEST_LINE), "warn") for line in pair.not_compared)
        )
    return "\n\n".join(blocks)


def _divergences_table(pair: Comparison, other: str) -> str:
    """Return a row for each thing that parts, the time only in the first row of a moment."""
    from dtui.cli.table import table
    from dtui.model.compare import value_in_words

    is_same = all(one.iteration == one.iteration_b for one in pair.divergences)
    rows = []
    for divergence in pair.divergences:
        place = [f"{divergence.iteration:,}"] + ([] if is_same else [f"{divergence.iteration_b:,}"])
        for one in divergence.partings:
            values = [value_in_words(one.measure, value) for value in (one.a, one.b)]
            measure = "" if one.kind == "curve" else one.measure
            rows.append([*place, one.title, measure, *values, f"{one.distance:,.1f}"])
            place = [""] * len(place)
    places = [">at"] if is_same else [">at, A", f">at, {other}"]
    return table([*places, "what parts", "", ">A", f">{other}", ">distance"], rows)


def _rows_table(rows: PairedRows, other: str, top: int) -> str:
    """Return the rows that lie farthest apart, each with both values where it does."""
    import numpy as np

    from dtui.cli.table import paint, table
    from dtui.model.compare import value_in_words

    farthest = rows.farthest
    shown = [row for row in rows.order.tolist() if np.isfinite(farthest[row]) and farthest[row] > 0][:top]
    kinds = rows.noun
    if not shown:
        return paint(f"{kinds}: the same at all {len(rows.keys):,} moments", "dim")
    cells = []
    for row in shown:
        at = int(np.nanargmax(rows.distance[row]))
        values = [value_in_words(rows.measure, float(side[row, at])) for side in (rows.a, rows.b)]
        cells.append([rows.names[row], f"{farthest[row]:,.1f}", f"{rows.at_a[at]:,}", *values])
    left = int((farthest > 0).sum()) - len(shown)
    more = f"; {left:,} more, --top N" if left > 0 else ""
    note = paint(f"{rows.measure}; distance in what is usual from record to record{more}", "dim")
    return f"{table([kinds, '>distance', '>at', '>A', f'>{other}'], cells)}\n{note}"


# --- JSON
def _pair_fields(pair: Comparison) -> dict[str, Any]:
    from dtui.cli.as_json import plain

    return {
        "runs": [pair.infos[0].run, pair.infos[1].run],
        "verdict": pair.verdict,
        "same_until": pair.same_until,
        "divergences": [
            {
                "iteration": one.iteration,
                "iteration_b": one.iteration_b,
                "distance": one.distance,
                "partings": [plain(parting) for parting in one.partings],
            }
            for one in pair.divergences
        ],
        **{name: _rows_fields(rows) for name, rows in (("classes", pair.classes), ("layers", pair.layers))},
        "curves": [field for rows in pair.curves for field in _rows_fields(rows)],
        "incidents": [[one.id for one in some] for some in pair.incidents],
        "not_compared": pair.not_compared,
    }


def _rows_fields(rows: PairedRows) -> list[dict[str, Any]]:
    """Return one object a row, the farthest first: the largest distance, and where."""
    import numpy as np

    found = []
    for row in rows.order.tolist():
        known = np.isfinite(rows.distance[row])
        at = int(np.nanargmax(rows.distance[row])) if known.any() else None
        found.append(
            {
                "name": rows.names[row],
                "measure": rows.measure,
                "distance": None if at is None else float(rows.distance[row, at]),
                "iteration": None if at is None else int(rows.at_a[at]),
                "a": None if at is None else float(rows.a[row, at]),
                "b": None if at is None else float(rows.b[row, at]),
            }
        )
    return found


# --- arguments
def _compare_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", metavar="RUN", nargs="+", help="two runs, or more: the first with each of the others")
    parser.add_argument(
        "--by", choices=BY, default=BY[0], help="what the same moment is in both (default: %(default)s)"
    )
    parser.add_argument(
        "--measure", choices=MEASURES, default=MEASURES[0], help="what layers are listed by (default: %(default)s)"
    )
    parser.add_argument(
        "--top", type=positive, default=8, metavar="N", help="layers and classes to list (default: %(default)s)"
    )
    parser.add_argument("--fail-on", type=positive, metavar="N", help="exit with 1 if runs part N times or more")
    add_json(parser)


COMMANDS = (
    Command(
        "compare",
        "Put runs beside each other: what differs in their settings, where they part first, which layers and classes.",
        (
            ("dtui compare sample_runs/mnist-healthy sample_runs/mnist-faults", "where the second goes another way"),
            ("dtui compare runs/a runs/b runs/c", "what differs in all, and the first with each of the others"),
            ("dtui compare runs/short runs/long --by share", "runs of other lengths"),
            ("dtui compare runs/a runs/b --measure weight-norm --top 20", "more layers, by their weights"),
            ("dtui compare runs/before runs/after --fail-on 1 --json", "exit with 1 if they part; for a script"),
        ),
        "compare",
        _compare_arguments,
    ),
)
