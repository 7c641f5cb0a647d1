"""Draws a pane that shows only a message: loading, nothing recorded yet, too small."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace

from dtui.dataclass_on_use import dataclass
from dtui.number_text import NO_BREAK, unparted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture

_KEY = re.compile(r"(?:^|(?<=[·;:,] ))(?:\S|Enter|Esc|Space|Tab) [a-z]+s\b(?: [a-z]+)?")
"""A key and the words that say what it does, such as "i shows them", at the begin of a part of a sentence."""


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
        lines = [(line, theme.text, True) for line in wrap_evenly(safe(self.text, 1_000), room)]
        lines += [(line, theme.muted, False) for line in wrap_evenly(safe(self.detail, 1_000), room)]
        first = 1 if self.title else 0
        y = first + max(0, (frame.height - first - len(lines)) // 2)
        for line, colour, bold in lines:
            cells.text(max(0, (frame.width - text_width(line)) // 2), y, line, colour, bold=bold)
            y += 1
        return cells


@dataclass(frozen=True, slots=True)
class ReadingPicture(MessagePicture):
    """A pane whose first answer is not there yet. It says so only when that takes long: fast answers would flicker.

    Attributes:
        is_late: Whether it takes long.
    """

    is_late: bool = False

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the heading, and what is being read if that takes long."""
        return MessagePicture.draw(self if self.is_late else replace(self, detail=""), frame, iteration)


def refused(why: str, title: str) -> MessagePicture:
    """Return the picture of an inner screen that has nothing to show: what is lacking, and behind a ";" what to do."""
    first, _, rest = why.partition("; ")
    return MessagePicture(first, "; ".join(filter(None, (rest, "Esc goes back"))), title)


def reading(what: str, title: str) -> ReadingPicture:
    """Return the picture of a pane that waits for its first answer.

    Args:
        what: What is being read, such as "the images".
        title: Name of the pane.
    """
    return ReadingPicture(detail=f"reading {what} …", title=title)


def wrap(text: str, room: int) -> list[str]:
    """Return the words of a text as lines of at most `room` columns (>= 1); a longer word is cut.

    A number stays with its unit, and a key with what it does, wherever there is room for both.
    """
    lines: list[str] = []
    used = 0
    for word in _words(text, room):
        width = text_width(word)
        if lines and used + 1 + width <= room:
            lines[-1] += f" {word}"
            used += 1 + width
        else:
            lines.append(shorten_names(word, room))
            used = text_width(lines[-1])
    return lines


def wrap_evenly(text: str, room: int) -> list[str]:
    """Return the words of a text as the same number of lines, none of them longer than it must be.

    So no word is left alone on the last line, which a centred text would show.
    """
    lines = wrap(text, room)
    if len(lines) < 2:
        return lines
    longest = min(room, max(map(text_width, _words(text, room))))
    widths = range(longest, room)  # the wider, the fewer lines
    return wrap(text, longest + bisect_left(widths, True, key=lambda width: len(wrap(text, width)) <= len(lines)))


def _words(text: str, room: int) -> Iterator[str]:
    """Yield what stays on a line: words, and several together where they belong together and have room."""
    whole = _KEY.sub(lambda found: found[0].replace(" ", NO_BREAK), unparted(" ".join(text.split())))
    for word in filter(None, whole.split(" ")):
        if NO_BREAK not in word:
            yield word
        else:
            yield from word.split(NO_BREAK) if text_width(word) > room else [word.replace(NO_BREAK, " ")]


def not_drawn(error: Exception | None, title: str = "") -> MessagePicture:
    """Return the message of a pane that raised an error."""
    return MessagePicture("This pane could not be drawn", f"{type(error).__name__}; details are in the log", title)
