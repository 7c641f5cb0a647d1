"""Converts cells to text, and looks to the parameters of escape sequences.

Owns what a cell looks like: one number, equal for cells that are written with the same colours.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from dtui.model import BoolArray
from dtui.tui.renderables.canvas.cells import WIDE_TAIL, CellRow, Cells, UintArray, spelled
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.palettes import is_panel_like, nearest_16, nearest_256

Looks = NDArray[np.uint64]
"""A number a cell, from the highest bits down: background, reversed, whether there is a glyph, foreground and bold."""
Pen = tuple[int, int, int, int]
"""Foreground, background, bold and reversed, as a terminal counts them."""

RESET = "\x1b[0m"
UPPER_HALF, LOWER_HALF, FULL = 0x2580, 0x2584, 0x2588
DEFAULT = -1
"""Stands for the terminal's own colour."""
ANY = -2
"""Stands for whatever a blank is written with."""

_BOLD, _FORE, _GLYPH, _MARK, _BACK = (np.uint64(bit) for bit in (0, 1, 25, 26, 27))
_ONE, _COLOUR = np.uint64(1), np.uint64(0xFFFFFF)
_GROUND = ~((_ONE << _MARK) - _ONE)


class _Codes(dict[int, str]):
    """Maps a colour to the parameters of its escape sequence, each ending in a semicolon; filled on first use."""

    def __init__(self, layer: int, mode: ColorMode) -> None:
        super().__init__()
        self._layer, self._mode = layer, mode

    def __missing__(self, colour: int) -> str:
        if len(self) > 65_536:
            self.clear()
        if colour == DEFAULT:
            code = f"{self._layer + 9};"
        elif self._mode is ColorMode.TRUECOLOR:
            code = f"{self._layer + 8};2;{colour >> 16};{colour >> 8 & 255};{colour & 255};"
        elif self._mode is ColorMode.PALETTE_256:
            code = f"{self._layer + 8};5;{colour};"
        else:
            code = f"{self._layer + (colour if colour < 8 else 52 + colour)};"
        self[colour] = code
        return code


_CODES = {mode: (_Codes(30, mode), _Codes(40, mode)) for mode in ColorMode}


def to_text(cells: Cells, output: Output | None = None) -> str:
    """Return the characters of a frame without colours, rows stripped on the right and joined by newlines."""
    ch = fold_ascii(cells.ch) if output is not None and output.ascii else cells.ch
    return "\n".join(row_text(row).rstrip() for row in ch)


def row_text(ch: UintArray) -> str:
    """Return the visible text of one row of code points."""
    return spelled(points_to_text(ch))


def fold_ascii(ch: UintArray) -> UintArray:
    """Return code points with every glyph outside ASCII replaced by the ASCII one that looks most like it."""
    ch = _with_plain_powers(ch)
    folded: UintArray = _ASCII[np.minimum(ch, len(_ASCII) - 1)]
    folded[ch == WIDE_TAIL] = 32
    return folded


def _with_plain_powers(ch: UintArray) -> UintArray:
    """Return code points in which a power of ten such as "·10⁻¹³" is "e-13", in the same cells."""
    if not np.isin(ch, _RAISED_POINTS).any():
        return ch
    plain = ch.copy()
    cells = plain.reshape(-1)
    for found in re.finditer(_POWER, "".join(map(chr, np.minimum(cells, 0xFFFF).tolist()))):
        text = f"e{found[1].translate(_LOWERED)}".ljust(len(found[0]))
        cells[found.start() : found.end()] = [ord(glyph) for glyph in text]
    return plain


def text_in_ascii(text: str) -> str:
    """Return a text with every glyph replaced that is outside ASCII."""
    return points_to_text(fold_ascii(np.array([ord(glyph) for glyph in text], np.uint32)))


def points_to_text(ch: UintArray) -> str:
    """Return a letter for each code point, those of cells that stand for others too."""
    return ch.astype("<u4").tobytes().decode("utf-32-le")


def style_runs(row: CellRow) -> list[tuple[int, int, int, int, bool, bool]]:
    """Return begin, end (exclusive), foreground, background, bold and mark of each stretch of equal looks."""
    if not len(row.ch):
        return []
    marks = row.mark.astype(np.uint64) << np.uint64(1) | row.bold.astype(np.uint64)
    keys = row.fg.astype(np.uint64) << np.uint64(26) | row.bg.astype(np.uint64) << np.uint64(2) | marks
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1]))).tolist()
    return [
        (begin, end, int(row.fg[begin]), int(row.bg[begin]), bool(row.bold[begin]), bool(row.mark[begin]))
        for begin, end in zip(starts, [*starts[1:], len(row.ch)], strict=True)
    ]


def looks_of(ch: UintArray, row: CellRow, mode: ColorMode) -> Looks:
    """Return how cells look on a terminal of some colours: of a blank the background, and whether it is reversed."""
    grounds = row.bg.astype(np.uint64) << _BACK
    marks = row.mark.astype(np.uint64) << _MARK
    if mode is ColorMode.NONE:
        grounds = marks
    elif mode is ColorMode.PALETTE_16:
        grounds |= marks
    fores = _ONE << _GLYPH | row.bold.astype(np.uint64)
    if mode is not ColorMode.NONE:
        fores = fores | row.fg.astype(np.uint64) << _FORE
    looks: Looks = np.where(ch == 32, grounds, grounds | fores)
    return looks


