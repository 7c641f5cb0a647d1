from __future__ import annotations

import pytest

from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.primitives import blend_one
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.parts.crosshair import GREY, light_row
from tests.unit.renderables.builders import frame


def row() -> Cells:
    cells = Cells(4, 1, DARK)
    cells.text(0, 0, "abcd", DARK.accent)
    cells.bg[0, 3] = DARK.incorrect
    return cells


def test_the_crosshair_lightens_one_column_of_a_copy() -> None:
    cells = row()
    lit = light_row(cells.row(0), 1, frame(4, 1), 0.5)
    assert lit.fg.tolist() == [DARK.accent, blend_one(DARK.accent, DARK.crosshair, 0.5), DARK.accent, DARK.accent]
    assert lit.bg[1] == blend_one(DARK.panel, DARK.crosshair, 0.5) != DARK.panel
    assert (cells.fg[0] == DARK.accent).all()
    assert cells.bg[0, 1] == DARK.panel


def test_without_colours_the_column_is_reversed() -> None:
    cells = row()
    cells.mark[0, 2] = 1
    where = frame(4, 1, ColorMode.NONE)
    assert light_row(cells.row(0), 1, where).mark.tolist() == [0, 1, 1, 0]
    assert light_row(cells.row(0), 2, where).mark.tolist() == [0, 0, 0, 0]


def test_sixteen_colours_put_grey_behind_but_keep_coloured_grounds() -> None:
    where = frame(4, 1, ColorMode.PALETTE_16)
    assert light_row(row().row(0), 1, where).bg[1] == GREY
    assert light_row(row().row(0), 3, where).bg[3] == DARK.incorrect


@pytest.mark.parametrize("x", [-1, 4, 99])
def test_a_crosshair_outside_changes_nothing(x: int) -> None:
    whole = row().row(0)
    assert light_row(whole, x, frame(4, 1)) is whole


def test_the_crosshair_stands_where_the_axis_says() -> None:
    where = frame(60, 1, stop=42)
    assert [where.column_of(iteration) for iteration in (0, 1, 41, 42, -1, None)] == [18, 19, 59, None, None, None]
    assert frame(10, 1, gutter=18).column_of(0) is None
