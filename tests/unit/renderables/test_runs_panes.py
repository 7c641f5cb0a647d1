"""The list of runs and two runs beside each other, as text."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dtui.tui.renderables.canvas.cells import text_width
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.panes.runs.run_list import columns_for, duration, rate_in_words, size_in_words
from tests.unit.renderables.builders import frame
from tests.unit.renderables.runs_panes import draw_compared, draw_comparing, draw_picked_run, draw_run_list, run_list


def lines(cells: object) -> list[str]:
    return [line.rstrip() for line in to_text(cells).splitlines()]  # type: ignore[arg-type]


def test_a_row_a_run_in_80_columns() -> None:
    shown = lines(draw_run_list(frame(80, 12), "wd", None, None))
    assert shown[0].split() == [
        "Runs",
        "5",
        "·",
        "1",
        "live",
        "status",
        "iteration",
        "error",
        "its",
        "course",
        "incidents",
    ]
    assert shown[1].startswith("▌ ▸ live")
    assert shown[1].endswith("3 new 1⚑")
    assert shown[2].startswith(" •  second")
    assert shown[2].endswith("none")
    assert shown[3:6] == [
        "    wd                structure.h5: wd; restore it from a copy",
        "    claimed           claimed, nothing recorded yet",
        "    unread            …",
    ]
    assert shown[10] == "  /runs/live.dtui"
    assert shown[11] == "  reading 4 of 5 …"


def test_a_wide_list_has_rate_time_left_size_and_what_differs() -> None:
    shown = lines(draw_run_list(frame(160, 12), "wd", None, None))
    assert "rate" in shown[0]
    assert "812/s" in shown[1]
    assert "2 h 05" in shown[1]
    assert "3.6 MB" in shown[1]
    assert "3 new · 1 flagged" in shown[1]
    assert shown[1].endswith("wd wd · lr 0.1")


def test_what_is_wrong_with_the_selected_run_stands_below_in_full() -> None:
    shown = lines(draw_run_list(frame(60, 12), "x", None, None, selected=2))
    assert shown[10].strip() == "x: structure.h5: x; restore it from a copy"


def test_the_picked_run_is_told_in_words_and_in_the_room_below_by_its_curves() -> None:
    low = lines(draw_picked_run(frame(80, 8), "wd", None, None))
    assert [line.strip() for line in low[:4]] == [
        "Picked run  live",
        "Look at this: 1 incident.",
        "▼ At 500, class wd broke",
        "wd is dead.",
    ]
    assert low[4].strip() == "lr 0.1 · wd wd"
    high = lines(draw_picked_run(frame(150, 30), "wd", None, None))
    assert high[1].rstrip().split("  ")[-1].strip() == "0.1", "what differs stands first, beside the verdict"
    titles = [line.split()[0] for line in high if line[:1] == " " and line[1:2].strip()]
    assert titles == ["Picked", "Error", "Loss", "wd", "Incidents", "iteration"]
    error = next(line for line in high if line.startswith("  ━━ val"))
    assert "25.0%" in error, "the value where the data end, as in the list, not the mean of a column"
    opened = lines(draw_picked_run(frame(150, 30), "wd", None, None, is_open=True))
    assert not any(line.startswith(" Error") for line in opened), "the errors of the open run stand above the screen"


@pytest.mark.parametrize("width", [20, 40, 59, 60, 79, 80, 109, 110, 200, 300])
def test_columns_do_not_overlap_and_end_within_the_width(width: int) -> None:
    rows = run_list("a" * 30).rows
    found = columns_for(width, rows)
    for left, right in pairwise(found):
        assert left.x + left.width < right.x
    assert found[0].key == "name"
    if width >= 60:
        assert found[-1].x + found[-1].width <= width


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(np.nan, ""), (0.4, "0 s"), (59, "59 s"), (61, "1 min"), (3_660, "1 h 01"), (86_400 * 3 + 3_600, "3 d 1 h")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("rate", "words"), [(np.nan, ""), (0.0, ""), (0.05, "3.0/min"), (2.34, "2.3/s"), (817, "817/s")]
)
def test_rates_in_words(rate: float, words: str) -> None:
    assert rate_in_words(rate) == words


@pytest.mark.parametrize(("size", "words"), [(0, ""), (10, "1 kB"), (3_600_000, "3.6 MB"), (25e9, "25 GB")])
def test_sizes_in_words(size: int, words: str) -> None:
    assert size_in_words(int(size)) == words


def test_the_head_says_where_they_part_and_marks_it() -> None:
    shown = lines(draw_comparing(frame(120, 14), "cat", None, 500))
    assert shown[0].startswith(" Compare  A cat  B other cat   by iteration") or "A cat" in shown[0]
    assert "error here A" in shown[0]
    assert shown[1].strip().startswith("first divergence: iteration 500, class cat; cat at 520")
    assert any(line.strip().startswith("differs: cat 0.1 | –") for line in shown)
    assert any("not compared: layers only in A: cat · " in line for line in shown)
    marks = next(line for line in shown if "1 of 2 divergences" in line)
    assert marks.count("▼") == 2


def test_a_later_divergence_is_told_in_words() -> None:
    shown = lines(draw_comparing(frame(120, 14), "cat", None, 700, current=1))
    assert any(line.strip() == "2 of 2: 700, cat at 520" for line in shown)


@pytest.mark.parametrize("height", [3, 4, 5, 6])
def test_the_verdict_is_there_in_the_lowest_head(height: int) -> None:
    shown = lines(draw_comparing(frame(80, height), "cat", None, 500))
    assert "first divergence: iteration 500" in "\n".join(shown)
    assert "▼" in "\n".join(shown[2:])


def test_a_small_screen_names_both_runs_whole_beside_what_is_here_and_says_how_often_they_parted() -> None:
    shown = lines(draw_comparing(frame(80, 8), "mnist", None, 500))
    assert shown[0].startswith(" Compare  A mnist  B other mnist ")
    assert "error here A" in shown[0]
    assert any(line.strip().startswith("parted 1 of 2 ") for line in shown)
    alone = lines(draw_comparing(frame(80, 8), "mnist", None, 500, current=-1))
    assert any(line.strip().startswith("parted 2×") for line in alone)


def test_names_that_begin_alike_are_told_apart() -> None:
    shown = lines(draw_comparing(frame(80, 6), "mnist-resnet-20-healthy", None, 500))
    first, second = shown[0].split("A ")[1].split("  B ")[:2]
    assert first != second.split("  ")[0]


def test_a_row_a_layer_has_its_name_and_its_distance() -> None:
    shown = lines(draw_compared(frame(80, 8), "a", None, 500))
    assert shown[1].startswith("  layer8.conv1")
    assert shown[2].startswith("▌ layer7.conv1")
    assert "layer7.conv1: A 0." in shown[0]
    assert "apart" in shown[0]


def test_pairs_show_both_and_the_distance() -> None:
    shown = lines(draw_compared(frame(150, 13), "a", None, 500, True, "class"))
    assert "A" in shown[1]
    assert "%" in shown[1]
    assert "B" in shown[2]
    assert "distance" in shown[3]
    assert all(text_width(line) <= 150 for line in shown)
