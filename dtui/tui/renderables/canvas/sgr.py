"""Converts cells to text, with or without escape sequences.

Owns the only place where escape sequences for cells are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from dtui.tui.renderables.canvas.cells import WIDE_TAIL, CellRow, Cells, UintArray, spelled
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.palettes import is_panel_like, nearest_16, nearest_256

RESET = "\x1b[0m"
UPPER_HALF = 0x2580
DEFAULT = -1
"""Stands for the terminal's own colour."""

MOST_FULL, LOOKED_AHEAD = 6, 8
"""A full block has two bytes more than a blank: so many are written for a colour that is not set again; and how many
stretches are looked at for that."""

_BLANK = 1 << 50
_HALF = 1 << 51


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


class Pen:
    """How a terminal writes now: its colours, bold and reversed. As after a reset at first."""

    __slots__ = ("back", "bold", "fore", "marked")

    def __init__(self) -> None:
        """Begin as after a reset."""
        self.fore, self.back, self.bold, self.marked = DEFAULT, DEFAULT, 0, 0


def row_to_sgr(row: CellRow, output: Output) -> str:
    """Return a row with the fewest escape sequences that show it, ending in a reset; "" for no cells.

    The terminal must be in its default state, as it is after a reset.
    """
    return continue_row(row, output, Pen()) + RESET if len(row.ch) else ""


def continue_row(row: CellRow, output: Output, pen: Pen) -> str:
    """Return a row with the fewest escape sequences that show it where the terminal writes as `pen` says.

    The pen is left as the row leaves the terminal; who writes the last row resets it. "" for no cells.
    """
    return continue_rows([row], output, pen)[0]


def continue_rows(rows: Sequence[CellRow], output: Output, pen: Pen) -> list[str]:
    """Return rows as `continue_row` does, each going on where the one before it leaves the terminal.

    All are looked at together: a step of the crosshair changes dozens of short stretches.
    """
    edges = list(accumulate((len(row.ch) for row in rows), initial=0))
    if not edges[-1]:
        return [""] * len(rows)
    row = rows[0] if len(rows) == 1 else CellRow(*map(np.concatenate, zip(*rows, strict=True)))
    ch = fold_ascii(row.ch) if output.ascii else row.ch
    keys = _style_keys(ch, row, output.mode)
    is_start = np.concatenate(([True], keys[1:] != keys[:-1]))
    is_start[[edge for edge in edges if edge < edges[-1]]] = True
    starts = np.flatnonzero(is_start)
    runs = keys[starts]
    fore_codes, back_codes = _CODES[output.mode]
    fore, back, bold, marked = pen.fore, pen.back, pen.bold, pen.marked
    text = _points_to_text(ch)
    out: list[str] = []
    begins = starts.tolist()
    ends = [*begins[1:], len(ch)]
    wanted = list(zip(runs.tolist(), *_wanted(runs, output.mode), strict=True))
    for at, (begin, end, (key, want_fore, want_back, want_marked)) in enumerate(zip(begins, ends, wanted, strict=True)):
        part, codes = text[begin:end], ""
        if want_marked != marked:
            marked = want_marked
            codes = "7;" if marked else "27;"
        if key & _BLANK:
            if not marked:
                want_fore = fore
        elif key & _HALF and want_fore >= 0 and want_back >= 0:
            is_new = want_fore == want_back not in (fore, back) and end - begin <= MOST_FULL
            if is_new and _needs_back(wanted[at + 1 : at + 1 + LOOKED_AHEAD], fore, back):
                part, want_back = "█" * (end - begin), back
            else:
                part, want_fore, want_back = _cheapest_blocks(end - begin, want_fore, want_back, fore, back)
        elif key & 1 != bold:
            bold = key & 1
            codes += "1;" if bold else "22;"
        if want_fore != fore:
            fore = want_fore
            codes += fore_codes[fore]
        if want_back != back:
            back = want_back
            codes += back_codes[back]
        out.append(f"\x1b[{codes[:-1]}m{part}" if codes else part)
    pen.fore, pen.back, pen.bold, pen.marked = fore, back, bold, marked
    places = np.searchsorted(starts, edges).tolist()
    return [spelled("".join(out[first:stop])) for first, stop in pairwise(places)]


def to_ansi(cells: Cells, output: Output) -> str:
    """Return a whole frame, rows joined by newlines."""
    return "\n".join(row_to_sgr(cells.row(y), output) for y in range(cells.height))


def to_text(cells: Cells, output: Output | None = None) -> str:
    """Return the characters of a frame without colours, rows stripped on the right and joined by newlines."""
    ch = fold_ascii(cells.ch) if output is not None and output.ascii else cells.ch
    return "\n".join(row_text(row).rstrip() for row in ch)


