"""A series over time as a line of dots, above the middle and the spread of the others that it belongs to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import FloatArray, TimeAxis
from dtui.model.layers import FilterCourse
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.primitives import braille_spans, resample
from dtui.tui.renderables.parts.chrome import number
from dtui.tui.renderables.parts.row_dots import dot_spans

LOG_DECADES = 2.0
"""From here on a course is drawn on a logarithmic scale."""
ERROR = "error"
"""The statistic of a course that is a share of images."""


def reading_of(course: FilterCourse, value: float) -> str:
    """Return a value of a course in words."""
    if course.statistic != ERROR or not np.isfinite(value):
        return number(value)
    return f"{value:.0%}" if value in (0, 1) else f"{value:.1%}"


def ordinal(place: int) -> str:
    """Return a place in words, such as "3rd"."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place:,}{ending}"


def values_at(
    course: FilterCourse, now: FilterCourse | None, drawn: TimeAxis, axis: TimeAxis, place: int
) -> tuple[float, float, float]:
    """Return value, median and rank of a course at the cursor: those of its column until the exact ones arrive.

    Args:
        course: Over any axis.
        now: The same at the cursor alone, if it is known.
        drawn: The axis of the course.
        axis: That of the screen.
        place: The cursor's column of it.
    """
    if now is not None and np.isfinite(now.values[0]):
        return float(now.values[0]), float(now.median[0]), float(now.ranks[0])
    parts = (part.astype(np.float64) for part in (course.values, course.median, course.ranks))
    value, median, rank = (float(resample(part, drawn, axis)[place]) for part in parts)
    return value, median, rank


def write_reading(cells: Cells, frame: Frame, y: int, tall: int, title: str, lines: Sequence[tuple[str, int]]) -> None:
    """Rewrite the name of a course in the gutter, and below it lines with their colours, as many as have room."""
    room = max(0, frame.gutter - 9 if frame.gutter >= 28 else frame.gutter - 1)
    cells.clear(1, y, room, min(tall, 4))
    cells.text(1, y, title, frame.theme.bright, limit=room, bold=True)
    for offset, (words, colour) in enumerate(lines[: max(0, tall - 1)], 1):
        cells.text(2, y + offset, words, colour, limit=max(0, room - 1))


def draw_course(
    cells: Cells, frame: Frame, y: int, tall: int, course: FilterCourse, axis: TimeAxis, has_own: bool
) -> None:
    """Draw the band of the layer, its median, and the filter if the course is its own, from row `y` on."""
    assert frame.axis is not None
    theme, new = frame.theme, frame.axis.with_columns(frame.plot_width)
    values, median, low, high = (
        resample(part, axis, new) for part in (course.values, course.median, course.low, course.high)
    )
    bottom, top, is_log = _range(np.concatenate([values, low, high]))
    if course.statistic == ERROR:
        bottom, top, is_log = 0.0, float(values.max(where=np.isfinite(values), initial=0.01)), False
    heights = [_heights(part, bottom, top, is_log) for part in (values, median, low, high)]
    _draw_band(cells, frame, y, tall, heights[2], heights[3])
    drawn = [braille_spans(*dot_spans(part, tall), tall) for part in heights[:2]]
    if frame.output.mode is ColorMode.NONE and has_own:
        drawn[1][:, 1::2] = ord(" ")  # no colour tells them apart: the median is broken
    own, middle = (drawn[0] != 32) & has_own, drawn[1] != 32
    ch = np.where(own & middle, drawn[0] | drawn[1], np.where(own, drawn[0], drawn[1]))
    fg = np.where(own, np.uint32(theme.flag), np.uint32(theme.muted))
    cells.paste(frame.gutter, y, ch, fg)
    if frame.gutter >= 28:
        for row, end in ((y, top), (y + tall - 1, bottom)):
            text = reading_of(course, 10**end if is_log else end)
            cells.text(frame.gutter - 1 - text_width(text), row, text, theme.muted)


def _draw_band(cells: Cells, frame: Frame, y: int, tall: int, low: FloatArray, high: FloatArray) -> None:
    """Put another ground behind the cells that lie between the ends of the band, at least one a column."""
    if frame.output.mode is ColorMode.NONE:
        return
    known = np.isfinite(low) & np.isfinite(high)
    first = np.floor((1 - np.where(known, high, 0)) * tall).clip(0, tall - 1)
    last = np.ceil((1 - np.where(known, low, 0)) * tall).clip(1, tall) - 1
    rows = np.arange(tall)[:, None]
    inside = (rows >= first) & (rows <= last) & known
    bg = np.where(inside, np.uint32(frame.theme.selection), np.uint32(frame.theme.panel))
    cells.paste(frame.gutter, y, bg=bg.astype(np.uint32))


def _range(values: FloatArray) -> tuple[float, float, bool]:
    """Return bottom and top of a course, as powers of ten where it is logarithmic, and whether it is."""
    finite = values[np.isfinite(values)]
    positive = finite[finite > 0]
    if len(positive) and (finite >= 0).all() and positive.max() >= 10**LOG_DECADES * positive.min():
        top = float(np.log10(positive.max()))
        return max(float(np.log10(positive.min())), top - 12), top, True
    if not len(finite):
        return 0.0, 1.0, False
    bottom, top = float(finite.min()), float(finite.max())
    margin = max(abs(top) * 0.01, 1e-12)
    return (bottom, top, False) if top > bottom else (bottom - margin, top + margin, False)


def _heights(values: FloatArray, bottom: float, top: float, is_log: bool) -> FloatArray:
    """Return values in [0, 1] of the course; zero lies at the bottom of a logarithmic one."""
    if is_log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.where(values > 0, np.log10(values), np.where(np.isnan(values), np.nan, bottom))
    heights: FloatArray = np.clip((values - bottom) / (top - bottom), 0, 1)
    return np.where(np.isfinite(heights), heights, np.nan)
