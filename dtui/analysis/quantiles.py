"""Computes the quantiles and medians behind scales and thresholds.

Owns nearest-rank quantiles, and medians that leave out values that are not finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dtui.model import FloatArray, IntArray


def thin(matrices: Sequence[FloatArray], most: int) -> FloatArray:
    """Return about `most` magnitudes of some matrices, evenly chosen, or all if there are fewer, shape (m,).

    The stride grows until it shares no factor with the row length. Otherwise the same records of every row would be
    left out.

    Source: dtui.
    """
    least = max(1, -(-sum(matrix.size for matrix in matrices) // most))
    result, filled = np.empty(sum(-(-matrix.size // least) for matrix in matrices), np.result_type(*matrices)), 0
    for matrix in matrices:  # each goes to its place at once: together they may be large
        stride = least
        while matrix.size and math.gcd(stride, matrix.shape[-1]) > 1:
            stride += 1
        chosen = matrix.ravel()[::stride]
        np.abs(chosen, out=result[filled : filled + len(chosen)])
        filled += len(chosen)
    return result[:filled]


def magnitude_quantile(magnitudes: FloatArray, quantile: float, *, overwrite_input: bool = False) -> float:
    """Return the smallest of the finite magnitudes such that at least `quantile` of them are no larger.

    Args:
        magnitudes: Any shape, >= 0; NaN and Inf are left out.
        quantile: In [0, 1].
        overwrite_input: Whether the magnitudes may be changed, for they are not needed any more and may be large.

    Returns:
        > 0: where the quantile is zero or no value is finite, 1.0, so that callers can divide by it.

    Source: dtui.
    """
    chosen = finite_above(-np.inf, magnitudes if overwrite_input else magnitudes.copy())
    if chosen.size == 0:
        return 1.0
    chosen.partition(_rank(quantile, chosen.size))
    return float(chosen[_rank(quantile, chosen.size)]) or 1.0


def finite_above(least: float, values: FloatArray) -> FloatArray:
    """Return the finite values that are larger than `least`, shape (n,), from where all lie: nothing is copied.

    Args:
        least: No value that is wanted.
        values: Any shape, contiguous; they are put into another order, and all others are lost.

    Source: dtui.
    """
    is_lost = values > least
    np.logical_not(is_lost, out=is_lost)  # NaN, too
    np.copyto(values, np.inf, where=is_lost)
    flat, count = values.reshape(-1), int(np.count_nonzero(np.less(values, np.inf, out=is_lost)))
    if count < flat.size:
        flat.partition(count)
    return flat[:count]


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
