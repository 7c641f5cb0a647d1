"""The compiled form of `dtui.record.measure.norm_statistics`: the same formulas in one call that frees the interpreter.

Owns nothing but speed. Imports numba; `compiled` loads it. `tests/record/measure/test_kernels.py` compares the two.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from dtui.record.measure.statistics_kernel import OPTIONS, inner, positive
from dtui.record.network.norm_layers import Kept

COLUMNS = ("mean_shift", "variance_shift", "scale_shift", "zero_scales", "nonfinite")
"""The statistics in the order in which `derive` computes them; `places` says where each is stored."""

_KINDS, _SCALE, _MEAN, _VARIANCE = len(Kept), int(Kept.SCALE), int(Kept.MEAN), int(Kept.VARIANCE)

_signature = (
    "void(float32[:, ::1], float64[:, ::1], float64[::1], float64[::1], int64[::1], int64[::1], float64,"
    " boolean, float32[:, ::1])"
)


@inner
def _finite(value: Any) -> Any:
    return np.float64(np.nan) if np.isinf(value) else np.float64(value)


@inner
def _change(what: int, values: Any, before: Any, channel: Any) -> Any:
    """Return the value of a channel whose median over the layer gives a statistic: the first three of COLUMNS, then the
    size of the scales. NaN where it has none."""
    if what == 0:
        shift = _finite(values[_MEAN, channel]) - before[_MEAN, channel]
        return shift * shift / positive(before[_VARIANCE, channel])
    if what == 1:
        variance = positive(_finite(values[_VARIANCE, channel]))
        return abs(np.log(variance / positive(before[_VARIANCE, channel])))
    scale = _finite(values[_SCALE, channel])
    return abs(scale - before[_SCALE, channel]) if what == 2 else abs(scale)


@numba.njit("float64(float64[::1], int64, int64)", **OPTIONS)
def _select(values: Any, count: Any, wanted: Any) -> Any:
    """Return the number that would stand at a place if the first `count` were sorted; they change their order.

    Those before the place are not above it afterwards, and those behind it not below. Source: Hoare (1961), FIND.
    """
    low, high = 0, count - 1
    while low < high:
        pivot, left, right = values[(low + high) // 2], low, high
        while left <= right:
            while values[left] < pivot:
                left += 1
            while pivot < values[right]:
                right -= 1
            if left <= right:
                values[left], values[right] = values[right], values[left]
                left, right = left + 1, right - 1
        if wanted <= right:
            high = right
        elif wanted >= left:
            low = left
        else:
            break
    return values[wanted]


@numba.njit("float64(float64[::1], int64)", **OPTIONS)
def _median(values: Any, count: Any) -> Any:
    """Return the median of the first `count` numbers, NaN for none; their order changes. None may be NaN.

    `np.median` would take numba two seconds to compile.
    """
    if not count:
        return np.nan
    middle = _select(values, count, count // 2)
    if count % 2:
        return middle
    below = values[0]
    for index in range(1, count // 2):
        below = max(below, values[index])
    return (below + middle) / 2


@numba.njit(_signature, **OPTIONS)
def derive(
    values: Any,
    before: Any,
    usual: Any,
    sizes: Any,
    starts: Any,
    places: Any,
    near_zero: Any,
    is_first: Any,
    statistics: Any,
) -> None:
    """Compute the statistics of one record.

    Args:
        values: Shape (3, channels of all layers), float32: scales, running means and running variances; NaN for what a
            layer lacks, infinity for what is NaN itself.
        before: Same shape, float64: those at the record before, NaN for none; replaced by those of now.
        usual: Shape (layers,): usual size of the scales; the first record fills it.
        sizes: Shape (layers,): sizes of the scales at the record before, NaN for none; replaced by those of now.
        starts: Shape (layers + 1,): first channel of each layer, and all channels.
        places: Row of each of COLUMNS in `statistics`.
        near_zero: A scale below this share of the usual size counts as zero.
        is_first: Whether this is the first record.
        statistics: Filled, shape (len(COLUMNS), layers).
    """
    scratch, medians = np.empty(values.shape[1], np.float64), np.empty(4, np.float64)
    for layer in range(starts.shape[0] - 1):
        first, last = starts[layer], starts[layer + 1]
        taken = broken = 0
        for kind in range(_KINDS):
            for channel in range(first, last):
                taken += not np.isnan(values[kind, channel])
                broken += np.isinf(values[kind, channel])
        for what in range(4):
            count = 0
            for channel in range(first, last):
                value = _change(what, values, before, channel)
                if not np.isnan(value):
                    scratch[count] = value
                    count += 1
            medians[what] = _median(scratch, count)
        statistics[places[0], layer] = np.sqrt(medians[0])
        statistics[places[1], layer] = medians[1]
        statistics[places[2], layer] = medians[2] / positive(sizes[layer])
        statistics[places[4], layer] = broken if taken else np.nan
        sizes[layer] = medians[3]
    for kind in range(_KINDS):
        for channel in range(values.shape[1]):
            before[kind, channel] = _finite(values[kind, channel])
    for layer in range(starts.shape[0] - 1):
        if is_first:
            usual[layer] = sizes[layer]
        limit = near_zero * positive(usual[layer])
        judged = near = 0
        for channel in range(starts[layer], starts[layer + 1]):
            size = abs(before[_SCALE, channel])
            judged += not (np.isnan(size) or np.isnan(limit))
            near += size < limit
        statistics[places[3], layer] = near / positive(np.float64(judged))
