"""The key bar: the most useful keys, as many as fit."""

from __future__ import annotations

from collections.abc import Iterator

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.cells import Cells, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.picture import Picture

Item = tuple[str, str]
"""Keys as they are written, and what they do."""
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
        theme = frame.theme
        cells = Cells(frame.width, frame.height, theme, theme.background)
        if self.message:
            cells.text(1, 0, shorten_names(self.message, frame.width - 2), theme.flag)
        for x, _, (keys, words) in self._placed(frame):
            cells.text(cells.text(x, 0, keys, theme.accent) + 1, 0, words, theme.muted)
        return cells

    def item_at(self, frame: Frame, x: int) -> tuple[int, int] | None:
        """Return the place of the item at a column, among `keys` and then `last`, and which of its keys it is.

        None where there is no item; of its words it is the first key.
        """
        for begin, place, item in self._placed(frame):
            if begin <= x < begin + _width(item):
                before = item[0][: x - begin] if x < begin + text_width(item[0]) else ""
                return place, before.count("/")
        return None

    def _placed(self, frame: Frame) -> Iterator[tuple[int, int, Item]]:
        """Yield the column, the place and the item of each that is shown; none beside a message."""
        if self.message:
            return
        x, end = 1, frame.width - 1 - sum(_width(item) + 2 for item in self.last)
        for place, (keys, words) in enumerate(self.keys):
            item = keys.translate(IN_ASCII) if frame.output.ascii else keys, words
            if x + _width(item) > end:
                break
            yield x, place, item
            x += _width(item) + 2
        for place, item in enumerate(self.last, len(self.keys)):
            if x + _width(item) <= frame.width - 1:
                yield x, place, item
                x += _width(item) + 2


def _width(item: Item) -> int:
    return text_width(item[0]) + 1 + text_width(item[1])
