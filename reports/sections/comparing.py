"""The chapter that puts runs beside each other: an index of them, what differs, and where two part.

Owns which of it is shown for two runs and for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from dtui.errors import DtuiError
from dtui.model import RunInfo, TimeAxis
from dtui.model.compare import Comparison, Difference, Divergence, PairedRows, value_in_words
from dtui.number_text import counted
from dtui.query import RunQuery
from dtui.query.compare.pairs import columns_of
from dtui.query.compare.settings import differences, settings_of
from dtui.reports.charts import theme
from dtui.reports.charts.curves.rows import Curve, Event
from dtui.reports.document import Chapter, Chart, Fact, Item, Opening, Paragraph, Row, Said, Section, Spec, Table
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

NAME = "comparing"
"""What `--section` calls it."""
MOST_ROWS = 12
MOST_DRAWN = 4
MOST_PARTINGS, MOST_NAMED = 3, 6
"""Moments at which two runs part, and runs with incidents, that the first screen names."""
QUIET = 1.0
"""Distances below are drawn as none: that far apart a run is from itself."""
NEARLY = 0.95
"""Share of the longer run from which on two runs are about as long."""
COLOURS = (theme.LOST, theme.TRAIN, theme.EVENT, theme.GAINED)
ERRORS = ("validation_error", "train_error", "loss")


@section(NAME, order=990)
def comparing_section(view: View) -> Section | None:
    """Return nothing: one run alone is not compared. Registers the name."""
    return None


def with_comparison(
    chapters: Sequence[Chapter],
    queries: Sequence[RunQuery],
    sections: Sequence[str] | None,
    has_pairs: bool,
    problems: list[str],
) -> tuple[Chapter, ...]:
    """Return the chapters of several runs with the one that compares them first; chapters with nothing are left out.

    Args:
        chapters: One a run.
        queries: The same runs, open.
        sections: Names of the sections wanted; None for all. Without NAME among them nothing is compared.
        has_pairs: Whether the first run is compared with each of the others; two runs always are.
        problems: Gets one line for each pair that could not be compared.
    """
    if len(queries) < 2 or (sections is not None and NAME not in sections):
        return tuple(chapters)
    first = comparing_chapter(queries, has_pairs=has_pairs, problems=problems)
    return (first, *(chapter for chapter in chapters if chapter.sections or sections != [NAME]))


def comparing_chapter(queries: Sequence[RunQuery], *, has_pairs: bool, problems: list[str]) -> Chapter:
    """Return the chapter on several open runs.

    Args:
        queries: At least two.
        has_pairs: Whether the first run is compared with each of the others; two runs always are.
        problems: Gets one line for each pair that could not be compared; the chapter says so in its place.
    """
    infos = [query.info() for query in queries]
    settings = [settings_of(info, query.metadata()) for info, query in zip(infos, queries, strict=True)]
    sections = [_index(queries), _settings(differences(settings), len(queries))]
    opening = _opening_of_many(queries)
    if has_pairs or len(queries) == 2:
        for place, other in enumerate(queries[1:], 1):
            found, parts = _pair(queries[0], other, letter(place), problems)
            sections += parts
            if len(queries) == 2:
                opening = _opening(found, letter(place), parts[0].id)
    names = " and ".join(f"{letter(k)} {safe(info.run, 60)}" for k, info in enumerate(infos[:2]))
    more = f" and {len(infos) - 2} more" if len(infos) > 2 else ""
    return Chapter(
        id="compare",
        title=f"{names}{more}",
        status="compared",
        invented=False,  # the index says it of each run
        facts=tuple(Fact(f"run {letter(k)}", safe(info.run, 60), str(info.status)) for k, info in enumerate(infos[:5])),
        sections=tuple(sections),
        opening=opening,
    )


def _opening(found: Comparison | None, other: str, target: str) -> Opening:
    """Return what a reader must know first about two runs: where they part, and what parts there."""
    if found is None:
        return Opening("unsure", f"A and {other} could not be compared.")
    if not found.divergences:
        level = "fine" if found.is_judged else "unsure"
        return Opening(level, f"A and {other}: {safe(found.verdict, 300)}.", remarks=(_incidents(found, other),))
    first, more = found.divergences[0], len(found.divergences) - MOST_PARTINGS
    worst = [
        Said(f"At {one.iteration:,}: {safe(one.partings[0].sentence, 200)}{_besides(one)}.", target)
        for one in found.divergences[:MOST_PARTINGS]
    ]
    worst += [Said(f"And {counted(more, 'more time')}.", target)] if more > 0 else []
    same = "" if found.same_until is None else f", and are the same, number for number, up to {found.same_until:,}"
    headline = f"A and {other} part at {first.iteration:,}{same}."
    remarks = (f"Of two values the first is A's, the second {other}'s.", _incidents(found, other))
    return Opening("look", headline, tuple(worst), remarks)


def _besides(one: Divergence) -> str:
    more = len(one.partings) - 1
    return f", and {more:,} more" if more else ""


def _opening_of_many(queries: Sequence[RunQuery]) -> Opening:
    """Return which of several runs have incidents."""
    counts = [sum(one.status != "dismissed" for one in query.incidents()) for query in queries]
    told = [f"{letter(k)} has {count:,}" for k, count in enumerate(counts) if count]
    if not told:
        return Opening("fine", f"None of the {len(queries):,} runs has an incident.")
    have = "has incidents" if len(told) == 1 else "have incidents"
    shown = ", ".join(told[:MOST_NAMED]) + (f" and {len(told) - MOST_NAMED:,} more" if len(told) > MOST_NAMED else "")
    return Opening("look", f"{len(told):,} of {len(queries):,} runs {have}: {shown}.")


def letter(place: int) -> str:
    """Return what a run is called beside others: A to Z, then A2 and so on."""
    return chr(ord("A") + place % 26) + (str(place // 26 + 1) if place >= 26 else "")


def _index(queries: Sequence[RunQuery]) -> Section:
    """Return a row a run: how far it is, how it goes, and what is to be reviewed."""
    rows = []
    for place, query in enumerate(queries):
        info, incidents = query.info(), query.incidents()
        last = query.curves_at(info.last_iteration) if info.last_iteration is not None else {}
        name = next((name for name in ERRORS if name in last), "")
        error = value_in_words(name, last[name]) if name else ""
        counts = [sum(one.status == status for one in incidents) for status in ("new", "flagged")]
        what = "" if name == ERRORS[0] or not name else f" ({name.replace('_', ' ')})"
        cells = (
            *(letter(place), safe(info.run, 60), _status(info)),
            *("" if info.last_iteration is None else f"{info.last_iteration:,}", f"{info.records:,}"),
            *(error + what, f"{counts[0]:,}", f"{counts[1]:,}"),
        )
        rows.append(Row(cells))
    columns = ("", "run", "status", "last iteration", "records", "last error", "new incidents", "flagged")
    numeric = (False, False, False, True, True, True, True, True)
    return Section("compare-runs", "Runs", "", (Table(columns, numeric, tuple(rows)),))


def _status(info: RunInfo) -> str:
    reason = f": {safe(info.reason, 120)}" if info.reason else ""
    return f"{info.status}{reason}{', invented' if info.invented else ''}"


def _settings(found: Sequence[Difference], runs: int) -> Section:
    items: tuple[Item, ...]
    if found:
        columns = ("setting", "kind", *(letter(place) for place in range(runs)))
        rows = tuple(
            Row((safe(one.name, 60), one.kind, *("–" if value is None else safe(value, 80) for value in one.values)))
            for one in found
        )
        items = (Table(columns, (False,) * len(columns), rows),)
    else:
        items = (Paragraph("Nothing: hyper-parameters, network, data and versions are the same in all runs."),)
    return Section("compare-settings", "What differs in the settings", "", items)


def _pair(a: RunQuery, b: RunQuery, other: str, problems: list[str]) -> tuple[Comparison | None, list[Section]]:
    """Return how two runs compare, None where they cannot be compared, and the sections on them."""
    prefix, title = f"compare-{other.lower()}", f"A and {other}"
    try:
        found = a.compare(b, called=other)
    except DtuiError as error:
        problems.append(f"section {NAME}: {error}")
        note = Paragraph(f"These runs could not be compared: {safe(str(error), 400)}")
        return None, [Section(f"{prefix}-parts", f"{title}: where they part", "", (note,))]
    axis = _axis_of(a, found)
    told = (_sentence(safe(found.verdict, 600)), _incidents(found, other), _compared_until(found, other))
    parts: list[Item] = [Paragraph(" ".join(filter(None, told)))]
    chart = None if axis is None else _error_chart(found, axis, prefix, other)
    parts += [chart] if chart is not None else []
    parts += [_divergences(found, other)] if found.divergences else []
    parts += [Paragraph(f"Not compared: {safe(line, 300)}.") for line in found.not_compared]
    how = (
        "Two runs part where a value differs by six times what is usual, and by twice as much as in the 20 records "
        "before. Usual is what either did from record to record, and what their difference did."
    )
    sections = [Section(f"{prefix}-parts", f"{title}: where they part", how, tuple(parts))]
    paired = [rows for rows in (found.layers, found.classes) if rows.names and len(rows.keys)]
    return found, [*sections, *(_rows(rows, axis, prefix, title, other) for rows in paired)]


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _incidents(found: Comparison, other: str) -> str:
    counts = [len(some) for some in found.incidents]
    return f"A has {counts[0] or 'no'} incident{'s' * (counts[0] != 1)}, {other} has {counts[1] or 'none'}."


def _compared_until(found: Comparison, other: str) -> str:
    """Return where one of two runs ends long before the other, in a sentence; "" where both are about as long."""
    ends = [info.last_iteration or 0 for info in found.infos]
    if not _is_longer(max(ends), min(ends)):
        return ""
    short, long = ("A", other) if ends[0] < ends[1] else (other, "A")
    return f"Compared up to {min(ends):,}, where {short} ends; {long} goes on to {max(ends):,}."


def _is_longer(one: float, other: float) -> bool:
    return other < NEARLY * one


def _axis_of(query: RunQuery, found: Comparison) -> TimeAxis | None:
    """Return the time of the first run, up to where the other ends: beyond that nothing is compared."""
    first, stop = query.limits()
    last = max((float(rows.at_a[-1]) for rows in found.paired if len(rows.keys)), default=stop)
    if _is_longer(stop - first, last - first):
        stop = last + (last - first) * (1 - NEARLY)
    if not stop > first:
        return None
    return TimeAxis(first, stop, max(1, min(theme.MAX_COLUMNS, round(stop - first))))


def _error_chart(found: Comparison, axis: TimeAxis, prefix: str, other: str) -> Chart | None:
    """Return the error of both, else their loss; None where they have none in common."""
    by_name = {rows.measure: rows for rows in found.curves}
    name = next((name for name in ERRORS if name in by_name and len(by_name[name].keys)), None)
    if name is None:
        return None
    columns = columns_of(by_name[name], (0,), axis)
    words = name.replace("_", " ")
    curves = [
        Curve("A", theme.VALIDATION, columns.a[0]),
        Curve(other, theme.TRAIN, columns.b[0], dashed=True),
    ]
    events = [Event(one.iteration, "they part") for one in found.divergences if axis.contains(one.iteration)]
    unit = "share" if name.endswith("error") else "number"
    specify = partial(_curve_chart, curves, axis, unit=unit, events=events)
    at = ", ".join(f"{one.iteration:,}" for one in found.divergences)
    description = f"{words} of A and {other} over the iterations of A" + (f"; they part at {at}." if at else ".")
    return Chart(f"{prefix}-error", words.capitalize(), "vega-lite", specify, description)


def _curve_chart(*arguments: Any, **options: Any) -> Spec:
    """Call `curve_chart` only when the chart is drawn, because its module imports Altair."""
    from dtui.reports.charts.curves.chart import curve_chart

    return curve_chart(*arguments, **options)


def _divergences(found: Comparison, other: str) -> Table:
    rows = []
    for one in found.divergences:
        place = f"{one.iteration:,}"
        if one.iteration_b != one.iteration:
            place += f" ({other}: {one.iteration_b:,})"
        for parting in one.partings:
            values = [value_in_words(parting.measure, value) for value in (parting.a, parting.b)]
            measure = "" if parting.kind == "curve" else parting.measure
            cells = (place, safe(parting.title, 80), measure, *values, f"{parting.distance:,.1f}")
            rows.append(Row(cells, iteration=parting.iteration))
            place = ""
    columns = ("iteration", "what parts", "", "A", other, "distance")
    return Table(columns, (True, False, False, True, True, True), tuple(rows))


def _rows(rows: PairedRows, axis: TimeAxis | None, prefix: str, title: str, other: str) -> Section:
    """Return the rows that lie farthest apart, drawn and in numbers."""
    kind = rows.noun
    farthest = rows.farthest
    order = [row for row in rows.order.tolist() if np.isfinite(farthest[row]) and farthest[row] > 0]
    heading = f"{title}: {kind} by distance"
    if not order:
        same = Paragraph(f"All {len(rows.names):,} {kind} are the same at all {len(rows.keys):,} moments.")
        return Section(f"{prefix}-{kind}", heading, "", (same,))
    items: list[Item] = []
    if axis is not None:
        items.append(_distance_chart(rows, order[:MOST_DRAWN], axis, prefix, kind))
    table = []
    for row in order[:MOST_ROWS]:
        at = int(np.nanargmax(rows.distance[row]))
        values = [value_in_words(rows.measure, float(side[row, at])) for side in (rows.a, rows.b)]
        cells = (safe(rows.names[row], 80), f"{farthest[row]:,.1f}", f"{rows.at_a[at]:,}", *values)
        table.append(Row(cells, iteration=int(rows.at_a[at])))
    left = len(order) - len(table)
    note = f"{left:,} more lie less far apart." if left > 0 else ""
    columns = (kind, "distance", "at", f"{rows.measure} of A", f"of {other}")
    items.append(Table(columns, (False, True, True, True, True), tuple(table), note))
    caption = f"Distance is how far the {rows.measure} differs, in what is usual from record to record, at its largest."
    return Section(f"{prefix}-{kind}", heading, caption, tuple(items))


def _distance_chart(rows: PairedRows, some: Sequence[int], axis: TimeAxis, prefix: str, kind: str) -> Chart:
    columns = columns_of(rows, some, axis)
    curves = [
        Curve(
            safe(rows.names[row], 24),
            COLOURS[k],
            np.where(columns.distance[k] < QUIET, 0.0, columns.distance[k]),
            dashed=k > 1,
        )
        for k, row in enumerate(some)
    ]
    tops = [float(rows.farthest[row]) for row in some]
    told = "; ".join(f"{safe(rows.names[row], 40)} up to {top:,.1f}" for row, top in zip(some, tops, strict=True))
    specify = partial(_curve_chart, curves, axis, unit="number")
    return Chart(f"{prefix}-{kind}-distance", "", "vega-lite", specify, f"Distance over the iterations: {told}.")
