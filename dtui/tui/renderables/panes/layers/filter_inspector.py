"""Draws one filter over the run: four statistics of it, each over the middle and the spread of its layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from itertools import pairwise

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, TimeAxis
from dtui.model.findings.kept_weights import KeptWeights
from dtui.model.layers import FilterCourse, FilterHistory
from dtui.model.statistics import title_of
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.primitives import braille_spans, resample
from dtui.tui.renderables.panes.layers.kept_weights import draw_kept, kept_rows
from dtui.tui.renderables.panes.layers.tree_words import fitting
from dtui.tui.renderables.parts.chrome import draw_header, number
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.row_dots import dot_spans

TITLE = "Filter"
LEAST_COURSE = 2
"""Rows that a course keeps beside the pictures of the weights."""
LOG_DECADES = 2.0
"""From here on a course is drawn on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class InspectorPicture(Picture):
    """A header, a course for each statistic, and at the foot what else is known of the filter.

    Attributes:
        name: Its layer, with the size of its kernels; data from outside.
        filter: Its number.
        history: Its courses, over any axis; None while they load. Of those of another filter of the layer what belongs
            to the layer is shown.
        words: Lines at the foot, each with ever shorter forms; data from outside.
        kept: Its weights before and after a trigger, shown above the words; None where none are kept.
        place: Which of how many triggers with kept weights that is, from 1.
        now: Its exact values at an iteration; used if that is the cursor.
    """

    name: str
    filter: int
    history: FilterHistory | None
    words: tuple[tuple[str, ...], ...] = ()
    kept: KeptWeights | None = None
    place: tuple[int, int] = (1, 1)
    now: FilterHistory | None = field(default=None, compare=False)
    crosshair = True

    @property
    def readout_of(self) -> object:
        """The exact values at the cursor."""
        return self.now

    @property
    def has_own(self) -> bool:
        """Whether the courses at hand are those of the filter."""
        return self.history is not None and self.history.filter == self.filter

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw it all."""
        cells, theme = Cells(frame.width, frame.height, frame.theme), frame.theme
        x = draw_header(cells, frame, f"{TITLE} {self.filter:,}", max(0, frame.width - 1))
        x = cells.text(x + 1, 0, "of ", theme.muted)
        x = cells.text(x, 0, safe(self.name), theme.accent, limit=max(0, frame.width - x - 1))
        is_plain = frame.output.mode is ColorMode.NONE
        median = f"{'⋯' if is_plain else '━'} median of the layer"
        legend = [("━ this filter", theme.flag), (median, theme.muted), ("▆ 5–95 %", theme.faint)][: 3 - is_plain]
        wide = sum(text_width(words) + 2 for words, _ in legend)
        begin = max(x + 3, frame.width - wide)
        if begin + wide <= frame.width + 2:
            for words, colour in legend:
                begin = cells.text(begin, 0, words, colour) + 2
        foot, rows = self._words_rows(frame), self._kept_rows(frame)
        if self.kept is not None and rows:
            draw_kept(cells, frame, frame.height - foot - rows - 1, rows, self.kept, self.place)
        for lines, y in zip(self.words, range(frame.height - foot, frame.height), strict=False):
            cells.text(1, y, fitting(lines, frame.width - 2), theme.text, limit=max(0, frame.width - 2))
        if self.history is not None and frame.axis is not None and frame.plot_width > 0:
            for course, (y, tall) in zip(self.history.courses, self._places(frame), strict=False):
                _draw_course(cells, frame, y, tall, course, self.history.axis, self.has_own)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the values at the cursor, and the filter's place in its layer."""
        column, history = frame.column_of(iteration), self.history
        if history is None or frame.axis is None or frame.plot_width < 1:
            return
        axis, theme = frame.axis.with_columns(frame.plot_width), frame.theme
        for course, (y, tall) in zip(history.courses, self._places(frame), strict=False):
            room = max(0, frame.gutter - 9 if frame.gutter >= 28 else frame.gutter - 1)
            cells.clear(1, y, room, min(tall, 4))
            cells.text(1, y, title_of(course.statistic), theme.bright, limit=room, bold=True)
            if column is None:
                continue
            value, median, rank = self._values(course, axis, column - frame.gutter, iteration)
            lines = [(number(value), theme.flag), (f"median {number(median)}", theme.muted)]
            if rank > 0:
                lines.insert(1, (f"{ordinal(int(rank))} of {history.of:,}", theme.text))
            for offset, (words, colour) in enumerate(lines[: max(0, tall - 1)]):
                if self.has_own or colour == theme.muted:
                    cells.text(2, y + 1 + offset, words, colour, limit=max(0, room - 1))

    def _values(self, course: FilterCourse, axis: TimeAxis, place: int, iteration: int | None) -> list[float]:
        """Return value, median and rank of a course at the cursor: those of its column until the exact ones arrive."""
        assert self.history is not None
        now = self.now
        if now is not None and now.axis.first == iteration:
            exact = next((one for one in now.courses if one.statistic == course.statistic), None)
            if exact is not None and np.isfinite(exact.values[0]):
                return [float(part[0]) for part in (exact.values, exact.median, exact.ranks)]
        parts = (course.values, course.median, course.ranks)
        return [float(resample(part.astype(np.float64), self.history.axis, axis)[place]) for part in parts]

    def _foot(self, frame: Frame) -> int:
        rows = self._kept_rows(frame)
        return self._words_rows(frame) + (rows + 2 if rows else 0)

    def _kept_rows(self, frame: Frame) -> int:
        """Return the rows of its weights: what a header and courses of LEAST_COURSE rows leave."""
        courses = 0 if self.history is None else len(self.history.courses)
        room = frame.height - 3 - self._words_rows(frame) - LEAST_COURSE * courses
        return 0 if self.kept is None else kept_rows(self.kept, room)

    def _words_rows(self, frame: Frame) -> int:
        return len(self.words) if frame.height >= 10 else 1 if frame.height >= 6 else 0

    def _places(self, frame: Frame) -> Sequence[tuple[int, int]]:
        """Return the first row of each course, and how many it has."""
        count = len(self.history.courses) if self.history is not None else 0
        left = frame.height - 1 - self._foot(frame)
        if not count or left < 2:
            return ()
        shown = min(count, max(1, left // 2))
        edges = [1 + left * place // shown for place in range(shown + 1)]
        return [(begin, end - begin) for begin, end in pairwise(edges)]


def ordinal(place: int) -> str:
    """Return a place in words, such as "3rd"."""
    ending = "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place:,}{ending}"


def _draw_course(
    cells: Cells, frame: Frame, y: int, tall: int, course: FilterCourse, axis: TimeAxis, has_own: bool
) -> None:
    """Draw the band of the layer, its median, and the filter if the course is its own, from row `y` on."""
    assert frame.axis is not None
    theme, new = frame.theme, frame.axis.with_columns(frame.plot_width)
    values, median, low, high = (
        resample(part, axis, new) for part in (course.values, course.median, course.low, course.high)
    )
    bottom, top, is_log = _range(np.concatenate([values, low, high]))
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
            text = number(10**end if is_log else end)
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
