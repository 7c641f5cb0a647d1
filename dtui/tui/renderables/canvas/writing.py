"""Writes cells on a terminal: those that it does not show yet, each colour once and then every place that has it.

Owns what a terminal is known to show, and the order in which cells are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dtui.model import BoolArray, IntArray
from dtui.model.arrays import distinct
from dtui.tui.renderables.canvas.cells import WIDE_TAIL, CellRow, Cells, UintArray, spelled
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.sgr import (
    ANY,
    LOWER_HALF,
    RESET,
    UPPER_HALF,
    Looks,
    codes_of,
    fold_ascii,
    ground_of,
    is_ground,
    looks_of,
    pens_of,
    points_to_text,
    swapped,
)

UNKNOWN = np.iinfo(np.uint64).max
WORTH_A_JUMP = 4
"""Cells of more bytes than this that are shown already are jumped over: a jump takes about as many."""


class Placed(NamedTuple):
    """Cells of one row, and where they stand: column and row of the first."""

    x: int
    y: int
    row: CellRow


class Shown:
    """What a terminal of some size shows, as far as it was written with `write_cells`. At first nothing is known."""

    def __init__(self, width: int, height: int) -> None:
        """Begin with a terminal of which nothing is known."""
        self.width, self.height = width, height
        self._looks: Looks = np.full(width * height, UNKNOWN, np.uint64)
        self._ch: UintArray = np.zeros(width * height, np.uint32)

    def forget(self, x: int, y: int, count: int) -> None:
        """Something else was written over cells of a row."""
        self._looks[y * self.width + x : y * self.width + x + count] = UNKNOWN

    def take(self, cells: Cells, output: Output) -> None:
        """Take it that cells are shown, which fill the terminal."""
        ch, looks = _canonical(_all_of(cells), output)
        self._ch[:], self._looks[:] = ch, looks

    def differs(self, places: IntArray, looks: Looks, ch: UintArray) -> BoolArray:
        """Return where cells differ from what is shown, and take it that they are shown now."""
        differs: BoolArray = (self._looks[places] != looks) | (self._ch[places] != ch)
        self._looks[places], self._ch[places] = looks, ch
        return differs


def write_cells(placed: Sequence[Placed], output: Output, shown: Shown) -> str:
    """Return what makes a terminal show cells where it does not yet. It ends as it begins, in a reset; "" for nothing.

    A colour takes up to 19 bytes, a jump of the cursor four to eight: so all places of a colour are written one after
    the other. Where colours are short, or there are none, rows are written from left to right.

    Args:
        placed: Rows of cells, anywhere within what is shown.
        output: What the terminal can show.
        shown: What it shows; the cells are added to it.
    """
    if not any(len(one.row.ch) for one in placed):
        return ""
    lengths = [len(one.row.ch) for one in placed]
    begins = np.cumsum(lengths) - lengths
    firsts = np.array([one.y * shown.width + one.x for one in placed])
    places = np.arange(sum(lengths)) + np.repeat(firsts - begins, lengths)
    return _changes(_joined([one.row for one in placed]), places, output, shown)


def write_grid(cells: Cells, output: Output, shown: Shown) -> str:
    """Return what makes a terminal show cells that fill it, as `write_cells` does."""
    return _changes(_all_of(cells), np.arange(cells.width * cells.height), output, shown)


def _changes(row: CellRow, places: IntArray, output: Output, shown: Shown) -> str:
    """Return what makes a terminal show cells in some places, one behind the other where they are in one row."""
    ch, looks = _canonical(row, output)
    is_new = shown.differs(places, looks, ch)
    if not is_new.any():
        return ""
    is_tail = ch == WIDE_TAIL
    if is_tail.any():  # a wide glyph is written whole
        is_new[:-1] |= is_new[1:] & is_tail[1:]
        is_new[1:] |= is_new[:-1] & is_tail[1:]
    near = _near(is_new)
    return _written(ch[near], looks[near], places[near], is_new[near], output, shown.width) + RESET


def _near(is_new: BoolArray) -> BoolArray:
    """Return which cells are new, or stand between two that are so near that those between may be written, too."""
    new = np.flatnonzero(is_new)
    is_far = np.diff(new) > WORTH_A_JUMP + 1
    edges = np.zeros(len(is_new) + 1, np.int8)
    edges[new[np.concatenate(([True], is_far))]] = 1
    edges[new[np.concatenate((is_far, [True]))] + 1] = -1
    near: BoolArray = np.cumsum(edges[:-1]) > 0
    return near


def screen_text(cells: Cells, output: Output) -> str:
    """Return what writes cells that fill a terminal, whatever it shows; see `write_cells`."""
    return write_grid(cells, output, Shown(cells.width, cells.height))


def row_to_sgr(row: CellRow, output: Output) -> str:
    """Return a row from left to right, without a jump, ending in a reset; "" for no cells.

    The terminal must be in its default state, as it is after a reset.
    """
    count = len(row.ch)
    if not count:
        return ""
    ch, looks = _canonical(row, output)
    return _written(ch, looks, np.arange(count), np.ones(count, bool), output, count, cursor=0) + RESET


def _all_of(cells: Cells) -> CellRow:
    """Return the rows of a grid, one behind the other."""
    return CellRow(cells.ch.ravel(), cells.fg.ravel(), cells.bg.ravel(), cells.bold.ravel(), cells.mark.ravel())


def _joined(rows: Sequence[CellRow]) -> CellRow:
    return CellRow(*map(np.concatenate, zip(*rows, strict=True))) if len(rows) > 1 else rows[0]


def _canonical(row: CellRow, output: Output) -> tuple[UintArray, Looks]:
    """Return glyphs and looks, the same for cells that look the same: two pixels of one colour are a blank."""
    ch = fold_ascii(row.ch) if output.ascii else row.ch
    if output.has_pixels:
        ch = np.where((ch == UPPER_HALF) & (row.fg == row.bg), np.uint32(32), ch)
    looks = looks_of(ch, row, output.mode)
    is_tail = ch == WIDE_TAIL
    if is_tail[1:].any():
        tails = np.flatnonzero(is_tail[1:]) + 1
        looks[tails] = looks[tails - 1]
    return ch, looks


def _written(
    ch: UintArray,
    looks: Looks,
    places: IntArray,
    is_new: BoolArray,
    output: Output,
    width: int,
    cursor: int = -1,
) -> str:
    """Return the escape sequences and glyphs of the cells that are new, from a terminal's default state on.

    Args:
        ch: Glyphs, those of a row one behind the other.
        looks: Of each.
        places: Of each, counted through the rows of the terminal.
        is_new: Which are to be written.
        output: What the terminal can show.
        width: Its columns.
        cursor: The place where the cursor stands: then cells are written as they come. With -1 it may be anywhere.
    """
    by_colour = cursor < 0 and output.mode in (ColorMode.TRUECOLOR, ColorMode.PALETTE_256)
    if output.has_pixels:
        ch, looks = _turned(ch, looks, is_new)
    follows = np.concatenate(([False], (np.diff(places) == 1) & (places[1:] % width != 0)))
    styles = _with_grounds(looks, follows)
    stretch: IntArray = np.cumsum(~follows | np.concatenate(([True], styles[1:] != styles[:-1])))
    is_new = _bridged(ch, stretch, is_new)
    begins = np.flatnonzero(is_new & ~np.concatenate(([False], is_new[:-1] & (stretch[1:] == stretch[:-1]))))
    ends = np.flatnonzero(is_new & ~np.concatenate((is_new[1:] & (stretch[1:] == stretch[:-1]), [False]))) + 1
    kinds = distinct(styles[begins])
    kind_of = np.searchsorted(kinds, styles[begins])
    order = np.argsort(kind_of, kind="stable") if by_colour else np.arange(len(begins))
    pens, text = pens_of(kinds, output.mode), points_to_text(ch)
    set_fore, set_back = codes_of(output.mode)
    fore, back, bold, marked = -1, -1, 0, 0
    out: list[str] = []
    jobs = zip(*(array[order].tolist() for array in (begins, ends, places[begins], kind_of)), strict=True)
    for begin, end, place, kind in jobs:
        want_fore, want_back, want_bold, want_marked = pens[kind]
        codes = ""
        if want_marked != marked:
            marked = want_marked
            codes = "7;" if marked else "27;"
        if want_bold not in (bold, ANY):
            bold = want_bold
            codes += "1;" if bold else "22;"
        if want_fore not in (fore, ANY):
            fore = want_fore
            codes += set_fore[fore]
        if want_back != back:
            back = want_back
            codes += set_back[back]
        if codes:
            out.append(f"\x1b[{codes[:-1]}m")
        if place != cursor:
            out.append(_jump(cursor, place, width))
        out.append(text[begin:end])
        cursor = place + end - begin
        if cursor % width == 0:
            cursor = -1  # at the right edge terminals differ
    return spelled("".join(out))


def _jump(cursor: int, place: int, width: int) -> str:
    """Return what moves the cursor to a place; -1 stands for a cursor that may be anywhere."""
    y, x = divmod(place, width)
    if 0 <= cursor < place and cursor // width == y:
        return "\x1b[C" if place == cursor + 1 else f"\x1b[{place - cursor}C"
    return f"\x1b[{y + 1};{x + 1}H"


def _turned(ch: UintArray, looks: Looks, is_new: BoolArray) -> tuple[UintArray, Looks]:
    """Return cells of two pixels so that of two colours the one that more pixels have is always the background."""
    is_half = is_new & (ch == UPPER_HALF)
    if not is_half.any():
        return ch, looks
    halves = looks[is_half]
    other = swapped(halves)
    grounds = np.concatenate((ground_of(halves), ground_of(other)))
    blanks = ground_of(looks[is_new & (ch == 32)])
    kinds = distinct(np.concatenate((grounds, blanks)))
    which = np.searchsorted(kinds, grounds)
    counts = np.bincount(which, minlength=len(kinds)) + np.bincount(
        np.searchsorted(kinds, blanks), minlength=len(kinds)
    )
    often = counts[which].reshape(2, -1)
    turns = (often[0] < often[1]) | ((often[0] == often[1]) & (grounds[: len(halves)] < grounds[len(halves) :]))
    ch, looks = ch.copy(), looks.copy()
    looks[is_half] = np.where(turns, other, halves)
    ch[is_half] = np.where(turns, np.uint32(LOWER_HALF), np.uint32(UPPER_HALF))
    return ch, looks


def _with_grounds(looks: Looks, follows: BoolArray) -> Looks:
    """Return the pen of each cell: a blank is written with that of the glyphs beside it on the same ground."""
    blank, ground, every = is_ground(looks), ground_of(looks), np.arange(len(looks))
    field = np.cumsum(~follows | np.concatenate(([True], ground[1:] != ground[:-1])))
    before = np.maximum.accumulate(np.where(blank, 0, every))
    behind = np.minimum.accumulate(np.where(blank, len(looks) - 1, every)[::-1])[::-1]
    near = np.where((field[before] == field) & ~blank[before], before, behind)
    return np.where(blank & (field[near] == field), looks[near], looks)


def _bridged(ch: UintArray, stretch: IntArray, is_new: BoolArray) -> BoolArray:
    """Return which cells to write: also those between new ones that take no more bytes than a jump over them."""
    new = np.flatnonzero(is_new)
    sizes = np.cumsum(1 + (ch > 0x7F) + (ch > 0x7FF))
    gaps = sizes[new[1:] - 1] - sizes[new[:-1]]
    bridges = np.flatnonzero((gaps > 0) & (gaps <= WORTH_A_JUMP) & (stretch[new[1:]] == stretch[new[:-1]]))
    if not len(bridges):
        return is_new
    is_new = is_new.copy()
    for begin, end in zip(new[bridges].tolist(), new[bridges + 1].tolist(), strict=True):
        is_new[begin:end] = True
    return is_new
