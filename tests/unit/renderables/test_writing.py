"""Whatever a terminal shows, what is written over it makes it show the cells that were meant, and not much more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.sgr import UPPER_HALF
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.canvas.writing import Placed, Shown, write_cells, write_grid
from dtui.tui.widgets.drawn import changed_regions
from tests.unit.renderables.builders import seen, to_ansi
from tests.unit.renderables.terminal_grid import TerminalGrid, looks_of

OUTPUTS = [*map(Output, ColorMode), Output(ascii=True), Output(ColorMode.NONE, ascii=True)]
COLOURS = [DARK.panel, DARK.text, DARK.accent, DARK.incorrect, DARK.selection, 0xFFFFFF, 0]
WIDTH, HEIGHT = 13, 4


@st.composite
def grids(draw: st.DrawFn, but: Cells | None = None) -> Cells:
    """A grid with glyphs of all kinds, or one that differs from another in some cells."""
    cells = Cells(WIDTH, HEIGHT, DARK)
    glyphs = [32, 32, ord("a"), UPPER_HALF, UPPER_HALF, ord("▄"), ord("█"), ord("é")]
    kept = np.zeros((HEIGHT, WIDTH), bool)
    if but is not None:
        kept = np.array(draw(st.lists(st.booleans(), min_size=WIDTH * HEIGHT, max_size=WIDTH * HEIGHT)))
        kept = kept.reshape(HEIGHT, WIDTH)
    for name, choices in (("ch", glyphs), ("fg", COLOURS), ("bg", COLOURS), ("bold", [0, 1]), ("mark", [0, 0, 1])):
        drawn = draw(st.lists(st.sampled_from(choices), min_size=WIDTH * HEIGHT, max_size=WIDTH * HEIGHT))
        array = getattr(cells, name)
        array[:] = np.array(drawn).reshape(HEIGHT, WIDTH)
        if but is not None and name != "ch":
            array[kept] = getattr(but, name)[kept]
        elif but is not None:
            array[kept] = but.ch[kept]
    for x, y in draw(st.lists(st.tuples(st.integers(-1, WIDTH), st.integers(0, HEIGHT - 1)), max_size=6)):
        cells.text(x, y, draw(st.sampled_from(["字", "a", "字b字"])), draw(st.sampled_from(COLOURS)), DARK.panel)
    for y, x in [(y, x) for y in range(HEIGHT) for x in range(WIDTH) if _is_half_wide(cells, y, x)]:
        cells.ch[y, x] = 32
    return cells


def _is_half_wide(cells: Cells, y: int, x: int) -> bool:
    """Whether there is half a wide glyph without its other half."""
    ch, tail = cells.ch[y], 0x10FFFF
    if ch[x] == ord("字"):
        return x + 1 >= WIDTH or ch[x + 1] != tail
    return bool(ch[x] == tail and (x == 0 or ch[x - 1] != ord("字")))


def whole(cells: Cells) -> list[Placed]:
    return [Placed(0, y, cells.row(y)) for y in range(cells.height)]


def meant(cells: Cells, output: Output) -> list[list[object]]:
    """What is seen of a frame that is written line by line."""
    return [list(looks_of(row)) for row in seen(to_ansi(cells, output))]


pairs = grids().flatmap(lambda old: st.tuples(st.just(old), grids(old)))


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
@settings(max_examples=60, deadline=None)
@given(frames=pairs)
def test_a_frame_over_another_shows_the_frame(output: Output, frames: tuple[Cells, Cells]) -> None:
    shown, terminal = Shown(WIDTH, HEIGHT), TerminalGrid(WIDTH, HEIGHT)
    for frame in frames:
        terminal.feed(write_grid(frame, output, shown))
        assert terminal.looks() == meant(frame, output)


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
@settings(max_examples=60, deadline=None)
@given(frames=pairs)
def test_the_regions_that_changed_are_enough(output: Output, frames: tuple[Cells, Cells]) -> None:
    old, new = frames
    shown, terminal = Shown(WIDTH, HEIGHT), TerminalGrid(WIDTH, HEIGHT)
    terminal.feed(write_cells(whole(old), output, shown))
    placed = [
        Placed(region.x, y, new.row(y).crop(region.x, region.right))
        for region in changed_regions(old, new)
        for y in range(region.y, region.bottom)
    ]
    terminal.feed(write_cells(placed, output, shown))
    assert terminal.looks() == meant(new, output)


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
@settings(max_examples=40, deadline=None)
@given(frame=grids())
def test_what_is_shown_is_not_written_again(output: Output, frame: Cells) -> None:
    shown = Shown(WIDTH, HEIGHT)
    assert write_cells(whole(frame), output, shown)
    assert write_cells(whole(frame), output, shown) == ""


def test_what_something_else_was_written_over_is_written_again() -> None:
    cells, shown, output = Cells(9, 2, DARK), Shown(9, 2), Output()
    cells.text(0, 1, "some text")
    write_cells(whole(cells), output, shown)
    shown.forget(2, 1, 3)
    again = TerminalGrid(9, 2).feed(write_cells(whole(cells), output, shown))
    assert "".join(cell[0] for cell in again.rows[1]) == "  me     "
    assert again.written == 3


@pytest.mark.parametrize(
    ("before", "after", "expected", "count"),
    [
        ("all of this stays, but for 1 digit", "all of this stays, but for 2 digit", "\x1b[2;28H2", 1),
        # few cells between are written rather than jumped over
        ("1,200 of 1,300 and 1,400,000", "2,201 of 1,300 and 1,400,001", "\x1b[2;1H2,201\x1b[22C1", 6),
    ],
)
def test_only_what_changes_is_written(before: str, after: str, expected: str, count: int) -> None:
    cells, shown, output = Cells(60, 3, DARK), Shown(60, 3), Output()
    cells.text(0, 1, before)
    write_cells(whole(cells), output, shown)
    cells.text(0, 1, after)
    written = write_cells(whole(cells), output, shown)
    assert written.endswith(f"m{expected}\x1b[0m")
    assert TerminalGrid(60, 3).feed(written).written == count


@pytest.mark.parametrize("mode", [ColorMode.TRUECOLOR, ColorMode.PALETTE_256])
def test_each_colour_is_set_once_however_often_it_comes(mode: ColorMode) -> None:
    cells, few = Cells(40, 6, DARK), np.array([0x101010, 0x204060, 0x806030], np.uint32)
    pixels = few[np.arange(240).reshape(6, 40) % 3]
    cells.paste(0, 0, np.full((6, 40), UPPER_HALF, np.uint32), pixels, pixels)
    written = write_cells(whole(cells), Output(mode), Shown(40, 6))
    assert written.count("8;2;") + written.count("8;5;") == 3


def test_two_pixels_and_the_same_two_turned_over_are_written_with_the_same_colours() -> None:
    cells = Cells(8, 1, DARK)
    cells.ch[0] = UPPER_HALF
    cells.fg[0], cells.bg[0] = [1, 2, 1, 1, 2, 1, 1, 1], [2, 1, 1, 2, 1, 1, 2, 2]
    written = write_cells(whole(cells), Output(), Shown(8, 1))
    assert written == "\x1b[38;2;0;0;2;48;2;0;0;1m\x1b[1;1H▄▀ ▄▀ ▄▄\x1b[0m"


def test_words_apart_on_one_ground_are_written_without_a_jump() -> None:
    cells = Cells(30, 1, DARK)
    end = cells.text(0, 0, "two words ", DARK.accent)
    cells.text(end, 0, "and two more", DARK.muted)
    written = write_cells(whole(cells), Output(), Shown(30, 1))
    assert "two words" in written
    assert "and two more" in written
    assert written.count("H") == 1


def test_no_cells_are_nothing() -> None:
    assert write_cells([], Output(), Shown(3, 3)) == ""
    assert write_cells([Placed(2, 2, Cells(0, 1, DARK).row(0))], Output(), Shown(3, 3)) == ""
