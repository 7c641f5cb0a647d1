"""Rounds numbers to the precision in which they are stored.

Owns the rounding. Readers apply it to journals, the compactor applies it to parts.
"""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray
from dtui.model.statistics import WHOLE


def round_mantissa(values: FloatArray, kept: int) -> FloatArray:
    """Return float32 values rounded to some bits of mantissa, half to even.

    Args:
        values: Any shape, float32.
        kept: Bits, in [1, 23]; with 23 the values are returned as they are.

    Returns:
        An array of the same shape; relative error at most 2**-(kept + 1). NaN and infinities are kept. A value that
        would round to infinity is truncated instead.

    Source: dtui; the last bits of a statistic are noise, and noise does not compress.
    """
    if kept >= WHOLE:
        return values
    dropped = WHOLE - kept
    bits = np.ascontiguousarray(values, "<f4").view("<u4")
    rounded = bits + (((bits >> dropped) & 1) + np.uint32((1 << (dropped - 1)) - 1))
    rounded &= np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF)
    exponent = np.uint32(0x7F800000)
    special = (rounded & exponent) == exponent
    wrapped = (bits & exponent) == exponent
    if wrapped.any():
        special |= wrapped
    if special.any():
        cut = np.where(wrapped, bits, bits & np.uint32(0xFFFFFFFF << dropped & 0xFFFFFFFF))
        rounded = np.where(special, cut, rounded)
    result: FloatArray = rounded.view("<f4")
    return result
