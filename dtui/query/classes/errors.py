"""Answers the errors of classes: of one, of some together, of all images.

Owns how a group of classes is averaged.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from dtui.analysis.downsample import ColumnRecords, column_batches, pool_largest
from dtui.errors import UsageError
from dtui.model import ClassErrors, FloatArray, TimeAxis, read_only
from dtui.query.data import RunData, have

AT_ONCE = 1_024
"""Validations whose errors are summed at once."""
GROUPS_AT_ONCE = 64
"""Groups of classes whose errors are held at once."""
AXES_KEPT = 2
"""Time axes of which strips of errors are kept."""


def check_labels(data: RunData, labels: Sequence[int]) -> None:
    """Refuse labels that the run does not have.

    Raises:
        UsageError: A label is out of range.
    """
    known = len(data.layout.images)
    for label in labels:
        if not 0 <= label < known:
            raise UsageError(f"class {label}: the run has " + (f"classes 0–{known - 1}" if known else "no classes"))


def group_error(data: RunData, labels: Sequence[int], validations: slice) -> FloatArray:
    """Return the share of the images of some classes that were wrong at some validations, step 1, shape (validations,).

    NaN where no image was judged, or where the error of a class with images is lost: without it the mean is wrong.
    """
    check_labels(data, labels)
    present = [label for label in labels if data.layout.images[label] > 0]
    rows = slice(None) if present == list(range(len(data.layout.images))) else present  # all of them without a copy
    return _error_of(data.judged_within(validations)[rows], data.errors_within(validations)[rows])


def error_of_all(data: RunData) -> FloatArray:
    """Return the share of all images that were wrong, as `group_error`, shape (m,)."""
    errors: FloatArray = _of_all_images(data)[0]
    return errors


def images_judged(data: RunData) -> FloatArray:
    """Return how many images were judged at each validation, shape (m,); all where labels are lost."""
    judged: FloatArray = _of_all_images(data)[1]
    return judged


def _of_all_images(data: RunData) -> FloatArray:
    """Return `error_of_all` and `images_judged`, shape (2, m); read a stretch at a time, and only what is new."""
    every = range(len(data.layout.images))

    def read(some: slice) -> FloatArray:
        found = np.empty((2, some.stop - some.start))
        for first in range(some.start, some.stop, AT_ONCE):
            part = slice(first, min(first + AT_ONCE, some.stop))
            here = slice(part.start - some.start, part.stop - some.start)
            found[0, here] = group_error(data, every, part)
            found[1, here] = data.judged_within(part).sum(axis=0, dtype=np.float64)
        return found

    count = len(data.validations)
    found = data.pictured(
        "all images",
        lambda: (data.growing_columns("all images", count, read),),
        lambda found: have(found, ("f", (2, count))) and _are_shares(found[0][0]) and bool((found[0][1] >= 0).all()),
    )
    return found[0]


def _error_of(judged: FloatArray, errors: FloatArray) -> FloatArray:
    """Return the share of wrong images, shape (validations,), given those of each class."""
    none = np.zeros(errors.shape, np.result_type(errors, judged))
    wrong = np.multiply(errors, judged, out=none, where=judged > 0)  # the error of no image is NaN
    with np.errstate(invalid="ignore"):
        found: FloatArray = wrong.sum(axis=0, dtype=np.float64) / judged.sum(axis=0, dtype=np.float64)
    return found


def class_errors(data: RunData, groups: Sequence[Sequence[int]], axis: TimeAxis) -> ClassErrors:
    """Answer `RunQuery.class_errors`."""
    held = data.held_validations(axis)
    asked = tuple(tuple(group) for group in groups)
    for labels in asked:
        check_labels(data, labels)
    if held.needed.stop - held.needed.start <= AT_ONCE:
        return ClassErrors(axis, asked, read_only(_strips(data, asked, held)))
    found = data.pictured(
        ("strips", asked, axis),
        lambda: (_recent(data, asked, axis, held),),
        lambda found: have(found, ("f", (len(asked), axis.columns))) and _are_shares(found[0]),
    )
    return ClassErrors(axis, asked, read_only(found[0]))


def _are_shares(values: FloatArray) -> bool:
    """Whether numbers are errors: in [0, 1], or NaN."""
    return not ((values < 0) | (values > 1)).any()


def _recent(data: RunData, asked: tuple[tuple[int, ...], ...], axis: TimeAxis, held: ColumnRecords) -> FloatArray:
    """Return the strips of groups on an axis, shape (groups, columns)."""
    known = _recent_strips(data, axis)
    missing = [group for group in dict.fromkeys(asked) if group not in known]
    if any(len(group) == 1 for group in missing):  # scrolling asks for one after the other: all are read at once
        alone = [(label,) for label in range(len(data.layout.images))]
        missing = list(dict.fromkeys([*alone, *missing]))
    known.update(zip(missing, _strips(data, missing, held), strict=True))
    return np.stack([known[group] for group in asked]) if asked else np.zeros((0, axis.columns))


def _recent_strips(data: RunData, axis: TimeAxis) -> dict[tuple[int, ...], FloatArray]:
    """Return the strips of groups on an axis that were found already, to add to; those of a few axes are kept."""
    recent: OrderedDict[TimeAxis, dict[tuple[int, ...], FloatArray]] = data.remembered("strips", OrderedDict)
    known = recent[axis] = recent.pop(axis, {})
    if len(recent) > AXES_KEPT:
        recent.popitem(last=False)
    return known


def _strips(data: RunData, groups: Sequence[tuple[int, ...]], held: ColumnRecords) -> FloatArray:
    """Return the largest error of each group in each column, shape (groups, columns), read a stretch at a time."""
    strips = np.full((len(groups), held.columns), np.nan)
    for columns in column_batches(held, AT_ONCE):
        here = ColumnRecords(held.starts[columns], held.stops[columns])
        begin = here.needed.start
        for first in range(0, len(groups), GROUPS_AT_ONCE):
            some = groups[first : first + GROUPS_AT_ONCE]
            strips[first : first + len(some), columns] = pool_largest(
                _errors_of(data, some, here.needed), here.shifted(begin)
            )
    return strips


def _errors_of(data: RunData, groups: Sequence[tuple[int, ...]], validations: slice) -> FloatArray:
    """Return the errors of some groups at some validations, shape (groups, validations)."""
    rows = np.full((len(groups), validations.stop - validations.start), np.nan)
    single = [row for row, labels in enumerate(groups) if len(labels) == 1]
    rows[single] = data.errors_within(validations)[[groups[row][0] for row in single]]
    for row, labels in enumerate(groups):
        if len(labels) != 1:
            rows[row] = group_error(data, labels, validations)
    return rows


def worst_classes(data: RunData, iteration: int, most: int) -> tuple[tuple[int, float], ...]:
    """Answer `RunQuery.worst_classes`."""
    if most < 1:
        raise UsageError(f"the worst {most} classes; ask for at least 1")
    position = int(np.searchsorted(data.validations, iteration, side="right")) - 1
    if position < 0:
        return ()
    errors = np.nan_to_num(data.errors_within(slice(position, position + 1))[:, 0].astype(np.float64))
    order = np.argsort(-errors, kind="stable")[:most]
    return tuple((int(label), float(errors[label])) for label in order if errors[label] > 0)
