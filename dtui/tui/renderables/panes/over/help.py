"""Draws the help: every key and every mark by group, in two columns where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import Mark
from dtui.tui.renderables.panes.key_bar import IN_ASCII
from dtui.tui.renderables.panes.message import wrap
from dtui.tui.renderables.panes.over.box import EDGES, Box, Line, line_width, rows_inside

KEYS_WIDTH, MARKS_WIDTH = 14, 3
BETWEEN = 3
"""Columns between the two columns of the help."""

Explained = tuple[str, str, str] | Mark
"""Keys, the colour's name in the theme, and what they do; or a mark."""
Group = tuple[str, tuple[Explained, ...]]
"""A heading, and what stands below it."""


@dataclass(frozen=True, slots=True)
class HelpBox(Box):
    """Every key and every mark.

    Attributes:
        left: Groups of the left column, which are the first ones where there is only one.
        right: Those of the right one.
        top: The first line that is shown.
    """

    left: tuple[Group, ...]
    right: tuple[Group, ...]
    top: int = 0

    def lines(self, frame: Frame) -> Sequence[Line]:
        """Return the groups."""
        theme = frame.theme
        left, right = (_column(groups, frame) for groups in (self.left, self.right))
        wide = max(map(line_width, left), default=0) + BETWEEN
        if EDGES + wide + max(map(line_width, right), default=0) > frame.width:
            return _column((*self.left, *self.right), frame, frame.width - EDGES)
        both = zip_longest(left, right, fillvalue=())
        return [(*a, (" " * (wide - line_width(a)), theme.text, False), *b) if b else a for a, b in both]

    def edges(self, frame: Frame) -> tuple[Line, Line]:
        """Return what it is, and how it is scrolled and closed."""
        foot = "j k Space scroll, Esc closes" if len(self.lines(frame)) > rows_inside(frame) else "Esc closes"
        return (("every key and mark", frame.theme.accent, True),), ((foot, frame.theme.muted, False),)


def _column(groups: Sequence[Group], frame: Frame, room: int | None = None) -> list[Line]:
    """Return the lines of groups; what has no room in so many columns goes on below."""
    lines: list[Line] = []
    for heading, explained in groups:
        wide = MARKS_WIDTH if isinstance(explained[0], Mark) else KEYS_WIDTH
        lines += [*([()] if lines else []), ((heading, frame.theme.text, True),)]
        for sign, colour, words in explained:
            sign = sign.translate(IN_ASCII) if frame.output.ascii and wide == KEYS_WIDTH else sign
            said = [words] if room is None else wrap(words, max(1, room - wide - 2))
            for part in said:
                lines.append(
                    ((f"  {sign:<{wide}}", getattr(frame.theme, colour), False), (part, frame.theme.text, False))
                )
                sign = ""
    return lines
