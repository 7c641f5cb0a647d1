"""Draws a pane that shows only a message: loading, nothing recorded yet, too small."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.number_text import NO_BREAK, unparted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture


@dataclass(frozen=True, slots=True)
class MessagePicture(Picture):
    """A centred message, wrapped at words.

    Attributes:
        text: The message, one line; may quote names from outside.
        detail: What to do about it, below in a fainter colour.
        title: Name of the pane, shown as its header; "" for none.
    """

    text: str = ""
    detail: str = ""
    title: str = ""

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the message."""
        theme = frame.theme
        cells = Cells(frame.width, frame.height, theme)
        if self.title:
            draw_header(cells, frame, self.title, max(0, frame.width - 1))
        room = max(1, min(72, frame.width - 2))
        lines = [(line, theme.text, True) for line in wrap(safe(self.text, 1_000), room)]
        lines += [(line, theme.muted, False) for line in wrap(safe(self.detail, 1_000), room)]
        first = 1 if self.title else 0
        y = first + max(0, (frame.height - first - len(lines)) // 2)
        for line, colour, bold in lines:
            cells.text(max(0, (frame.width - text_width(line)) // 2), y, line, colour, bold=bold)
            y += 1
        return cells


def wrap(text: str, room: int) -> list[str]:
    """Return the words of a text as lines of at most `room` columns (>= 1); a longer word is cut."""
    lines: list[str] = []
    for word in map(_as_typed, filter(None, unparted(" ".join(text.split())).split(" "))):
        if lines and text_width(lines[-1]) + 1 + text_width(word) <= room:
            lines[-1] += f" {word}"
        else:
            lines.append(shorten(word, room))
    return lines


def _as_typed(word: str) -> str:
    return word.replace(NO_BREAK, " ")


def not_drawn(error: Exception | None, title: str = "") -> MessagePicture:
    """Return the message of a pane that raised an error."""
    return MessagePicture("This pane could not be drawn", f"{type(error).__name__}; details are in the log", title)
