"""What must hold for every pane, whatever its size, its numbers and the names in it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame, gutter_for
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.sgr import row_text, to_text
from dtui.tui.renderables.canvas.theme import DARK, LIGHT
from tests.unit.renderables.builders import HOSTILE, frame, seen, to_ansi
from tests.unit.renderables.panes import PANES

ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def check_shape(cells: Cells, where: Frame) -> None:
    """A pane has the size that it was asked for, and each row is as wide on screen as it has cells."""
    assert cells.ch.shape == (where.height, where.width)
    for array in (cells.fg, cells.bg):
        assert array.shape == cells.ch.shape
        assert array.max(initial=0) <= 0xFFFFFF
    for y in range(cells.height):
        assert text_width(row_text(cells.ch[y])) == where.width


@pytest.mark.parametrize("name", PANES)
@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 300),
    height=st.integers(1, 100),
    fill=st.sampled_from([None, np.nan, 0.0, np.inf, -1e30, 1e-30]),
    cursor=st.sampled_from([None, 0, 500, 999, 10**9]),
    mode=st.sampled_from(ColorMode),
    ascii_only=st.booleans(),
    gutter=st.sampled_from([None, 0, 18, 34]),
)
def test_every_size_and_every_number_can_be_drawn(
    name: str,
    width: int,
    height: int,
    fill: float | None,
    cursor: int | None,
    mode: ColorMode,
    ascii_only: bool,
    gutter: int | None,
) -> None:
    if name in ("curves", "log loss"):
        width, height = min(width, 120), min(height, 20)
    where = frame(width, height, mode, ascii_only, gutter=gutter)
    cells = PANES[name](where, "conv1", fill, cursor)
    check_shape(cells, where)
    written = to_ansi(cells, where.output)
    assert all(len(row) == where.width for row in seen(written))
    if ascii_only:
        assert ESCAPES.sub("", written).isascii()


@pytest.mark.parametrize("name", PANES)
@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("width", [60, 80, 150])
def test_a_name_from_outside_neither_escapes_nor_moves_anything(name: str, hostile: str, width: int) -> None:
    where = frame(width, 14)
    cells = PANES[name](where, hostile, None, 500)
    check_shape(cells, where)
    text = ESCAPES.sub("", to_ansi(cells, where.output))
    assert "\x1b" not in text
    assert not any(ord(glyph) < 32 and glyph != "\n" for glyph in text)
    assert not any(glyph in text for glyph in "\u202e\u202d\u200b\x07\x9b")


@pytest.mark.parametrize("name", ["tree", "filters", "classes", "images", "ribbon"])
@pytest.mark.parametrize("hostile", HOSTILE)
def test_a_name_stays_in_its_gutter(name: str, hostile: str) -> None:
    """Whatever a name is, everything right of the gutter is the same (the ribbon's label apart)."""
    where = frame(150, 14)
    plain, strange = (PANES[name](where, text, None, 500) for text in ("x", hostile))
    rows = slice(1, None) if name == "ribbon" else slice(None, -1)  # the tree says the selected row in words below
    assert (plain.ch[rows, where.gutter :] == strange.ch[rows, where.gutter :]).all()


@pytest.mark.parametrize("name", PANES)
def test_a_pane_whose_axis_is_not_known_yet_draws_no_chart(name: str) -> None:
    waiting = Frame(100, 12, 28, None, DARK, Output())
    cells = PANES[name](waiting, "conv1", None, 500)
    check_shape(cells, waiting)
    if name not in (
        "top bar",
        "key bar",
        "message",
        "run list",
        "gallery",
        "portrait",
        "here line",
    ):  # they have no axis
        assert not np.isin(cells.ch[1:, 28:], [ord(glyph) for glyph in "▀▁▂▃▄▅▆▇█⣀⡇"]).any()


@pytest.mark.parametrize("name", PANES)
def test_the_light_theme_shows_the_same_words_on_light_ground(name: str) -> None:
    dark, light = (PANES[name](frame(150, 14, theme=theme), "conv1", None, 500) for theme in (DARK, LIGHT))
    assert to_text(dark) == to_text(light)
    assert not (light.bg == DARK.panel).any()
    assert not (light.fg == DARK.text).any()


@pytest.mark.parametrize(
    ("width", "gutter", "wide"),
    [(300, 34, 54), (140, 34, 54), (139, 34, 34), (120, 34, 34), (119, 28, 28), (100, 28, 28), (99, 18, 18)],
)
def test_the_gutter_follows_the_width(width: int, gutter: int, wide: int) -> None:
    assert (gutter_for(width), gutter_for(width, is_wide=True)) == (gutter, wide)


@pytest.mark.parametrize("name", PANES)
def test_drawing_twice_gives_the_same_cells(name: str) -> None:
    first, second = (PANES[name](frame(120, 20), "conv1", None, 300) for _ in range(2))
    for array in ("ch", "fg", "bg", "bold", "mark"):
        assert (getattr(first, array) == getattr(second, array)).all()
