"""Draws the images of some classes over time: a pixel row an image, or several, coloured where it was judged wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dtui.model import FloatArray, TimeAxis
from dtui.reports.charts import theme
from dtui.reports.charts.axis import time_axis
from dtui.reports.charts.raster import error_picture
from dtui.reports.charts.vectors import Vectors
from dtui.reports.document import Picture, Pieces

WIDE, NARROW = theme.PAGE_WIDTH, 360
GUTTER, NARROW_GUTTER = theme.GUTTER, 84
"""Pixels left of the time axis."""
LEAST, TALLEST = 40, 110
"""Pixels of a panel from top to bottom."""
GAP, TOP, BOTTOM = 14.0, 12.0, 38.0


@dataclass(frozen=True, eq=False, slots=True)
class ImagePanel:
    """The images of one class.

    Attributes:
        name: Shown name.
        wrong: Shape (rows, columns): share of wrong judgements, in [0, 1], the hardest image last; NaN for none.
        images: How many images the rows are of.
        noun: What they are called.
        incidents: Iterations at which incidents that name the class begin.
    """

    name: str
    wrong: FloatArray
    images: int
    incidents: tuple[int, ...] = ()
    noun: str = "images"


def image_rows_picture(id: str, panels: Sequence[ImagePanel], axis: TimeAxis, title: str, description: str) -> Picture:
    """Return all panels below each other, for a wide and a narrow page and for paper.

    Args:
        id: Of the picture.
        panels: At least one, each with `axis.columns` columns.
        axis: The columns.
        title: Of the picture.
        description: What they show, in words.

    Source: DeepTracker (ACM TIST 2018), validation view.
    """
    sizes = ((WIDE, GUTTER), (NARROW, NARROW_GUTTER))
    wide, narrow = (_drawn(width, gutter, panels, axis, description) for width, gutter in sizes)
    paper = _pieces(panels, axis, description)
    limits = (float(axis.first), float(axis.stop))
    return Picture(id, title, description, wide, WIDE, narrow, limits, paper)


def _drawn(width: int, gutter: int, panels: Sequence[ImagePanel], axis: TimeAxis, description: str) -> str:
    tall = list(map(_tall, panels))
    height = TOP + sum(tall) + GAP * (len(panels) - 1)
    plot = width - gutter - theme.MARGIN
    picture = Vectors.picture(width, height + BOTTOM, description, data_plot=f"{gutter} {theme.MARGIN}")
    drawing = picture.group(transform=f"translate({gutter},0)")
    y = TOP
    for panel, high in zip(panels, tall, strict=True):
        _panel(drawing, panel, axis, (gutter, plot), (y, high))
        y += high + GAP
    time_axis(drawing, axis, plot, height)
    return picture.svg()


def _pieces(panels: Sequence[ImagePanel], axis: TimeAxis, description: str) -> Pieces:
    """Return the panels for paper, cut between them."""
    plot = theme.PAPER_WIDTH - GUTTER - theme.MARGIN
    parts = []
    for panel in panels:
        high = _tall(panel)
        picture = Vectors.picture(theme.PAPER_WIDTH, high + GAP, description)
        drawing = picture.group(transform=f"translate({GUTTER},0)")
        _panel(drawing, panel, axis, (GUTTER, plot), (GAP / 2, high))
        parts.append(picture.svg())
    foot = Vectors.picture(theme.PAPER_WIDTH, BOTTOM, description)
    time_axis(foot.group(transform=f"translate({GUTTER},0)"), axis, plot, 0)
    return Pieces(tuple(parts), None, foot.svg())


def _tall(panel: ImagePanel) -> float:
    return float(min(TALLEST, max(LEAST, len(panel.wrong))))


def _panel(
    drawing: Vectors, panel: ImagePanel, axis: TimeAxis, across: tuple[int, float], down: tuple[float, float]
) -> None:
    gutter, plot = across
    y, high = down
    drawing.words(-gutter, y + 12, panel.name, theme.INK, room=gutter - 8, font_weight="bold", font_size="11")
    drawing.words(-gutter, y + 27, f"{panel.images:,} {panel.noun}", room=gutter - 8, font_size="11")
    drawing.image(0, y, plot, high, error_picture(np.asarray(panel.wrong, dtype=np.float64)))
    for at in panel.incidents:
        x = (at - axis.first) / axis.span * plot
        drawing.line([(x, y - 4), (x, y + high + 2)], theme.LOST, 1, stroke_dasharray="3 3")
