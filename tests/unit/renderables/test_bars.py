"""What top bar, axis, ribbon, key bar and messages say."""

from __future__ import annotations

import itertools
import re

import pytest

from dtui.model import RunStatus, Stage
from dtui.tui.renderables.canvas.palettes import ramp
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.ribbon import anomaly_at, label_of
from dtui.tui.renderables.panes.top_bar import Pace, TopBarPicture
from dtui.tui.renderables.parts.words.class_names import class_name
from tests.anomalies import watch_anomaly
from tests.unit.renderables.builders import (
    anomaly,
    axis_of,
    frame,
    make_class_rows,
    make_errors,
    make_info,
)
from tests.unit.renderables.drawing import (
    draw_axis,
    draw_classes,
    draw_key_bar,
    draw_message,
    draw_ribbon,
    draw_top_bar,
)
from tests.unit.renderables.panes import KEYS, TABS


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (
            130,
            " dtui  resnet50-imagenet  54 layers · 27,560 filters · 50,000 images"
            "         1 Layers  2 Validation  3 Correlation   ■ done 1,000",
        ),
        (
            110,
            " dtui  resnet50-imagenet  54 layers · 27,560 filters"
            "     1 Layers  2 Validation  3 Correlation   ■ done 1,000",
        ),
        (
            92,
            " dtui  resnet50-imagenet  54 layers    1 Layers  2 Validation  3 Correlation   ■ done 1,000",
        ),
        (80, " dtui  resnet50-imagenet   1 Layers  2 Validation  3 Correlation   ■ done 1,000"),
        (60, " dtui  resnet50-imagen…  1 Lay  2 Val  3 Cor   ■ done 1,000"),
        (40, " dtui  resnet5…  1  2  3   ■ done 1,000"),
        (24, " dtui  re…  1  2  3   ■"),
    ],
)
def test_the_top_bar_gives_way_in_order(width: int, shown: str) -> None:
    cells = draw_top_bar(frame(width, 1), make_info("resnet50-imagenet"), TABS, 0)
    assert to_text(cells) == shown


def test_the_top_bar_shows_status_and_that_a_run_is_invented() -> None:
    shown = to_text(draw_top_bar(frame(70, 1), make_info("a-run", RunStatus.LIVE, invented=True), TABS, 1))
    assert shown == " dtui  a-run  INVENTED             1 Lay  2 Val  3 Cor   ● live 1,000"
    damaged = draw_top_bar(frame(90, 1), make_info(), TABS, 1, is_damaged=True)
    assert to_text(damaged).rstrip().endswith("■ done 1,000 · damaged")
    assert damaged.fg[0, 88] == DARK.warning
    crashed = draw_top_bar(frame(70, 1), make_info(status=RunStatus.CRASHED), TABS, 1)
    at = to_text(crashed).index("✖ crashed 1,000")
    assert crashed.fg[0, at] == DARK.crashed
    incomplete = draw_top_bar(frame(90, 1), make_info(status=RunStatus.INCOMPLETE), TABS, 1)
    assert incomplete.fg[0, to_text(incomplete).index("□ incomplete 1,000")] == DARK.warning
    assert to_text(draw_top_bar(frame(70, 1), None, TABS, 1)).startswith(" dtui ")


NAMES = ("Triage", "Layers", "Validation", "Correlation", "Cube", "Runs")
SIX = tuple((str(n), name, name[:3]) for n, name in enumerate(NAMES, 1))


@pytest.mark.parametrize(
    ("width", "pace", "shown"),
    [
        (150, Pace(12.34, 7_512), "4 Correlation  5 Cube  6 Runs   ● live 1,000 · 12 it/s · 2 h 05 left"),
        (110, Pace(12.34, 7_512), "4 Cor  5 Cub  6 Run   ● live 1,000 · 12 it/s · 2 h 05 left"),
        (100, Pace(12.34, 7_512), "4 Cor  5 Cub  6 Run   ● live 1,000 · 2 h 05 left"),
        (80, Pace(12.34, 7_512), "  1 Tri  2 Lay  3 Val  4 Cor  5 Cub  6 Run   ● live · 2 h 05 left"),
        (80, Pace(0.05), "  1 Tri  2 Lay  3 Val  4 Cor  5 Cub  6 Run   ● live · 3.0 it/min"),
        (60, Pace(3.21, 60.0), "  1  2 Lay  3  4  5  6   ● live 1,000"),
        (80, Pace(3.21, 60.0, 185), "  1  2 Lay  3  4  5  6   ● live 1,000 · no update for 3 min"),
        (60, Pace(3.21, 60.0, 185), "  1  2  3  4  5  6   ● live · no update for 3 min"),
        (150, Pace(), "6 Runs   ● live 1,000"),
    ],
)
def test_a_live_run_says_how_fast_it_is_wherever_there_is_room(width: int, pace: Pace, shown: str) -> None:
    info = make_info("resnet50-imagenet", RunStatus.LIVE)
    picture = TopBarPicture(info, SIX, 1, pace=pace)
    cells = picture.draw(frame(width, 1))
    said = to_text(cells)
    assert said.endswith(shown)
    assert said.startswith(" dtui  re")
    for (key, _, _), (x, _, size, _) in zip(SIX, picture.tab_regions(frame(width, 1)), strict=True):
        assert key in said[x : x + size]
    if pace.quiet_seconds:
        assert cells.fg[0, said.index("no update")] == DARK.warning


