"""What each pane says and how it is coloured, on small frames."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from dtui.model import RunStatus, Stage, TimeAxis
from dtui.tui.renderables.axis import draw_axis
from dtui.tui.renderables.chrome import number
from dtui.tui.renderables.class_names import class_name
from dtui.tui.renderables.classes import ClassRow, class_row_at, class_rows_shown, draw_classes
from dtui.tui.renderables.curves import draw_curves
from dtui.tui.renderables.filters import draw_filters, filter_at, similarity
from dtui.tui.renderables.images import draw_images, image_at
from dtui.tui.renderables.key_bar import draw_key_bar
from dtui.tui.renderables.message import draw_message
from dtui.tui.renderables.output import ColorMode
from dtui.tui.renderables.palettes import ramp
from dtui.tui.renderables.ribbon import anomaly_at, draw_ribbon, label_of
from dtui.tui.renderables.scale import linear_scale, logarithmic_scale, round_up, tick_step
from dtui.tui.renderables.sgr import to_text
from dtui.tui.renderables.theme import DARK
from dtui.tui.renderables.top_bar import draw_top_bar, tab_regions
from dtui.tui.renderables.tree import ChartKind, TreeLook, draw_tree, tree_row_at, tree_rows_shown
from tests.unit.renderables.builders import (
    LOOK,
    STAGES,
    anomaly,
    axis_of,
    frame,
    make_class_rows,
    make_curves,
    make_errors,
    make_heatmap,
    make_images,
    make_info,
    make_rows,
    make_series,
    make_verdict,
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
    crashed = draw_top_bar(frame(70, 1), make_info(status=RunStatus.CRASHED), TABS, 1)
    at = to_text(crashed).index("✖ crashed 1,000")
    assert crashed.fg[0, at] == DARK.crashed
    assert to_text(draw_top_bar(frame(70, 1), None, TABS, 1)).startswith(" dtui ")


@pytest.mark.parametrize("width", [200, 80, 60, 30])
def test_a_click_finds_the_tab_that_is_drawn_there(width: int) -> None:
    where, info = frame(width, 1), make_info("a-run")
    text = to_text(draw_top_bar(where, info, TABS, 2))
    regions = tab_regions(where, info, TABS, 2)
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


def test_a_cosine_distance_is_shaded_by_its_root() -> None:
    where = frame(60, 6)
    heatmap = make_heatmap(axis_of(where), 6, filters=10, fill=0.25)
    steps = ramp(DARK, "magnitude", where.output)
    assert (draw_filters(where, heatmap, 0, LOOK).fg[1:, 18:] == steps[16]).all()
    assert (draw_filters(where, heatmap, 0, replace(LOOK, is_cosine=False)).fg[1:, 18:] == steps[8]).all()


def test_a_click_finds_the_anomaly_drawn_there() -> None:
    where, marks = frame(80, 3), (anomaly(200), anomaly(200, "gained"), anomaly(800))
    x = where.column_of(200)
    assert anomaly_at(where, marks, x + 1, 1) == marks[0].id
    assert anomaly_at(where, marks, x - 2, 2) == marks[1].id
    assert anomaly_at(where, marks, x + 5, 1) is None


def test_a_label_shortens_rule_first_then_the_name() -> None:
    chosen = anomaly(1204, "lost", 0.38)
    assert label_of(chosen, ("8",), 60) == "▼ class 8 lost 38% · left rule @1,204"
    assert label_of(chosen, ("a very long name",), 34) == "▼ a very long name lost 38% @1,204"
    assert label_of(chosen, ("a very long name",), 24) == "▼ a ver… lost 38% @1,204"
    assert label_of(replace(chosen, status="flagged", direction="gained"), (), 60).startswith("⚑ ▲ class 0 gained")
    assert class_name(("8", " ", "cat"), 2) == "cat"
    assert class_name((), 4) == "class 4"


def test_the_curves_show_both_errors_their_scale_and_the_readout() -> None:
    where = frame(80, 7)
    text = to_text(draw_curves(where, make_curves(axis_of(where)), STAGES, False, 500)).split("\n")
    assert text[0] == " Error             lr 0.1           ┊lr 0.01           ┊lr 0.001"
    assert text[1].startswith("             100%┤⠭")
    assert text[2].startswith(" val  59.3%")
    assert text[3].startswith(" tr   53.4%   50%┤")
    assert text[6].startswith("               0%┤")
    assert text[6].rstrip().endswith("┊")


def test_a_run_without_errors_shows_its_loss_on_its_own_scale() -> None:
    where = frame(80, 7)
    curves = make_curves(axis_of(where), names=("loss",))
    curves.series["loss"] = curves.series["loss"] * 7.1
    text = to_text(draw_curves(where, replace(curves, extremes={}), (), False, 0))
    assert text.startswith(" Loss")
    assert "  8┤" in text
    log = to_text(draw_curves(where, replace(curves, extremes={}), (), True, 0))
    assert "  10┤" in log
    assert "  1┤" in log


def test_validation_lies_over_train_and_keeps_its_dots() -> None:
    where = frame(60, 6)
    curves = make_curves(axis_of(where), 0.5, ("validation_error", "train_error"))
    cells = draw_curves(where, curves, ())
    drawn = cells.ch[1:, 18:] > 0x2800
    assert drawn.any()
    assert (cells.fg[1:, 18:][drawn] == DARK.validation).all()
    assert (cells.ch[1, 25:50] == ord("⠭")).all()


def test_stage_labels_never_touch_and_a_busy_schedule_draws_no_hatching() -> None:
    where = frame(80, 5)
    stages = tuple(Stage(step * 10, 0.1 / (1 + step)) for step in range(100))
    text = to_text(draw_curves(where, make_curves(axis_of(where)), stages))
    assert "┊" not in text
    assert "lr 0.1 lr" in text.split("\n")[0].replace("  ", " ")


def test_the_tree_shows_names_counts_values_and_bands() -> None:
    where = frame(120, 5)
    rows = make_rows()
    rows[0] = replace(rows[0], node=replace(rows[0].node, detail=""))
    series = make_series(rows, axis_of(where))
    cells = draw_tree(where, rows, 0, 1, series, TreeLook("mean of weights"), iteration=500)
    text = to_text(cells).split("\n")
    assert text[0] == " Layers  mean of weights" + " " * 69 + "−1.00 ██████  ██████ +1.00"
    assert text[1].startswith(" ▾ stem               1×          ──────")
    assert text[2].startswith("▌  ■ conv1 3×3        64  +0.012  █▇▇▆▆▅▅▄▃▃▂▂▁▁ █▇▆")
    assert text[4].startswith(" ▸ layer1 3×3         1×")
    assert cells.fg[2, 34] == DARK.negative[2]
    assert cells.fg[2, 119] == DARK.positive[2]
    assert cells.bg[2, 5] == DARK.selection


@pytest.mark.parametrize(
    ("gutter", "has_value", "has_count"), [(18, False, False), (28, True, False), (34, True, True)]
)
def test_a_narrow_gutter_drops_counts_then_values(gutter: int, has_value: bool, has_count: bool) -> None:
    where = frame(100, 4, gutter=gutter)
    rows = make_rows()
    text = to_text(draw_tree(where, rows, 0, 9, make_series(rows, axis_of(where)), TreeLook(), iteration=990))
    assert ("+1.00" in text.split("\n")[2]) == has_value
    assert (" 64 " in text) == has_count
    assert "conv1 3×3" in text


def test_a_statistic_that_is_never_negative_has_no_bands_below_zero() -> None:
    where = frame(100, 4)
    rows = make_rows()
    series = replace(make_series(rows, axis_of(where), 0.5), statistic="norm2")
    text = to_text(draw_tree(where, rows, 0, 9, series, TreeLook("norm2 of weights"), iteration=500))
    assert text.split("\n")[0].endswith("0 ██████ 1.00")
    assert " 0.500 " in text


def test_without_colours_what_is_negative_hangs() -> None:
    where = frame(60, 4, ColorMode.NONE)
    rows = make_rows()
    cells = draw_tree(where, rows, 0, 9, make_series(rows, axis_of(where), -0.25), TreeLook())
    assert (cells.mark[2, 18:] == 1).all()
    assert (cells.ch[2, 18:] == ord("▆")).all()


def test_rows_of_the_tree_and_back() -> None:
    tall = TreeLook(two_row=True)
    assert (tree_rows_shown(11, TreeLook()), tree_rows_shown(11, tall), tree_rows_shown(0, tall)) == (10, 5, 0)
    assert [tree_row_at(y, 7, tall) for y in range(4)] == [None, 7, 7, 8]
    assert [tree_row_at(y, 7, TreeLook()) for y in range(3)] == [None, 7, 8]


def test_a_long_tree_has_a_thumb() -> None:
    where = frame(80, 6)
    rows = make_rows(tuple(f"conv{index}" for index in range(40)))
    tops = [to_text(draw_tree(where, rows, top, top, None, TreeLook())) for top in (0, 37)]
    thumbs = [draw_tree(where, rows, top, top, None, TreeLook()).fg[1:, 17].tolist() for top in (0, 37)]
    assert "▐" in tops[0]
    assert thumbs[0][0] == thumbs[1][-1] == DARK.muted
    assert thumbs[0][-1] == thumbs[1][0] == DARK.line


@pytest.mark.parametrize("chart", list(ChartKind))
def test_every_chart_of_the_tree_shows_something(chart: ChartKind) -> None:
    where = frame(100, 4)
    rows = make_rows()
    series = make_series(rows, axis_of(where))
    ends = (replace(series, values=series.values - 0.5), replace(series, values=series.values + 0.5))
    cells = draw_tree(where, rows, 0, 1, series, TreeLook("median", chart), ends)
    assert (cells.ch[2, 28:] != 32).mean() > 0.8


def test_the_filters_header_says_what_is_shown_and_the_legend_has_real_values() -> None:
    where = frame(150, 8)
    cells = draw_filters(where, make_heatmap(axis_of(where), 8), 5, LOOK, 500)
    header = to_text(cells).split("\n")[0]
    assert header.startswith(" Filters  layer1.conv             256 filters × 1,000 records   cosine similarity · norm")
    assert "18.3 filters/px" in header
    assert " 1.000 " in header
    assert header.endswith(" 0.980")


@pytest.mark.parametrize("width", [60, 64, 70, 80, 90, 100, 120, 150, 200, 300])
def test_header_and_legend_never_overlap(width: int) -> None:
    where = frame(width, 8)
    header = to_text(draw_filters(where, make_heatmap(axis_of(where), 8), 5, LOOK, 500)).split("\n")[0]
    assert "256 filters" in header
    assert " 1.000 " in header
    assert header.rstrip().endswith(" 0.980")


def test_the_heatmap_is_as_strong_as_its_values() -> None:
    where = frame(60, 6)
    heatmap = make_heatmap(axis_of(where), 6, filters=10)
    cells = draw_filters(where, heatmap, 0, replace(LOOK, is_cosine=False))
    strong = ramp(DARK, "magnitude", where.output)
    assert cells.fg[1, 18] == strong[0]
    assert cells.bg[5, 18] == strong[-1]
    assert cells.bg[5, 59] == strong[0]
    empty = draw_filters(where, make_heatmap(axis_of(where), 6, fill=np.nan), 0, LOOK)
    assert (empty.bg[1:, 18:] == DARK.panel).all()


def test_the_filters_gutter_reads_out_and_marks() -> None:
    where = frame(150, 8)
    text = to_text(draw_filters(where, make_heatmap(axis_of(where), 8), 5, LOOK, 500)).split("\n")
    assert text[1][31:34] == "5▸○"
    assert text[2].startswith("  filter        5")
    assert text[3].startswith("  value     1.000")
    assert text[4].startswith("  × dead        1")
    assert text[5].startswith("  ○ late        1")
    assert text[7][29:32] == "255"
    assert sum(line[33] == "×" for line in text[1:]) == 1
    assert filter_at(where, make_heatmap(axis_of(where), 8), 0) is None
    assert filter_at(where, make_heatmap(axis_of(where), 8), 1) == 0


def test_the_readout_names_the_layer_where_there_are_several() -> None:
    where = frame(150, 10)
    heatmap = make_heatmap(axis_of(where), 10)
    look = replace(LOOK, layer_names=("conv1", "conv2"))
    assert "conv2" not in to_text(draw_filters(where, heatmap, 200, look, 500))
    several = replace(heatmap, labels=np.arange(256) // 128)
    assert to_text(draw_filters(where, several, 200, look, 500)).split("\n")[2].startswith("  conv2 ")
    assert to_text(draw_filters(where, several, 100, look, 500)).split("\n")[2].startswith("  conv1 ")


@pytest.mark.parametrize(
    ("distance", "shown"),
    [(0, "1.000"), (0.02, "0.980"), (0.0003, "0.99970"), (3e-6, "0.9999970"), (2.0, "−1.000"), (float("nan"), "·")],
)
def test_a_similarity_has_the_digits_that_it_needs(distance: float, shown: str) -> None:
    assert similarity(distance) == shown


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


def test_few_rows_make_the_classes_compact() -> None:
    where = frame(80, 4)
    rows = make_class_rows()
    text = to_text(draw_classes(where, rows, 0, 1, make_errors(rows, axis_of(where)), (anomaly(100),), iteration=500))
    assert text.split("\n")[2].startswith("▌ cat        49%  ▁▁▁▁▁▁▾▁▁▁")
    assert (class_rows_shown(4), class_rows_shown(13)) == (3, 6)
    assert [class_row_at(y, 2, 13) for y in range(4)] == [None, 2, 2, 3]


def test_classes_without_data_wait_with_empty_strips() -> None:
    where = frame(80, 6)
    cells = draw_classes(where, [ClassRow("cat", (0,), 1, False, False)], 0, 0, None)
    assert (cells.bg[1:, 18:] == DARK.panel).all()


def test_images_are_blue_where_right_and_orange_where_wrong() -> None:
    where = frame(150, 12)
    rows = make_images(axis_of(where), 12, images=10)
    cells = draw_images(where, rows, "cat", 3, ("cat", "8"), make_verdict(1), 40, 500)
    text = to_text(cells).split("\n")
    assert text[0].startswith(" Images  cat                      10 images × 40 validations   sort error")
    assert text[0].endswith("██ correct  ██ incorrect")
    assert text[1].startswith("  #17 · val_17")
    assert text[2].startswith("  ✗ predicted class 8 87%")
    assert text[3].startswith("  is cat")
    assert text[4].startswith("  wrong 12 of 40")
    assert text[5].startswith("  50% of 10 right here")
    assert cells.fg[1, 34] == DARK.correct
    assert cells.bg[11, 34] == DARK.incorrect
    assert [line[33] for line in text[1:]].count("×") >= 1
    assert image_at(where, rows, 1) == 0


def test_images_by_wrong_class_name_the_classes() -> None:
    where = frame(150, 12)
    rows = make_images(axis_of(where), 12, images=12, colour_by="label")
    cells = draw_images(where, rows, "cat", 3, ("cat", "dog", "emu"), None, 40, 500)
    header = to_text(cells).split("\n")[0]
    for word in ("right", "cat", "dog", "emu"):
        assert f"██ {word}" in header
    used = set(cells.bg[1:, 34:].ravel().tolist()) | set(cells.fg[1:, 34:].ravel().tolist())
    assert used == {DARK.correct, *DARK.wrong_labels[:3]}


@pytest.mark.parametrize(("label", "line"), [(0, "✓ cat 87%"), (1, "✗ predicted dog 87%"), (None, "not validated yet")])
def test_the_verdict_on_an_image(label: int | None, line: str) -> None:
    where = frame(150, 12)
    rows = make_images(axis_of(where), 12)
    text = to_text(draw_images(where, rows, "cat", 3, ("cat", "dog"), make_verdict(label), 40, 500))
    assert f"  {line}  " in text


def test_a_thumbnail_keeps_its_proportions() -> None:
    where = frame(150, 20)
    verdict = replace(make_verdict(), pixels=np.full((14, 28, 3), 200, np.uint8))
    cells = draw_images(where, make_images(axis_of(where), 20), "cat", 3, ("cat", "dog"), verdict, 40, 500)
    drawn = cells.ch[:, 2:31] == ord("▀")
    assert (drawn.any(0).sum(), drawn.any(1).sum()) == (28, 7)
    assert (cells.fg[:, 2:31][drawn] == 0xC8C8C8).all()


def test_the_key_bar_leaves_out_whole_keys() -> None:
    assert to_text(draw_key_bar(frame(80, 1), KEYS)) == " j/k select  ←/→ cursor  n/N anomaly  f flag"
    assert to_text(draw_key_bar(frame(30, 1), KEYS)) == " j/k select  ←/→ cursor"


def test_a_message_is_wrapped_and_centred() -> None:
    text = to_text(draw_message(frame(40, 6), "this terminal is 40×6, dtui needs 60×16", "press q to leave"))
    assert text.split("\n") == [
        "",
        "   this terminal is 40×6, dtui needs",
        "                 60×16",
        "            press q to leave",
        "",
        "",
    ]


def test_a_picture_of_an_older_window_is_shown_until_the_new_one_arrives() -> None:
    where = frame(80, 6, first=250, stop=500)
    old = TimeAxis(0, 1000, 62)
    cells = draw_filters(where, make_heatmap(old, 6), 0, LOOK, 300)
    again = draw_filters(frame(80, 6), make_heatmap(old, 6), 0, LOOK, 300)
    assert (cells.bg[5, 18] == again.bg[5, 18 + 62 // 4]).all()
    moved = draw_filters(frame(80, 6, first=2000, stop=3000), make_heatmap(old, 6), 0, LOOK, 300)
    assert (moved.bg[1:, 18:] == DARK.panel).all()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.0, "0"),
        (0.1234, "0.123"),
        (1.234, "1.23"),
        (12.34, "12.3"),
        (123.4, "123"),
        (12_345, "12,345"),
        (1.2e6, "1.2e+6"),
        (1.2e-5, "1.2e-5"),
        (-0.5, "−0.500"),
        (9.9996, "10.0"),
        (float("nan"), "·"),
        (float("-inf"), "−inf"),
    ],
)
def test_numbers_are_short(value: float, shown: str) -> None:
    assert number(value) == shown.replace("e+", "e")
    assert len(number(value)) <= 7


def test_scales_are_round_and_hold_their_values() -> None:
    assert [round(round_up(value), 9) for value in (0.07, 0.11, 1.0, 7.1, 83)] == [0.08, 0.15, 1.0, 8.0, 100.0]
    scale = linear_scale(np.array([0.1, 0.27, np.nan]), True)
    assert (scale.low, scale.high) == (0.0, pytest.approx(0.3))
    assert [label for _, label in scale.ticks] == ["0%", "15%", "30%"]
    assert linear_scale(np.array([-3.0, 1.0]), False).low == -3.0
    assert linear_scale(np.empty(0), False).high > 0
    decades = logarithmic_scale(np.array([0.003, 20.0, 0.0, -1.0]), False)
    assert (decades.low, decades.high) == (-3, 2)
    assert np.isnan(decades.heights(np.array([0.0])))[0]
    assert decades.heights(np.array([10.0]))[0] == 1.0


@pytest.mark.parametrize(
    ("span", "columns", "step"), [(1000, 100, 100), (8, 120, 1), (1e6, 60, 200_000), (240, 40, 100)]
)
def test_ticks_are_round_and_far_enough_apart(span: float, columns: int, step: int) -> None:
    assert tick_step(span, columns, 10) == step
