"""Plots series with plotext, where that is quick, and returns cells. No other module uses plotext.

Owns plotext's global figure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from dtui.model import FloatArray, IntArray
from dtui.tui.renderables.canvas.cells import UintArray
from dtui.tui.renderables.canvas.primitives import braille_spans
from dtui.tui.renderables.parts.row_dots import joined_spans

MOST_CELLS = 500
"""On more of them a line is drawn by our own dots, which look the same but for steep falls: those are thinner. plotext
works on each dot by itself: a line of noise takes it 3 ms of the processor on 60×3 cells, 5 on 110×5, 9 on 186×8 and
190 on 480×12, and ours 0.1 to 1.3; a key that zooms has 12 ms for all that it draws.
"""
_SGR = re.compile(r"\x1b\[[0-9;]*m")


def plot_lines(
    series: Sequence[FloatArray],
    colours: Sequence[int],
    low: float,
    high: float,
    width: int,
    height: int,
    background: int,
    is_plain: bool = False,
) -> tuple[UintArray, UintArray]:
    """Plot series as braille lines and return characters and foregrounds, each of shape (height, width).

    Args:
        series: Each of shape (2 * width,): two points a column; NaN breaks the line.
        colours: 0xRRGGBB, one a series; later series lie on top.
        low: Value at the bottom, < high.
        high: Value at the top.
        width: Columns, >= 1.
        height: Rows, >= 1.
        background: Colour behind the lines.
        is_plain: Whether no colour tells lines apart: all but the last are broken then.

    Source: plotext 5.3.
    """
    ch = np.full((height, width), 32, np.uint32)
    fg = np.zeros((height, width), np.uint32)
    for place, (values, colour) in enumerate(zip(series, colours, strict=True), 1):
        if width * height > MOST_CELLS:
            drawn = braille_spans(*joined_spans((values - low) / (high - low), height), height)
        else:
            drawn = _dots(np.asarray(values, np.float64).tobytes(), colour, low, high, width, height, background)
        if is_plain and place < len(series):
            drawn = np.where(np.arange(width) % 2, np.uint32(32), drawn)
        dots = drawn != 32
        ch = np.where(dots, np.where(ch == 32, drawn, ch | drawn), ch)
        fg = np.where(dots, np.uint32(colour), fg)
    return ch, fg


@lru_cache(maxsize=16)
def _dots(values: bytes, colour: int, low: float, high: float, width: int, height: int, background: int) -> UintArray:
    """Return the braille glyphs of one series; plotext takes 10 ms for them, so those of the last screens are kept."""
    series = np.frombuffer(values)
    drawn = _parse(_plot(series, colour, low, high, width, height, background), width, height)
    drawn.flags.writeable = False
    return drawn


def _plot(values: FloatArray, colour: int, low: float, high: float, width: int, height: int, background: int) -> str:
    """Return plotext's drawing of one series. Given several, plotext lets the last one erase dots of the others."""
    import plotext

    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.plot_size(width, height)
    plotext.frame(False)
    plotext.xaxes(False, False)
    plotext.yaxes(False, False)
    plotext.xticks([])
    plotext.yticks([])
    plotext.canvas_color(_triplet(background))
    plotext.axes_color(_triplet(background))
    plotext.xlim(0, 2 * width - 1)
    plotext.ylim(low, high)
    for begin, end in _unbroken(values):
        x, y = _corners(values[begin:end], low, high, height)
        plotext.plot((x + begin).tolist(), y.tolist(), marker="braille", color=_triplet(colour))
    drawn: str = plotext.build()
    plotext.clear_figure()
    return drawn


def _corners(values: FloatArray, low: float, high: float, height: int) -> tuple[IntArray, FloatArray]:
    """Return the points of a line on the grid of dots, leaving out those within a level stretch.

    plotext is slow for each line between two points; a level stretch needs only its two ends.
    """
    steps = 4 * height - 1
    levels = np.rint((np.clip(values, low, high) - low) / (high - low) * steps)
    turns = levels[1:] != levels[:-1]
    kept = np.flatnonzero(np.concatenate(([True], turns)) | np.concatenate((turns, [True])))
    return kept, low + levels[kept] / steps * (high - low)


def _triplet(colour: int) -> tuple[int, int, int]:
    return colour >> 16, colour >> 8 & 255, colour & 255


def _unbroken(values: FloatArray) -> list[tuple[int, int]]:
    """Return begin and end of each stretch of finite values."""
    known = np.concatenate(([False], np.isfinite(values), [False]))
    edges = np.flatnonzero(known[1:] != known[:-1])
    return list(zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True))


def _parse(drawn: str, width: int, height: int) -> UintArray:
    """Return the braille glyphs of what plotext drew, shape (height, width); blanks for everything else."""
    ch = np.full((height, width), 32, np.uint32)
    for y, line in enumerate(_SGR.sub("", drawn).split("\n")[:height]):
        points = np.array([ord(glyph) for glyph in line[:width]], np.uint32)
        ch[y, : len(points)] = np.where((points > 0x2800) & (points <= 0x28FF), points, 32)
    return ch