@pytest.mark.parametrize("width", [200, 80, 60, 30])
def test_a_click_finds_the_tab_that_is_drawn_there(width: int) -> None:
    where, info = frame(width, 1), make_info("a-run")
    text = to_text(draw_top_bar(where, info, TABS, 2))
    regions = TopBarPicture(info, TABS, 2).tab_regions(where)
    for (key, _, _), (x, y, size, height) in zip(TABS, regions, strict=True):
        assert (y, height) == (0, 1)
        assert key in text[x : x + size]
    assert all(one[0] + one[2] == other[0] for one, other in itertools.pairwise(regions))


def test_the_axis_has_ticks_and_the_cursor_as_a_badge_that_hides_no_half_label() -> None:
    shown = to_text(draw_axis(frame(100, 1, stop=12_000), 5000))
    assert shown == " iteration                  ╵0          ╵2,000      ╵   5,000   ╵6,000      ╵8,000      ╵10,000"
    cells = draw_axis(frame(60, 1, first=100, stop=140), 101)
    assert to_text(cells) == " iteration         101       ╵110      ╵120       ╵130"
    at = to_text(cells).index("101")
    assert (cells.fg[0, at], cells.bg[0, at], cells.mark[0, at]) == (DARK.badge_text, DARK.badge, 1)
    assert "101" not in to_text(draw_axis(frame(60, 1), None))


@pytest.mark.parametrize(
    ("iteration", "shown"),
    [
        (100, " Anomalies               ╷ ▼ cat lost 40% · left rule @100"),
        (900, " Anomalies                                       ▼ cat lost 40% · left rule @900 ╷"),
    ],
)
def test_the_ribbons_label_is_never_cut(iteration: int, shown: str) -> None:
    chosen = anomaly(iteration)
    cells = draw_ribbon(frame(88, 3), (chosen,), chosen.id, ("cat",))
    assert to_text(cells).split("\n")[0] == shown


@pytest.mark.parametrize("begins", range(120, 560, 10))
def test_a_stage_never_cuts_through_the_ribbons_label(begins: int) -> None:
    chosen = anomaly(100)
    cells = draw_ribbon(frame(88, 3), (chosen,), chosen.id, ("cat",), (Stage(0, 0.1), Stage(begins, 0.01)))
    assert "▼ cat lost 40% · left rule @100" in to_text(cells)


@pytest.mark.parametrize(("found", "words"), [(9, "9/9 to review "), (180, "180/180 new "), (23_456, "23,456/23,456 ")])
def test_the_count_of_anomalies_is_cut_at_a_word(found: int, words: str) -> None:
    marks = tuple(anomaly(k) for k in range(found))
    assert to_text(draw_ribbon(frame(80, 3), marks, None, ("cat",))).split("\n")[1].startswith(f"  {words}")


LACKING = "4 validations, the rules need 6; flips are not judged"


@pytest.mark.parametrize(("width", "words"), [(150, f"{LACKING}; and so on"), (60, LACKING), (40, LACKING[:36] + "…")])
def test_a_ribbon_without_anomalies_says_why_as_far_as_it_fits(width: int, words: str) -> None:
    nothing = (f"{LACKING}; and so on", LACKING)
    assert to_text(draw_ribbon(frame(width, 3), (), None, ("cat",), (), nothing)).split("\n")[1] == f"  {words}"


def test_the_ribbon_hangs_lost_above_gained_and_flags_what_is_flagged() -> None:
    marks = (anomaly(200, "lost", 0.9), anomaly(500, "gained", 0.2), anomaly(700, "lost", 0.3, status="flagged"))
    hidden = anomaly(850, "lost", 0.9, status="dismissed")
    where = frame(80, 3)
    cells = draw_ribbon(where, (*marks, hidden), None, ("cat",))
    assert to_text(cells) == (
        " Anomalies\n"
        "  2/4 to review            ▆▄▂█▂▄▆                           ▾\n"
        "                                                 ▴"
    )
    lost, flagged = where.column_of(200), where.column_of(700)
    assert cells.fg[1, lost] == DARK.lost
    assert cells.bg[1, lost - 3] == DARK.lost
    assert cells.fg[1, flagged] == DARK.flag


