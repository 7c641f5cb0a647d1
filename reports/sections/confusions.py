"""The section on confusions: what classes are taken for at the end, and what grew around each incident."""

from __future__ import annotations

from dtui.model import Incident
from dtui.model.learning import Confusion, ConfusionChange
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.document import Item, Paragraph, Row, Section, Table
from dtui.reports.sections.registry import View, section

MOST_PAIRS = 15
MOST_INCIDENTS = 12
A_INCIDENT = 3
WINDOW = 3
"""Validations before, and from an incident on, that are compared."""
LEAST_SCORE = 0.2
"""Of a growth that is told: a tenth of a class of 4 images, or 5 % of one of 16."""


@section("confusions", order=70)
def confusions_section(view: View) -> Section | None:
    """Return tables of confusions; nothing without validations."""
    if view.info.validations == 0 or not view.classes or not view.has_confusions:
        return None
    last = view.query.confusion(int(view.query.validation_iterations()[-1]))
    items: list[Item] = [_pairs(view, last)] if last.pairs else [Paragraph("At the last validation, none is confused.")]
    incidents = _with_classes(view)
    grown = view.query.grown_confusions([one.first for one in incidents], WINDOW, A_INCIDENT)
    around = [row for incident, found in zip(incidents, grown, strict=True) for row in _grown(view, incident, found)]
    if around:
        columns = ("incident", "iteration", "class", "taken for", "before", "after")
        numeric = (True, True, False, False, True, True)
        title = f"What grew around incidents, over {WINDOW} validations before and after"
        items.append(Table(columns, numeric, tuple(around), title=title))
    wrong = sum(pair.count for pair in last.pairs)
    caption = f"At {last.iteration:,}, {wrong:,} images are wrong, in {len(last.pairs):,} pairs of classes."
    return Section(f"{view.prefix}-confusions", "Confusions", caption, tuple(items))


def _pairs(view: View, last: Confusion) -> Table:
    rows = tuple(
        Row((view.class_name(pair.target), view.class_name(pair.label), f"{pair.count:,}", percent(pair.share)))
        for pair in last.pairs[:MOST_PAIRS]
    )
    left = len(last.pairs) - len(rows)
    note = f"{left:,} more pairs, each of {last.pairs[MOST_PAIRS].count:,} images or fewer." if left else ""
    columns, numeric = ("class", "taken for", "images", "of its images"), (False, False, True, True)
    return Table(columns, numeric, rows, note, "The most frequent at the end")


def _with_classes(view: View) -> list[Incident]:
    """Return the worst incidents that images were lost in, by iteration."""
    first = int(view.query.validation_iterations()[0])
    lost = [one for one in view.verdict.worst if one.classes and one.first >= first][:MOST_INCIDENTS]
    return sorted(lost, key=lambda one: one.first)


def _grown(view: View, incident: Incident, grown: tuple[ConfusionChange, ...]) -> list[Row]:
    return [
        Row(
            (
                str(view.numbers[incident.id]),
                f"{incident.first:,}",
                view.class_name(pair.target),
                view.class_name(pair.label),
                percent(pair.before),
                percent(pair.after),
            ),
            iteration=incident.first,
        )
        for pair in grown
        if pair.score >= LEAST_SCORE
    ]
