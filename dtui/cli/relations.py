"""The commands on which filters change: correlation, filters."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dtui.cli.command import Command, add_json, add_run, positive
from dtui.cli.incidents import events_of_filter
from dtui.cli.outcome import Outcome
from dtui.errors import UsageError

if TYPE_CHECKING:
    from dtui.model import Structure
    from dtui.model.relations import CommonFilters, Correlation, FilterChoice, MiniSet

USUAL_COUNT = 10
MOST_COLUMNS = 12
"""Classes that a table has columns for: those with the most events."""
MOST_MINI_SETS = 10
MOST_WORDS = 8
MOST_CLASSES = 4
CLASS_WIDTH = 10


def run_correlation(options: argparse.Namespace) -> Outcome:
    """Show which filters change most when a class has an anomaly."""
    from dtui.query import open_run

    with open_run(options.run) as query:
        images = query.image_set()
        classes = images.classes if images is not None else ()
        events = query.incident_events() if options.incidents else query.class_events()
        found = query.correlation(events, _choice(options), options.min_importance)
        structure, hidden = query.structure(), query.anomaly_faults()
        reasons = [f"anomalies may be missing where it is damaged: {fault}" for fault in hidden]
        lost = [fault for fault in query.faults() if fault not in hidden]
        reasons += [f"filters may be missing where it is damaged: {fault}" for fault in lost]
        reasons += [f"anomalies may be missing: {fault}" for fault in query.detector_faults()]
        if not found.events:
            reasons += [lacks.sentence for lacks in query.not_judged()]
    remark = _remark(options.run, reasons)
    if options.json:
        from dtui.cli.as_json import to_json

        return Outcome(to_json(_correlation_fields(found, structure, classes)), remark=remark)
    if not found.events:
        what = "incidents" if options.incidents else "anomaly iterations of classes"
        return Outcome(f"no {what}, so there is nothing to correlate", remark=remark)
    return Outcome(f"{_grid(found, structure, classes)}\n\n{_mini_sets(found, structure, classes)}", remark=remark)


def run_filters(options: argparse.Namespace) -> Outcome:
    """List the filters that changed most at all of some iterations."""
    from dtui.query import open_run

    if bool(options.at) == bool(options.of):
        raise UsageError("filters: give --at ITER, or --of LAYER FILTER; see dtui filters --help")
    if options.of:
        return events_of_filter(options, _choice(options))
    with open_run(options.run) as query:
        found = query.most_changed(options.at, _choice(options))
        structure, damage = query.structure(), query.faults()
    remark = _remark(options.run, [f"filters may be missing where it is damaged: {fault}" for fault in damage])
    if options.json:
        from dtui.cli.as_json import to_json

        return Outcome(to_json(_filters_fields(found, structure)), remark=remark)
    return Outcome(_filters_table(found, structure), remark=remark)


def _choice(options: argparse.Namespace) -> FilterChoice:
    from dtui.model.relations import CHANGES, FilterChoice

    count = options.count if options.count or options.per_layer else USUAL_COUNT
    return FilterChoice(options.statistic or CHANGES[0], count, options.per_layer, tuple(options.exclude))


def _remark(run: str, reasons: Sequence[str]) -> str:
    more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return f"{run}: {reasons[0]}{more}" if reasons else ""


# --- JSON
def _choice_fields(choice: FilterChoice) -> dict[str, Any]:
    return {
        "statistic": choice.statistic,
        "count": choice.count,
        "per_layer": choice.per_layer,
        "exclude": choice.exclude,
    }


def _correlation_fields(found: Correlation, structure: Structure, classes: Sequence[str]) -> dict[str, Any]:
    from dtui.cli.as_json import class_name

    names = {label: None if label is None else class_name(classes, label) for label in found.labels}
    records = [*found.records.tolist(), None]  # an event without a record has position -1
    return {
        **_choice_fields(found.choice),
        "layers": [layer.name for layer in structure.layers],
        "classes": list(names.values()),
        "counts": found.counts.tolist(),
        "events": [
            {"id": event.id, "class": names[event.label], "iteration": event.iteration, "record": records[record]}
            for event, record in zip(found.events, found.record_of.tolist(), strict=True)
        ],
        "mini_sets": [
            {
                "layer": structure.layers[one.layer].name,
                "filters": one.filters,
                "occurrences": one.occurrences,
                "importance": one.importance,
                "records": [records[record] for record in one.records],
            }
            for one in found.mini_sets
        ],
    }


def _filters_fields(found: CommonFilters, structure: Structure) -> dict[str, Any]:
    return {
        **_choice_fields(found.choice),
        "iterations": found.iterations,
        "records": found.records,
        "filters": [
            {
                "layer": structure.layers[one.layer].name,
                "filter": one.filter,
                "rank": one.rank,
                "change": one.change,
                "ranks": one.ranks,
                "changes": one.changes,
            }
            for one in found.filters
        ],
    }


# --- text
def _grid(found: Correlation, structure: Structure, classes: Sequence[str]) -> str:
    """Return layers × classes as a table, with a note on layers without anomaly filters and classes with few events."""
    from dtui.cli.table import sentence, table
    from dtui.safe_text import safe

    events = Counter(event.label for event in found.events)
    most = [label for label, _ in events.most_common(MOST_COLUMNS)]
    shown = [at for at, label in enumerate(found.labels) if label in most]
    names = [safe(_name(classes, found.labels[at]), CLASS_WIDTH) for at in shown]
    layers = [layer for layer in structure.layers if found.totals[layer.index]]
    rows = [
        [layer.name, *(str(count or "·") for count in [*found.counts[layer.index, shown], found.totals[layer.index]])]
        for layer in layers
    ]
    rows.append(["anomalies", *(f"{events[found.labels[at]]:,}" for at in shown), f"{len(found.events):,}"])
    notes = [f"anomaly filters: {safe(_how(found.choice))}, at the record of each anomaly"]
    if without := len(structure.layers) - len(layers):
        notes.append(f"{without:,} layer{'s have' if without > 1 else ' has'} none")
    if rest := len(found.labels) - len(shown):
        notes.append(f"{rest:,} class{'es' * (rest > 1)} with fewer anomalies left out, --json has all")
    headings = ["layer", *(f">{name}" for name in names), ">all classes"]
    return f"{table(headings, rows)}\n{sentence('; '.join(notes), 'dim')}"


def _mini_sets(found: Correlation, structure: Structure, classes: Sequence[str]) -> str:
    """Return the strongest mini-sets as a table."""
    from dtui.cli.table import paint, sentence, table

    strongest = sorted(found.mini_sets, key=lambda one: -one.importance)[:MOST_MINI_SETS]
    if not strongest:
        return paint(f"no mini-set is that important; {found.left_out:,} are less", "dim")
    rows = [
        [
            f"{one.importance:,}",
            structure.layers[one.layer].name,
            _some([str(filter) for filter in one.filters]),
            f"{one.occurrences:,}",
            _some([f"{_name(classes, label)} ×{times}" for label, times in _classes_of(found, one)], MOST_CLASSES),
        ]
        for one in strongest
    ]
    rest = len(found.mini_sets) + found.left_out - len(strongest)
    more = f"; {rest:,} more" if rest else ""
    summary = f"mini-sets: filters of a layer that always change together; importance = filters × anomalies{more}"
    return f"{table(['>importance', 'layer', 'filters', '>anomalies', 'classes'], rows)}\n{sentence(summary, 'dim')}"


def _classes_of(found: Correlation, mini_set: MiniSet) -> list[tuple[int | None, int]]:
    """Return the classes at whose events a mini-set occurs, with the number of events, the most frequent first."""
    return Counter(found.events[at].label for at in found.columns_of(mini_set).tolist()).most_common()


def _filters_table(found: CommonFilters, structure: Structure) -> str:
    from dtui.cli.table import sentence, table
    from dtui.safe_text import safe

    at = _some([f"{record:,}" for record in found.records])
    how = f"{safe(_how(found.choice))}, at record{'s' * (len(found.records) != 1)} {at}"
    if not found.filters:
        return f"no filter changed at {'all of them' if len(found.records) > 1 else 'it'} ({how})"
    rows = [
        [
            f"{one.rank:,}",
            structure.layers[one.layer].name,
            str(one.filter),
            _some([f"{change:.3g}" for change in one.changes]),
            _some([f"{rank:,}" for rank in one.ranks]),
        ]
        for one in found.filters
    ]
    headings = [">worst rank", "layer", ">filter", found.choice.statistic.replace("_", " "), "ranks"]
    return f"{table(headings, rows)}\n{sentence(how, 'dim')}"


def _how(choice: FilterChoice) -> str:
    """Return in words which filters count, such as "the 10 with the largest update ratio, at most 2 of a layer"."""
    most = f"the {choice.count:,}" if choice.count else "those"
    parts = [f"{most} with the largest {choice.statistic.replace('_', ' ')}"]
    if choice.per_layer:
        parts.append(f"at most {choice.per_layer:,} of a layer")
    if choice.exclude:
        parts.append(f"without {_some(list(choice.exclude))}")
    return ", ".join(parts)


def _some(words: Sequence[str], most: int = MOST_WORDS) -> str:
    """Return the first few words, and how many more there are."""
    more = f" and {len(words) - most:,} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def _name(classes: Sequence[str], label: int | None) -> str:
    from dtui.cli.as_json import class_name

    return "no class" if label is None else class_name(classes, label)


# --- arguments
def _add_choice(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--count", type=positive, metavar="K", help="most filters a record (default: 10, or no limit with --per-layer)"
    )
    parser.add_argument("--per-layer", type=positive, metavar="N", help="most filters a record and layer")
    parser.add_argument(
        "--exclude",
        action="extend",
        nargs="+",
        default=[],
        metavar="LAYER",
        help="layers to leave out, by name; first-conv and last-linear stand for those",
    )
    parser.add_argument(
        "--statistic",
        metavar="NAME",
        help="what says how much a filter changed: update_ratio (default), cosine_distance or update_norm",
    )
    add_json(parser)


def _correlation_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument("--incidents", action="store_true", help="columns are incidents, not anomalies of classes")
    parser.add_argument(
        "--min-importance",
        type=positive,
        default=1,
        metavar="N",
        help="only mini-sets of at least so many filters × anomalies (default: %(default)s)",
    )
    _add_choice(parser)


def _filters_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    parser.add_argument(
        "--at",
        type=int,
        action="append",
        default=[],
        metavar="ITER",
        help="at this iteration; may be given several times: at all of them",
    )
    parser.add_argument(
        "--of",
        nargs=2,
        metavar=("LAYER", "FILTER"),
        help="instead, the anomalies and incidents at which this filter is among those that changed most",
    )
    _add_choice(parser)


COMMANDS = (
    Command(
        "correlation",
        "Show layers × classes: which filters change most when a class has an anomaly, and which always do together.",
        (
            ("dtui correlation sample_runs/mnist-faults", "ten filters an anomaly"),
            ("dtui correlation sample_runs/mnist-faults --per-layer 2 --min-importance 20", "two of each layer"),
            ("dtui correlation sample_runs/mnist-faults --exclude first-conv fc --json", "without two layers"),
            ("dtui correlation sample_runs/mnist-faults --incidents", "what happened, instead of anomalies"),
            ("dtui correlation sample_runs/mnist-faults --count 5 --statistic cosine_distance", "by direction"),
        ),
        "relations",
        _correlation_arguments,
    ),
    Command(
        "filters",
        "List the filters that changed most at an iteration, or at all of several.",
        (
            ("dtui filters sample_runs/mnist-faults --at 1360", "the ten that changed most"),
            ("dtui filters sample_runs/mnist-faults --of layer3.0.conv1 17", "when that filter was among them"),
            ("dtui filters sample_runs/mnist-faults --at 750 --at 1360 --count 5", "at both"),
            ("dtui filters sample_runs/mnist-faults --at 750 --per-layer 1 --exclude last-linear", "one of each layer"),
            ("dtui filters sample_runs/mnist-faults --at 750 --statistic update_norm --json", "for a script"),
        ),
        "relations",
        _filters_arguments,
    ),
)
