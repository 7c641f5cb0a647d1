"""Draws the filters of one layer as strips of shades, as SVG: for paper, and where no script runs."""

from __future__ import annotations

import numpy as np

from dtui.model import FilterCourses, FloatArray
from dtui.reports.charts import theme
from dtui.reports.charts.axis import stage_lines, time_axis
from dtui.reports.charts.raster import shade_picture
from dtui.reports.charts.rows.layer_tree import short
from dtui.reports.charts.vectors import Vectors
from dtui.reports.document import Pieces
from dtui.reports.rows import FilterMap, FilterMaps

ROW = 16
"""Pixels from one row to the next."""
STRIP = 14
TOP, BOTTOM = 26, 40
TOGETHER = 4
"""Filters of a piece of a picture on paper."""
NORMALISATIONS = ("layer", "filter", "iteration")


def shades(courses: FilterCourses, normalise: str) -> FloatArray:
    """Return magnitudes as shares of what a normalisation compares with.

    Args:
        courses: Values and scales.
        normalise: "layer": the layer's 99.5th percentile; "filter": each filter's largest; "iteration": the layer's
            99.5th percentile within each column.

    Returns:
        Shape (filters, columns), in [0, 1]; NaN where there is no value.

    Source: DeepTracker (ACM TIST 2018), layer view.
    """
    divisor: FloatArray | float = courses.layer_scale
    if normalise == "filter":
        divisor = courses.filter_scales[:, None]
    elif normalise == "iteration":
        divisor = courses.column_scales[None, :]
    result: FloatArray = np.clip(np.abs(courses.values) / divisor, 0, 1)
    return result


def map_svg(maps: FilterMaps, shown: FilterMap, plot: int) -> str:
    """Return the filters of a layer, normalised by layer.

    Args:
        maps: What is shown, and the stages.
        shown: The layer.
        plot: Pixels of the time axis.
    """
    names = range(len(shown.names))
    picture, drawing = _begun(maps, plot, TOP + len(names) * ROW + BOTTOM, TOP, len(names))
    _head(drawing, maps, shown, len(names))
    _strips(drawing, maps, shown, plot, names)
    time_axis(drawing, shown.courses.axis, plot, len(names) * ROW)
    return picture.svg()


def map_pieces(maps: FilterMaps, shown: FilterMap) -> Pieces:
    """Return the filters of a layer for paper, normalised by layer, in pieces of a few filters."""
    plot, count = theme.PAPER_PLOT, len(shown.names[: maps.printed_filters])
    parts = []
    for first in range(0, count, TOGETHER):
        some = range(first, min(count, first + TOGETHER))
        picture, drawing = _begun(maps, plot, len(some) * ROW, 0, count)
        _strips(drawing, maps, shown, plot, some)
        parts.append(picture.svg())
    head, drawing = _begun(maps, plot, TOP, TOP, count)
    _head(drawing, maps, shown, count)
    foot, drawing = _begun(maps, plot, BOTTOM, 0, count)
    time_axis(drawing, shown.courses.axis, plot, 0)
    return Pieces(tuple(parts), head.svg(), foot.svg())


def _begun(maps: FilterMaps, plot: int, height: int, top: int, filters: int) -> tuple[Vectors, Vectors]:
    """Return an empty picture, and its group that begins at the time axis."""
    about = f"{maps.quantity} of {filters} filters over time"
    picture = Vectors.picture(theme.GUTTER + plot + theme.MARGIN, height, about)
    return picture, picture.group(transform=f"translate({theme.GUTTER},{top})")


def _strips(drawing: Vectors, maps: FilterMaps, shown: FilterMap, plot: int, filters: range) -> None:
    found = shades(shown.courses, "layer")
    for place, k in enumerate(filters):
        y = place * ROW
        drawing.image(0, y, plot, STRIP, shade_picture(found[k : k + 1], theme.SHADE_STOPS))
        drawing.words(-theme.GUTTER, y + STRIP / 2 + 4, f"filter {shown.names[k]}", theme.INK, font_size="11")
        drawing.words(-8, y + STRIP / 2 + 4, shown.about[k], at="end", room=theme.GUTTER - 64, font_size="11")
    stage_lines(drawing, maps.stages, shown.courses.axis, plot, len(filters) * ROW)


def _head(drawing: Vectors, maps: FilterMaps, shown: FilterMap, filters: int) -> None:
    """Draw the line above the strips: the shades and what they stand for."""
    cells = 12
    ramp = shade_picture(np.linspace(0, 1, cells)[None], theme.SHADE_STOPS)
    words = f"{maps.quantity}, full at {short(shown.courses.layer_scale)}"
    drawing.image(0, -20, 84, 10, ramp)
    drawing.words(92, -11, words, theme.INK, font_size="11")
    drawing.words(-theme.GUTTER, -11, f"{filters} of {shown.filters:,} filters", font_size="11")
