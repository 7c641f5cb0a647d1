"""A box with a frame over the panes, as large as its lines and as the screen allows; longer ones scroll."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame

Part = tuple[str, int, bool]
"""Text that is safe to show, its colour, and whether it is bold."""
Line = tuple[Part, ...]
EDGES = 4
"""Columns of the frame, and of the blanks inside it."""
BESIDE = 12
"""With fewer columns beside it than these (half as many rows) a box is as large as the screen: no word is left that
could be read."""


class Box:
    """What lies over the panes: a frozen dataclass that says its lines and what a move means.

    Attributes:
        top: The first line that is shown.
    """

    top: int = 0

    def lines(self, frame: Frame) -> Sequence[Line]:
        """Return its lines, for a screen of this size and these colours."""
        raise NotImplementedError

    def edges(self, frame: Frame) -> tuple[Line, Line]:
        """Return what is written into the upper and the lower edge of its frame."""
        return (), ()

    def moved(self, by: int, frame: Frame) -> Self:
        """Return it `by` lines further down."""
        return self.scrolled(self.top + by, frame)

    def place_of(self, key: str) -> int | None:
        """Return the place of what a key chooses; None for a key that chooses nothing."""
        return None

    def place_at(self, line: int, frame: Frame) -> int | None:
        """Return the place of what a line chooses, counted from the first that is shown; None for none."""
        return None

    @property
    def taken(self) -> int | None:
        """The place of what Enter chooses; None where it only closes."""
        return None

    def scrolled(self, top: int, frame: Frame) -> Self:
        """Return it from line `top` on, or as near as its lines allow."""
        most = max(0, len(self.lines(frame)) - rows_inside(frame))
        return replace(self, top=max(0, min(top, most)))  # type: ignore[type-var]

    def draw(self, frame: Frame) -> Cells:
        """Return the box, no larger than the screen.

        Args:
            frame: Its width and height are the screen's.
        """
        lines, theme = self.lines(frame), frame.theme
        shown = lines[self.top : self.top + rows_inside(frame)]
        edges = self.edges(frame)
        widest = max((*map(line_width, lines), *(line_width(edge) + 2 for edge in edges)))
        width = _filling(EDGES + widest, frame.width, BESIDE)
        cells = Cells(width, _filling(len(shown) + 2, frame.height, BESIDE // 2), theme)
        _draw_frame(cells)
        for y, line in ((0, edges[0]), *enumerate(shown, 1), (cells.height - 1, edges[1])):
            _write(cells, y, line)
        if len(shown) < len(lines):
            _draw_thumb(cells, self.top, len(shown), len(lines))
        return cells


def rows_inside(frame: Frame) -> int:
    """Return the most lines that a box can show on a screen."""
    return max(1, frame.height - 2)


def _filling(needed: int, room: int, beside: int) -> int:
    """Return the size of a box that needs some, in a screen that has room for so much."""
    return room if needed > room - beside else needed


def _write(cells: Cells, y: int, line: Line) -> None:
    """Write a line into a row; in the edges of the frame a blank before and after it."""
    x, stop, is_edge = EDGES // 2, cells.width - EDGES // 2, y in (0, cells.height - 1)
    blank: Part = (" ", cells.theme.text, False)
    for text, colour, bold in (blank, *line, blank) if is_edge and line else line:
        x = cells.text(x, y, text, colour, bold=bold, limit=max(0, stop - x))


def line_width(line: Line) -> int:
    """Return the columns of a line."""
    return sum(text_width(text) for text, _, _ in line)


def _draw_frame(cells: Cells) -> None:
    accent, last, width = cells.theme.accent, cells.height - 1, cells.width
    for y, (left, right) in ((0, "╭╮"), (last, "╰╯")):
        cells.text(0, y, f"{left}{'─' * max(0, width - 2)}{right}", accent)
    for y in range(1, last):
        cells.text(0, y, "│", accent)
        cells.text(width - 1, y, "│", accent)


def _draw_thumb(cells: Cells, top: int, shown: int, total: int) -> None:
    """Draw in the right edge which part of the lines is shown."""
    rows = cells.height - 2
    size = max(1, rows * shown // total)
    begin = (rows - size) * top // max(1, total - shown)
    for y in range(1 + begin, 1 + begin + size):
        cells.text(cells.width - 1, y, "█", cells.theme.accent)
