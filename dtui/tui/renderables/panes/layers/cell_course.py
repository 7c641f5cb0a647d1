"""Draws what a picked cell of the grid did over the run: the error of its class, its filters, images that flipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageVerdict
from dtui.model.cube import CellCourses
from dtui.model.judging import Judging, as_groups
from dtui.model.layers import FilterCourse
from dtui.model.statistics import title_of
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.panes.layers.tree_words import fitting
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.course import draw_course, ordinal, reading_of, values_at, write_reading
from dtui.tui.renderables.parts.image_row import draw_image_row, rows_of_images
from dtui.tui.renderables.parts.picture import Picture

LEAST_COURSE = 3
"""Rows of a course."""


@dataclass(frozen=True, slots=True)
class CellCoursePicture(Picture):
    """Courses below each other, and images at the foot where there is room.

    Attributes:
        title: Name of the pane.
        words: Which cell it is, ever shorter; safe to show.
        classes: Names by label; data from outside.
        found: The courses, over any axis; None while they load.
        images: Some that turned wrong at the selected incident.
        judging: What decides what is right, in a run that scores decide; None where class scores do.
        now: The exact values at an iteration; used if that is the cursor.
    """

    title: str
    words: tuple[str, ...]
    classes: tuple[str, ...] = ()
    found: CellCourses | None = None
    images: tuple[ImageVerdict, ...] = ()
    judging: Judging | None = None
    now: CellCourses | None = field(default=None, compare=False)
    crosshair = True

    @property
    def readout_of(self) -> object:
        """The exact values at the cursor."""
        return self.now

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw it all."""
        cells, theme = Cells(frame.width, frame.height, frame.theme), frame.theme
        x = draw_header(cells, frame, self.title, max(0, frame.width - 1))
        room = max(0, frame.width - x - 3)
        x = cells.text(x + 2, 0, fitting(self.words, room), theme.accent, limit=room)
        is_plain = frame.output.mode is ColorMode.NONE
        middle = as_groups("all images, or median of the layer", self.judging)
        legend = [("━ itself", theme.flag), (f"{'⋯' if is_plain else '━'} {middle}", theme.muted)]
        legend += [] if is_plain else [("▆ 5–95 % of the layer", theme.faint)]
        begin = frame.width - sum(text_width(words) + 2 for words, _ in legend)
        if begin > x + 2:
            for words, colour in legend:
                begin = cells.text(begin, 0, words, colour) + 2
        if self.found is not None and frame.axis is not None and frame.plot_width > 0:
            for course, (y, tall) in zip(self.found.courses, self._places(frame), strict=False):
                draw_course(cells, frame, y, tall, course, self.found.axis, True)
        if self._image_rows(frame):
            draw_image_row(cells, frame, 1, frame.height - self._image_rows(frame), self.images, self.classes)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the values at the cursor."""
        column, found, theme = frame.column_of(iteration), self.found, frame.theme
        if found is None or frame.axis is None or frame.plot_width < 1:
            return
        axis, now = frame.axis.with_columns(frame.plot_width), self._now(iteration)
        for at, (course, (y, tall)) in enumerate(zip(found.courses, self._places(frame), strict=False)):
            lines: list[tuple[str, int]] = []
            if column is not None:
                exact = now[at] if at < len(now) else None
                value, middle, rank = values_at(course, exact, found.axis, axis, column - frame.gutter)
                lines = [(reading_of(course, value), theme.flag)]
                lines += [(f"{ordinal(int(rank))} of {found.of:,}", theme.text)] if rank > 0 else []
                beside = as_groups("all images", self.judging) if course is found.error else "median"
                lines += [(f"{beside} {reading_of(course, middle)}", theme.muted)] if middle == middle else []
            write_reading(cells, frame, y, tall, self._name(found, at), lines)

    def _now(self, iteration: int | None) -> tuple[FilterCourse, ...]:
        return () if self.now is None or self.now.axis.first != iteration else self.now.courses

    def _name(self, found: CellCourses, at: int) -> str:
        if found.error is not None and at == 0:
            return "error" if found.label is not None else "error, all"
        course = found.courses[at]
        filter_ = found.filters[at - (found.error is not None)]
        return f"f{filter_} {title_of(course.statistic)}"

    def _image_rows(self, frame: Frame) -> int:
        """Return the rows of the images: none where the courses need the room."""
        count = 0 if self.found is None else len(self.found.courses)
        return rows_of_images(len(self.images), frame.width - 2, frame.height - 1 - LEAST_COURSE * min(count, 4))

    def _places(self, frame: Frame) -> Sequence[tuple[int, int]]:
        """Return the first row of each course, and how many it has."""
        count = 0 if self.found is None else len(self.found.courses)
        left = frame.height - 1 - self._image_rows(frame)
        if not count or left < LEAST_COURSE:
            return ()
        shown = min(count, left // LEAST_COURSE)
        tall = left // shown
        return [(1 + place * tall, tall) for place in range(shown)]
