from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtui.model import TimeAxis
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.primitives import (
    blend_one,
    braille_spans,
    draw_triangle,
    fold_bands,
    paint_pixels,
    quantise,
    resample,
    shade_glyphs,
)
from dtui.tui.renderables.canvas.sgr import row_text, to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.message import wrap

PANEL = 0x000001
UP, DOWN = (0x10, 0x11, 0x12), (0x20, 0x21, 0x22)


@given(st.integers(0, 0xFFFFFF), st.integers(0, 0xFFFFFF), st.floats(0, 1))
def test_blending_is_done_channel_by_channel(colour: int, towards: int, strength: float) -> None:
    mixed = blend_one(colour, towards, strength)
    for shift in (16, 8, 0):
        old, new, got = (value >> shift & 255 for value in (colour, towards, mixed))
        assert abs(got - (old + (new - old) * strength)) <= 0.51


def test_quantise_keeps_the_ends_and_marks_what_has_no_value() -> None:
    shades = np.array([0.0, 0.249, 0.25, 1.0, 7.0, -1.0, np.nan, np.inf])
    assert quantise(shades, 4).tolist() == [0, 0, 1, 3, 3, 0, -1, -1]


def test_resample_is_the_identity_on_its_own_axis() -> None:
    axis = TimeAxis(0, 10, 5)
    values = np.arange(5.0)
    assert resample(values, axis, axis) is values


def test_resample_shows_the_old_column_at_the_middle_of_the_new_one() -> None:
    values = np.array([[1.0, 2.0, 3.0, 4.0]])
    zoomed = resample(values, TimeAxis(0, 8, 4), TimeAxis(2, 6, 4))
    assert zoomed.tolist() == [[2.0, 2.0, 3.0, 3.0]]
    beyond = resample(values, TimeAxis(0, 8, 4), TimeAxis(-4, 12, 4))
    assert np.isnan(beyond[0, [0, 3]]).all()
    assert resample(np.array([7, 8]), TimeAxis(0, 2, 2), TimeAxis(1, 3, 2)).tolist() == [8, -1]


@given(st.floats(-3, 3), st.integers(1, 3), st.integers(1, 2))
def test_a_folded_band_has_the_height_of_its_value(value: float, bands: int, rows: int) -> None:
    ch, fg, bg = fold_bands(np.array([[value]]), rows, bands, PANEL, UP, DOWN)
    size = min(1.0, abs(value)) * bands
    band = min(int(size), bands - 1)
    colours = [PANEL, *(UP if value >= 0 else DOWN)[3 - bands :]]
    filled = sum(0 if glyph == 32 else int(glyph) - 0x2580 for glyph in ch[:, 0])
    assert abs(filled - (size - band) * 8 * rows) <= 0.5
    assert (fg[:, 0] == colours[band + 1]).all()
    assert (bg[:, 0] == colours[band]).all()


def test_no_value_is_an_empty_chart() -> None:
    ch, _, bg = fold_bands(np.full((2, 3), np.nan), 1, 3, PANEL, UP, DOWN)
    assert (ch == 32).all()
    assert (bg == PANEL).all()


def test_braille_spans_fill_the_dots_between_their_ends() -> None:
    low, high = np.array([0.0, np.nan, 1.0, 0.0]), np.array([1.0, 1.0, 1.0, 0.0])
    assert row_text(braille_spans(low, high, 1)[0]) == "⡇⢁"
    assert row_text(braille_spans(np.full(2, np.nan), np.full(2, np.nan), 1)[0]) == " "


def test_shading_never_shows_a_value_as_a_blank() -> None:
    steps = np.array([-1, 0, 7, 8, 16, 24, 31])
    assert row_text(shade_glyphs(steps, 32, False)) == " ░░▒▓██"
    assert row_text(shade_glyphs(steps, 32, True)) == " .:-+#@"


@pytest.mark.parametrize("mode", [ColorMode.TRUECOLOR, ColorMode.PALETTE_256])
def test_pixels_are_two_a_cell(mode: ColorMode) -> None:
    cells = Cells(2, 2, DARK)
    colours = np.array([0xAA0000, 0x00BB00], np.uint32)
    paint_pixels(cells, 0, 1, np.array([[0, 1], [1, -1]]), colours, Output(mode))
    assert to_text(cells) == "\n▀▀"
    assert cells.fg[1].tolist() == [0xAA0000, 0x00BB00]
    assert cells.bg[1].tolist() == [0x00BB00, DARK.panel]


def test_without_pixels_the_denser_of_two_is_shown() -> None:
    cells = Cells(3, 1, DARK)
    colours = np.zeros(4, np.uint32)
    paint_pixels(cells, 0, 0, np.array([[0, 1, -1], [3, -1, -1]]), colours, Output(ColorMode.NONE))
    assert to_text(cells) == "█▒"


@pytest.mark.parametrize(
    ("half", "down", "shown"), [(0, True, " ▾"), (0, False, " ▴"), (1, False, "▄█▄"), (1, True, "▄█▄")]
)
def test_triangles(half: int, down: bool, shown: str) -> None:
    cells = Cells(3, 1, DARK)
    draw_triangle(cells, 1, 0, half, DARK.lost, down)
    assert to_text(cells) == shown
    if half:
        hanging = [down, False, down]
        assert cells.mark[0].tolist() == hanging
        assert (cells.bg[0] == DARK.lost).tolist() == hanging


def test_a_triangle_at_the_edge_is_cut() -> None:
    cells = Cells(2, 1, DARK)
    draw_triangle(cells, 0, 0, 3, DARK.lost, False)
    draw_triangle(cells, 0, 5, 3, DARK.lost, False)
    assert to_text(cells) == "█▆"


@pytest.mark.parametrize("room", range(12, 60))
def test_lines_of_a_text_part_no_number_and_its_unit(room: int) -> None:
    said = "the error of class 4 rose from 1.5 % to 100 %, of 2.2 million"
    lines = wrap(said, room)
    assert " ".join(lines) == said
    assert not any(line.startswith(("%", "million")) for line in lines)
    assert wrap("", room) == wrap("  ", room) == []
