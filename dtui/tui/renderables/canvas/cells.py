"""The grid that every pane draws into: one character, two colours and two flags per cell.

Owns how a string is placed in a grid of terminal cells.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dtui.safe_text import is_zero_wide, text_columns
from dtui.tui.renderables.canvas.theme import Theme

UintArray = NDArray[np.uint32]
FlagArray = NDArray[np.uint8]

WIDE_TAIL = 0x10FFFF
"""Stands in the second cell of a wide glyph; writers leave it out."""
LONGEST_KEPT = 200
"""The code points of strings up to this length are kept."""
FIRST_STAND_IN, MOST_STAND_INS = 0x100000, 60_000
"""A letter with marks is one glyph of several code points: in a cell a code point stands for it that `safe` never lets
through, from here on. Of more such letters than this the marks are left out."""
_TAIL = chr(WIDE_TAIL)
_STAND_INS: dict[str, str] = {}
_SPELLED: dict[str, str] = {_TAIL: ""}
_DOTTED_NAME = re.compile(r"(?<![\w./])[A-Za-z_]\w*(?:\.\w+){3,}")
"""Of four parts or more: of a shorter one, such as "layer3.0.conv1", each part tells."""
_NOT_PLAIN = re.compile(f"[{chr(FIRST_STAND_IN)}-{_TAIL}]")


class CellRow(NamedTuple):
    """One row of cells, or a part of it: five arrays of shape (width,), all views.

    Attributes:
        ch: Code points, uint32.
        fg: Foreground 0xRRGGBB, uint32.
        bg: Background 0xRRGGBB, uint32.
        bold: 1 where bold, uint8.
        mark: 1 where a selection or badge must stay visible without colours, uint8; such cells are shown reversed
            there.
    """

    ch: UintArray
    fg: UintArray
    bg: UintArray
    bold: FlagArray
    mark: FlagArray

    def crop(self, start: int, end: int) -> CellRow:
        """Return the cells start..end-1 (0 <= start <= end); half a wide glyph at an edge becomes a blank."""
        ch = self.ch[start:end]
        starts_halved = len(ch) > 0 and ch[0] == WIDE_TAIL
        ends_halved = len(ch) > 0 and end < len(self.ch) and self.ch[end] == WIDE_TAIL
        if starts_halved or ends_halved:
            ch = ch.copy()
            if starts_halved:
                ch[0] = 32
            if ends_halved:
                ch[-1] = 32
        return CellRow(ch, self.fg[start:end], self.bg[start:end], self.bold[start:end], self.mark[start:end])

    def copy(self) -> CellRow:
        """Return a copy with its own arrays."""
        return CellRow(self.ch.copy(), self.fg.copy(), self.bg.copy(), self.bold.copy(), self.mark.copy())


class Cells:
    """A grid of terminal cells, blank at first.

    Attributes:
        width: Columns, >= 0.
        height: Rows, >= 0.
        theme: Where default colours come from.
        ch, fg, bg, bold, mark: Arrays of shape (height, width), as in CellRow.
    """

    __slots__ = ("bg", "bold", "ch", "fg", "height", "mark", "theme", "width")

    def __init__(self, width: int, height: int, theme: Theme, background: int | None = None) -> None:
        """Make a blank grid in the theme's panel colour, or in `background`."""
        self.width, self.height, self.theme = max(0, width), max(0, height), theme
        shape = (self.height, self.width)
        self.ch: UintArray = np.full(shape, 32, np.uint32)
        self.fg: UintArray = np.full(shape, theme.text, np.uint32)
        self.bg: UintArray = np.full(shape, theme.panel if background is None else background, np.uint32)
        self.bold: FlagArray = np.zeros(shape, np.uint8)
        self.mark: FlagArray = np.zeros(shape, np.uint8)

    def row(self, y: int) -> CellRow:
        """Return row `y` as views."""
        return CellRow(self.ch[y], self.fg[y], self.bg[y], self.bold[y], self.mark[y])

    def text(
        self,
        x: int,
        y: int,
        string: str,
        fg: int | None = None,
        bg: int | None = None,
        bold: bool = False,
        limit: int | None = None,
    ) -> int:
        """Write a string that has passed `safe` (or is ours) and return the column after it.

        Text outside the left edge and `x` + `limit` (or the right edge) is cut; a string cut by `limit` ends in an
        ellipsis, and a wide glyph is never halved.

        Args:
            x: Column of the first glyph; may be negative, what lies left of the grid is cut.
            y: Row; outside the grid nothing is written.
            string: One line of visible characters.
            fg: Foreground, None for the theme's text colour.
            bg: Background, None to keep what is there.
            bold: Whether to write in bold.
            limit: Most columns to use, >= 0.
        """
        string = string if limit is None else shorten(string, limit)
        points = _code_points(string)
        end = x + len(points)
        if not 0 <= y < self.height or x >= self.width or end <= 0 or not len(points):
            return end
        start, stop = max(0, x), min(self.width, end)
        self._close_wide(y, start, stop)
        where = y, slice(start, stop)
        self.ch[where] = points if stop - start == len(points) else _cut(points, start - x, stop - x)
        self.fg[where] = self.theme.text if fg is None else fg
        if bg is not None:
            self.bg[where] = bg
        self.bold[where] = bold
        return end

    def clear(self, x: int, y: int, width: int, height: int = 1) -> None:
        """Blank the characters of a rectangle (cut to the grid), keeping its background."""
        rows, columns = slice(max(0, y), max(0, y + height)), slice(max(0, x), max(0, x + width))
        self.ch[rows, columns] = 32
        self.bold[rows, columns] = 0

    def paste(
        self,
        x: int,
        y: int,
        ch: UintArray | None = None,
        fg: UintArray | None = None,
        bg: UintArray | None = None,
    ) -> None:
        """Copy arrays of shape (rows, columns) into the grid at (x, y) >= 0, cut to the grid; None keeps."""
        for target, source in ((self.ch, ch), (self.fg, fg), (self.bg, bg)):
            if source is not None:
                rows, columns = min(source.shape[0], self.height - y), min(source.shape[1], self.width - x)
                if rows > 0 and columns > 0:
                    target[y : y + rows, x : x + columns] = source[:rows, :columns]

    def put(self, x: int, y: int, cells: Cells) -> None:
        """Copy a whole grid into this one at (x, y) >= 0, cut to it."""
        rows, columns = min(cells.height, self.height - y), min(cells.width, self.width - x)
        if rows > 0 and columns > 0:
            for name in ("ch", "fg", "bg", "bold", "mark"):
                getattr(self, name)[y : y + rows, x : x + columns] = getattr(cells, name)[:rows, :columns]

    def _close_wide(self, y: int, start: int, stop: int) -> None:
        """Blank the halves of wide glyphs whose other half a write to start..stop-1 overwrites."""
        if start > 0 and self.ch.item(y, start) == WIDE_TAIL:
            self.ch[y, start - 1] = 32
        if stop < self.width and self.ch.item(y, stop) == WIDE_TAIL:
            self.ch[y, stop] = 32


