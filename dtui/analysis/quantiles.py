"""Computes the quantiles and medians behind scales and thresholds.

Owns nearest-rank quantiles, and medians that leave out values that are not finite.
"""

from __future__ import annotations

import math

import numpy as np

from dtui.model import FloatArray, IntArray


def thin(values: FloatArray, stride: int) -> FloatArray:
    """Return every `stride`-th value of the flattened array, as magnitudes, shape (m,).

    The stride grows until it shares no factor with the row length. Otherwise the same records of every row would be
    left out.

    Source: dtui.
    """
    while values.size and math.gcd(stride, values.shape[-1]) > 1:
        stride += 1
    result: FloatArray = np.abs(values.ravel()[::stride])
    return result


def magnitude_quantile(magnitudes: FloatArray, quantile: float) -> float:
    """Return the smallest of the finite magnitudes such that at least `quantile` of them are no larger.

    Args:
        magnitudes: Any shape, >= 0; NaN and Inf are left out.
        quantile: In [0, 1].

    Returns:
        > 0: where the quantile is zero or no value is finite, 1.0, so that callers can divide by it.

    Source: dtui.
    """
    flat = magnitudes[np.isfinite(magnitudes)]
    if flat.size == 0:
        return 1.0
    return float(np.partition(flat, _rank(quantile, flat.size))[_rank(quantile, flat.size)]) or 1.0


def _rank(quantile: float, count: int) -> int:
    """Return the nearest-rank position of a quantile among `count` sorted values."""
    return max(0, int(np.ceil(quantile * count)) - 1)


def column_quantiles(values: FloatArray, quantile: float) -> FloatArray:
    """Return the nearest-rank quantile of each column's finite values, shape (columns,); NaN where there are none.

    Args:
        values: Shape (rows, columns).
        quantile: In [0, 1].

    Source: dtui.
    """
    finite, counts = _finite_columns(values)
    result = np.full(values.shape[1], np.nan)
    for count in set(counts[counts > 0].tolist()):
        chosen, rank = counts == count, _rank(quantile, count)
        result[chosen] = np.partition(finite[chosen], rank, axis=1)[:, rank]
    return result


def column_medians(values: FloatArray) -> FloatArray:
    """Return the median of each column's finite values, shape (columns,); NaN where there are none.

    Source: dtui; the same as numpy.nanmedian, which takes a slow path for wide arrays.
    """
    finite, counts = _finite_columns(values)
    result = np.full(values.shape[1], np.nan)
    for count in set(counts[counts > 0].tolist()):
        chosen, middle = counts == count, count // 2
        # Partitioning at one position is five times faster than at two; all before it are no larger.
        parted = np.partition(finite[chosen], middle, axis=1)
        upper = parted[:, middle].astype(np.float64)
        result[chosen] = upper if count % 2 else (upper + parted[:, :middle].max(axis=1)) / 2
    return result


def _finite_columns(values: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the columns as contiguous rows, values that are not finite at the end, and the number of finite values."""
    rows = np.ascontiguousarray(values.T)
    finite = np.isfinite(rows)
    counts: IntArray = finite.sum(axis=1)
    if not finite.all():
        # +Inf sorts behind every finite value, as NaN would, but without NaN's slow comparison.
        rows = np.where(finite, rows, np.inf)
    return rows, counts
