"""Draws how the elements of some layers are distributed over time: a box plot for each stretch of iterations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dtui.model import FloatArray, TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.pictures.scale import number
from dtui.reports.charts.vectors import CHARACTER, Vectors, fitted
from dtui.reports.document import Picture, Pieces

WIDE, NARROW = theme.PAGE_WIDTH, 360
PANEL, PLOT, TOP = 158.0, 104.0, 26.0
"""Pixels from one panel to the next, of its plot, and above that."""
GAP = 24.0
LINEAR = 300.0
"""Times the half of a usual box that the farthest value may be; beyond, the scale is logarithmic on both sides."""
BOX, WHISKER = theme.HORIZON_POSITIVE[0], theme.TRAIN


@dataclass(frozen=True, eq=False, slots=True)
class BoxPanel:
    """One layer.

    Attributes:
        name: Shown name.
        values: Shape (5, columns): smallest, first quartile, median, third quartile, largest; NaN for no value.
        incidents: Iterations at which incidents that name it begin.
    """

    name: str
    values: FloatArray
    incidents: tuple[int, ...] = ()


def box_picture(id: str, panels: Sequence[BoxPanel], axis: TimeAxis, description: str) -> Picture:
    """Return all panels, for a wide and a narrow page and for paper.

    Args:
        id: Of the picture.
        panels: At least one, each with `axis.columns` columns.
        axis: The columns.
        description: What they show, in words.

    Source: dtui.
    """
    left = max(map(_labels_room, panels))  # of all, so that one iteration stands at one place in every panel
    wide, narrow = (
        _drawn(width, across, panels, axis, description, left) for width, across in ((WIDE, 2), (NARROW, 1))
    )
    lines = (panels[first : first + 2] for first in range(0, len(panels), 2))
    paper = Pieces(tuple(_drawn(theme.PAPER_WIDTH, 2, line, axis, description, left) for line in lines))
    return Picture(id, "", description, wide, WIDE, narrow, paper=paper)


def _drawn(width: int, across: int, panels: Sequence[BoxPanel], axis: TimeAxis, description: str, left: float) -> str:
    down = -(-len(panels) // across)
    drawing = Vectors.picture(width, down * PANEL, description)
    own = (width - GAP * (across - 1)) / across
    for place, panel in enumerate(panels):
        x, y = place % across * (own + GAP), place // across * PANEL
        _panel(drawing.group(transform=f"translate({x:g} {y:g})"), panel, axis, left, own)
    return drawing.svg()


class _Stretched:
    """Turns values into pixels; logarithmic on both sides of zero where one is far beyond the usual box."""

    def __init__(self, values: FloatArray) -> None:
        low, high = (float(end) for end in (np.nanmin(values), np.nanmax(values)))
        half = float(np.nanmedian(values[3] - values[1])) / 2
        size = max(abs(low), abs(high))
        self.linear = half if half > 0 and size > LINEAR * half else 0.0
        if high <= low:
            low, high = low - (abs(low) or 1.0), high + (abs(high) or 1.0)
        self.low, self.high = low, high

    def _at(self, value: float) -> float:
        return float(np.sign(value) * np.log1p(abs(value) / self.linear)) if self.linear else value

    def __call__(self, value: float) -> float:
        low, high = self._at(self.low), self._at(self.high)
        return TOP + PLOT - (self._at(value) - low) / (high - low) * PLOT

    def labels(self) -> list[float]:
        """Return the values with a label: both ends, and zero where it is clearly between them."""
        between = self.low < 0 < self.high and min(self(0) - self(self.high), self(self.low) - self(0)) > 12
        return [self.high, *([0.0] if between else []), self.low]


def _finite(panel: BoxPanel) -> FloatArray:
    return np.where(np.isfinite(panel.values), panel.values, np.nan)


def _labels(scale: _Stretched) -> list[tuple[float, str]]:
    return [(value, number(value, "")) for value in scale.labels()]


def _labels_room(panel: BoxPanel) -> float:
    """Return how many pixels the labels of its scale take, 0 without finite values."""
    finite = _finite(panel)
    if not np.isfinite(finite).all(axis=0).any():
        return 0.0
    return 8 + CHARACTER * max(len(text) for _, text in _labels(_Stretched(finite)))


def _panel(drawing: Vectors, panel: BoxPanel, axis: TimeAxis, left: float, width: float) -> None:
    finite = _finite(panel)
    drawing.words(0, 13, fitted(panel.name, width, from_end=True), theme.INK, font_weight="bold")
    if not np.isfinite(finite).all(axis=0).any():
        drawing.words(0, TOP + 20, "no finite values", theme.MUTED)
        return
    scale = _Stretched(finite)
    for value, text in _labels(scale):
        drawing.line([(left, scale(value)), (width, scale(value))], theme.GRID)
        drawing.words(left - 5, scale(value) + 4, text, at="end", font_size="11")
    if scale.linear:
        drawing.words(width, 13, "logarithmic", theme.MUTED, "end", font_size="11")
    step = (width - left) / axis.columns
    for at in panel.incidents:
        x = left + (at - axis.first) / axis.span * (width - left)
        drawing.line([(x, TOP - 4), (x, TOP + PLOT)], theme.LOST, 1, stroke_dasharray="3 3")
    for column in range(axis.columns):
        five = finite[:, column].tolist()
        if np.isfinite(five).all():
            said = _said(five, axis, column) if width != NARROW else ""  # no pointer rests on a telephone
            _box(drawing, five, scale, left + (column + 0.5) * step, step, said)
    foot = TOP + PLOT + 16
    drawing.words(left, foot, f"{int(np.ceil(axis.first)):,}", font_size="11")
    drawing.words(width, foot, f"{int(axis.stop):,}", at="end", font_size="11")


def _box(drawing: Vectors, five: list[float], scale: _Stretched, x: float, step: float, said: str) -> None:
    least, first, middle, third, most = (scale(value) for value in five)
    half = max(1.5, step * 0.32)
    drawing.line([(x, most), (x, least)], WHISKER)
    drawing.box(x - half, third, 2 * half, max(1.0, first - third), BOX, said, stroke=WHISKER, stroke_width="0.8")
    drawing.line([(x - half, middle), (x + half, middle)], theme.INK, 1.4)


def _said(five: list[float], axis: TimeAxis, column: int) -> str:
    begin = int(np.ceil(axis.first + column * axis.column_span))
    end = int(np.ceil(axis.first + (column + 1) * axis.column_span)) - 1
    least, first, middle, third, most = (number(value, "") for value in five)
    return f"{begin:,}–{end:,}: {least} to {most}, half of them {first} to {third}, median {middle}"
