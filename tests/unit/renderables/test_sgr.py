from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.tui.renderables.canvas.cells import CellRow, Cells
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.palettes import PALETTE_256, is_panel_like, nearest_16, nearest_256
from dtui.tui.renderables.canvas.sgr import fold_ascii, style_runs, to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.canvas.writing import row_to_sgr
from tests.unit.renderables.builders import seen, to_ansi

COLOURS = [DARK.panel, DARK.text, DARK.accent, DARK.incorrect, DARK.selection, 0xFFFFFF, 0]


@st.composite
def rows(draw: st.DrawFn) -> CellRow:
    width = draw(st.integers(1, 30))
    cells = Cells(width, 1, DARK)
    glyphs = [32, ord("a"), ord("▀"), ord("▄"), ord("█"), ord("▂"), ord("é")]
    for array, choices in ((cells.ch, glyphs), (cells.fg, COLOURS), (cells.bg, COLOURS)):
        array[0] = draw(st.lists(st.sampled_from(choices), min_size=width, max_size=width))
    for flags in (cells.bold, cells.mark):
        flags[0] = draw(st.lists(st.integers(0, 1), min_size=width, max_size=width))
    if width > 3 and draw(st.booleans()):
        cells.text(1, 0, "字", DARK.accent, DARK.panel)
    return cells.row(0)


def halves(glyph: str, fore: object, back: object) -> tuple[object, object] | None:
    """The upper and lower colour of a cell that is nothing but two pixels, else None."""
    return {"▀": (fore, back), "▄": (back, fore), "█": (fore, fore), " ": (back, back)}.get(glyph)


def triplet(colour: int) -> tuple[int, int, int]:
    return colour >> 16, colour >> 8 & 255, colour & 255


def written_colours(colour: int, mode: ColorMode) -> object:
    return triplet(colour) if mode is ColorMode.TRUECOLOR else nearest_256(colour)


@pytest.mark.parametrize("mode", [ColorMode.TRUECOLOR, ColorMode.PALETTE_256])
@settings(max_examples=150, deadline=None)
@given(row=rows())
def test_what_is_written_reads_back_as_the_cells(mode: ColorMode, row: CellRow) -> None:
    shown = seen(row_to_sgr(row, Output(mode)))[0]
    assert len(shown) == len(row.ch)
    for index, (glyph, fore, back, bold, reverse) in enumerate(shown):
        want = chr(int(row.ch[index])) if row.ch[index] != 0x10FFFF else ""
        want_fore, want_back = (written_colours(int(colour[index]), mode) for colour in (row.fg, row.bg))
        assert not reverse
        if halves(want, 0, 0) is not None:
            assert halves(glyph, fore, back) == halves(want, want_fore, want_back)
        else:
            assert (glyph, fore, back) == (want, want_fore, want_back)
            assert bold == bool(row.bold[index])


@settings(max_examples=100, deadline=None)
@given(row=rows())
def test_without_colours_only_bold_and_reverse_are_left(row: CellRow) -> None:
    written = row_to_sgr(row, Output(ColorMode.NONE))
    assert "38;" not in written
    assert "48;" not in written
    for index, (glyph, fore, back, bold, reverse) in enumerate(seen(written)[0]):
        assert (fore, back) == (None, None)
        if glyph == "":
            continue
        assert reverse == bool(row.mark[index])
        assert glyph == chr(int(row.ch[index]))
        assert bold == bool(row.bold[index]) or row.ch[index] == 32


@settings(max_examples=100, deadline=None)
@given(row=rows())
def test_sixteen_colours_keep_the_terminals_own_background_behind_panels(row: CellRow) -> None:
    shown = seen(row_to_sgr(row, Output(ColorMode.PALETTE_16)))[0]
    for index, (glyph, fore, back, _, reverse) in enumerate(shown):
        if glyph == "":
            continue
        background = int(row.bg[index])
        if is_panel_like(background):
            assert back is None
            assert reverse == bool(row.mark[index])
            assert not reverse or fore is None
        else:
            assert back == nearest_16(background) or row.ch[index] in (0x2580, 0x2584)


def test_nothing_is_repeated() -> None:
    cells = Cells(40, 1, DARK)
    cells.text(0, 0, "one colour for all of this")
    written = row_to_sgr(cells.row(0), Output())
    assert written.count("\x1b") == 2
    assert written.endswith("\x1b[0m")
    plain = Cells(100, 1, DARK)
    assert len(row_to_sgr(plain.row(0), Output())) < 100 + 30


def test_half_blocks_reuse_the_colours_at_hand() -> None:
    cells = Cells(4, 1, DARK)
    cells.ch[0] = ord("▀")
    cells.fg[0] = [1, 2, 1, 2]
    cells.bg[0] = [2, 1, 1, 2]
    written = row_to_sgr(cells.row(0), Output())
    assert written == "\x1b[38;2;0;0;1;48;2;0;0;2m▀▄\x1b[48;2;0;0;1m \x1b[48;2;0;0;2m \x1b[0m"


def test_an_empty_row_is_nothing() -> None:
    assert row_to_sgr(Cells(0, 1, DARK).row(0), Output()) == ""
    assert style_runs(Cells(0, 1, DARK).row(0)) == []


def test_ascii_is_ascii_whatever_is_drawn() -> None:
    everything = np.arange(0x80, 0x11000, dtype=np.uint32)
    everything = everything[(everything < 0xD800) | (everything > 0xDFFF)]
    folded = fold_ascii(everything)
    assert folded.min() >= 32
    assert folded.max() < 0x7F


def test_ascii_keeps_a_wide_glyph_two_cells_wide() -> None:
    cells = Cells(4, 1, DARK)
    cells.text(0, 0, "a字b")
    assert to_text(cells, Output(ascii=True)) == "a? b"


@pytest.mark.parametrize(
    ("glyph", "plain"),
    [
        *(("▾", "v"), ("▸", ">"), ("─", "-"), ("×", "x"), ("█", "@"), ("▁", "."), ("·", ".")),
        *(("⠉", "'"), ("⠒", "-"), ("⠤", "."), ("⣀", "_"), ("⡇", "|"), ("⡗", "+"), ("⣿", "#"), ("⡈", ":")),
    ],
)
def test_ascii_takes_a_glyph_that_looks_alike(glyph: str, plain: str) -> None:
    assert chr(int(fold_ascii(np.array([ord(glyph)], np.uint32))[0])) == plain


def test_a_frame_has_a_line_a_row() -> None:
    assert to_ansi(Cells(3, 4, DARK), Output()).count("\n") == 3


def test_the_nearest_of_256_colours_is_exact_where_there_is_one() -> None:
    for index in (0, 7, 100, 215, 230, 239):
        assert PALETTE_256[nearest_256(int(PALETTE_256[index])) - 16] == PALETTE_256[index]