def ground_of(looks: Looks) -> Looks:
    """Return how blanks look on the same ground: background and reversed."""
    return looks & _GROUND


def is_ground(looks: Looks) -> BoolArray:
    """Return which are looks of blanks."""
    is_blank: BoolArray = looks & _ONE << _GLYPH == 0
    return is_blank


def swapped(looks: Looks) -> Looks:
    """Return the looks with foreground and background changed for each other."""
    fores, grounds = looks >> _FORE & _COLOUR, looks >> _BACK & _COLOUR
    rest = looks & (_ONE << _MARK | _ONE << _GLYPH | _ONE << _BOLD)
    swapped: Looks = fores << _BACK | grounds << _FORE | rest
    return swapped


def codes_of(mode: ColorMode) -> tuple[_Codes, _Codes]:
    """Return the parameters of each colour, as foreground and as background, each ending in a semicolon."""
    return _CODES[mode]


def pens_of(looks: Looks, mode: ColorMode) -> list[Pen]:
    """Return what a terminal writes each of the looks with."""
    blanks = is_ground(looks).tolist()
    fores, backs = (looks >> _FORE & _COLOUR).tolist(), (looks >> _BACK & _COLOUR).tolist()
    bolds, marks = (looks & _ONE).tolist(), (looks >> _MARK & _ONE).tolist()
    pens = [_pen(*one, mode) for one in zip(fores, backs, bolds, marks, strict=True)]
    return [
        (pen[0] if pen[3] else ANY, pen[1], ANY, pen[3]) if blank else pen
        for blank, pen in zip(blanks, pens, strict=True)
    ]


def _pen(fore: int, back: int, bold: int, mark: int, mode: ColorMode) -> Pen:
    """Return a pen; in 16 colours what is marked on a panel is shown reversed."""
    if mode is ColorMode.TRUECOLOR:
        return fore, back, bold, 0
    if mode is ColorMode.PALETTE_256:
        return nearest_256(fore), nearest_256(back), bold, 0
    if mode is ColorMode.NONE:
        return DEFAULT, DEFAULT, bold, mark
    if not is_panel_like(back):
        return nearest_16(fore), nearest_16(back), bold, 0
    return (DEFAULT, DEFAULT, bold, 1) if mark else (nearest_16(fore, back > 0x7FFFFF), DEFAULT, bold, 0)


def _line_in_ascii(dots: int) -> str:
    """Return what stands for the dots of a braille cell, bits as in its code point: at the same height, or as thick."""
    left, right = ([row for row in range(4) if dots & bits[row]] for bits in ((1, 2, 4, 64), (8, 16, 32, 128)))
    rows = sorted({*left, *right})
    if min(len(left), len(right)) > 2:
        return "#"
    if len(left) > 2 and right:
        return "+"
    if rows[-1] - rows[0] >= len(rows):
        return ":"
    return "|" if len(rows) > 2 else "'--._"[round(sum(rows) / len(rows) * 4 / 3)]


_RAISED = "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"
_RAISED_POINTS = [ord(glyph) for glyph in _RAISED]
_LOWERED = dict(zip(_RAISED_POINTS, "-0123456789", strict=True))
_POWER = f"·10([{_RAISED}]+)"


def _ascii_table() -> UintArray:
    """Return what to write for each code point below 0x3000; the last entry stands for all above."""
    table = np.full(0x3001, ord("?"), np.uint32)
    table[:0x80] = np.arange(0x80)
    table[0x2800] = 32
    table[_RAISED_POINTS] = [ord(glyph) for glyph in _LOWERED.values()]
    table[0x2801:0x2900] = [ord(_line_in_ascii(dots)) for dots in range(1, 256)]
    shapes = "▾v▸>▴^▼v▲^◂<■#▬=□o━=─-┊:┆:│|┤|├|╵'╷.▐|▌|▏|▕|●*◆o○o←<→>↑^↓v╭+╮+╰+╯+═-╔#╗#╚#╝#║#¶P↳`"
    signs = "×x·.✓+✖x✗x⚑!−-°o…~–-—-≥>≤<»>≋~✱*✎&•+σs±+⋯.∞8≈~÷/Δd‖|⊕+┬+┴+┼+▫%◇@  "
    pairs = shapes + signs
    for glyph, plain in zip(pairs[::2], pairs[1::2], strict=True):
        table[ord(glyph)] = ord(plain)
    table[0x2581:0x2589] = [ord(plain) for plain in ".:-=+*#@"]
    table[0x2589:0x2590] = [ord(plain) for plain in "@@#|||."]
    table[[0x2580, 0x2584]] = ord("#")
    table[[0x2591, 0x2592, 0x2593]] = [ord("."), ord("+"), ord("#")]
    return table


_ASCII = _ascii_table()
