"""Makes the coarse level over time: one value per 8 frames, so that drawing a long run reads fewer values.

Owns the rule for a bin. The compactor applies it to parts, and a reader applies it to frames that are not binned yet.
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
        Shape (rows, ⌈n / 8⌉), float32: one of the bin's values, the positive one of two equally far. NaN is ignored; a
        bin is NaN only if all its values are.

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
    """Reduce the short last axis column by column; this is three times as fast as NumPy's reduction along it."""
    out[...] = values[..., 0]
    for at in range(1, values.shape[-1]):
        function(out, values[..., at], out=out)
