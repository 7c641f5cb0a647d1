"""Compares how filters change with how their layer changes.

Owns the rules for dead, late and clearly changed filters. Each array belongs to one layer: filters in rows, records in
columns.
"""

from __future__ import annotations

import numpy as np

from dtui.analysis.quantiles import column_medians
from dtui.model import BoolArray, FloatArray, IntArray

DEAD_SHARE = 1e-3
DEAD_RECORDS = 3
CLEAR_SHARE = 0.1
LATE_RECORDS = 10
LATE_SHARE = 0.1
NEVER = -1
FILTERS_AT_ONCE = 128
LEAST_PLACE = 1e-3
"""Least median place of a filter among the others that anything is compared with."""


def find_dead(gradient_norms: FloatArray, update_norms: FloatArray) -> BoolArray:
    """Find the filters that no longer learn.

    Args:
        gradient_norms: Of the last records of the run, shape (filters, records), NaN where there is no gradient.
        update_norms: Same shape.

    Returns:
        Shape (filters,). A filter is dead if in all those records its gradient is below 1e-3 of the layer's median, or
        zero where another filter of the layer has one (the median says nothing where most have none), or if gradient
        and change are exactly zero. Filters of a frozen layer (NaN) are not dead. With fewer than 3 records no filter
        is.

    Source: dtui.
    """
    if gradient_norms.shape[1] < DEAD_RECORDS:
        return np.zeros(len(gradient_norms), dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        tiny = gradient_norms < DEAD_SHARE * column_medians(gradient_norms)
    without = (gradient_norms == 0) & ((gradient_norms > 0).any(axis=0) | (update_norms == 0))
    result: BoolArray = np.all(tiny | without, axis=1)
    return result


def first_clear_change(update_ratio: FloatArray) -> tuple[IntArray, int]:
    """Find when each filter, and the layer, first changed clearly.

    Args:
        update_ratio: Shape (filters, records), NaN where there is none.

    Returns:
        For each filter, shape (filters,): the position of the first record at which it changed by at least a tenth of
        the layer's median filter; and the position of the first record at which that median is above zero. -1 where
        there is none.

    Source: dtui.
    """
    if update_ratio.shape[1] == 0 or update_ratio.shape[0] == 0:
        return np.full(len(update_ratio), NEVER, dtype=np.int64), NEVER
    median = column_medians(update_ratio)
    moving = np.nan_to_num(median) > 0
    with np.errstate(invalid="ignore"):
        clear = (update_ratio >= CLEAR_SHARE * median) & moving
    first = np.where(clear.any(axis=1), clear.argmax(axis=1), NEVER).astype(np.int64)
    return first, int(moving.argmax()) if moving.any() else NEVER


def find_late(first: IntArray, layer_first: int, records: int) -> BoolArray:
    """Find the filters that began to change long after their layer did.

    Args:
        first: Position of each filter's first clear change, -1 for none, shape (filters,).
        layer_first: Position of the layer's first clear change.
        records: Records of the run.

    Returns:
        Shape (filters,). A filter is late if it began more than 10 records and more than a tenth of the run after the
        layer. A filter that never changed is not late.

    Source: DeepTracker (ACM TIST 2018), late-updating filters as a finding of its experts; rule: dtui.
    """
    wait = max(LATE_RECORDS, int(LATE_SHARE * records))
    result: BoolArray = (first != NEVER) & (layer_first != NEVER) & (first - layer_first > wait)
    return result


def standing_out(magnitudes: FloatArray) -> FloatArray:
    """Return how far each filter of a layer ever leaves its usual place among the others.

    Args:
        magnitudes: Shape (filters, records), >= 0; what is not finite is passed over.

    Returns:
        Shape (filters,), >= 0. A filter's place at a record is its magnitude over the layer's median there; what is
        returned is its largest place over its median place. That a whole layer moves, as when the learning rate
        changes, does not count. A median place below a thousandth counts as a thousandth. NaN where there is none.

    Source: dtui.
    """
    finite = np.where(np.isfinite(magnitudes), magnitudes, np.nan)
    result = np.full(len(finite), np.nan)
    if not finite.size:
        return result
    median = column_medians(finite)
    used = median > 0
    for first in range(0, len(finite), FILTERS_AT_ONCE):  # places are of float64: those of a layer may be 40 MB
        place = finite[first : first + FILTERS_AT_ONCE, used] / median[used]
        known = np.isfinite(place).any(axis=1)
        if known.any():
            usual = np.maximum(column_medians(place[known].T), LEAST_PLACE)
            result[first + np.flatnonzero(known)] = np.nanmax(place[known], axis=1) / usual
    return result
