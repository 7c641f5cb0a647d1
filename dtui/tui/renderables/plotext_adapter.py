"""The one place that knows plotext: series in, cells out.

Owns plotext's global figure. A second copy would draw into the first one's figure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from dtui.model import FloatArray
from dtui.tui.renderables.cells import UintArray

_SGR = re.compile(r"\x1b\[([0-9;]*)m")


def plot_lines(
    series: Sequence[FloatArray],
    colours: Sequence[int],
    low: float,
    high: float,
    width: int,
    height: int,
    background: int,
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

    Source: plotext 5.3.
    """
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
    for values, colour in zip(series, colours, strict=True):
        for begin, end in _unbroken(values):
            plotext.plot(list(range(begin, end)), values[begin:end].tolist(), marker="braille", color=_triplet(colour))
    drawn = plotext.build()
    plotext.clear_figure()
    return _parse(drawn, width, height)


def _triplet(colour: int) -> tuple[int, int, int]:
    return colour >> 16, colour >> 8 & 255, colour & 255


def _unbroken(values: FloatArray) -> list[tuple[int, int]]:
    """Return begin and end of each stretch of finite values."""
    known = np.concatenate(([False], np.isfinite(values), [False]))
    edges = np.flatnonzero(known[1:] != known[:-1])
    return list(zip(edges[0::2].tolist(), edges[1::2].tolist(), strict=True))


def _parse(drawn: str, width: int, height: int) -> tuple[UintArray, UintArray]:
    """Read what plotext drew; anything but a braille glyph counts as blank."""
    ch = np.full((height, width), 32, np.uint32)
    fg = np.zeros((height, width), np.uint32)
    for y, line in enumerate(drawn.split("\n")[:height]):
        x, colour, position = 0, 0, 0
        for match in [*_SGR.finditer(line), None]:
            text = line[position : match.start() if match else len(line)]
            points = np.array([ord(glyph) for glyph in text[: max(0, width - x)]], np.uint32)
            braille = (points > 0x2800) & (points <= 0x28FF)
            ch[y, x : x + len(points)] = np.where(braille, points, 32)
            fg[y, x : x + len(points)] = colour
            x += len(points)
            if match:
                position = match.end()
                colour = _foreground(match.group(1), colour)
    return ch, fg


def _foreground(codes: str, colour: int) -> int:
    """Return the foreground after an escape sequence with these codes."""
    numbers = [int(code or 0) for code in codes.split(";")]
    if 38 in numbers and len(numbers) >= numbers.index(38) + 5:
        red, green, blue = numbers[numbers.index(38) + 2 : numbers.index(38) + 5]
        return red << 16 | green << 8 | blue
    return 0 if numbers == [0] else colour
