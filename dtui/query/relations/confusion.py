"""Answers which wrong labels classes got, at a validation and over time."""

from __future__ import annotations

import numpy as np

from dtui.analysis.downsample import pool_largest
from dtui.analysis.relations.confusion import (
    LABELS,
    Changes,
    Confusions,
    confusions_over_time,
    count_confusions,
    find_changes,
    find_growth,
    labels_that_matter,
    tabulate,
)
from dtui.errors import UsageError
from dtui.model import FloatArray, IntArray, LabelArray, TimeAxis, read_only
from dtui.model.learning import Confused, Confusion, ConfusionChange, ConfusionMatrix, ConfusionTimes
from dtui.query.classes.errors import check_labels
from dtui.query.data import Arrays, RunData, have
from dtui.query.images import position_of
from dtui.query.labels.kept_answers import as_bits, from_bits

MOST_COMPARED = 100
"""Validations before, and after, that are read at once."""
MOST_CHANGES = 200
"""Confusions that a matrix tells of."""
MOST_OF_PICKED = 5
"""Labels of a picked class that a matrix shows in any case."""
SHARES_KEPT = 500
"""Confusions whose share over time is kept: a step of the crosshair asks for many of them again."""


def confusion(data: RunData, iteration: int, window: int) -> Confusion:
    """Answer `RunQuery.confusion`."""
    _check_window(window)
    at = _validation_at(data, iteration)
    before, after = _around(data, at, window)
    targets, labels = _labels(data, slice(before.start, after.stop))
    here = count_confusions(labels[:, at - before.start : at - before.start + 1], targets, len(data.class_sizes))
    order = np.lexsort((here.labels, here.targets, -here.counts))
    return Confusion(
        iteration=int(data.validations[at]),
        pairs=tuple(
            Confused(
                int(here.targets[pair]),
                int(here.labels[pair]),
                int(here.counts[pair]),
                float(here.counts[pair] / here.judged[here.targets[pair]]),
            )
            for pair in order
        ),
        before=tuple(data.validations[before].tolist()),
        after=tuple(data.validations[after].tolist()),
        grown=_told(_growth_in(data, targets, labels, at - before.start)),
    )


def grown_confusions(
    data: RunData, iterations: tuple[int, ...], window: int, top: int
) -> tuple[tuple[ConfusionChange, ...], ...]:
    """Answer `RunQuery.grown_confusions`."""
    _check_window(window)
    if top < 1:
        raise UsageError(f"confusions that grew: the top {top}; ask for at least 1")
    places = [_validation_at(data, iteration) for iteration in iterations]
    found = data.kept_rows(
        f"growth over {window}, the first {top}",
        len(_COLUMNS),
        places,
        lambda some: {at: _as_rows(_growth(data, at, window).chosen(slice(0, top))) for at in sorted(some)},
        lambda _, rows: _is_possible(_from_rows(rows), len(rows), top, data.class_sizes),
    )
    return tuple(_told(_from_rows(found[at])) for at in places)


_COLUMNS = ("targets", "labels", "before", "after", "counts", "scores")
"""Of kept growth; the last four are numbers by their bits."""


def _as_rows(changes: Changes) -> IntArray:
    named = [changes.targets, changes.labels]
    measured = [as_bits(values) for values in (changes.before, changes.after, changes.counts, changes.scores)]
    return np.stack([*named, *measured], axis=1).astype(np.int64)


def _from_rows(rows: IntArray) -> Changes:
    return Changes(rows[:, 0], rows[:, 1], *(from_bits(rows[:, place]) for place in range(2, len(_COLUMNS))))


def _is_possible(grown: Changes, count: int, top: int, images: IntArray) -> bool:
    """Whether growth from outside can be that of this run."""
    labels = np.stack([grown.targets, grown.labels])
    shares = np.stack([grown.before, grown.after])
    if count > top or (labels < 0).any() or (labels >= len(images)).any() or (grown.targets == grown.labels).any():
        return False
    in_range = (shares >= 0).all() and (shares <= 1).all() and (grown.before < grown.after).all()
    counted = (grown.counts > 0).all() and (grown.counts <= images[grown.targets]).all()
    return bool(in_range and counted and (grown.scores > 0).all() and np.isfinite(grown.scores).all())


def _check_window(window: int) -> None:
    if not 1 <= window <= MOST_COMPARED:
        raise UsageError(f"confusion: {window} validations before and after; use 1 to {MOST_COMPARED}")


