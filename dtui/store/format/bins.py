"""The coarse level over time: one value for 8 frames, so that a long run costs by the screen and not by its length.

Owns what a bin holds, wherever it is made: by the compactor for a part, or by a reader for frames that no part has
binned.
"""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray
from dtui.store.format.part_arrays import BIN


def bin_values(values: FloatArray) -> FloatArray:
    """Return the value farthest from zero in each bin of 8 columns, the last bin holding what is left.

    Args:
        values: Shape (rows, n), float32.

    Returns:
        Shape (rows, ⌈n / 8⌉), float32: one of the bin's values, the positive one of two equally far. NaN is left
        out, and stands only where there is nothing else.

    Source: dtui; the same as `dtui.analysis.downsample.pool_farthest` of 8 columns.
    """
    rows, columns = values.shape
    whole = columns // BIN
    high = np.empty((rows, -(-columns // BIN)), values.dtype)
    low = np.empty_like(high)
    if whole:
        parts = values[:, : whole * BIN].reshape(rows, whole, BIN)
        _reduce_last(np.fmax, parts, high[:, :whole])
        _reduce_last(np.fmin, parts, low[:, :whole])
    if columns % BIN:
        rest = values[:, whole * BIN :]
        high[:, -1], low[:, -1] = np.fmax.reduce(rest, axis=1), np.fmin.reduce(rest, axis=1)
    result: FloatArray = np.where(-low > high, low, high)
    return result


def _reduce_last(function: np.ufunc, values: FloatArray, out: FloatArray) -> None:
    """Reduce the short last axis: column by column, which is three times as fast as along it."""
    out[...] = values[..., 0]
    for at in range(1, values.shape[-1]):
        function(out, values[..., at], out=out)
