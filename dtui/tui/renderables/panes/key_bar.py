"""The key bar: the most useful keys, as many as fit."""

from __future__ import annotations

from dataclasses import dataclass

from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.picture import Picture


@dataclass(frozen=True, slots=True)
class KeyBarPicture(Picture):
    """One row of keys and what they do, or a message in their place.

    Attributes:
        keys: A key as it is written on the screen and one or two words, most important first; what does not fit is
            left out whole.
        message: Shown alone, unless it is "".
    """

    keys: tuple[tuple[str, str], ...]
    message: str = ""

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the row."""
        theme, x = frame.theme, 1
        cells = Cells(frame.width, frame.height, theme, theme.background)
        if self.message:
            cells.text(x, 0, self.message, theme.flag, limit=frame.width - 2)
            return cells
        for key, words in self.keys:
            if x + text_width(key) + 1 + text_width(words) > frame.width - 1:
                break
            x = cells.text(x, 0, key, theme.accent)
            x = cells.text(x + 1, 0, words, theme.muted) + 2
        return cells
