"""Counts, for layers × classes, the filters of a layer that changed most when a class had an event."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import IntArray


def distinct_filters(
    sets: Sequence[IntArray], set_of: IntArray, column_of: IntArray, columns: int, row_of: IntArray, rows: int
) -> IntArray:
    """Count the distinct filters of each row over the events of each column.

    Args:
        sets: Rows on the flat filter axis, one set per record.
        set_of: Position in `sets` of each event, shape (events,), -1 for an event without one.
        column_of: Column of each event, shape (events,), such as that of its class.
        columns: Number of columns.
        row_of: Row of each filter, shape (F,), such as its layer; -1 for a filter that is in none.
        rows: Number of rows.

    Returns:
        Shape (rows, columns), int64.

    Source: DeepTracker (ACM TIST 2018), correlation view, abstract.
    """
    counts: IntArray = np.zeros((rows, columns), dtype=np.int64)
    if not len(sets):
        return counts
    has_set = set_of >= 0
    pairs = np.sort(column_of[has_set].astype(np.int64) * len(sets) + set_of[has_set])
    pairs = pairs[np.diff(pairs, prepend=-1) > 0]  # a million events share sets
    filters, sizes = np.concatenate(sets), np.array([len(one) for one in sets], dtype=np.int64)
    firsts = np.cumsum(sizes) - sizes
    is_held = np.zeros(len(row_of), dtype=np.bool_)
    for own in np.split(pairs, np.flatnonzero(np.diff(pairs // len(sets))) + 1):
        if not len(own):
            continue
        some = own % len(sets)
        stops = np.cumsum(sizes[some])
        inside = np.arange(stops[-1]) + np.repeat(firsts[some] + sizes[some] - stops, sizes[some])
        is_held[:] = False
        is_held[filters[inside]] = True
        held = row_of[is_held]
        counts[:, int(own[0]) // len(sets)] = np.bincount(held[held >= 0], minlength=rows)
    return counts
