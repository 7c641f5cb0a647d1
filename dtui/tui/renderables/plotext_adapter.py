"""The one place that knows plotext: series in, cells out."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import FloatArray
from dtui.tui.renderables.cells import UintArray


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
    raise NotImplementedError
