from __future__ import annotations

import numpy as np
import pytest

from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.parts.crosshair import put_ticks, ticks_of
from tests.unit.renderables.builders import frame


def pane() -> Cells:
    """A header with words, a row of values, a rule, and a row of pixels."""
    cells = Cells(12, 4, DARK)
    cells.text(0, 0, "Words  x", DARK.text)
    cells.text(0, 1, "▁▂▃▄▅▆▇█", DARK.accent)
    cells.text(0, 2, "─" * 12, DARK.line)
    cells.text(0, 3, "▀" * 10, DARK.accent)
    cells.bg[3, :10] = DARK.incorrect
    return cells


def drawn(x: int | None, mode: ColorMode = ColorMode.TRUECOLOR) -> Cells:
    cells, where = pane(), frame(12, 4, mode)
    put_ticks(cells, x, 0, ticks_of(cells, where, x))
    return cells


@pytest.mark.parametrize("x", range(12))
def test_what_is_read_stays_as_it_is(x: int) -> None:
    before, after = pane(), drawn(x)
    for name in ("ch", "fg", "bg", "bold", "mark"):
        assert (getattr(before, name)[1] == getattr(after, name)[1]).all(), name
        others = np.arange(12) != x
        assert (getattr(before, name)[:, others] == getattr(after, name)[:, others]).all(), name


def test_it_is_a_rule_between_panes_a_crossing_and_a_tick_at_the_lower_edge() -> None:
    assert to_text(drawn(10), Output()).split("\n") == [
        "Words  x  │",
        "▁▂▃▄▅▆▇█",
        "──────────┼─",
        "▀▀▀▀▀▀▀▀▀▀╷",
    ]
    assert drawn(10).fg[0, 10] == DARK.crosshair


def test_words_and_the_colours_of_a_legend_in_a_header_stay_as_they_are() -> None:
    for x in (2, 6, 7):
        cells, before = drawn(x), pane()
        assert to_text(cells, Output()).split("\n")[0] == "Words  x"
        assert (cells.bg[0] == before.bg[0]).all()
        assert (cells.fg[0] == before.fg[0]).all()
        assert not drawn(x, ColorMode.NONE).mark[0].any()
    legend = pane()
    legend.bg[0, 9:11] = DARK.incorrect
    assert 0 not in ticks_of(legend, frame(12, 4), 10)


def test_pixels_at_the_lower_edge_keep_their_upper_half() -> None:
    cells = drawn(4)
    assert (cells.ch[3, 4], cells.fg[3, 4]) == (ord("▀"), DARK.accent)
    assert cells.bg[3, 4] == DARK.crosshair


def test_words_at_the_lower_edge_are_not_joined_by_a_tick() -> None:
    cells = Cells(12, 3, DARK)
    cells.text(0, 2, "at 3: ▁ x 9", DARK.text)
    found = {x for x in range(12) if 2 in ticks_of(cells, frame(12, 3), x)}
    assert found == {5, 7, 11}, "beside a value, and behind the last word"


@pytest.mark.parametrize("x", [-1, 12, 99, None])
def test_a_crosshair_outside_changes_nothing(x: int | None) -> None:
    assert ticks_of(pane(), frame(12, 4), x) == {}


def test_ticks_of_a_pane_further_down_stand_in_its_rows_and_end_with_the_screen() -> None:
    screen = Cells(12, 6, DARK)
    put_ticks(screen, 10, 3, ticks_of(pane(), frame(12, 4), 10))
    assert to_text(screen, Output()).split("\n") == ["", "", "", " " * 10 + "│", "", " " * 10 + "┼"]


def test_the_crosshair_stands_where_the_axis_says() -> None:
    where = frame(60, 1, stop=42)
    assert [where.column_of(iteration) for iteration in (0, 1, 41, 42, -1, None)] == [18, 19, 59, None, None, None]
    assert frame(10, 1, gutter=18).column_of(0) is None
