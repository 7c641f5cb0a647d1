"""A series as one row of block characters."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dtui.model import FloatArray
from dtui.model.arrays import median_of

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=+*#@"
ABSENT = "·"


def sparkline(values: FloatArray, width: int, is_ascii: bool = False) -> str:
    """Return a series as at most `width` characters, on its own range; "·" where there is no number.

    A column of several values shows the one farthest from the median of all, so that a single strange value is seen.
    """
    if len(values) == 0 or width < 1:
        return ""
    return _drawn(np.asarray(values, np.float64).tobytes(), width, is_ascii)


@lru_cache(maxsize=256)
def _drawn(numbers: bytes, width: int, is_ascii: bool) -> str:
    """Draw a series; those of a list are drawn again at each step through it."""
    values = np.frombuffer(numbers)
    columns = min(width, len(values))
    finite = values[np.isfinite(values)]
    if not len(finite):
        return ABSENT * columns
    middle, low, high = median_of(finite), float(finite.min()), float(finite.max())
    blocks = ASCII_BLOCKS if is_ascii else BLOCKS[:-1]  # a full block would touch the row above
    text = ""
    for part in np.array_split(values, columns):
        known = part[np.isfinite(part)]
        if not len(known):
            text += ABSENT
            continue
        value = float(known[np.argmax(np.abs(known - middle))])
        step = 0 if high <= low else round((value - low) / (high - low) * (len(blocks) - 1))
        text += blocks[step]
    return text