def test_a_weaker_triangle_gives_way_to_a_stronger_one() -> None:
    where = frame(80, 3)
    strong, weak = anomaly(500, "lost", 1.0), anomaly(520, "lost", 0.9)
    cells = draw_ribbon(where, (weak, strong), None, ("cat",))
    row = to_text(cells).split("\n")[1][18:]
    assert row.strip() == "▆▄▂█▂▄▆"
    assert draw_ribbon(where, (weak, strong), None, ("cat",)).fg[1, where.column_of(500)] == DARK.lost


def test_a_weaker_neighbour_becomes_narrower_where_there_is_room() -> None:
    where = frame(80, 3)
    marks = (anomaly(500, "gained", 1.0), anomaly(590, "gained", 0.9))
    row = to_text(draw_ribbon(where, marks, None, ("cat",))).split("\n")[2]
    assert row.strip() == "▂▄▆█▆▄▂▄█▄"


def test_a_click_finds_the_anomaly_drawn_there() -> None:
    where, marks = frame(80, 3), (anomaly(200), anomaly(200, "gained"), anomaly(800))
    x = where.column_of(200)
    assert anomaly_at(where, marks, x + 1, 1) == marks[0].id
    assert anomaly_at(where, marks, x - 2, 2) == marks[1].id
    assert anomaly_at(where, marks, x + 5, 1) is None


def test_a_label_shortens_rule_first_then_the_name() -> None:
    chosen = anomaly(1204, "lost", 0.38)
    assert label_of((chosen,), ("8",), 60) == "▼ class 8 lost 38% · left rule @1,204"
    assert label_of((chosen,), ("a very long name",), 34) == "▼ a very long name lost 38% @1,204"
    assert label_of((chosen,), ("a very long name",), 24) == "▼ a ver… lost 38% @1,204"
    assert label_of((anomaly(1204, "gained", status="flagged"),), (), 60).startswith("⚑ ▲ class 0 gained")
    assert label_of((anomaly(1204, "both"),), (), 60) == "▲▼ class 0 changed 40% · left rule @1,204"
    assert label_of((watch_anomaly(1204, "filter", "fc", (7, 9)),), (), 60) == "◆ fc filter 7 and 1 more jumped @1,204"
    assert label_of((watch_anomaly(1204, "nonfinite"),), (), 60) == "◆ loss is NaN or Inf @1,204"
    assert label_of((watch_anomaly(1204, "nonfinite", "fc", (7,)),), (), 60) == "◆ fc filter 7 holds NaN or Inf @1,204"
    assert label_of((watch_anomaly(1204, "update"),), (), 60) == "◆ updates jumped @1,204"
    assert class_name(("8", " ", "cat"), 2) == "cat"
    assert class_name((), 4) == "class 4"


def test_the_classes_are_strips_with_their_triangles() -> None:
    where = frame(80, 13)
    rows = make_class_rows()
    marks = (anomaly(100), anomaly(500, "gained", 0.9))
    cells = draw_classes(where, rows, 0, 1, make_errors(rows, axis_of(where)), marks, None, (), 500)
    text = to_text(cells).split("\n")
    assert text[1].rstrip() == " " * 23 + "▄█▄" + " " * 20 + "▂▄▆█▆▄▂"
    assert text[2] == " ▾ early     49%"
    assert text[4].startswith("▌ cat        49%  ▂▂▂▂")
    error = ramp(DARK, "error", where.output)
    assert cells.bg[2, 18] == error[-1]
    assert cells.bg[2, 79] == error[0]
    assert text[5] == ""


def test_the_key_bar_leaves_out_whole_keys() -> None:
    assert to_text(draw_key_bar(frame(80, 1), KEYS)) == " j/k select  ←/→ cursor  n/N anomaly  f flag"
    assert to_text(draw_key_bar(frame(30, 1), KEYS)) == " j/k select  ←/→ cursor"


def test_a_message_is_wrapped_and_centred() -> None:
    text = to_text(draw_message(frame(40, 6), "this terminal is 40×6, dtui needs 60×16", "press q to leave"))
    assert text.split("\n") == [
        "",
        "         this terminal is 40×6,",
        "            dtui needs 60×16",
        "            press q to leave",
        "",
        "",
    ]


def test_where_a_training_was_resumed_the_axis_has_a_mark_and_the_badge_says_so():
    where = frame(100, 1, stop=1000)
    text = to_text(draw_axis(where, 100, (500,)))
    assert text[where.column_of(500)] == "»"
    assert "resumed" not in text
    assert "400" in text
    text = to_text(draw_axis(where, 500, (500,)))
    assert " 500 resumed here " in text
    assert "»" not in text
    assert "»" not in to_text(draw_axis(where, 100, (5000,)))


def test_a_mark_cuts_through_no_number_of_the_axis():
    where = frame(100, 1, stop=1000)
    ticks = re.findall(r"\d+", to_text(draw_axis(where, None)))
    for join in range(0, 1000, 5):
        text = to_text(draw_axis(where, None, (join,)))
        assert text[where.column_of(join)] == "»"
        assert set(re.findall(r"\d+", text)) <= set(ticks)
