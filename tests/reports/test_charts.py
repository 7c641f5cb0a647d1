"""Charts as values: golden files, a schema, and slow twins of what they draw."""

from __future__ import annotations

import base64
import io
import json
import re
from decimal import Decimal
from itertools import combinations, pairwise
from pathlib import Path
from types import SimpleNamespace

import altair
import jsonschema
import numpy as np
import pytest
from PIL import Image

from dtui.model import Stage, TimeAxis
from dtui.model.findings.telling import Telling
from dtui.reports.charts import theme
from dtui.reports.charts.axis import time_axis
from dtui.reports.charts.curves.chart import curve_chart
from dtui.reports.charts.curves.labels import event_rows, stage_rows, under_labels
from dtui.reports.charts.curves.rows import Curve, Event
from dtui.reports.charts.heatmap import Group, Strip, class_heatmap
from dtui.reports.charts.pictures.evidence import evidence_words
from dtui.reports.charts.pictures.scale import axis_number, percent
from dtui.reports.charts.raster import LEVELS, error_palette, error_picture, ramp
from dtui.reports.charts.ribbon import ribbon_marks
from dtui.reports.charts.rows.horizon import band_paths, dwarfs, full_scales, initially_open, visible_rows
from dtui.reports.charts.vectors import Vectors
from dtui.reports.document import Chart
from dtui.reports.output.convert import ChartConverter
from dtui.reports.rows import TreeRow
from tests.reports.golden_specs import AXIS, FOLDER, anomaly, as_text, specs

SPECS = specs()


@pytest.mark.parametrize("name", SPECS)
def test_specification_is_as_agreed(name: str) -> None:
    agreed = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    assert as_text(SPECS[name]) == agreed, "if this is meant: python -m tests.reports.golden_specs"


