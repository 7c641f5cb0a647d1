"""The key bar: the most useful keys, as many as fit."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.cells import Cells, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.picture import Picture

IN_ASCII = {0x2190: "<-", 0x2192: "->", 0x2191: "up", 0x2193: "down", 0x21E7: "shift+", 0x2212: "-"}
"""Keys that letters cannot draw: an arrow has two, for < and > are keys too."""


@dataclass(frozen=True, slots=True)
class KeyBarPicture(Picture):
    """One row of keys and what they do, or a message in their place.

    Attributes:
        keys: A key as it is written on the screen and one or two words, most important first; what does not fit is
            left out whole.
        message: Shown alone, unless it is "".
        last: Keys at the end, which are left out only if they do not fit alone.
    """

    keys: tuple[tuple[str, str], ...]
    message: str = ""
    last: tuple[tuple[str, str], ...] = ()

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the row."""
        theme, x = frame.theme, 1
        cells = Cells(frame.width, frame.height, theme, theme.background)
        if self.message:
            cells.text(x, 0, shorten_names(self.message, frame.width - 2), theme.flag)
            return cells
        end = frame.width - 1 - sum(_width(item) + 2 for item in self.last)
        for keys, words in self.keys:
            item = keys.translate(IN_ASCII) if frame.output.ascii else keys, words
            if x + _width(item) > end:
                break
            x = _write(cells, x, item)
        for item in self.last:
            if x + _width(item) <= frame.width - 1:
                x = _write(cells, x, item)
        return cells


def _width(item: tuple[str, str]) -> int:
    return text_width(item[0]) + 1 + text_width(item[1])


def _write(cells: Cells, x: int, item: tuple[str, str]) -> int:
    """Write a key and its words, and return the column for the next."""
    x = cells.text(x, 0, item[0], cells.theme.accent)
    return cells.text(x + 1, 0, item[1], cells.theme.muted) + 2
