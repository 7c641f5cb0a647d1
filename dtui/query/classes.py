"""Answers the errors of classes, and clusters of classes with similar errors.

Owns how a group of classes is averaged.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dtui.analysis.clusters import average_linkage, cluster_labels, error_features, k_means, standardised
from dtui.analysis.downsample import ColumnRecords, column_batches, pool_largest, records_of_columns
from dtui.analysis.ordering import by_peak, by_similarity
from dtui.errors import UsageError
from dtui.model import BoolArray, ClassCluster, ClassCourse, ClassErrors, FloatArray, IntArray, TimeAxis, read_only
from dtui.model.judging import as_groups
from dtui.query.data import Arrays, RunData, have

HIERARCHICAL = "hierarchical"
METHODS = ("k-means", HIERARCHICAL)
SORTS = ("error", "here", "peak", "similarity", "name", "index")
AT_ONCE = 1_024
"""Validations whose errors are summed at once."""
GROUPS_AT_ONCE = 64
"""Groups of classes whose errors are held at once."""
AXES_KEPT = 2
"""Time axes of which strips of errors are kept."""
MOST_LINKED = 4_000
"""Classes whose distances from each other are held at once: 128 MB."""


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
    return _error_of(data.judged_within(validations)[present], data.errors_within(validations)[present])


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
    wrong = (np.where(judged > 0, errors, 0) * judged).sum(axis=0, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        found: FloatArray = wrong / judged.sum(axis=0, dtype=np.float64)
    return found


def class_errors(data: RunData, groups: Sequence[Sequence[int]], axis: TimeAxis) -> ClassErrors:
    """Answer `RunQuery.class_errors`."""
    held = records_of_columns(axis, data.validations, data.validation_interval)
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


COURSES = ("error", "change")
EARLY = 0.2
"""Share of the validations in which classes are still being learned: what moves there tells nothing."""


def class_courses(data: RunData, by: str, top: int) -> tuple[ClassCourse, ...]:
    """Answer `RunQuery.class_courses`."""
    if by not in COURSES:
        raise UsageError(f"class list {by!r} is unknown; use one of {', '.join(COURSES)}")
    if top < 1:
        raise UsageError(f"classes: the top {top}; ask for at least 1")

    def find() -> list[ClassCourse]:
        return _told(
            data,
            data.pictured("class courses", lambda: (_courses(data),), lambda found: _are_courses(data, found))[0],
        )

    courses = data.remembered("class courses", find)
    return tuple(sorted(courses, key=lambda one: (-(one.last if by == COURSES[0] else one.change), one.label))[:top])


def _courses(data: RunData) -> FloatArray:
    """Return the course of every class that was ever judged, by label, shape (n, 6): its label, its last, lowest and
    highest error, and the positions of the validations of the latter two.
    """
    errors = data.class_errors()
    known = np.isfinite(errors)
    labels = np.flatnonzero(known.any(axis=1)) if errors.size else np.zeros(0, dtype=np.int64)
    late = np.arange(errors.shape[1]) >= int(EARLY * errors.shape[1])
    rows = [_course(int(label), errors[label], known[label], late) for label in labels]
    return np.array(rows, dtype=np.float64).reshape(-1, 6)


def _course(label: int, errors: FloatArray, known: BoolArray, late: BoolArray) -> tuple[float, ...]:
    counted = np.flatnonzero(known & late)
    counted = counted if len(counted) else np.flatnonzero(known)
    lowest, highest = (int(counted[int(find(errors[counted]))]) for find in (np.argmin, np.argmax))
    return (label, float(errors[known][-1]), float(errors[lowest]), float(errors[highest]), lowest, highest)


def _are_courses(data: RunData, found: Arrays) -> bool:
    """Whether rows from outside can be those of `_courses`."""
    if not have(found, ("f", (None, 6))):
        return False
    labels, shares, places = found[0][:, 0], found[0][:, 1:4], found[0][:, 4:]
    in_range = (labels >= 0) & (labels < len(data.layout.images)) & ((shares >= 0) & (shares <= 1)).all(axis=1)
    in_range &= ((places >= 0) & (places < len(data.validations))).all(axis=1)
    whole = labels == np.floor(labels), places == np.floor(places)
    return bool(in_range.all() and all(one.all() for one in whole) and (np.diff(labels) > 0).all())


def _told(data: RunData, rows: FloatArray) -> list[ClassCourse]:
    names, at = data.reader.classes, data.validations
    return [
        ClassCourse(
            int(label),
            names[int(label)] if label < len(names) else str(int(label)),
            int(data.class_sizes[int(label)]),
            *(last, lowest, int(at[int(lowest_at)]), highest, int(at[int(highest_at)])),
        )
        for label, last, lowest, highest, lowest_at, highest_at in rows.tolist()
    ]


def clusters(
    data: RunData, count: int, method: str, is_standardised: bool, sort: str, at: int | None
) -> tuple[ClassCluster, ...]:
    """Answer `RunQuery.clusters`."""
    if count < 1:
        raise UsageError(f"clusters: {count} asked for; use at least 1")
    if method not in METHODS:
        raise UsageError(f"clusters: method {method!r} is unknown; use one of {', '.join(METHODS)}")
    if sort not in SORTS:
        raise UsageError(f"class order {sort!r} is unknown; use one of {', '.join(SORTS)}")
    known = len(data.layout.images)
    if method == HIERARCHICAL and known > MOST_LINKED:
        raise UsageError(f"clusters: {known:,} classes are too many for {method}; use {METHODS[0]}")
    if not len(data.validations):
        return ()
    found = data.remembered(
        ("clusters", count, method, is_standardised), lambda: _clusters(data, count, method, is_standardised)
    )
    if sort == "error":
        return found
    if sort == "here":
        return _worst_first(data, found, data.last_iteration if at is None else at)
    return data.remembered(
        ("clusters", count, method, is_standardised, sort),
        lambda: tuple(replace(one, classes=_order(data, sort, np.array(one.classes))) for one in found),
    )


def _clusters(data: RunData, count: int, method: str, is_standardised: bool) -> tuple[ClassCluster, ...]:
    """Return the clusters by rising mean error, and the classes of each likewise; one where each had a single class."""
    asked = ("clusters", count, method, is_standardised)
    known = len(data.layout.images)

    def is_possible(found: Arrays) -> bool:
        if not have(found, ("i", (None,)), ("i", (None,))):
            return False
        sizes, classes = found
        is_each_once = len(np.unique(classes)) == len(classes) <= known
        in_range = (sizes > 0).all() and ((classes >= 0) & (classes < known)).all()
        return bool(is_each_once and in_range and len(sizes) <= count and sizes.sum() == len(classes))

    sizes, classes = data.pictured(asked, lambda: _assigned(data, count, method, is_standardised), is_possible)
    if (sizes == 1).all():
        sizes = np.array([len(classes)])[: len(classes)]
    groups = np.split(classes, np.cumsum(sizes)[:-1]) if len(sizes) else []
    labels = (as_groups(label, data.judging) for label in cluster_labels(len(groups)))
    return tuple(
        ClassCluster(index, label, tuple(group.tolist()))
        for index, (label, group) in enumerate(zip(labels, groups, strict=True))
    )


def _assigned(data: RunData, count: int, method: str, is_standardised: bool) -> Arrays:
    """Return how many classes each cluster has, and the classes of one after the other."""
    errors = data.class_errors()
    judged = np.flatnonzero(~np.isnan(errors).all(axis=1) & (data.layout.images[: len(errors)] > 0))
    errors = errors if len(judged) == len(errors) else errors[judged]
    parts = [errors[first : first + GROUPS_AT_ONCE] for first in range(0, len(errors), GROUPS_AT_ONCE)]
    means: FloatArray = np.concatenate([np.zeros(0), *(np.nanmean(some, axis=1, dtype=np.float64) for some in parts)])
    features = np.concatenate([error_features(some) for some in parts or [errors]])
    cluster = average_linkage if method == HIERARCHICAL else k_means
    assigned = cluster(standardised(features) if is_standardised else features, count)
    members = [np.flatnonzero(assigned == cluster) for cluster in range(int(assigned.max(initial=-1)) + 1)]
    members.sort(key=lambda rows: float(means[rows].mean()))
    orders = [np.argsort(means[rows], kind="stable") for rows in members]
    groups = [judged[rows[order]] for rows, order in zip(members, orders, strict=True)]
    nothing = np.zeros(0, np.int64)
    return np.array([len(group) for group in groups], np.int64), np.concatenate([nothing, *groups])


def _order(data: RunData, sort: str, classes: IntArray) -> tuple[int, ...]:
    """Return the classes of a cluster in another order."""
    classes = np.sort(classes)
    if sort == "similarity":
        order = by_similarity(error_features(data.class_errors()[classes]))
    elif sort == "peak":
        order = by_peak(data.class_errors()[classes])
    else:
        order = np.arange(len(classes))
    names = data.images.classes if data.images is not None else ()
    if sort == "name":
        return tuple(sorted(classes.tolist(), key=lambda label: natural_key(names[label])))
    return tuple(classes[order].tolist())


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Return a key that sorts names as people count: "class 9" before "class 10"; capitals make no difference."""
    parts = (part for part in re.split(r"([0-9]{1,18})", name.casefold()) if part)
    return tuple((0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts)


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


def _worst_first(data: RunData, found: tuple[ClassCluster, ...], iteration: int) -> tuple[ClassCluster, ...]:
    """Return the clusters, and the classes of each, by falling error at the last validation up to an iteration."""
    position = int(np.searchsorted(data.validations, iteration, side="right")) - 1
    if position < 0:
        return found
    errors = np.nan_to_num(data.errors_within(slice(position, position + 1))[:, 0], nan=-1.0)
    sizes = data.class_sizes
    ordered = []
    for one in found:
        classes = np.array(one.classes)
        order = np.argsort(-errors[classes], kind="stable")
        mean = float((np.maximum(errors[classes], 0) * sizes[classes]).sum() / max(1, int(sizes[classes].sum())))
        ordered.append((mean, replace(one, classes=tuple(classes[order].tolist()))))
    return tuple(one for _, one in sorted(ordered, key=lambda item: -item[0]))
