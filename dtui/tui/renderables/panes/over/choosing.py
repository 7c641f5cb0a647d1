"""Draws a short list to choose from: a key before each line, the selected one in bold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.cells import text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import CHOSEN, MARKED
from dtui.tui.renderables.panes.over.box import Box, Line, rows_inside

FOOT = "a key or Enter chooses, Esc closes"


@dataclass(frozen=True, slots=True)
class ChoosingBox(Box):
    """A list.

    Attributes:
        title: What is chosen.
        options: Words, what is said behind them, and the heading above where it differs from the one before; safe.
        keys: The key of each, for as many as there are keys.
        chosen: Place of the one that holds now; -1 for none.
        row: Place of the selected one.
        top: The first line that is shown.
    """

    title: str
    options: tuple[tuple[str, str, str], ...]
    keys: str
    chosen: int = -1
    row: int = 0
    top: int = 0

    def lines(self, frame: Frame) -> Sequence[Line]:
        """Return every option under its heading."""
        return [line for line, _ in self._placed(frame)]

    def edges(self, frame: Frame) -> tuple[Line, Line]:
        """Return the title, and what to do."""
        return ((self.title, frame.theme.accent, True),), ((FOOT, frame.theme.muted, False),)

    def moved(self, by: int, frame: Frame) -> Self:
        """Return the list with another row selected, in the middle where the list is longer than the screen."""
        row = max(0, min(len(self.options) - 1, self.row + by))
        y = next((y for y, (_, place) in enumerate(self._placed(frame)) if place == row), 0)
        return replace(self, row=row).scrolled(y - rows_inside(frame) // 2, frame)

    def place_of(self, key: str) -> int | None:
        """Return the place of a key's option."""
        place = self.keys.find(key) if key else -1
        return place if 0 <= place < len(self.options) else None

    def place_at(self, line: int, frame: Frame) -> int | None:
        """Return the option in a line."""
        places = [place for _, place in self._placed(frame)][self.top :]
        return places[line] if 0 <= line < min(len(places), rows_inside(frame)) else None

    @property
    def taken(self) -> int | None:
        """The selected one."""
        return self.row

    def _placed(self, frame: Frame) -> list[tuple[Line, int | None]]:
        """Return every line with the place of its option; None for a heading."""
        theme, group = frame.theme, ""
        placed: list[tuple[Line, int | None]] = []
        wide = max((text_width(words) for words, _, _ in self.options), default=0)
        for place, (words, help_, heading) in enumerate(self.options):
            if heading != group:
                group = heading
                placed.append((((group, theme.muted, False),), None))
            is_selected = place == self.row
            mark = CHOSEN.glyph if is_selected else MARKED.glyph if place == self.chosen else " "
            key = self.keys[place] if place < len(self.keys) else " "
            behind = " " * (wide - text_width(words)) if help_ else ""
            line = (
                (f"{mark} {key}  ", theme.accent, False),
                (words + behind, theme.bright if is_selected else theme.text, is_selected),
                (f"  {help_}", theme.muted, False),
            )
            placed.append((line, place))
        return placed