def row_text(ch: UintArray) -> str:
    """Return the visible text of one row of code points."""
    return spelled(_points_to_text(ch))


def fold_ascii(ch: UintArray) -> UintArray:
    """Return code points with every glyph outside ASCII replaced by the ASCII one that looks most like it."""
    folded: UintArray = _ASCII[np.minimum(ch, len(_ASCII) - 1)]
    folded[ch == WIDE_TAIL] = 32
    return folded


def _points_to_text(ch: UintArray) -> str:
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


def _style_keys(ch: UintArray, row: CellRow, mode: ColorMode) -> NDArray[np.uint64]:
    """Return one number per cell, equal for equal looks: fg, bg, mark, bold. The fg of a blank does not count.

    Cells that are two pixels, and blanks, have a bit of their own.
    """
    marks = row.mark.astype(np.uint64) << np.uint64(1)
    if mode is ColorMode.NONE:
        return np.where(ch == 32, np.uint64(_BLANK) | marks, marks | row.bold.astype(np.uint64))
    back = row.bg.astype(np.uint64) << np.uint64(2)
    if mode is ColorMode.PALETTE_16:
        back |= marks
    fore = row.fg.astype(np.uint64) << np.uint64(26) | row.bold.astype(np.uint64)
    fore |= (ch == UPPER_HALF).astype(np.uint64) << np.uint64(51)
    keys: NDArray[np.uint64] = np.where(ch == 32, np.uint64(_BLANK), fore) | back
    return keys


def _wanted(keys: NDArray[np.uint64], mode: ColorMode) -> tuple[list[int], list[int], list[int]]:
    """Return foreground, background and mark of each style key, as the terminal counts colours."""
    fores = (keys >> np.uint64(26) & np.uint64(0xFFFFFF)).tolist()
    backs = (keys >> np.uint64(2) & np.uint64(0xFFFFFF)).tolist()
    marks = (keys >> np.uint64(1) & np.uint64(1)).tolist()
    if mode is ColorMode.NONE:
        return [DEFAULT] * len(fores), [DEFAULT] * len(fores), marks
    if mode is ColorMode.TRUECOLOR:
        return fores, backs, [0] * len(fores)
    if mode is ColorMode.PALETTE_256:
        return [nearest_256(fore) for fore in fores], [nearest_256(back) for back in backs], [0] * len(fores)
    looks = [_sixteen(*look) for look in zip(fores, backs, marks, strict=True)]
    return [look[0] for look in looks], [look[1] for look in looks], [look[2] for look in looks]


def _sixteen(fore: int, back: int, mark: int) -> tuple[int, int, int]:
    """Return foreground, background and mark in 16 colours: what is marked on a panel is shown reversed."""
    if not is_panel_like(back):
        return nearest_16(fore), nearest_16(back), 0
    return (DEFAULT, DEFAULT, 1) if mark else (nearest_16(fore), DEFAULT, 0)


def _needs_back(ahead: Sequence[tuple[int, int, int, int]], fore: int, back: int) -> bool:
    """Whether the background is needed again before the foreground is: then a new colour takes the latter's place.

    Full cells alternate between few colours; with both of them set none has to be set again.
    """
    for key, want_fore, want_back, _ in ahead:
        if not key & _HALF:
            return want_back == back and (bool(key & _BLANK) or want_fore != fore)
        needs_fore, needs_back = fore in (want_fore, want_back), back in (want_fore, want_back)
        if needs_fore or needs_back:
            return not needs_fore
    return False


def _cheapest_blocks(count: int, top: int, bottom: int, fore: int, back: int) -> tuple[str, int, int]:
    """Return glyphs, foreground and background that show two pixels a cell and change the fewest colours."""
    if top == bottom:
        if top == fore != back:
            return "█" * count, fore, back
        return " " * count, fore, top
    if (bottom != fore) + (top != back) < (top != fore) + (bottom != back):
        return "▄" * count, bottom, top
    return "▀" * count, top, bottom


def _ascii_table() -> UintArray:
    """Return what to write for each code point below 0x3000; the last entry stands for all above."""
    table = np.full(0x3001, ord("?"), np.uint32)
    table[:0x80] = np.arange(0x80)
    table[0x2800] = 32
    table[0x2801:0x2900] = ord("*")
    shapes = "▾v▸>▴^▼v▲^◂<■#□o━=─-┊:┆:│|┤|├|╵'╷.▐|▌|▏|▕|●*◆o○o←<→>↑^↓v╭+╮+╰+╯+═-╔#╗#╚#╝#║#¶P↳`"
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
