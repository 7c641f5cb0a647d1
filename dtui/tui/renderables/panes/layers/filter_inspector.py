"""Draws one filter over the run: four statistics of it, each over the middle and the spread of its layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from itertools import pairwise

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.kept_weights import KeptWeights
from dtui.model.layers import FilterCourse, FilterHistory
from dtui.model.statistics import title_of
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.panes.layers.kept_weights import draw_kept, kept_rows
from dtui.tui.renderables.panes.layers.tree_words import fitting
from dtui.tui.renderables.parts.chrome import draw_header, number
from dtui.tui.renderables.parts.course import draw_course, ordinal, values_at, write_reading
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Filter"
LEAST_COURSE = 2
"""Rows that a course keeps beside the pictures of the weights."""


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
        x = draw_header(cells, frame, f"{TITLE} {self.filter}", max(0, frame.width - 1))
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
                draw_course(cells, frame, y, tall, course, self.history.axis, self.has_own)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the values at the cursor, and the filter's place in its layer."""
        column, history = frame.column_of(iteration), self.history
        if history is None or frame.axis is None or frame.plot_width < 1:
            return
        axis, theme = frame.axis.with_columns(frame.plot_width), frame.theme
        for course, (y, tall) in zip(history.courses, self._places(frame), strict=False):
            lines: list[tuple[str, int]] = []
            if column is not None:
                now = self._exact(course, iteration)
                value, median, rank = values_at(course, now, history.axis, axis, column - frame.gutter)
                own = [(number(value), theme.flag)]
                own += [(f"{ordinal(int(rank))} of {history.of:,}", theme.text)] if rank > 0 else []
                lines = [*(own if self.has_own else ()), (f"median {number(median)}", theme.muted)]
            write_reading(cells, frame, y, tall, title_of(course.statistic), lines)

    def _exact(self, course: FilterCourse, iteration: int | None) -> FilterCourse | None:
        """Return the course at the cursor alone, if it is known."""
        if self.now is None or self.now.axis.first != iteration:
            return None
        return next((one for one in self.now.courses if one.statistic == course.statistic), None)

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
