"""Draws the filters of one layer as strips of shades, as SVG: for paper, and where no script runs."""

from __future__ import annotations

import numpy as np

from dtui.model import FilterCourses, FloatArray
from dtui.reports.charts import svg, theme
from dtui.reports.charts.raster import shade_picture
from dtui.reports.charts.rows.layer_tree import short
from dtui.reports.rows import FilterMap, FilterMaps

ROW = 16
"""Pixels from one row to the next."""
STRIP = 14
TOP, BOTTOM = 26, 40
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
    courses = shown.courses
    found = shades(courses, "layer")
    parts = [_head(maps, shown)]
    for place, name in enumerate(shown.names):
        y = place * ROW
        strip = shade_picture(found[place : place + 1], theme.SHADE_STOPS)
        where = {"x": 0, "y": y, "width": plot, "height": STRIP, "preserveAspectRatio": "none"}
        parts.append(svg.element("image", href=strip, style="image-rendering:pixelated", **where))
        about = svg.cut(shown.about[place], theme.GUTTER - 64)
        parts.append(svg.text(f"filter {name}", -theme.GUTTER, y + STRIP / 2))
        parts.append(svg.text(about, -8, y + STRIP / 2, text_anchor="end", fill=theme.MUTED))
    height = len(shown.names) * ROW
    parts += [svg.stage_lines(maps.stages, courses.axis, plot, height), svg.time_axis(courses.axis, plot, height)]
    return svg.picture(parts, theme.GUTTER + plot + theme.MARGIN, TOP + height + BOTTOM, (theme.GUTTER, TOP))


def _head(maps: FilterMaps, shown: FilterMap) -> str:
    """Return the line above the strips: the shades and what they stand for."""
    cells = 12
    ramp = shade_picture(np.linspace(0, 1, cells)[None], theme.SHADE_STOPS)
    words = f"{maps.quantity}, full at {short(shown.courses.layer_scale)}"
    parts = [svg.element("image", href=ramp, x=0, y=-20, width=84, height=10, preserveAspectRatio="none")]
    parts.append(svg.text(words, 92, -15))
    parts.append(svg.text(f"{len(shown.names)} of {shown.filters:,} filters", -theme.GUTTER, -15, fill=theme.MUTED))
    return "".join(parts)
