"""Draws the time axis of a picture: round iterations below it, and where the learning rate changed."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dtui.model import TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.vectors import Vectors

TICK_ROOM = 78
"""Pixels that the label of a tick needs beside its neighbours."""


def ticks(axis: TimeAxis, width: float) -> list[int]:
    """Return round iterations for the labels of an axis: as many as have room, in steps of 1, 2 or 5 times a power of
    ten."""
    least = max(1.0, axis.span / max(1.0, width / TICK_ROOM))
    power = 10 ** math.floor(math.log10(least))
    step = next(int(power * factor) for factor in (1, 2, 5, 10) if power * factor >= least)
    return list(range(-(-math.ceil(axis.first) // step) * step, math.floor(axis.stop) + 1, step))


def time_axis(drawing: Vectors, axis: TimeAxis, width: float, y: float) -> None:
    """Draw the axis below a picture, with its name."""
    drawing.line([(0, y), (width, y)], theme.FAINT)
    for tick in ticks(axis, width):
        x = (tick - axis.first) / axis.span * width
        at = "start" if x < TICK_ROOM / 4 else "end" if x > width - TICK_ROOM / 4 else "middle"
        drawing.line([(x, y), (x, y + 5)], theme.FAINT)
        end = min(x + TICK_ROOM / 2, width) if at == "end" else x  # as near to its tick as the edge allows
        drawing.words(end, y + 16, f"{tick:,}", at=at, font_size="11", data_tick="yes")
    drawing.words(width / 2, y + 32, "iteration", at="middle", font_size="11")


def stage_lines(drawing: Vectors, stages: Sequence[int], axis: TimeAxis, width: float, height: float) -> None:
    """Draw a dashed line at each iteration at which the learning rate changed."""
    for stage in stages:
        if axis.contains(stage):
            x = (stage - axis.first) / axis.span * width
            drawing.line([(x, 0), (x, height)], theme.MUTED, stroke_opacity="0.55", stroke_dasharray="3,3")
