"""The strip does what Textual's own does, on the same cells."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.style import Style
from textual.color import Color
from textual.filter import DimFilter, Monochrome
from textual.strip import Strip

from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.canvas.writing import row_to_sgr
from dtui.tui.widgets.cell_strip import CellStrip
from tests.unit.renderables.builders import frame, seen
from tests.unit.renderables.panes import PANES

CONSOLE = Console(force_terminal=True, color_system="truecolor", width=200)


def strip_of(text: str, width: int = 12, output: Output | None = None) -> CellStrip:
    cells = Cells(width, 1, DARK)
    end = cells.text(0, 0, text, DARK.accent)
    cells.text(end, 0, "!", DARK.flag, DARK.selection, bold=True)
    return CellStrip(cells.row(0), output or Output())


def plain(strip: CellStrip) -> Strip:
    """The same cells as a strip of Textual's own."""
    return Strip(list(strip), strip.cell_length)


def looks(strip: Strip) -> list[tuple[object, ...]]:
    """What is seen of a strip: a cell of nothing but pixels by its two colours, however it was written."""
    shown: list[tuple[object, ...]] = []
    for glyph, fore, back, bold, reverse in seen(strip.render(CONSOLE))[0]:
        pixels = {"▀": (fore, back), "▄": (back, fore), "█": (fore, fore), " ": (back, back)}.get(glyph)
        shown.append(pixels if pixels is not None else (glyph, fore, back, bold, reverse))
    return shown


WORDS = st.text(st.sampled_from("ab 字▀é"), max_size=8)


@settings(deadline=None)
@given(WORDS, st.integers(-2, 14), st.one_of(st.none(), st.integers(-2, 14)))
def test_cropping_is_textuals_own(text: str, start: int, end: int | None) -> None:
    ours = strip_of(text)
    cropped, expected = ours.crop(start, end), plain(ours).crop(start, end)
    assert cropped.cell_length == expected.cell_length
    assert cropped.text == expected.text
    assert looks(cropped) == looks(expected)


@settings(deadline=None)
@given(WORDS, st.lists(st.integers(0, 14), max_size=5, unique=True).map(sorted))
def test_dividing_is_textuals_own(text: str, cuts: list[int]) -> None:
    ours = strip_of(text)
    expected = plain(ours).divide(cuts)
    parts = ours.divide(cuts)
    assert [(part.text, part.cell_length) for part in parts] == [(part.text, part.cell_length) for part in expected]
    assert [looks(part) for part in parts] == [looks(part) for part in expected]


@settings(deadline=None)
@given(WORDS)
def test_counts_and_text_are_textuals_own(text: str) -> None:
    ours = strip_of(text)
    expected = plain(ours)
    assert ours.cell_length == expected.cell_length == 12
    assert ours.cell_count == expected.cell_count
    assert ours.text == expected.text
    assert bool(ours)
    assert looks(ours) == looks(expected)


def test_joining_and_padding_use_the_segments() -> None:
    ours = strip_of("ab")
    assert Strip.join([ours, plain(ours)]).text == ours.text * 2
    assert ours.extend_cell_length(15).cell_length == 15
    assert ours.adjust_cell_length(3).text == "ab!"
    assert ours.apply_style(Style(italic=True)).text == ours.text
    assert ours == plain(ours)


@pytest.mark.parametrize("line_filter", [Monochrome(), DimFilter()])
def test_filters_work_as_on_any_strip(line_filter: Monochrome | DimFilter) -> None:
    ours = strip_of("ab")
    background = Color(0, 0, 0)
    assert ours.apply_filter(line_filter, background) == plain(ours).apply_filter(line_filter, background)


def test_cropping_copies_nothing_and_rendering_happens_once() -> None:
    ours = strip_of("abcdef")
    cropped = ours.crop(1, 4)
    assert isinstance(cropped, CellStrip)
    assert cropped.row.fg.base is not None
    assert ours.render(CONSOLE) is ours.render(CONSOLE)
    assert ours.crop(0, 12) is ours


@pytest.mark.parametrize("mode", list(ColorMode))
def test_what_reaches_the_terminal_is_made_for_it(mode: ColorMode) -> None:
    output = Output(mode)
    ours = strip_of("ab", output=output)
    assert ours.render(CONSOLE) == row_to_sgr(ours.row, output)


def test_ascii_reaches_the_segments_too() -> None:
    ours = strip_of("▀字", output=Output(ascii=True))
    assert ours.text == "#? !        "
    assert "".join(segment.text for segment in ours) == ours.text


def test_an_empty_strip_is_empty() -> None:
    empty = CellStrip(Cells(0, 1, DARK).row(0), Output())
    assert not empty
    assert empty.render(CONSOLE) == ""
    assert list(empty) == []


def test_a_pane_as_strips_shows_what_its_cells_say() -> None:
    where = frame(80, 8)
    cells = PANES["filters"](where, "漢字", None, 500)
    for y in range(cells.height):
        strip = CellStrip(cells.row(y), where.output)
        assert looks(strip) == looks(plain(strip))
