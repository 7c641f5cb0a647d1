from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import WIDE_TAIL, Cells, shorten, shorten_middle, shorten_names, text_width
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.sgr import row_text, to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.canvas.writing import row_to_sgr


def test_text_lands_where_it_is_put_and_says_where_it_ends() -> None:
    cells = Cells(10, 2, DARK)
    assert cells.text(2, 1, "abc", 0x112233, 0x445566, bold=True) == 5
    assert to_text(cells) == "\n  abc"
    assert cells.fg[1, 2:5].tolist() == [0x112233] * 3
    assert cells.bg[1, 1:6].tolist() == [DARK.panel, 0x445566, 0x445566, 0x445566, DARK.panel]
    assert cells.bold[1].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(("x", "shown"), [(-2, "cde"), (3, "   ab"), (5, ""), (-9, "")])
def test_text_is_cut_at_both_edges(x: int, shown: str) -> None:
    cells = Cells(5, 1, DARK)
    cells.text(x, 0, "abcde")
    assert to_text(cells) == shown


@pytest.mark.parametrize(
    ("limit", "shown"), [(14, "token loss_end"), (13, "token …ss_end"), (4, "t…nd"), (2, "…d"), (1, "…"), (0, "")]
)
def test_a_name_that_is_cut_in_the_middle_keeps_both_ends(limit: int, shown: str) -> None:
    assert shorten_middle("token loss_end", limit) == shown
    assert text_width(shorten_middle("字字字字字", limit)) <= limit


@pytest.mark.parametrize(
    ("limit", "shown"),
    [
        (56, "filter 10 of model.layers.1.q_proj.lora_B.default jumped"),
        (55, "filter 10 of …layers.1.q_proj.lora_B.default jumped"),
        (43, "filter 10 of …q_proj.lora_B.default jumped"),
        (35, "filter 10 of …lora_B.default jumped"),
        (31, "filter 10 of …lora_B.default j…"),
        (9, "filter 1…"),
        (0, ""),
    ],
)
def test_a_sentence_that_is_cut_keeps_the_end_of_the_name_in_it(limit: int, shown: str) -> None:
    assert shorten_names("filter 10 of model.layers.1.q_proj.lora_B.default jumped", limit) == shown


@pytest.mark.parametrize("text", ["/runs/model.layers.0.dtui", "changed by 16.625 times", "layer3.0.conv1 died"])
def test_what_is_no_long_name_is_cut_at_its_end(text: str) -> None:
    assert shorten_names(text, 14) == shorten(text, 14)


def test_text_outside_the_rows_is_not_written() -> None:
    cells = Cells(5, 1, DARK)
    cells.text(0, 1, "abc")
    cells.text(0, -1, "abc")
    assert to_text(cells) == ""


def test_a_wide_glyph_takes_two_cells_and_is_never_halved() -> None:
    cells = Cells(6, 1, DARK)
    assert cells.text(0, 0, "a字b") == 4
    assert cells.ch[0].tolist() == [ord("a"), ord("字"), WIDE_TAIL, ord("b"), 32, 32]
    cells = Cells(2, 1, DARK)
    cells.text(0, 0, "a字")
    assert cells.ch[0].tolist() == [ord("a"), 32]
    cells.text(-1, 0, "字b")
    assert cells.ch[0].tolist() == [32, ord("b")]


def test_a_letter_and_its_marks_share_a_cell() -> None:
    cells = Cells(8, 1, DARK)
    assert cells.text(0, 0, "ที่กa") == 3, "both marks stand above the letter"
    assert cells.text(3, 0, "कि") == 5, "this one stands beside it"
    assert to_text(cells) == "ที่กaकि"
    assert row_text(cells.row(0).crop(0, 1).ch) == "ที่"
    assert "ที่ก" in row_to_sgr(cells.row(0), Output())
    cells.text(0, 0, "x")
    assert to_text(cells) == "xกaकि", "what covers the letter covers its marks"
    assert to_text(cells, Output(ascii=True)).isascii()


def test_a_wide_letter_with_a_mark_takes_two_cells() -> None:
    cells = Cells(4, 1, DARK)
    assert cells.text(0, 0, "か\u309aa") == 3
    assert cells.ch[0, 1] == WIDE_TAIL
    assert to_text(cells) == "か\u309aa"


def test_writing_over_half_a_wide_glyph_blanks_the_other_half() -> None:
    cells = Cells(6, 1, DARK)
    cells.text(0, 0, "字字字")
    cells.text(1, 0, "ab")
    assert cells.ch[0].tolist() == [32, ord("a"), ord("b"), 32, ord("字"), WIDE_TAIL]


def test_cropping_through_a_wide_glyph_blanks_its_halves() -> None:
    cells = Cells(4, 1, DARK)
    cells.text(0, 0, "字字")
    assert cells.row(0).crop(1, 3).ch.tolist() == [32, 32]
    assert cells.row(0).crop(0, 2).ch.tolist() == [ord("字"), WIDE_TAIL]
    assert cells.ch[0].tolist() == [ord("字"), WIDE_TAIL] * 2


def test_a_limit_cuts_with_an_ellipsis() -> None:
    cells = Cells(20, 1, DARK)
    assert cells.text(0, 0, "abcdefgh", limit=4) == 4
    assert to_text(cells) == "abc…"


@pytest.mark.parametrize(
    ("string", "limit", "short"),
    [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("字字", 3, "字…"), ("ab", 0, ""), ("ab", 1, "…")],
)
def test_shorten(string: str, limit: int, short: str) -> None:
    assert shorten(string, limit) == short


@given(st.text(max_size=40), st.integers(0, 30))
def test_shorten_never_exceeds_its_limit(string: str, limit: int) -> None:
    assert text_width(shorten(safe(string), limit)) <= limit


@given(st.text(max_size=40), st.integers(-10, 30), st.integers(0, 30))
def test_whatever_is_written_a_row_stays_as_wide_as_it_is(string: str, x: int, limit: int) -> None:
    cells = Cells(20, 1, DARK)
    cells.text(0, 0, "字" * 10)
    cells.text(x, 0, safe(string), limit=limit)
    assert text_width(row_text(cells.ch[0])) == 20


def test_paste_is_cut_to_the_grid() -> None:
    cells = Cells(3, 2, DARK)
    cells.paste(2, 1, np.full((5, 5), ord("x"), np.uint32))
    assert to_text(cells) == "\n  x"
    cells.paste(7, 7, np.full((5, 5), ord("y"), np.uint32))
    assert "y" not in to_text(cells)
