"""Lines of dots: against a slow twin, and read as text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dtui.model import FloatArray
from dtui.tui.renderables.canvas.sgr import row_text
from dtui.tui.renderables.parts.plotext_adapter import MOST_CELLS, plot_lines
from dtui.tui.renderables.parts.row_dots import joined_spans


def slow_dots(heights: FloatArray, tall: int) -> set[tuple[int, int]]:
    """Column and level of each dot: a point, and half of the levels on the way to each neighbour, nearest first."""
    levels = [None if np.isnan(height) else round(height * (4 * tall - 1)) for height in heights.tolist()]
    dots = {(x, level) for x, level in enumerate(levels) if level is not None}
    for x, (level, after) in enumerate(pairwise(levels)):
        if level is None or after is None:
            continue
        way = 1 if after > level else -1
        between = list(range(level + way, after, way))
        half = (len(between) + 1) // 2
        dots |= {(x, one) for one in between[:half]} | {(x + 1, one) for one in between[half:]}
    return dots


@pytest.mark.parametrize("tall", [1, 3, 20])
def test_lines_join_their_points_halfway(tall: int) -> None:
    dice = np.random.default_rng(tall)
    heights = np.rint(dice.random(60) * (4 * tall - 1)) / (4 * tall - 1)
    heights[[5, 20, 21, 23, 59]] = np.nan
    low, high = (np.rint(end * (4 * tall - 1)) for end in joined_spans(heights, tall))
    drawn = {(x, y) for x in range(60) if np.isfinite(low[x]) for y in range(int(low[x]), int(high[x]) + 1)}
    assert drawn == slow_dots(heights, tall)


def test_what_lies_beyond_the_ends_is_drawn_at_them() -> None:
    low, high = joined_spans(np.array([-3.0, 7.0]), 1)
    assert (low.min(), high.max()) == (0.0, 1.0)


@pytest.mark.parametrize("rows", [5, 40])
def test_lines_of_either_drawing_lie_over_each_other_and_look_the_same(rows: int) -> None:
    """Those of plotext, and our own on many cells."""
    columns = 100
    assert (rows * columns > MOST_CELLS) == (rows == 40)
    steps = 4 * rows - 1
    flat, falling = np.zeros(2 * columns), np.full(2 * columns, np.nan)
    falling[: steps + 1] = np.arange(steps, -1, -1) / steps
    ch, fg = plot_lines([flat, falling], [1, 2], 0.0, 1.0, columns, rows, 0)
    text = [row_text(row) for row in ch]
    assert text[:2] == ["⠑⢄" + " " * (columns - 2), "  ⠑⢄" + " " * (columns - 4)]
    assert text[-1].startswith("⣀" * (2 * rows - 2) + "⣑⣄")
    assert set(text[-1][2 * rows :]) == {"⣀"}
    assert fg[-1, : 2 * rows].tolist() == [1] * (2 * rows - 2) + [2, 2]
