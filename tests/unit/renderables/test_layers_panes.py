"""What curves, tree and filters say and how they are coloured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dtui.model import RunState, Stage, TimeAxis
from dtui.model.findings.state import Standing, StateEntry
from dtui.model.layers import UPDATE_RATIO, NodeBoxes, NodeHistograms, NormSeries
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.palettes import value_colours
from dtui.tui.renderables.canvas.primitives import blend_one
from dtui.tui.renderables.canvas.sgr import to_text
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.curves import CurvesPicture
from dtui.tui.renderables.panes.layers.filter_inspector import InspectorPicture
from dtui.tui.renderables.panes.layers.filters import place_of
from dtui.tui.renderables.panes.layers.tree import ChartKind, TreeLook, TreePicture
from dtui.tui.renderables.panes.layers.tree_charts import box_heights, zones
from dtui.tui.renderables.panes.layers.tree_gutter import BesideSeries, TreeRow
from dtui.tui.renderables.panes.layers.tree_words import fitting, network_lines
from dtui.tui.renderables.parts.words.curve_words import SHORT, curve_label, leading_words
from tests.unit.renderables.builders import (
    LOOK,
    STAGES,
    axis_of,
    frame,
    make_chart,
    make_curves,
    make_heatmap,
    make_history,
    make_rows,
    make_series,
    make_structure,
)
from tests.unit.renderables.drawing import draw_curves, draw_filters, draw_tree


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


def test_a_curve_that_dtui_names_has_words_for_a_title() -> None:
    where = frame(150, 9)
    for name, title in (("learning_rate", " Learning rate\n"), ("loss", " Loss\n"), ("wd_part", " wd_part\n")):
        curves = make_curves(axis_of(where), names=(name,))
        assert to_text(CurvesPicture(curves, chosen=(name,)).draw(where, 500)).startswith(title)


def test_where_scores_decide_the_error_is_what_is_not_right() -> None:
    """A GAN and a language model have no error."""
    where = frame(150, 8)
    curves = make_curves(axis_of(where), names=("validation_error", "loss"))
    for is_judged, title, label in ((False, "Error", "val"), (True, "Not right", "not right")):
        text = to_text(CurvesPicture(curves, is_judged=is_judged).draw(where, 500)).split("\n")
        assert text[0].strip().startswith(title)
        assert any(line.split("━━")[1].strip().startswith(label) for line in text if "━━" in line)
    assert leading_words({"validation_error": 0.9996}, is_judged=True) == "not right 100%", "16 columns are cut at 80"
    assert leading_words({"validation_error": 0.9994}) == "val 99.9%"


def test_logged_names_that_begin_alike_stay_apart_and_a_second_rate_is_one() -> None:
    where = frame(80, 9, gutter=30)
    names = ("validation_error", "learning_rate", "learning_rate_2", "token loss_worst_tenth", "token loss_worst_mean")
    text = to_text(draw_curves(where, make_curves(axis_of(where), names=names), (), False, 500))
    for shown in (" lr ", " lr 2 ", "…_tenth ", "…t_mean "):
        assert shown in text
    names = ("learning_rate_group_2", "learning_rate_3_group_12", "learning_rate_else")
    assert [curve_label(names, name, SHORT) for name in names] == ["lr g2", "lr 3 g12", "learning_rate_else"]
    where = frame(150, 9, gutter=34)  # a long name has what its value leaves; it was "probab…ty_mean"
    text = to_text(draw_curves(where, make_curves(axis_of(where), names=("loss", "probability_mean")), (), False, 500))
    assert " probability_mean 0." in text


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


def test_a_name_in_the_tree_that_is_cut_says_so_and_a_frozen_row_that_it_is() -> None:
    where = frame(150, 14, gutter=54)
    rows = [replace(row, name="downsampling_layer_of_the_encoder", is_frozen=row.is_open) for row in make_rows()]
    chart = make_series(rows, axis_of(where))
    still = make_series(rows, axis_of(where), 0.0)
    lines = to_text(draw_tree(where, rows, 0, 0, chart, TreeLook(), still, iteration=500)).split("\n")
    named = [line for line in lines if " downs" in line]
    assert len(named) == len(rows)
    assert all("… " in line[:30] for line in named)
    assert ["frozen" in line for line in named] == [row.is_frozen for row in rows]
    assert "frozen from the start" in lines[-1]


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


def state(*entries: StateEntry) -> RunState:
    return RunState(entries, (), 100)


def test_the_tree_shows_names_columns_values_bands_and_words() -> None:
    where = frame(150, 9, gutter=52)
    rows = make_rows()
    rows[1] = replace(rows[1], dead=6, moving=2, incidents=(500,))
    series = make_series(rows, axis_of(where))
    ratios = make_series(rows, axis_of(where), 2e-3)
    dead = state(StateEntry(Standing.DEAD, "conv1", (1, 4), (10, 10), 64))
    look = TreeLook("mean of weights", filters=402, flagged=500)
    cells = draw_tree(where, rows, 0, 1, series, look, ratios, (), 500, dead)
    text = to_text(cells).split("\n")
    assert text[0].startswith(" Layers                dead moving   ratio   value  mean of weights")
    assert text[0].endswith("−1.00 ██████  ██████ +1.00")
    assert text[1] == " 2 of 402 filters dead: conv1 1 4"
    assert text[2].startswith(" ▾ stem                              0.002          ──────")
    assert text[3].startswith("▌ ■ conv1 3×3             6      2   0.002  +0.010  ██▇▇▆")
    assert text[5].startswith(" ▸ layer1 BasicBlock                 0.002  +0.010")
    assert text[8] == (
        " conv1 at 500: update ratio 0.002, healthy (1e-4 to 1e-2) · 6 of 64 dead · 2 still moving"
        " · mean of weights 0.010"
    )
    assert cells.ch[3, where.column_of(500)] == ord("◆")
    assert cells.fg[3, where.column_of(500)] == DARK.flag
    assert cells.fg[3, 149] == DARK.positive[2]
    assert cells.bg[3, 5] == DARK.selection


@pytest.mark.parametrize(
    ("gutter", "value", "ratio", "counts"),
    [(18, False, False, False), (28, True, False, False), (34, True, True, False), (52, True, True, True)],
)
def test_a_narrow_gutter_drops_counts_then_ratios_then_values(
    gutter: int, value: bool, ratio: bool, counts: bool
) -> None:
    where = frame(120, 6, gutter=gutter)
    rows = make_rows()
    rows[1] = replace(rows[1], dead=6)
    ratios = make_series(rows, axis_of(where), 3e-5)
    text = to_text(draw_tree(where, rows, 0, 9, make_series(rows, axis_of(where)), TreeLook(), ratios, iteration=990))
    assert ("+1.00" in text.split("\n")[2]) == value
    assert ("▾3e-5" in text.split("\n")[2]) == ratio
    assert ("×6" in text.split("\n")[2]) != counts
    assert "conv1 3×3" in text


@pytest.mark.parametrize(
    ("ratio", "words", "colour"),
    [
        (2e-5, "below the healthy 1e-4 to 1e-2", "positive"),
        (2e-3, "healthy (1e-4 to 1e-2)", "live"),
        (0.2, "above the healthy 1e-4 to 1e-2", "lost"),
    ],
)
def test_an_update_ratio_says_if_it_is_healthy(ratio: float, words: str, colour: str) -> None:
    where = frame(150, 8)
    rows = make_rows()
    ratios = replace(make_series(rows, axis_of(where), ratio), statistic=UPDATE_RATIO)
    cells = draw_tree(where, rows, 0, 1, ratios, TreeLook("update ratio"), ratios, iteration=500)
    assert words in to_text(cells).split("\n")[7]
    narrow = frame(50, 8)
    assert (
        words.partition(" the ")[0].partition(" (")[0]
        in to_text(draw_tree(narrow, rows, 0, 1, ratios, TreeLook("update ratio"), ratios, iteration=990)).split("\n")[
            7
        ]
    ), "what is told first gives way to nothing"
    untold = TreeLook("mean of weights", has_ratios=False)
    assert "updates were not recorded" in to_text(draw_tree(frame(50, 8), rows, 0, 1, None, untold, iteration=500))
    expected = getattr(DARK, colour)
    expected = expected[1] if isinstance(expected, tuple) else expected
    assert (cells.fg[3, 60:] == blend_one(expected, DARK.panel, 0.35)).all()
    bars = {2e-5: "▃", 2e-3: "▅", 0.2: "▇"}[ratio]
    assert to_text(cells).split("\n")[3].endswith(bars * 5)


def test_what_is_dead_in_the_whole_network_is_said_as_far_as_there_is_room() -> None:
    many = StateEntry(Standing.DEAD, "layer2.conv", tuple(range(20)), (10,) * 20, 64)
    some = state(StateEntry(Standing.DEAD, "conv1", (1, 4), (10, 10), 64), many)
    frozen = StateEntry(Standing.UNCHANGED, "fc", (), (0,), 10)
    lines = network_lines(state(*some.entries, frozen), 402)
    assert fitting(lines, 200) == "22 of 402 filters dead: conv1 1 4, layer2.conv (20) · 1 layer unchanged: fc"
    assert fitting(lines, 40) == "22 of 402 filters dead · 1 layer unchanged"
    assert network_lines(None, 402) == ("looking for dead filters …",)
    assert network_lines(state(), 402)[0] == "no filter is dead, every layer changes, none is still moving alone"
    lacking = RunState((), ("dead filters could not be told: 3 records, they need 12",), 3)
    assert network_lines(lacking, 402)[0].startswith("dead filters could not be told")


def test_a_box_is_seen_in_one_row_even_where_it_is_thin() -> None:
    """A dim zone with a bright one inside: the bright one is never lost, whichever eighth it lies in."""
    for inner in np.linspace(0.1, 0.9, 33):
        least, most = np.array([[0.0]]), np.array([[1.0]])
        middle = np.array([[inner]])
        for tall in (1, 2):
            ch, fg, bg = zones(least, middle, middle, most, tall, (1, 2, 3))
            assert 1 <= ((fg == 3) & (ch != 32) | (bg == 3)).sum() <= 2, inner
            assert ch.shape == (tall, 1)
    nothing = np.full((1, 1), np.nan)
    ch, _, bg = zones(nothing, nothing, nothing, nothing, 2, (1, 2, 3))
    assert ((ch == 32) & (bg == 1)).all()


def test_a_box_plot_fills_what_it_covers() -> None:
    at = [np.array([[value]]) for value in (0.3, 0.55, 0.7, 0.95)]
    ch, fg, bg = zones(*at, 2, (1, 2, 3))
    assert [chr(one) for one in ch[:, 0]] == ["▄", "▄"]
    assert (fg[0, 0], bg[0, 0]) == (3, 2)
    assert (fg[1, 0], bg[1, 0]) == (1, 2)


def test_a_logarithmic_scale_of_boxes_keeps_small_spreads_apart() -> None:
    boxes = NodeBoxes(TimeAxis(0, 1, 1), "weights", (0,), np.zeros((5, 1, 1)), -1000.0, 1000.0, 0.01)
    heights = box_heights(np.array([-1000.0, -1.0, 0.0, 0.01, 1.0, 1000.0, 9e9, np.nan]), boxes)
    assert heights[:6] == pytest.approx([0.0, 0.3, 0.5, 0.53, 0.7, 1.0], abs=0.005)
    assert heights[6] == 1.0
    assert np.isnan(heights[7])


def test_a_histogram_has_its_bins_from_the_bottom_up_and_the_one_at_the_cursor_in_the_gutter() -> None:
    where = frame(150, 11, gutter=52)
    rows = make_rows(("conv1",))
    shares = np.zeros((3, 8, where.plot_width))
    shares[:, 0], shares[:, 7] = 0.75, 0.25
    shares[:, :, 40:] = np.nan
    chart = NodeHistograms(axis_of(where), "weights", (0, 1, 2), shares, np.tile(np.linspace(-1, 1, 9), (3, 1)))
    cells = draw_tree(where, rows[1:], 0, 0, chart, TreeLook("histograms", ChartKind.HISTOGRAM, 4), iteration=10)
    strong = value_colours(DARK, where.output)
    assert cells.bg[5, 60] == strong[-1], "the lowest bin is the fullest"
    assert cells.fg[2, 60] not in (strong[-1], DARK.panel)
    assert (cells.bg[3:5, 60] == DARK.panel).all()
    text = to_text(cells).split("\n")
    assert text[3].startswith(f"▌  ███{' ' * 18}▃▃▃ ")
    assert text[4].startswith("▌  −1.00 … 1.00")
    late = to_text(draw_tree(where, rows[1:], 0, 0, chart, TreeLook("", ChartKind.HISTOGRAM, 4), iteration=900))
    assert "too coarse" in late


def test_normalisation_layers_have_rows_and_a_statistic_of_their_own() -> None:
    where = frame(150, 9, gutter=52)
    rows = make_rows(("conv1",))
    norm = TreeRow(rows[1].node, False, False, "bn1", "BatchNorm2d", 1, norm=0, about="bn1 (BatchNorm2d, 8 channels)")
    norms = NormSeries(axis_of(where), "mean_shift", (0,), np.full((1, where.plot_width), 0.25), 0.5)
    picture = TreePicture(
        (*rows[:2], norm, rows[2]),
        0,
        2,
        make_series(rows, axis_of(where)),
        TreeLook("mean"),
        beside=BesideSeries((norms,)),
    )
    text = to_text(picture.draw(where, 500)).split("\n")
    assert text[4].startswith("▌ ≈ bn1 BatchNorm2d                          0.250")
    assert text[4].endswith("▄▄")
    assert text[8] == " bn1 (BatchNorm2d, 8 channels) at 500: shift of the running mean 0.250"


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


def test_next_to_nothing_is_not_the_loudest_where_there_is_ascii_alone() -> None:
    """What is negative is reversed there: of a blank that is a whole block."""
    where = frame(60, 4, ColorMode.NONE, ascii_only=True)
    rows = make_rows()
    for value, is_reversed in ((-0.25, True), (-0.001, False), (0.25, False)):
        cells = draw_tree(where, rows, 0, 9, make_series(rows, axis_of(where), value), TreeLook())
        assert (cells.mark[2, 18:] == is_reversed).all()


@pytest.mark.parametrize(("mode", "share"), [(ColorMode.TRUECOLOR, 1.0), (ColorMode.NONE, 0.5)])
def test_two_curves_are_told_apart(mode: ColorMode, share: float) -> None:
    where = frame(150, 9, mode)
    curves = make_curves(axis_of(where))
    for name, height in (("validation_error", 0.0), ("train_error", 1.0)):
        curves.series[name][:] = height
    cells = draw_curves(where, replace(curves, extremes={}), (), False, 500)
    drawn = cells.ch[[1, -1], where.gutter :] > 0x2800
    assert drawn.mean(1).tolist() == [share, 1.0]
    assert ("⋯⋯" in to_text(cells)) == (share < 1)


@pytest.mark.parametrize(("mode", "share"), [(ColorMode.TRUECOLOR, 1.0), (ColorMode.NONE, 0.5)])
def test_a_filter_and_the_median_of_its_layer_are_told_apart(mode: ColorMode, share: float) -> None:
    """By colour, and where there is none the median is broken: here they lie in rows of their own."""
    where = frame(150, 9, mode)
    history = make_history(axis_of(where), 0.0)
    apart = replace(history.courses[0], **{name: np.full(1000, 1.0) for name in ("median", "low", "high")})
    picture = InspectorPicture("conv1", 3, replace(history, courses=(apart,)))
    drawn = picture.draw(where).ch[1:, where.gutter :] > 0x2800
    assert [row.mean() for row in drawn if row.any()] == [share, 1.0]


def test_a_taller_row_leaves_room_for_half_as_many() -> None:
    rows = make_rows(tuple(f"conv{index}" for index in range(40)))
    low, high = (TreePicture(rows[7:], 7, 7, None, TreeLook(tall=tall)) for tall in (1, 2))
    assert (len(low.shown(13)), len(high.shown(13)), len(high.shown(0))) == (10, 5, 0)
    assert low.shown(13)[0] == rows[7]


def test_a_long_tree_has_a_thumb() -> None:
    where = frame(80, 6)
    rows = make_rows(tuple(f"conv{index}" for index in range(40)))
    tops = [to_text(draw_tree(where, rows, top, top, None, TreeLook())) for top in (0, 38)]
    thumbs = [draw_tree(where, rows, top, top, None, TreeLook()).fg[1:5, 17].tolist() for top in (0, 38)]
    assert "▐" in tops[0]
    assert thumbs[0][0] == thumbs[1][-1] == DARK.muted
    assert thumbs[0][-1] == thumbs[1][0] == DARK.line


@pytest.mark.parametrize("chart", list(ChartKind))
def test_every_chart_of_the_tree_shows_something(chart: ChartKind) -> None:
    where = frame(100, 9)
    rows = make_rows()
    cells = draw_tree(where, rows[1:], 0, 1, make_chart(rows, axis_of(where), chart), TreeLook("", chart, chart.tall))
    assert ((cells.ch[2, 28:] != 32) | (cells.bg[2, 28:] != DARK.panel)).mean() > 0.75


def test_the_filters_header_says_what_is_shown_and_the_legend_has_real_values() -> None:
    where = frame(150, 8)
    cells = draw_filters(where, make_heatmap(axis_of(where), 8), 5, LOOK, 500)
    header = to_text(cells).split("\n")[0]
    assert header.startswith(
        f" Filters  layer1.conv{' ' * 13}256 filters × 1,000 records   cosine distance · 21.3 filters/px"
    )
    assert " ≤ 2e-8 " in header
    assert header.endswith(" ≥ 0.020")


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [
        ("layer3.0.conv1 3×3", 80, "layer3.0.conv1  256 filters   cosine distance "),
        ("encoder.layer3.0.conv1 3×3", 80, "…layer3.0.conv1  256 filters   cosine distance "),
        ("layer3.0.conv1 3×3", 60, "…conv1  256 filters"),
        ("layer3.0.conv1 3×3", 150, "layer3.0.conv1 3×3  "),
    ],
)
def test_the_end_of_a_layers_name_stays_in_the_header(name: str, width: int, shown: str) -> None:
    """It said "layer3…" at 80 columns."""
    where = frame(width, 8)
    cells = draw_filters(where, make_heatmap(axis_of(where), 8), 5, replace(LOOK, node=name), 500)
    assert f" Filters  {shown}" in to_text(cells)


@pytest.mark.parametrize("width", [60, 64, 70, 80, 90, 100, 120, 150, 200, 300])
def test_header_and_legend_never_overlap(width: int) -> None:
    where = frame(width, 8)
    header = to_text(draw_filters(where, make_heatmap(axis_of(where), 8), 5, LOOK, 500)).split("\n")[0]
    assert "256 filters" in header
    assert " ≤ 2e-8 " in header
    assert header.rstrip().endswith(" ≥ 0.020")


def test_the_heatmap_is_as_strong_as_its_values() -> None:
    where = frame(60, 6)
    heatmap = make_heatmap(axis_of(where), 6, filters=10)
    cells = draw_filters(where, heatmap, 0, LOOK)
    strong = value_colours(DARK, where.output)
    assert cells.fg[1, 18] == strong[0] != DARK.panel
    assert cells.bg[4, 18] == strong[-1]
    assert cells.bg[4, 59] == strong[0]
    empty = draw_filters(where, make_heatmap(axis_of(where), 6, fill=np.nan), 0, LOOK)
    assert (empty.bg[1:, 18:] == DARK.panel).all()
    assert (empty.ch[1:5, 18:] == ord("·")).all(), "no value is not a small one"


def test_what_stands_out_among_the_filters_is_listed_at_the_foot() -> None:
    where = frame(150, 8)
    look = replace(LOOK, standing=("filters 1 4 dead since 1,010 · filter 3 still moving", "2 dead"))
    heatmap = make_heatmap(axis_of(where), 8)
    assert to_text(draw_filters(where, heatmap, 5, look, 500)).split("\n")[7] == (
        " layer1.conv: filters 1 4 dead since 1,010 · filter 3 still moving"
    )
    assert to_text(draw_filters(frame(30, 8), heatmap, 5, look, 500)).split("\n")[7] == " layer1.conv: 2 dead"


def test_the_filters_gutter_reads_out_and_marks() -> None:
    where = frame(150, 8)
    text = to_text(draw_filters(where, make_heatmap(axis_of(where), 8), 5, LOOK, 500)).split("\n")
    assert text[1][31:34] == "5▸○"
    assert text[2].startswith("  filter        5")
    assert text[3].startswith("  value")
    assert text[4].startswith("  × dead        1")
    assert text[5].startswith("  ~ moving      0")
    assert text[6].startswith("  ○ late start  1")
    assert text[6][29:32] == "255"
    assert sum(line[33:34] == "×" for line in text[1:]) == 1
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
    assert (cells.bg[4, 18] == again.bg[4, 18 + 62 // 4]).all()
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


def test_every_column_of_the_structure_has_room_in_80_columns() -> None:
    head = to_text(make_structure("layer3.0.downsample.0").draw(frame(80, 8))).splitlines()[0]
    assert head.split() == ["Structure", "kind", "kernels", "filters", "dead", "moving"]