def text_width(string: str) -> int:
    """Return how many columns a string takes: two for a wide glyph, none for a mark above or below a letter."""
    return text_columns(string)


def shorten(string: str, limit: int) -> str:
    """Return the string, cut with an ellipsis so that it takes at most `limit` columns (>= 0)."""
    if text_width(string) <= limit:
        return string
    if limit <= 0:
        return ""
    kept, used = [], 0
    for character in string:
        used += text_columns(character)
        if used > limit - 1:
            break
        kept.append(character)
    return "".join(kept) + "…"


def shorten_middle(string: str, limit: int) -> str:
    """Return the string in at most `limit` columns (>= 0), both ends kept: names of one family differ at the end."""
    if text_width(string) <= limit:
        return string
    tail, room = "", limit // 2
    for character in reversed(string):
        if text_width(character + tail) > room:
            break
        tail = character + tail
    return shorten(string, limit - text_width(tail)) + tail


def shorten_left(name: str, room: int) -> str:
    """Return a dotted name in at most `room` columns. Its end is what tells it apart, so its first parts go first."""
    if text_width(name) <= room:
        return name
    parts = name.split(".")
    for first in range(1, len(parts)):
        rest = "…" + ".".join(parts[first:])
        if text_width(rest) <= room:
            return rest
    return shorten(parts[-1], room)


def shorten_names(text: str, limit: int) -> str:
    """Return a text in at most `limit` columns (>= 0): its longest dotted name is cut on the left, then its end.

    The last two parts of a name stay, for they tell it apart: "…lora_B.default".
    """
    over = text_width(text) - limit
    if over <= 0:
        return text
    name = max(_DOTTED_NAME.findall(text), key=text_width, default="")
    if name:
        least = "…" + ".".join(name.split(".")[-2:])
        text = text.replace(name, shorten_left(name, max(text_width(name) - over, text_width(least))))
    return shorten(text, limit)


def spelled(text: str) -> str:
    """Return what the code points of cells stand for: letters with their marks, and a wide glyph once."""
    return _NOT_PLAIN.sub(lambda found: _SPELLED.get(found[0], found[0]), text)


def has_stand_ins(cells: Cells) -> bool:
    """Whether cells hold letters with marks: what stands for them means something in this process alone."""
    return bool(((cells.ch >= FIRST_STAND_IN) & (cells.ch != WIDE_TAIL)).any())


def _cut(points: UintArray, start: int, stop: int) -> UintArray:
    """Return the code points start..stop-1 of a string; half a wide glyph at an edge becomes a blank."""
    span = points[start:stop].copy()
    if span[0] == WIDE_TAIL:
        span[0] = 32
    if stop < len(points) and points[stop] == WIDE_TAIL:
        span[-1] = 32
    return span


def _code_points(string: str) -> UintArray:
    """Return a code point for each glyph of a string, WIDE_TAIL after each wide glyph; not to be written to."""
    return _kept_points(string) if len(string) <= LONGEST_KEPT else _points(string)


def _points(string: str) -> UintArray:
    if string.isascii():
        return _plain_points(string)
    glyphs: list[str] = []
    for character in string:
        if glyphs and is_zero_wide(character):
            glyphs[-1] += character
        else:
            glyphs.append(character)
    plain = _plain_points("".join(glyph if len(glyph) == 1 else _stand_in(glyph) for glyph in glyphs))
    is_wide = np.fromiter((text_columns(glyph) == 2 for glyph in glyphs), bool, len(glyphs))
    places = np.flatnonzero(is_wide) + 1
    return np.insert(plain, places, WIDE_TAIL) if len(places) else plain


def _plain_points(string: str) -> UintArray:
    return np.frombuffer(string.encode("utf-32-le", "surrogatepass"), "<u4")


def _stand_in(glyph: str) -> str:
    """Return the code point that stands in a cell for a letter with marks."""
    if glyph not in _STAND_INS:
        if len(_STAND_INS) >= MOST_STAND_INS:
            return glyph[0]
        _STAND_INS[glyph] = chr(FIRST_STAND_IN + len(_STAND_INS))
        _SPELLED[_STAND_INS[glyph]] = glyph
    return _STAND_INS[glyph]


_kept_points = lru_cache(maxsize=4_096)(_points)
"""Most strings on a screen are written again at each key."""
