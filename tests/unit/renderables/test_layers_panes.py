"""What curves, tree and filters say and how they are coloured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.model import Stage, TimeAxis
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.palettes import ramp
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.layers.filters import place_of
from dtui.tui.renderables.panes.layers.tree import ChartKind, TreeLook, TreePicture
from tests.unit.renderables.builders import (
    LOOK,
    STAGES,
    axis_of,
    frame,
    make_curves,
    make_heatmap,
    make_rows,
    make_series,
)
from tests.unit.renderables.drawing import draw_curves, draw_filters, draw_tree


def test_a_cosine_distance_is_shaded_by_its_root() -> None:
    where = frame(60, 6)
    heatmap = make_heatmap(axis_of(where), 6, filters=10, fill=0.25)
    steps = ramp(DARK, "magnitude", where.output)
    assert (draw_filters(where, heatmap, 0, LOOK).fg[1:, 18:] == steps[16]).all()
    assert (draw_filters(where, heatmap, 0, replace(LOOK, is_cosine=False)).fg[1:, 18:] == steps[8]).all()


def test_the_curves_show_both_errors_their_scale_and_the_readout() -> None:
    where = frame(80, 7)
    text = to_text(draw_curves(where, make_curves(axis_of(where)), STAGES, False, 500)).split("\n")
    assert text[0] == " Error             lr 0.1           ┊lr 0.01           ┊lr 0.001"
    assert text[1].startswith("             100%┤⠭")
    assert text[2].startswith(" val  59.3%")
    assert text[3].startswith(" tr   53.4%   50%┤")
    assert text[6].startswith("               0%┤")
    assert text[6].rstrip().endswith("┊")


def test_a_logged_scalar_keeps_its_name_from_a_short_one() -> None:
    where = frame(150, 9)
    names = ("validation_error", "loss", "learning_rate")
    alone = to_text(draw_curves(where, make_curves(axis_of(where), names=names), (), False, 500))
    both = to_text(draw_curves(where, make_curves(axis_of(where), names=(*names, "lr")), (), False, 500))
    assert alone.count(" lr ") == both.count(" lr ") == 1
    assert "learning_rate" in both


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


def test_a_loss_that_turned_nan_is_crossed_out_and_read_out() -> None:
    where = frame(150, 7)
    axis = axis_of(where)
    for names in (("loss",), ("validation_error", "loss")):
        curves = make_curves(axis, names=names)
        bad = np.arange(axis.columns) >= 80
        curves.series["loss"][bad] = np.nan
        marked = replace(curves, extremes={}, nonfinite={"loss": bad})
        lines = to_text(draw_curves(where, marked, (), False, 900)).split("\n")
        assert "× loss NaN or Inf" in lines[0]
        assert lines[6].count("×") == int(bad.sum())
        assert any("loss" in line and " NaN" in line for line in lines[1:])
        narrow = frame(60, 7)
        assert "× loss N" in to_text(draw_curves(narrow, marked, (), False, 900)).split("\n")[0][: narrow.gutter]
        before = to_text(draw_curves(where, marked, (), False, 100)).split("\n")
        assert not any(" NaN" in line for line in before[1:])
        unmarked = to_text(draw_curves(where, replace(marked, nonfinite={}), (), False, 900))
        assert "×" not in unmarked
        assert "NaN" not in unmarked


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


def test_a_taller_row_leaves_room_for_half_as_many() -> None:
    tall = TreeLook(two_row=True)
    rows = make_rows(tuple(f"conv{index}" for index in range(40)))
    low, high = TreePicture(rows, 7, 7, None, TreeLook()), TreePicture(rows, 7, 7, None, tall)
    assert (len(low.shown(11)), len(high.shown(11)), len(high.shown(0))) == (10, 5, 0)
    assert low.shown(11)[0] == rows[7]


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
    assert text[5].startswith("  ○ late start  1")
    assert text[7][29:32] == "255"
    assert sum(line[33] == "×" for line in text[1:]) == 1
    place = place_of(make_heatmap(axis_of(where), 8), where.height)
    assert [place.row_at(0), place.row_at(1)] == [None, 0]


@pytest.mark.parametrize("filters", [3, 5, 8, 13, 16, 40])
def test_marks_stand_at_the_filters_that_are_dead_and_nowhere_else(filters: int) -> None:
    """Where several filters share a terminal row, a mark is bold if all are dead, and muted if some are."""
    where = frame(150, 14)
    rows = make_heatmap(axis_of(where), 14, filters=filters)
    dead = np.arange(filters) % 3 == 1
    cells = draw_filters(where, replace(rows, dead=dead, late=np.zeros(filters, bool)), 0, LOOK, 500)
    places = place_of(rows, where.height)
    begun: dict[int, list[bool]] = {}
    for row in range(filters):
        begun.setdefault(places.y_of(row), []).append(bool(dead[row]))
    for y in range(1, where.height):
        marked = chr(cells.ch[y, where.gutter - 1]) == "×"
        here = begun.get(y, [])
        assert marked == any(here), y
        if marked:
            assert (int(cells.fg[y, where.gutter - 1]) == DARK.warning) == all(here), y


def test_the_readout_names_the_layer_where_there_are_several() -> None:
    where = frame(150, 10)
    heatmap = make_heatmap(axis_of(where), 10)
    look = replace(LOOK, layer_names=("conv1", "conv2"))
    assert "conv2" not in to_text(draw_filters(where, heatmap, 200, look, 500))
    several = replace(heatmap, labels=np.arange(256) // 128)
    assert to_text(draw_filters(where, several, 200, look, 500)).split("\n")[2].startswith("  conv2 ")
    assert to_text(draw_filters(where, several, 100, look, 500)).split("\n")[2].startswith("  conv1 ")


def test_a_picture_of_an_older_window_is_shown_until_the_new_one_arrives() -> None:
    where = frame(80, 6, first=250, stop=500)
    old = TimeAxis(0, 1000, 62)
    cells = draw_filters(where, make_heatmap(old, 6), 0, LOOK, 300)
    again = draw_filters(frame(80, 6), make_heatmap(old, 6), 0, LOOK, 300)
    assert (cells.bg[5, 18] == again.bg[5, 18 + 62 // 4]).all()
    moved = draw_filters(frame(80, 6, first=2000, stop=3000), make_heatmap(old, 6), 0, LOOK, 300)
    assert (moved.bg[1:, 18:] == DARK.panel).all()


def test_nan_in_a_layer_is_crossed_out_and_not_a_hole() -> None:
    where = frame(60, 6)
    rows = make_rows()
    series = make_series(rows, axis_of(where))
    counted = np.zeros(series.values.shape, bool)
    counted[1, 20:] = True
    values = np.where(counted, np.nan, series.values)
    plain = draw_tree(where, rows, 0, 0, series, TreeLook()).ch[1:, where.gutter :]
    crossed = draw_tree(where, rows, 0, 0, replace(series, values=values, nonfinite=counted), TreeLook())
    is_cross = crossed.ch[1:, where.gutter :] == ord("×")
    assert np.argwhere(is_cross).tolist() == [[1, column] for column in range(20, where.plot_width)]
    assert (crossed.ch[1:, where.gutter :][~is_cross] == plain[~is_cross]).all()


def test_what_a_cross_means_stands_in_the_header_only_where_there_are_crosses() -> None:
    where = frame(150, 6)
    rows = make_rows()
    series, heatmap = make_series(rows, axis_of(where)), make_heatmap(axis_of(where), 6)
    for counted in (False, True):
        crosses = np.ones(series.values.shape, bool) if counted else None
        tree = draw_tree(where, rows, 0, 0, replace(series, nonfinite=crosses), TreeLook("mean of weights"))
        crosses = np.ones(heatmap.shades.shape, bool) if counted else None
        filters = draw_filters(where, replace(heatmap, nonfinite=crosses), 0, LOOK)
        for cells in (tree, filters):
            assert ("× NaN or Inf" in to_text(cells).split("\n")[0]) == counted


def test_nan_in_a_filter_is_crossed_out_where_it_was_counted() -> None:
    where = frame(60, 6)
    heatmap = make_heatmap(axis_of(where), 6, filters=10)
    counted = np.zeros(heatmap.shades.shape, bool)
    counted[3, 7] = True
    cells = draw_filters(where, replace(heatmap, nonfinite=counted), 0, LOOK)
    assert np.argwhere(cells.ch[:, where.gutter :] == ord("×")).tolist() == [[2, 7]]
    assert cells.fg[2, where.gutter + 7] == DARK.warning


def test_where_a_training_was_resumed_the_curves_have_a_vertical_with_a_head() -> None:
    where = frame(80, 7)
    cells = draw_curves(where, make_curves(axis_of(where)), STAGES, False, 500, (100, 500))
    text = to_text(cells).split("\n")
    plain = to_text(draw_curves(where, make_curves(axis_of(where)), STAGES, False, 500)).split("\n")
    at = where.column_of(500)
    assert text[0][at] == "»"
    assert sum(row[at] == "┊" for row in text) >= 3
    for row, before in zip(text, plain, strict=True):
        assert all(now == then for now, then in zip(row, before, strict=False) if then != " "), "behind what is there"
