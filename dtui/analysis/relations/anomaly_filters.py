"""Finds the filters that changed most at one record, or at every one of several records.

Owns what "most" means: a limit for the whole network, or a limit per layer.
"""

from __future__ import annotations

import numpy as np

from dtui.model import BoolArray, FloatArray, IntArray


def most_changed(
    changes: FloatArray, layer_of: IntArray, allowed: BoolArray, count: int | None, per_layer: int | None
) -> IntArray:
    """Return the filters that changed most at one record.

    Args:
        changes: How much each filter changed, shape (F,), >= 0. NaN (no value) and zero (no change) are never chosen.
            Inf is the largest change.
        layer_of: Index of the layer of each filter, shape (F,), ascending.
        allowed: Which filters may be chosen, shape (F,).
        count: Most filters in all, None for no limit.
        per_layer: Most filters of a layer, None for no limit.

    Returns:
        Rows, the most changed first; equal changes by rising row.

    Source: DeepTracker (ACM TIST 2018), anomaly filters.
    """
    with np.errstate(invalid="ignore"):
        rows = np.flatnonzero((changes > 0) & allowed)
    if per_layer is not None and len(rows):
        bounds = np.flatnonzero(np.diff(layer_of[rows])) + 1
        rows = np.sort(np.concatenate([_largest(own, changes, per_layer) for own in np.split(rows, bounds)]))
    return _largest(rows, changes, count)


def _largest(rows: IntArray, changes: FloatArray, count: int | None) -> IntArray:
    """Return the rows with the largest changes, largest first; equal changes by rising row. `rows` must ascend."""
    if count is not None and count < len(rows):
        place = len(rows) - count
        rows = rows[changes[rows] >= np.partition(changes[rows], place)[place]]
    result: IntArray = rows[np.argsort(-changes[rows], kind="stable")][:count]
    return result


def most_changed_at_all(
    changes: FloatArray, layer_of: IntArray, allowed: BoolArray, count: int | None, per_layer: int | None
) -> tuple[IntArray, IntArray]:
    """Return the filters that changed most at all of several records.

    A filter's rank at a record is its place among the allowed filters. Filters are ordered by their worst rank, so that
    a record with a high learning rate does not outweigh the others.

    Args:
        changes: Shape (F, records), as in `most_changed`.
        layer_of: As in `most_changed`.
        allowed: As in `most_changed`.
        count: As in `most_changed`.
        per_layer: As in `most_changed`.

    Returns:
        Rows by worst rank, then by the sum of ranks, then by row, shape (n,); and the rank of each at every record,
        shape (n, records), 1 for the most changed; equal changes have equal ranks. A filter without a change at one of
        the records is left out.

    Source: DeepTracker (ACM TIST 2018), filters picked by several iterations; order by the worst rank: dtui.
    """
    with np.errstate(invalid="ignore"):
        moved = (changes > 0) & allowed[:, None]
    ranks: IntArray = np.empty(changes.shape, dtype=np.int64)
    for record, column in enumerate(changes.T):
        ascending = np.sort(column[moved[:, record]])
        ranks[:, record] = len(ascending) - np.searchsorted(ascending, column, side="right") + 1
    rows = np.flatnonzero(moved.all(axis=1)) if changes.shape[1] else np.zeros(0, dtype=np.int64)
    chosen = rows[np.lexsort((ranks[rows].sum(axis=1), ranks[rows].max(axis=1, initial=0)))]
    if per_layer is not None:
        chosen = chosen[_place_within(layer_of[chosen]) < per_layer]
    chosen = chosen[:count]
    return chosen, ranks[chosen]


def _place_within(groups: IntArray) -> IntArray:
    """Return for each element how many elements of its group come before it, shape (n,)."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    place: IntArray = np.empty(len(groups), dtype=np.int64)
    place[order] = np.arange(len(groups)) - np.searchsorted(ordered, ordered, side="left")
    return place