def _around(data: RunData, at: int, window: int) -> tuple[slice, slice]:
    """Return the validations before one, and those from it on."""
    return slice(max(0, at - window), at), slice(at, min(at + window, len(data.validations)))


def _growth(data: RunData, at: int, window: int) -> Changes:
    """Return the confusions that grew at a validation."""
    before, after = _around(data, at, window)
    targets, labels = _labels(data, slice(before.start, after.stop))  # read once: neighbours share a block of the file
    return _growth_in(data, targets, labels, at - before.start)


def _growth_in(data: RunData, targets: LabelArray, labels: IntArray, at: int) -> Changes:
    """Return the confusions that grew between the first `at` validations of some labels and those after."""
    parts = (labels[:, :at], labels[:, at:])
    earlier, later = (count_confusions(part, targets, len(data.class_sizes)) for part in parts)
    return find_growth(earlier, later, data.class_sizes)


def _told(changes: Changes) -> tuple[ConfusionChange, ...]:
    arrays = (changes.targets, changes.labels, changes.before, changes.after, changes.counts, changes.scores)
    return tuple(ConfusionChange(*numbers) for numbers in zip(*(array.tolist() for array in arrays), strict=True))


def confusion_matrix(
    data: RunData, iteration: int, since: int | None, rows: int, columns: int, picked: tuple[int, int | None] | None
) -> ConfusionMatrix:
    """Answer `RunQuery.confusion_matrix`. The last one is kept: who asks for its confusions over time asks again."""
    known: dict[object, ConfusionMatrix] = data.remembered("the last confusion matrix", dict)
    asked = (iteration, since, rows, columns, picked)
    if asked not in known:
        found = _find_matrix(data, *asked)
        known.clear()
        known[asked] = found
    return known[asked]


def _find_matrix(
    data: RunData, iteration: int, since: int | None, rows: int, columns: int, picked: tuple[int, int | None] | None
) -> ConfusionMatrix:
    if rows < 1 or columns < 1:
        raise UsageError(f"confusion matrix: {rows} × {columns} classes; ask for at least 1 × 1")
    at = position_of(data, iteration)
    nothing: IntArray = np.zeros(0, dtype=np.int64)
    if at < 0 or data.images is None:
        empty: IntArray = np.zeros((0, 0), dtype=np.int64)
        return ConfusionMatrix(None, None, (), nothing, nothing, empty, nothing, nothing, 0, 0)
    before = min(at, len(data.validations) if since is None else int(np.searchsorted(data.validations, since))) - 1
    here = _count(data, at)
    sizes = data.class_sizes
    past = _count(data, before) if before >= 0 else here
    changes = find_changes(past, here, sizes).chosen(slice(0, MOST_CHANGES))
    wrong = np.bincount(here.targets, here.counts, minlength=len(sizes))
    taken = np.bincount(here.labels, here.counts, minlength=len(sizes))
    first_row, first_columns = _of_picked(picked, changes, here)
    shown_columns: IntArray = np.arange(len(taken))
    if len(shown_columns) > columns:
        told = np.concatenate([first_columns, _by_turns(changes.targets, changes.labels)])
        shown_columns = labels_that_matter(told, taken, columns)
    shown_rows: IntArray = np.flatnonzero(sizes)
    if len(shown_rows) > rows:
        is_seen = np.isin(here.labels, shown_columns)
        seen = np.bincount(here.targets[is_seen], here.counts[is_seen], minlength=len(sizes))
        has_cell = np.isin(changes.targets, shown_columns) & np.isin(changes.labels, shown_columns)
        shown_rows = labels_that_matter(np.concatenate([first_row, changes.targets[has_cell]]), seen, rows)
    table, others = tabulate(here, shown_rows, shown_columns)
    return ConfusionMatrix(
        iteration=int(data.validations[at]),
        reference=int(data.validations[before]) if before >= 0 else None,
        changed=_told(changes),
        rows=read_only(shown_rows),
        columns=read_only(shown_columns),
        counts=read_only(table),
        others=read_only(others),
        judged=read_only(here.judged[shown_rows]),
        more_rows=int(np.count_nonzero(wrong)) - int(np.count_nonzero(wrong[shown_rows])),
        more_columns=int(np.count_nonzero(taken)) - int(np.count_nonzero(taken[shown_columns])),
        judging=data.judging,
    )


