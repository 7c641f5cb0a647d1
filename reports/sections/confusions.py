"""The section on confusions: what classes are taken for at the end, and what grew around each incident."""

from __future__ import annotations

import numpy as np

from dtui.model import Incident, IntArray
from dtui.model.learning import Confusion, ConfusionChange
from dtui.number_text import counted
from dtui.reports.charts.pictures.matrix import MOST_STEPS, MatrixSheet, matrix_picture
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.document import Item, Paragraph, Picture, Row, Section, Table
from dtui.reports.sections.registry import View, section

MOST_PAIRS = 15
MOST_CLASSES = 12
"""Of the matrix: all that there are, or those of incidents and of the most frequent confusions."""
EARLY = 0.2
"""Part of the run after which a validation can be the worst: at the beginning everything is wrong."""
MOST_INCIDENTS = 12
A_INCIDENT = 3
WINDOW = 3
"""Validations before, and from an incident on, that are compared."""
LEAST_SCORE = 0.2
"""Of a growth that is told: a tenth of a class of 4 images, or 5 % of one of 16."""


@section("confusions", order=70, screen="confusion")
def confusions_section(view: View) -> Section | None:
    """Return tables of confusions; nothing without validations."""
    if view.info.validations == 0 or not view.classes or not view.has_confusions:
        return None
    last = view.query.confusion(int(view.query.validation_iterations()[-1]))
    items: list[Item] = [_pairs(view, last)] if last.pairs else []
    matrix = _matrix(view, last)
    items[:0] = [] if matrix is None else [matrix]
    incidents = _with_classes(view)
    grown = view.query.grown_confusions([one.first for one in incidents], WINDOW, A_INCIDENT)
    around = [row for incident, found in zip(incidents, grown, strict=True) for row in _grown(view, incident, found)]
    if around:
        columns = ("incident", "iteration", "class", "taken for", "before", "after")
        numeric = (True, True, False, False, True, True)
        title = f"What grew around incidents, over {WINDOW} validations before and after"
        items.append(Table(columns, numeric, tuple(around), title=title))
    if not items:
        items.append(Paragraph("No image was ever taken for another class."))
    wrong = sum(pair.count for pair in last.pairs)
    images = f"{counted(wrong, 'image')} {'is' if wrong == 1 else 'are'} wrong"
    where = f"{images}, in {counted(len(last.pairs), 'pair')} of classes" if wrong else "no image is wrong"
    caption = f"At {last.iteration:,}, {where}."
    hint = "" if matrix is None else "The slider leads the matrix through the validations, as does the crosshair."
    return Section(f"{view.prefix}-confusions", "Confusions", caption, tuple(items), hint)


def _matrix(view: View, last: Confusion) -> Picture | None:
    """Return the matrix of all validations; None where nothing was ever confused."""
    shown = _classes_shown(view, last)
    sheet = _sheet(view, shown)
    wrong = _wrong(sheet.counts)
    if not wrong.any():
        return None
    all_of_them = "all classes" if not sheet.has_others else f"{len(shown)} of {len(view.classes):,} classes"
    told = [f"{all_of_them}: {int(wrong[step]):,} images wrong {when}" for step, when in _moments(sheet)]
    cells = sheet.counts[-1].copy()
    np.fill_diagonal(cells, 0)
    row, column = np.unravel_index(int(cells.argmax()), cells.shape)
    if cells[row, column]:
        label = view.called(shown[column]) if column < len(shown) else "others"
        told.append(
            f"most often at the end {view.called(shown[row])} is taken for {label}, {int(cells[row, column]):,}×"
        )
    title = "What each class is taken for"
    if sheet.has_others:
        title += ": the classes of incidents, and of the most frequent confusions"
    words = f"Matrix of true and predicted classes. {'; '.join(told)}."
    return matrix_picture(f"{view.prefix}-confusion-matrix", sheet, _kept(view, sheet), title, words)


def _wrong(counts: IntArray) -> IntArray:
    """Return how many images are not on the diagonal at each validation."""
    own = np.arange(counts.shape[1])
    result: IntArray = counts.sum(axis=(1, 2)) - counts[:, own, own].sum(axis=1)
    return result


def _moments(sheet: MatrixSheet) -> list[tuple[int, str]]:
    worst = (sheet.worst, f"at {int(sheet.iterations[sheet.worst]):,}, the worst after the first fifth")
    return [worst, (len(sheet.iterations) - 1, "at the end")]


def _classes_shown(view: View, last: Confusion) -> list[int]:
    """Return labels: all of few classes, else those of incidents and what they became, then the most frequent pairs."""
    if len(view.classes) <= MOST_CLASSES:
        return list(range(len(view.classes)))
    wanted: dict[int, None] = {}
    for label in dict.fromkeys(label for one in view.verdict.worst for label in one.classes[:1]):
        became = view.query.confusion_times(label).labels[:1].tolist() if len(wanted) < MOST_CLASSES // 2 else []
        wanted.update(dict.fromkeys([label, *became]))
        if len(wanted) >= MOST_CLASSES // 2:
            break
    for pair in last.pairs:
        if len(wanted) + len({pair.target, pair.label} - set(wanted)) > MOST_CLASSES:
            break
        wanted.update(dict.fromkeys([pair.target, pair.label]))
    return sorted(wanted)[:MOST_CLASSES]


def _sheet(view: View, shown: list[int]) -> MatrixSheet:
    iterations = view.query.validation_iterations()
    counts = np.zeros((len(iterations), len(shown), len(shown) + 1), dtype=np.int64)
    judged = np.zeros((len(iterations), len(shown)), dtype=np.int64)
    place = {label: column for column, label in enumerate(shown)}
    for row, label in enumerate(shown):
        times = view.query.confusion_times(label)
        judged[:, row] = times.judged
        counts[:, row, row] = times.judged - times.counts.sum(axis=0)
        for wrong, found in zip(times.labels.tolist(), times.counts, strict=True):
            counts[:, row, place.get(wrong, len(shown))] += found
    late = int(EARLY * len(iterations))
    worst = late + int(_wrong(counts)[late:].argmax())
    names = tuple(view.class_name(label) for label in shown)
    return MatrixSheet(names, iterations, counts, judged, len(shown) < len(view.classes), worst)


def _kept(view: View, sheet: MatrixSheet) -> list[int]:
    """Return the validations that the page holds: all, or of many some at equal distances and those of incidents."""
    steps = len(sheet.iterations)
    if steps <= MOST_STEPS:
        return list(range(steps))
    begins = np.array([one.first for one in view.incidents[:MOST_STEPS]], dtype=np.int64)
    at = np.clip(np.searchsorted(sheet.iterations, begins), 0, steps - 1)
    even = np.linspace(0, steps - 1, MOST_STEPS).round().astype(np.int64)
    return sorted({*even.tolist(), *at.tolist(), sheet.worst, steps - 1})


def _pairs(view: View, last: Confusion) -> Table:
    rows = tuple(
        Row((view.called(pair.target), view.called(pair.label), f"{pair.count:,}", percent(pair.share)))
        for pair in last.pairs[:MOST_PAIRS]
    )
    left = len(last.pairs) - len(rows)
    most = last.pairs[MOST_PAIRS].count if left else 0
    note = (
        f"{counted(left, 'more pair')}, of {f'{most:,} images each or fewer' if most > 1 else '1 image each'}."
        if left
        else ""
    )
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
                view.called(pair.target),
                view.called(pair.label),
                percent(pair.before),
                percent(pair.after),
            ),
            iteration=incident.first,
        )
        for pair in grown
        if pair.score >= LEAST_SCORE
    ]
