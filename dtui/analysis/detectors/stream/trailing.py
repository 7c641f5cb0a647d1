"""Values against the records before them: medians and robust z, the same however a run is cut into blocks."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dtui.model import FloatArray

WINDOW = 20
"""Trailing records that a value is compared with, itself not among them (FINDINGS §2)."""
LEAST = 5
"""Fewest of them that must have a value."""
WARM_UP = 12
"""Records before which no detector of filters, layers and the network speaks (FINDINGS §2)."""
RECENT = 5
"""Records before a value whose median is its recent level."""
NORMAL = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""


class Tail:
    """The last columns of rows of values that grow."""

    def __init__(self, rows: int, length: int = WINDOW) -> None:
        """Begin with `length` columns of no value."""
        self._kept: FloatArray = np.full((rows, length), np.nan, dtype=np.float32)

    def extend(self, new: FloatArray) -> FloatArray:
        """Return what was kept and, behind it, shape (rows, length + n), what is new; and keep its end.

        Args:
            new: Shape (rows, n).
        """
        joined = np.concatenate([self._kept, new.astype(np.float32, copy=False)], axis=1)
        self._kept = joined[:, joined.shape[1] - self._kept.shape[1] :].copy()
        return joined


def windows_before(joined: FloatArray, length: int = WINDOW) -> FloatArray:
    """Return the `length` values before each of the last columns, shape (rows, n, length), as a view.

    Args:
        joined: Shape (rows, length + n).
        length: At least 1.
    """
    if joined.shape[1] == length + 1:  # one record, as a live run has them
        return joined[:, None, :-1]
    view: FloatArray = sliding_window_view(joined, length, axis=1)[:, :-1]
    return view


def medians(values: FloatArray) -> FloatArray:
    """Return the median along the last axis without NaN; NaN where fewer than LEAST values are known."""
    known = np.count_nonzero(~np.isnan(values), axis=-1)
    result: FloatArray = np.where(known >= LEAST, _nan_median(values), np.nan)
    return result


def robust_z(values: FloatArray, before: FloatArray, floor: float) -> tuple[FloatArray, FloatArray]:
    """Return how far values lie above the median of what came before them, in robust deviations and as they are.

    Args:
        values: Any shape.
        before: The same shape and a last axis of the values before each.
        floor: Added to the deviation, which may be zero.

    Returns:
        z and rise, NaN where fewer than LEAST values are known.
    """
    middle = medians(before)
    with np.errstate(invalid="ignore"):
        spread = NORMAL * medians(np.abs(before - middle[..., None]))
        rise = values - middle
        z = rise / (spread + floor)
    return z, rise


def recent_z(values: FloatArray, before: FloatArray, floor: float) -> tuple[FloatArray, FloatArray]:
    """Return how far values lie above the last few before them, in deviations from one record to the next.

    Where a training falls or rises steadily, as in its beginning, the scatter about one median of 20 records is mostly
    that course, and hides a jump.

    Args:
        values: Shape (..., n).
        before: The values before each, in order, shape (..., n, WINDOW).
        floor: Added to the deviation, which may be zero.

    Returns:
        z and rise, NaN where fewer than LEAST steps, or fewer than 3 of the last 5 values, are known.
    """
    latest = before[..., -RECENT:]
    with np.errstate(invalid="ignore"):
        steps = medians(np.abs(np.diff(before, axis=-1)))
        level = np.where(np.isfinite(latest).sum(axis=-1) > RECENT // 2, _nan_median(latest), np.nan)
        rise = values - level
        z = rise / (NORMAL * steps / np.sqrt(2) + floor)
    return z, rise


def _nan_median(values: FloatArray) -> FloatArray:
    """Return the median along the last axis without NaN; NaN where nothing is known."""
    ordered = np.sort(values, axis=-1)  # NaN goes to the end
    known = np.count_nonzero(~np.isnan(values), axis=-1)[..., None]
    low = np.take_along_axis(ordered, np.maximum((known - 1) // 2, 0), axis=-1)
    high = np.take_along_axis(ordered, np.minimum(known // 2, values.shape[-1] - 1), axis=-1)
    result: FloatArray = (low[..., 0] + high[..., 0]) / 2
    return result
