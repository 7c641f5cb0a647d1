"""Draws the help: every key by group, in two columns where there is room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.over.box import EDGES, Box, Line, line_width

KEYS_WIDTH = 14
BETWEEN = 3
"""Columns between the two columns of the help."""

Group = tuple[str, tuple[tuple[str, str], ...]]
"""A heading, and its keys and what they do."""


@dataclass(frozen=True, slots=True)
class HelpBox(Box):
    """Every key.

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
            return [*left, (), *right]
        both = zip_longest(left, right, fillvalue=())
        return [(*a, (" " * (wide - line_width(a)), theme.text, False), *b) if b else a for a, b in both]

    def edges(self, frame: Frame) -> tuple[Line, Line]:
        """Return what it is, and how it is closed."""
        return (("every key", frame.theme.accent, True),), (("Esc closes", frame.theme.muted, False),)


def _column(groups: Sequence[Group], frame: Frame) -> list[Line]:
    lines: list[Line] = []
    for heading, actions in groups:
        lines += [*([()] if lines else []), ((heading, frame.theme.text, True),)]
        lines += [
            ((f"  {keys:<{KEYS_WIDTH}}", frame.theme.accent, False), (words, frame.theme.text, False))
            for keys, words in actions
        ]
    return lines
