"""A terminal's screen as it is specified, to read back what is written: an independent reader of escape sequences."""

from __future__ import annotations

import re
from collections.abc import Iterator
from unicodedata import combining, east_asian_width

Cell = tuple[str, object, object, bool, bool]
"""Glyph ("" right of a wide one), foreground, background, bold, reversed; colours as they are written."""
BLANK: Cell = (" ", None, None, False, False)
SEQUENCE = re.compile(
    r"\x1b\[([0-9;]*)([A-Za-z])|\x1b\[[?<>=][0-9;$]*[a-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|(\x1b.?)|(.)", re.S
)


class Pen:
    """What a terminal writes with."""

    def __init__(self) -> None:
        """Begin as after a reset."""
        self.fore: object = None
        self.back: object = None
        self.bold = self.reverse = False

    def take(self, parameters: str) -> None:
        """Change it as the parameters of an SGR sequence say."""
        codes = [int(code or 0) for code in parameters.split(";")]
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.fore = self.back = None
                self.bold = self.reverse = False
            elif code in (38, 48):
                kind = codes.pop(0)
                value: object = codes.pop(0) if kind == 5 else tuple(codes.pop(0) for _ in range(3))
                if code == 38:
                    self.fore = value
                else:
                    self.back = value
            elif code in (1, 22):
                self.bold = code == 1
            elif code in (7, 27):
                self.reverse = code == 7
            elif code == 39:
                self.fore = None
            elif code == 49:
                self.back = None
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.fore = code - 30 if code < 40 else code - 82
            elif 40 <= code <= 47 or 100 <= code <= 107:
                self.back = code - 40 if code < 50 else code - 92
            elif code not in (2, 3, 4, 5, 9, 23, 24, 25, 29):  # how Textual's own widgets underline
                raise AssertionError(f"unknown code {code}")

    def cell(self, glyph: str) -> Cell:
        """Return a cell that is written with it."""
        return glyph, self.fore, self.back, self.bold, self.reverse


class TerminalGrid:
    """The cells of a screen. A cursor behind the last column is nowhere, for terminals differ: it must be placed.

    Attributes:
        rows: The cells.
        written: How many were written, with those that looked the same before.
    """

    def __init__(self, width: int, height: int) -> None:
        """Begin blank, with the cursor nowhere."""
        self.width, self.height = width, height
        self.rows: list[list[Cell]] = [[BLANK] * width for _ in range(height)]
        self.written = 0
        self._at: tuple[int, int] | None = None
        self._pen = Pen()

    def feed(self, written: str) -> TerminalGrid:
        """Do what a program has written."""
        for match in SEQUENCE.finditer(written):
            parameters, letter, other, glyph = match.groups()
            assert not other, repr(other)
            if glyph:
                self._put(glyph)
            elif letter == "m":
                self._pen.take(parameters)
            elif letter == "H":
                row, _, column = parameters.partition(";")
                self._at = int(row or 1) - 1, int(column or 1) - 1
            elif letter == "C":
                assert self._at is not None
                self._at = self._at[0], self._at[1] + int(parameters or 1)
            else:
                assert letter is None or letter in "lhtun", match[0]
        return self

    def looks(self) -> list[list[object]]:
        """Return what is seen of each cell: of one that is nothing but two pixels their colours."""
        return [list(looks_of(row)) for row in self.rows]

    def _put(self, glyph: str) -> None:
        assert self._at is not None, "the cursor is nowhere"
        y, x = self._at
        if combining(glyph):
            before = self.rows[y][x - 1]
            self.rows[y][x - 1] = (before[0] + glyph, *before[1:])
            return
        wide = 2 if east_asian_width(glyph) in "WF" else 1
        assert x + wide <= self.width, "beyond the edge"
        self.written += wide
        for column in range(x, x + wide):
            self._close_wide(y, column)
        self.rows[y][x : x + wide] = [self._pen.cell(glyph), self._pen.cell("")][:wide]
        self._at = (y, x + wide) if x + wide < self.width else None

    def _close_wide(self, y: int, x: int) -> None:
        """Half a wide glyph that is written over takes the other half with it."""
        row = self.rows[y]
        if row[x][0] == "" and x > 0:
            row[x - 1] = (" ", *row[x - 1][1:])
        if x + 1 < self.width and row[x + 1][0] == "":
            row[x + 1] = (" ", *row[x + 1][1:])


def looks_of(cells: list[Cell]) -> Iterator[object]:
    """Yield what is seen of cells: of pixels their two colours, in which bold does not count."""
    for glyph, fore, back, bold, reverse in cells:
        pixels = {"▀": (fore, back), "▄": (back, fore), "█": (fore, fore), " ": (back, back)}.get(glyph)
        if pixels is not None and not reverse and (fore, back) != (None, None):
            yield pixels
        elif glyph == " ":
            yield ("reversed", fore) if reverse else (back, back)
        else:
            yield glyph, fore, back, bold, reverse
