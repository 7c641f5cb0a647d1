from __future__ import annotations

import pytest

from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.panes.over.box import Box
from dtui.tui.renderables.panes.over.choosing import ChoosingBox
from dtui.tui.renderables.panes.over.help import HelpBox
from tests.unit.renderables.builders import frame

MOVE = ("Move", (("j ↓", "accent", "Next row."), ("k ↑", "accent", "Previous row.")))
TIME = ("Time", (("+ =", "accent", "Zoom in."),))
HELP = HelpBox((MOVE,), (TIME,))
LIST = ChoosingBox(
    "Statistic", (("mean", "of weights", "Layers"), ("std", "", "Layers"), ("norm", "", "Norms")), "123", chosen=1
)


def lines(box: Box, width: int, height: int) -> list[str]:
    return to_text(box.draw(frame(width, height)), Output()).split("\n")


def test_help_has_two_columns_where_there_is_room_and_one_else() -> None:
    wide = lines(HELP, 90, 20)
    assert wide[0].startswith("╭─ every key and mark ─")
    assert wide[-1].startswith("╰─ Esc closes ─")
    assert [line.strip("│").split() for line in wide[1:-1]] == [
        ["Move", "Time"],
        ["j", "↓", "Next", "row.", "+", "=", "Zoom", "in."],
        ["k", "↑", "Previous", "row."],
    ]
    narrow = lines(HELP, 50, 20)
    assert [line.strip("│█ ") for line in narrow[1:-1]] == [
        "Move",
        "j ↓           Next row.",
        "k ↑           Previous row.",
        "",
        "Time",
        "+ =           Zoom in.",
    ]


@pytest.mark.parametrize("size", [(90, 20), (50, 20), (34, 5), (12, 4), (3, 3), (1, 1)])
@pytest.mark.parametrize("box", [HELP, LIST])
def test_a_box_is_never_larger_than_the_screen_and_each_line_can_be_reached(box: Box, size: tuple[int, int]) -> None:
    where = frame(*size)
    cells = box.draw(where)
    assert cells.width <= size[0]
    assert cells.height <= size[1]
    seen, place = set(), box.moved(-99, where)
    for _ in range(30):
        seen.update(lines(place, *size))
        place = place.moved(1, where)
    if size[0] >= 50:
        assert all(any(text in line for line in seen) for line in box.lines(where) for text, _, _ in line)


def test_what_would_leave_a_few_columns_of_the_panes_fills_the_screen() -> None:
    needed = HELP.draw(frame(200, 40)).width
    assert HELP.draw(frame(needed + 11, 40)).width == needed + 11
    assert HELP.draw(frame(needed + 12, 40)).width == needed


def test_a_list_says_which_holds_which_is_selected_and_the_key_of_each() -> None:
    shown = lines(LIST, 90, 20)
    assert shown[0].startswith("╭─ Statistic ─")
    assert "a key or Enter chooses, Esc closes" in shown[-1]
    assert [line.strip("│ ") for line in shown[1:-1]] == [
        "Layers",
        "▸ 1  mean  of weights",
        "• 2  std",
        "Norms",
        "3  norm",
    ]


def test_a_list_is_chosen_from_by_key_by_row_and_by_line() -> None:
    where = frame(90, 20)
    assert [LIST.place_of(key) for key in ("1", "3", "4", "", "x")] == [0, 2, None, None, None]
    assert [LIST.place_at(line, where) for line in range(-1, 6)] == [None, None, 0, 1, None, 2, None]
    assert [LIST.moved(by, where).taken for by in (-5, 0, 1, 99)] == [0, 0, 1, 2]


def test_a_long_list_scrolls_with_its_selected_row() -> None:
    many = ChoosingBox("Many", tuple((f"option {place}", "", "") for place in range(60)), "123")
    where = frame(60, 10)
    assert [many.place_at(line, where) for line in (7, 8)] == [7, None], "the lower edge is no line"
    for place in (0, 7, 33, 59):
        moved = many.moved(place, where)
        assert any("▸" in line and f"option {place}" in line for line in lines(moved, 60, 10)), place
