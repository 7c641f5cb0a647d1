"""Turns values of filters into shades between 0 and 1, some rows at a time.

Owns how a magnitude becomes a shade.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.analysis.downsample import mean_of_rows
from dtui.model import FloatArray

ROWS_AT_ONCE = 128
"""Filters that are worked on together: what is made of so few on the way stays in the processor's cache."""


def shades_of(values: FloatArray, divisor: FloatArray, decades: float) -> FloatArray:
    """Return the magnitudes as shares of `divisor` in [0, 1], on a logarithmic scale if it has decades; NaN stays."""
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        shares: FloatArray = np.abs(values) / divisor
        if decades:
            shares = 1 + np.log10(shares) / np.float32(decades)
    return np.clip(shares, 0.0, 1.0)


def mean_shades(values: FloatArray, divisor: FloatArray, decades: float, pixels: int) -> FloatArray:
    """Return the shades of rows, neighbouring ones averaged as `mean_rows` does it; see `shades_of`."""
    divisors = np.broadcast_to(divisor, (len(values), divisor.shape[1]))
    return mean_of_rows(len(values), pixels, lambda some: shades_of(values[some], divisors[some], decades))


def by_blocks(matrix: FloatArray, reduce: Callable[[FloatArray], NDArray[Any]]) -> NDArray[Any]:
    """Apply `reduce` to each row, some rows at a time; shape (rows,)."""
    starts = range(0, max(1, len(matrix)), ROWS_AT_ONCE)
    return np.concatenate([reduce(matrix[start : start + ROWS_AT_ONCE]) for start in starts])


def magnitudes_of(values: FloatArray, otherwise: float) -> FloatArray:
    """Return the magnitudes of values, with a replacement for values that are not finite."""
    magnitudes: FloatArray = np.abs(values)
    magnitudes[~np.isfinite(magnitudes)] = otherwise
    return magnitudes


def usable(divisors: FloatArray) -> FloatArray:
    """Return the divisors, with 1 in place of those that cannot be used."""
    result: FloatArray = np.where(divisors > 0, divisors, 1.0)
    return result