@pytest.mark.parametrize("name", [name for name in SPECS if "vega-lite" in SPECS[name]["$schema"]])
def test_specification_follows_the_schema(name: str) -> None:
    schema_file = Path(altair.__file__).parent / "vegalite" / "v6" / "schema" / "vega-lite-schema.json"
    schema = json.loads(schema_file.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(SPECS[name])


def test_every_kind_of_chart_can_be_drawn() -> None:
    with ChartConverter() as converter:
        for name, spec in SPECS.items():
            mode = "vega-lite" if "vega-lite" in spec["$schema"] else "vega"
            svg = converter.draw(Chart(name, "", mode, lambda spec=spec: spec, ""))
            assert svg.startswith("<svg"), name
            if name in ("curves_share", "class_strips"):
                assert "\N{NO-BREAK SPACE}%<" in svg
                assert not re.search(r"\d%<", svg), f"{name}: a share is written otherwise than in the words beside it"
            assert not re.search("NaN|undefined", svg), name


def test_all_charts_share_one_time_axis() -> None:
    paddings = {(spec["width"], spec["padding"]["left"], spec["padding"]["right"]) for spec in SPECS.values()}
    assert paddings == {(theme.PLOT_WIDTH, theme.GUTTER, theme.MARGIN)}


def test_a_curve_breaks_off_where_there_is_no_value_and_a_bar_marks_nan() -> None:
    spec = SPECS["curves_nan"]
    rows = [(row["value"], row.get("missing")) for row in spec["datasets"]["curves"]]
    assert rows == [(2, None), (None, "NaN or Inf"), (1, None), (1, None), (None, "no value"), (0.5, None)]
    assert spec["datasets"]["nonfinite"] == [{"begin": 10, "end": 20}]
    with ChartConverter() as converter:
        svg = converter.draw(Chart("nan", "", "vega-lite", lambda: spec, ""))
    (line,) = re.findall(r'class="mark-line[^>]*><path[^>]* d="([^"]*)"', svg)
    assert line.count("M") == 3


def test_a_curve_that_ends_in_nan_reads_out_nan() -> None:
    values, bad = np.array([1.0, np.nan]), np.array([False, True])
    spec = curve_chart([Curve("loss", "#3d4f63", values, nonfinite=bad)], TimeAxis(0, 2, 2), unit="number")
    assert spec["datasets"]["curves"][-1] == {
        "curve": "loss", "column": 1, "iteration": 1.5, "value": None, "missing": "NaN or Inf", "last": True,
    }  # fmt: skip


def _filled(path: str, columns: int, height: float) -> list[float]:
    """Walk along a path and note the height above the lower edge in each column."""
    heights, y, pen = [0.0] * columns, height, 0
    for step in path.removeprefix(f"M0,{height:g}").removesuffix("Z").replace("h", " h").replace("v", " v").split():
        if step[0] == "h":
            for column in range(pen, pen + int(step[1:])):
                heights[column] = height - y
            pen += int(step[1:])
        else:
            y += float(step[1:])
    assert y == pytest.approx(height), "the outline must end on the lower edge"
    return heights


def test_bands_add_up_to_the_values() -> None:
    generator = np.random.default_rng(3)
    values = generator.normal(0, 0.6, 40)
    values[[4, 20]] = np.nan
    values[7], values[8] = 5.0, -5.0
    height, bands, scale = 24.0, 3, 1.0
    total = {1: np.zeros(40), -1: np.zeros(40)}
    for sign, _, path in band_paths(values, scale, height, bands):
        total[sign] += _filled(path, 40, height)
    for column, value in enumerate(values):
        for sign in (1, -1):
            wanted = min(max(sign * value, 0.0), scale) if value == value else 0.0
            assert total[sign][column] == pytest.approx(wanted * bands * height / scale, abs=0.26 * bands), column


def test_rows_start_on_their_own_scale_where_one_dwarfs_the_others() -> None:
    like = np.outer([1.0, 2.0, 3.0, 4.0], np.ones(6))
    assert full_scales(like).tolist() == [1, 2, 3, 4]
    assert not dwarfs(full_scales(like), 4.0)
    like[3] = 400.0
    assert full_scales(like).tolist() == [1, 2, 3, 400]
    assert dwarfs(full_scales(like), 400.0)
    nothing = np.array([[np.nan, np.nan], [0.0, 0.0], [0.0, np.inf]])
    assert full_scales(nothing).tolist() == [1, 1, 1]


def test_whole_levels_unfold_until_the_page_is_full() -> None:
    def row(parent: int, depth: int, *, is_module: bool) -> TreeRow:
        return TreeRow("", "", "", "", 1, parent, depth, is_module)

    rows = [
        row(-1, 0, is_module=True),
        row(0, 1, is_module=True),
        row(1, 2, is_module=False),
        row(1, 2, is_module=False),
    ]
    assert initially_open(rows, limit=4) == [0, 1]
    assert initially_open(rows, limit=3) == [0]
    assert initially_open(rows, limit=1) == []
    assert initially_open([], limit=1) == []
    assert visible_rows(rows, [0, 1]) == [0, 1, 2, 3]
    assert visible_rows(rows, [1]) == [0], "an open module in a folded one"


def test_picture_gives_its_values_back() -> None:
    values = np.array([[0.0, 0.5, 1.0, np.nan], [0.123, 0.999, 0.004, 2.0]])
    url = error_picture(values)
    image = Image.open(io.BytesIO(base64.b64decode(url.removeprefix("data:image/png;base64,")))).convert("RGBA")
    palette = {colour: level for level, colour in enumerate(error_palette())}
    assert len(palette) == LEVELS, "two levels share a colour"
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, alpha = image.getpixel((column, row))
        if np.isnan(value):
            assert alpha == 0
        else:
            read = palette[red << 16 | green << 8 | blue] / (LEVELS - 1)
            assert (alpha, read) == (255, pytest.approx(min(value, 1.0), abs=0.0026))


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize(
    "colour",
    [theme.INK, theme.MUTED, theme.VALIDATION, theme.TRAIN, theme.LOSS, theme.GAINED, theme.LOST, theme.EVENT],
)
def test_text_colours_can_be_read_on_paper(colour: str) -> None:
    assert _contrast(colour, "#ffffff") >= 4.5


def test_error_darkens_all_the_way() -> None:
    lightness = [_luminance(f"#{r:02x}{g:02x}{b:02x}") for r, g, b in ramp(theme.ERROR_STOPS, LEVELS).tolist()]
    assert all(later < earlier + 1e-4 for earlier, later in pairwise(lightness))


def test_bands_of_a_horizon_graph_differ_in_lightness() -> None:
    for palette in (theme.HORIZON_POSITIVE, theme.HORIZON_NEGATIVE):
        for one, other in combinations(("#ffffff", *palette), 2):
            assert _contrast(one, other) >= 1.4


def test_neighbouring_anomalies_become_one_triangle_of_the_strongest() -> None:
    axis = TimeAxis(0, 1000, 1000)
    found = [anomaly(100, "lost", 0.3), anomaly(101, "lost", 0.6), anomaly(101, "gained", 0.2), anomaly(900, "both", 1)]
    marks = ribbon_marks(found, axis, width=900.0)
    assert [(m.direction, m.iteration, m.anomalies) for m in marks] == [
        ("gained", 101, 1),
        ("gained", 900, 1),
        ("lost", 101, 2),
        ("lost", 900, 1),
    ]
    assert marks[0].size < marks[2].size < marks[3].size
    assert ribbon_marks([anomaly(1500, "lost", 1)], axis, 900.0) == ()


def test_blocks_show_the_largest_error_of_the_classes_that_share_a_row() -> None:
    errors = np.zeros((1200, 6))
    errors[777, 3] = 0.8
    strips = tuple(Strip(f"class {k}", values, ()) for k, values in enumerate(errors))
    spec = class_heatmap([Group("all", errors.mean(axis=0), strips, ())], AXIS, stages=[])
    block = spec["data"][0]["values"][1]
    image = Image.open(io.BytesIO(base64.b64decode(block["url"].removeprefix("data:image/png;base64,")))).convert("RGB")
    assert image.size == (6, 480) == (6, len(block["names"]))
    burst = [(x, y) for x in range(6) for y in range(480) if image.getpixel((x, y)) != image.getpixel((0, 0))]
    assert len(burst) == 1
    first, last = (int(name.removeprefix("class ")) for name in block["names"][burst[0][1]].split(" … "))
    assert first <= 777 <= last


@pytest.mark.parametrize("share", [1 / 54, 4 / 64, 0.10451, 1.0])
def test_a_strip_ends_in_the_same_per_cent_as_the_table(share: float) -> None:
    strip = Strip("cat", np.full(6, share), ())
    spec = class_heatmap([Group("all", strip.values, (strip,), ())], AXIS, stages=[])
    rows = next(data["values"] for data in spec["data"] if data.get("name") == "rows")
    last = next(row["last"] for row in rows if row["last"] is not None)
    assert f"{Decimal(str(last)) * 100:.1f} %" == percent(share)


@pytest.mark.parametrize("span", [900, 99_000, 1_600_000, 4_216])
def test_no_two_iterations_of_a_narrow_axis_meet(span: int) -> None:
    for width in (258, 262, 300):
        drawing = Vectors.picture(width, 40, "")
        time_axis(drawing, TimeAxis(0.0, float(span), 100), width, 0)
        ends = 0.0
        for element in [one for one in drawing.element.iter("text") if (one.text or "").replace(",", "").isdigit()]:
            x, long, at = float(element.get("x", "0")), 6.2 * len(element.text or ""), element.get("text-anchor")
            left = x - long * {"start": 0.0, "middle": 0.5, "end": 1.0}[str(at)]
            assert left >= ends, (span, width, element.text)
            ends = left + long
        assert ends <= width + 20


def test_charts_refuse_what_does_not_fit_together() -> None:
    with pytest.raises(ValueError, match="6 columns"):
        curve_chart([Curve("loss", "#000000", np.zeros(5))], AXIS, unit="number")
    with pytest.raises(ValueError, match="at least one"):
        curve_chart([], AXIS, unit="share")
    with pytest.raises(ValueError, match="class heatmap"):
        class_heatmap([Group("all", np.zeros(5), (), ())], AXIS, stages=[])


def test_a_loss_that_spans_decades_is_drawn_on_a_logarithmic_scale() -> None:
    def scale(values: list[float]) -> object:
        spec = curve_chart([Curve("loss", "#000000", np.array(values))], AXIS, unit="number")
        lines = [layer for layer in spec["layer"] if layer["mark"]["type"] == "line"]
        return lines[0]["encoding"]["y"]["scale"].get("type")

    assert scale([10, 5, 1, 0.5, 0.1, 0.01]) == "log"
    assert scale([2, 1.5, 1, 0.8, 0.5, 0.4]) is None
    assert scale([10, 5, 1, 0.5, 0.1, 0.0]) is None


@pytest.mark.parametrize(("name", "lines"), [("loss", {7.0}), ("gradient norm maximum", {7.0, 25.0})])
def test_a_long_name_and_its_value_do_not_meet(name: str, lines: set[float]) -> None:
    """Beside the curves there is room for both in one line only where the name is short."""
    spec = curve_chart([Curve(name, "#000000", np.ones(6))], AXIS, unit="number")
    texts = [layer for layer in spec["layer"] if layer["mark"]["type"] == "text" and "color" in layer["mark"]]
    places = [layer["encoding"]["y"]["value"]["expr"].partition(" : ")[2] for layer in texts[:2]]
    assert {float(place) for place in places} == lines


@pytest.mark.parametrize(("share", "told"), [(0.9994, "99.9"), (0.9995, "100"), (1.0, "100")])
def test_the_last_value_of_a_share_leaves_room_for_its_name(share: float, told: str) -> None:
    spec = curve_chart([Curve("error", "#000000", np.full(6, share))], AXIS, unit="share")
    with ChartConverter() as converter:
        svg = converter.draw(Chart("a", "", "vega-lite", lambda: spec, ""))
    assert re.search(f'font-weight="bold"[^>]*>{told}\N{NO-BREAK SPACE}%<', svg)


def test_an_event_goes_round_the_label_of_a_stage() -> None:
    axis = TimeAxis(0, 1000, 10)
    stages = stage_rows((Stage(0, 0.1), Stage(500, 0.01)), axis)
    under = under_labels(stages, axis).replace("&&", "and").replace("||", "or").replace("!narrow", "not narrow")

    def hits(iteration: int) -> bool:
        return bool(
            eval(
                under,
                {
                    "datum": SimpleNamespace(iteration=iteration),
                    "width": 760,
                    "narrow": False,
                },
            )
        )

    assert [hits(at) for at in (20, 200, 499, 520, 580, 900)] == [True, False, False, True, False, False]


def test_many_events_neither_pile_up_nor_hide_the_curves() -> None:
    events = [Event(k, "learning rate spike") for k in range(40)]
    spec = curve_chart([Curve("loss", "#000000", np.ones(6))], AXIS, unit="number", events=events)
    lanes = [row["lane"] for row in spec["datasets"]["events"]]
    assert set(lanes) == {-1, 0, 1, 2}
    assert spec["padding"]["top"] < 80
    lines = [
        layer["encoding"]["y2"]["value"]
        for layer in spec["layer"]
        if layer["mark"]["type"] == "rule" and layer["data"]["name"] == "events"
    ]
    assert set(lines) == {0, -19}, "only as far as the curves, and no further than the label of a stage"


def test_the_label_of_a_late_event_stands_left_of_its_line_and_none_overlap() -> None:
    axis = TimeAxis(0, 1000, 10)
    rows = event_rows([Event(k, "a label of some length") for k in (100, 120, 140, 160, 980)], axis, 760)
    assert [row["lane"] for row in rows] == [3, 2, 1, 0, 4]
    assert [row["side"] for row in rows] == ["left", "left", "left", "left", "right"]
    assert [row["thin"] for row in rows] == [3, 2, 1, 0, 4]


def test_evidence_is_told_from_where_it_begins():
    """An incident that begins at 950 and is worst at 951 is told at both, and one that begins at its worst at one."""
    at, values = np.array([949, 950, 951]), np.array([0.85, 24.3, 25.6])
    worse = Telling("gradient", "norm", "number", at, values, None, "", 0.854, 25.6, 951, 24.3, 950)
    assert evidence_words(worse) == "about 0.854 before; 24.3 at 950, 25.6 at 951"
    at_once = Telling("gradient", "norm", "number", at, values, None, "", 0.854, 24.3, 950, 24.3, 950)
    assert evidence_words(at_once) == "about 0.854 before; 24.3 at 950"
    rose = "stayed at 80 % or more (peak 100 % at 951)"
    error = Telling("class", "error", "share", at, np.array([0, 0.8, 1]), None, "", 0.0, 1.0, 951, 0.8, 950, rose)
    assert evidence_words(error) == f"about 0 % before; {rose}", "as the sentence of its incident tells it"


def test_numbers_of_one_axis_have_as_many_digits_as_tell_them_apart() -> None:
    assert [axis_number(share, "share") for share in (0.125, 0.0625, 0.0)] == ["12.5 %", "6.25 %", "0 %"]
    assert [axis_number(share, "share") for share in (1.0, 0.5)] == ["100 %", "50 %"]


def test_the_number_of_classes_does_not_touch_the_error_beside_it() -> None:
    values = np.ones(AXIS.columns)
    spec = class_heatmap([Group("harder", values, (Strip("a", values, ()),) * 2, ())], AXIS, stages=())
    right = [
        mark["encode"]["enter"]["x"]["value"]
        for mark in spec["marks"]
        if mark["type"] == "text"
        and "value" in mark["encode"]["enter"].get("x", {})
        and mark["encode"]["enter"].get("align")
    ]
    widest = 7.5 * len("100.0 %")
    assert right[1] - widest > right[0], "in bold letters"
