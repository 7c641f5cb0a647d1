"""Answers clusters of classes with similar errors, and the order of classes within each."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from dtui.analysis.clusters import average_linkage, cluster_labels, error_features, k_means, standardised
from dtui.analysis.ordering import by_peak, by_similarity
from dtui.errors import UsageError
from dtui.model import ClassCluster, FloatArray, IntArray
from dtui.model.judging import as_groups
from dtui.query.classes.errors import GROUPS_AT_ONCE
from dtui.query.data import Arrays, RunData, have

HIERARCHICAL = "hierarchical"
METHODS = ("k-means", HIERARCHICAL)
SORTS = ("error", "here", "peak", "similarity", "name", "index")
MOST_LINKED = 4_000
"""Classes whose distances from each other are held at once: 128 MB."""


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
