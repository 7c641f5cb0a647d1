"""Cells to text, with or without escape sequences.

Owns the one place where escape sequences are written. A second copy would colour a terminal with fewer
colours differently on different screens.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dtui.tui.renderables.cells import WIDE_TAIL, CellRow, Cells, UintArray
from dtui.tui.renderables.output import ColorMode, Output
from dtui.tui.renderables.palettes import is_panel_like, nearest_16, nearest_256

RESET = "\x1b[0m"
DEFAULT = -1
"""Stands for the terminal's own colour."""

_TAIL = chr(WIDE_TAIL)
_BLANK = 1 << 50


def row_to_sgr(row: CellRow, output: Output) -> str:
    """Return a row with the fewest escape sequences that show it, ending in a reset; "" for no cells.

    The terminal must be in its default state, as it is after a reset.
    """
    if not len(row.ch):
        return ""
    ch = fold_ascii(row.ch) if output.ascii else row.ch
    keys = _style_keys(ch, row, output.mode)
    starts = np.flatnonzero(np.concatenate(([True], keys[1:] != keys[:-1])))
    text = _points_to_text(ch)
    fore, back, bold, marked = DEFAULT, DEFAULT, 0, 0
    out: list[str] = []
    begins = starts.tolist()
    for begin, end, key in zip(begins, [*begins[1:], len(ch)], keys[starts].tolist(), strict=True):
        part = text[begin:end]
        want_fore, want_back, want_marked = _wanted(key, output.mode)
        codes: list[str] = []
        if want_marked != marked:
            marked = want_marked
            codes.append("7" if marked else "27")
        if key >= _BLANK:
            if marked and want_fore != fore:
                fore = want_fore
                codes.append(_fore_code(fore, output.mode))
            if want_back != back:
                back = want_back
                codes.append(_back_code(back, output.mode))
        else:
            if part[0] == "▀" and want_fore >= 0 and want_back >= 0 and part == "▀" * len(part):
                part, want_fore, want_back = _cheapest_blocks(len(part), want_fore, want_back, fore, back)
            if key & 1 != bold:
                bold = key & 1
                codes.append("1" if bold else "22")
            if want_fore != fore:
                fore = want_fore
                codes.append(_fore_code(fore, output.mode))
            if want_back != back:
                back = want_back
                codes.append(_back_code(back, output.mode))
        out.append(f"\x1b[{';'.join(codes)}m{part}" if codes else part)
    return "".join(out).replace(_TAIL, "") + RESET


def to_ansi(cells: Cells, output: Output) -> str:
    """Return a whole frame, rows joined by newlines."""
    return "\n".join(row_to_sgr(cells.row(y), output) for y in range(cells.height))


def to_text(cells: Cells, output: Output | None = None) -> str:
    """Return the characters of a frame without colours, rows stripped on the right and joined by newlines."""
    ch = fold_ascii(cells.ch) if output is not None and output.ascii else cells.ch
    return "\n".join(row_text(row).rstrip() for row in ch)


def row_text(ch: UintArray) -> str:
    """Return the visible text of one row of code points."""
    return _points_to_text(ch).replace(_TAIL, "")


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
    """Return one number a cell, equal where the looks are: fg, bg, mark, bold; the fg of a blank does not count."""
    marks = row.mark.astype(np.uint64) << np.uint64(1)
    if mode is ColorMode.NONE:
        return np.where(ch == 32, np.uint64(_BLANK) | marks, marks | row.bold.astype(np.uint64))
    back = row.bg.astype(np.uint64) << np.uint64(2)
    if mode is ColorMode.PALETTE_16:
        back |= marks
    fore = row.fg.astype(np.uint64) << np.uint64(26) | row.bold.astype(np.uint64)
    keys: NDArray[np.uint64] = np.where(ch == 32, np.uint64(_BLANK), fore) | back
    return keys


def _wanted(key: int, mode: ColorMode) -> tuple[int, int, int]:
    """Return foreground, background and mark of a style key, as the terminal counts colours."""
    fore, back = key >> 26 & 0xFFFFFF, key >> 2 & 0xFFFFFF
    if mode is ColorMode.TRUECOLOR:
        return fore, back, 0
    if mode is ColorMode.PALETTE_256:
        return nearest_256(fore), nearest_256(back), 0
    marked = key >> 1 & 1
    if mode is ColorMode.NONE:
        return DEFAULT, DEFAULT, marked
    if not is_panel_like(back):
        return nearest_16(fore), nearest_16(back), 0
    return (DEFAULT, DEFAULT, 1) if marked else (nearest_16(fore), DEFAULT, 0)


def _cheapest_blocks(count: int, top: int, bottom: int, fore: int, back: int) -> tuple[str, int, int]:
    """Return glyphs, foreground and background that show two pixels a cell and change the fewest colours."""
    if top == bottom:
        if top == fore != back:
            return "█" * count, fore, back
        return " " * count, fore, top
    if (bottom != fore) + (top != back) < (top != fore) + (bottom != back):
        return "▄" * count, bottom, top
    return "▀" * count, top, bottom


@lru_cache(maxsize=16_384)
def _fore_code(colour: int, mode: ColorMode) -> str:
    if colour == DEFAULT:
        return "39"
    if mode is ColorMode.TRUECOLOR:
        return f"38;2;{colour >> 16};{colour >> 8 & 255};{colour & 255}"
    return f"38;5;{colour}" if mode is ColorMode.PALETTE_256 else str((30 if colour < 8 else 82) + colour)


@lru_cache(maxsize=16_384)
def _back_code(colour: int, mode: ColorMode) -> str:
    if colour == DEFAULT:
        return "49"
    if mode is ColorMode.TRUECOLOR:
        return f"48;2;{colour >> 16};{colour >> 8 & 255};{colour & 255}"
    return f"48;5;{colour}" if mode is ColorMode.PALETTE_256 else str((40 if colour < 8 else 92) + colour)


def _ascii_table() -> UintArray:
    """Return what to write for each code point below 0x3000; the last entry stands for all above."""
    table = np.full(0x3001, ord("?"), np.uint32)
    table[:0x80] = np.arange(0x80)
    table[0x2800] = 32
    table[0x2801:0x2900] = ord("*")
    pairs = "▾v▸>▴^▼v▲^◂<■#□o━=─-┊:┆:│|┤|├|╵'╷.▐|▌|▏|▕|×x·.●*◆o○o✓+✖x✗x⚑!−-°o…~←<→>↑^↓v╭+╮+╰+╯+¶P–-≥>≤<"
    for glyph, plain in zip(pairs[::2], pairs[1::2], strict=True):
        table[ord(glyph)] = ord(plain)
    table[0x2581:0x2589] = [ord(plain) for plain in ".:-=+*#@"]
    table[0x2589:0x2590] = [ord(plain) for plain in "@@#|||."]
    table[[0x2580, 0x2584]] = ord("#")
    table[[0x2591, 0x2592, 0x2593]] = [ord("."), ord("+"), ord("#")]
    return table


_ASCII = _ascii_table()
