"""Draws series as lines of braille dots: two dots a column, four a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import BoolArray, FloatArray
from dtui.tui.renderables.canvas.cells import UintArray

_BLANK = np.uint32(0x20)
_BRAILLE = np.uint32(0x2800)
_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)
"""The bit of each dot of a braille glyph, by row and column."""


def plot_lines(
    series: Sequence[FloatArray], colours: Sequence[int], low: float, high: float, width: int, height: int
) -> tuple[UintArray, UintArray]:
    """Plot series as braille lines and return characters and foregrounds, each of shape (height, width).

    Args:
        series: Each of shape (2 * width,): two points a column; NaN breaks the line.
        colours: 0xRRGGBB, one a series; later series lie on top.
        low: Value at the bottom, < high.
        high: Value at the top.
        width: Columns, >= 1.
        height: Rows, >= 1.

    Source: dtui.
    """
    glyphs = np.zeros((height, width), np.uint32)
    fg = np.zeros((height, width), np.uint32)
    for values, colour in zip(series, colours, strict=True):
        dots = _dots(values, low, high, 4 * height).reshape(height, 4, width, 2)
        drawn = np.where(dots, _DOTS[None, :, None, :], np.uint32(0)).sum(axis=(1, 3), dtype=np.uint32)
        glyphs |= drawn
        fg = np.where(drawn, np.uint32(colour), fg)
    return np.where(glyphs, _BRAILLE | glyphs, _BLANK), fg


def _dots(values: FloatArray, low: float, high: float, rows: int) -> BoolArray:
    """Return where the line has dots, shape (rows, len(values)), the first row at the top.

    A point's column is filled up to the level of the next point, so that a steep line has no gaps.
    """
    known = np.isfinite(values)
    share = (np.clip(np.where(known, values, low), low, high) - low) / (high - low)
    level = rows - 1 - np.rint(share * (rows - 1)).astype(np.int64)
    next_ = np.append(level[1:], level[-1:])
    next_ = np.where(np.append(known[1:], False), next_, level)
    first, last = np.minimum(level, next_ + 1), np.maximum(level, next_ - 1)
    row = np.arange(rows)[:, None]
    found: BoolArray = known & (row >= first) & (row <= last)
    return found