def _of_picked(picked: tuple[int, int | None] | None, changes: Changes, here: Confusions) -> tuple[IntArray, IntArray]:
    """Return the true label of a picked class, and the predicted ones to show of it, the picked one first."""
    if picked is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    target, label = picked
    own = here.targets == target
    most = here.labels[own][np.argsort(-here.counts[own], kind="stable")][:MOST_OF_PICKED]
    told = [] if label is None else [label]
    columns = np.concatenate([told, changes.labels[changes.targets == target][:1], most, [target]])
    return np.array([target]), columns.astype(np.int64)


def _by_turns(first: IntArray, second: IntArray) -> IntArray:
    """Return the items of two arrays by turns."""
    return np.stack([first, second], axis=1).ravel()


def confusion_shares(data: RunData, pairs: tuple[tuple[int, int], ...], axis: TimeAxis) -> FloatArray:
    """Answer `RunQuery.confusion_shares`."""
    if len(pairs) > MOST_CHANGES:
        raise UsageError(f"confusions over time: {len(pairs)} pairs; ask for at most {MOST_CHANGES}")
    held = data.held_validations(axis)
    known: dict[tuple[int, int], FloatArray] = data.remembered("shares of confusions", dict)
    missing = [pair for pair in pairs if pair not in known]
    if len(known) + len(missing) > SHARES_KEPT:
        known.clear()
        missing = [*pairs]
    for target in {target for target, _ in missing}:
        labels = _labels_of(data, target)
        judged = np.count_nonzero(labels >= 0, axis=0)
        for pair in missing:
            if pair[0] == target:
                taken = np.count_nonzero(labels == pair[1], axis=0)
                known[pair] = np.divide(taken, judged, out=np.full(len(judged), np.nan), where=judged > 0)
    shares = np.array([known[pair] for pair in pairs]).reshape(len(pairs), len(data.validations))
    return read_only(pool_largest(shares, held))


def _validation_at(data: RunData, iteration: int) -> int:
    """Return the position of the last validation at or before an iteration of the run."""
    validations = data.validations
    if not len(validations):
        raise UsageError(f"iteration {iteration}: no validations were recorded, so there are no confusions")
    at = int(np.searchsorted(validations, iteration, side="right")) - 1
    if at < 0 or iteration > data.last_iteration:
        there = f"has validations from {int(validations[0])} to {int(validations[-1])}"
        raise UsageError(f"iteration {iteration}: the run {there} and ends at {data.last_iteration}")
    return at


def _count(data: RunData, at: int) -> Confusions:
    """Return the confusions at a validation; the labels of those beside it are kept for the next step."""
    images = data.images
    targets: LabelArray = np.zeros(0, dtype=np.uint16) if images is None else images.targets
    if not len(targets):
        return count_confusions(np.zeros((0, 1), dtype=np.int64), targets, len(data.class_sizes))
    labels = data.labels_around(np.arange(len(targets)), at)
    return count_confusions(labels[:, None], targets, len(data.class_sizes))


def _labels(data: RunData, validations: slice) -> tuple[LabelArray, IntArray]:
    """Return the true labels, shape (images,), and those predicted at some validations, shape (images, validations)."""
    images = data.images
    if images is None:
        return np.zeros(0, dtype=np.uint16), np.zeros((0, 0), dtype=np.int64)
    return images.targets, data.labels(slice(0, len(images.targets)), validations)


def _labels_of(data: RunData, label: int) -> IntArray:
    """Return what the images of a class were taken for, shape (images, validations)."""
    check_labels(data, [label])
    first = int(data.layout.first_image[label])
    return data.labels(slice(first, first + int(data.class_sizes[label])), slice(0, len(data.validations)))


def confusion_times(data: RunData, label: int) -> ConfusionTimes:
    """Answer `RunQuery.confusion_times`."""
    check_labels(data, [label])
    images, count = int(data.class_sizes[label]), len(data.validations)

    def find() -> Arrays:
        return tuple(one.astype(np.int64, copy=False) for one in confusions_over_time(_labels_of(data, label), label))

    def is_possible(arrays: Arrays) -> bool:
        if not have(arrays, ("i", (None,)), ("i", (None, count)), ("i", (count,))) or len(arrays[0]) != len(arrays[1]):
            return False
        labels, counts, judged = arrays
        is_counted = counts.min(initial=0) >= 0 and judged.max(initial=0) <= images
        named = (labels >= 0) & (labels < LABELS) & (labels != label)
        return bool(is_counted and named.all() and (counts.sum(axis=0) <= judged).all())

    found, counts, judged = data.pictured(("confusions", label), find, is_possible)
    return ConfusionTimes(label, data.validations, read_only(found), read_only(counts), read_only(judged))
