"""Box plots, structure and the confusion matrix: what they show, at every size, and what a slider does."""

from __future__ import annotations

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from dtui.model import TimeAxis
from dtui.query import open_run
from dtui.reports import build, build_report, write_report
from dtui.reports.charts import theme
from dtui.reports.charts.pictures.boxes import BoxPanel, box_picture
from dtui.reports.charts.pictures.matrix import MatrixSheet, matrix_picture, shade
from dtui.reports.charts.pictures.structure import structure_picture
from dtui.reports.charts.vectors import CHARACTER
from dtui.reports.document import Picture, Pieces
from dtui.reports.rows import TreeRow
from dtui.reports.sections.confusions import MOST_CLASSES
from tests.reports.browser import Browser
from tests.reports.fake_query import FakeQuery

AXIS = TimeAxis(0, 100, 4)
FAULTS = Path(__file__).parents[2] / "sample_runs" / "mnist-faults"


def picture_of(query: object, section: str) -> Picture:
    report = build_report([query], [section])  # type: ignore[list-item]
    (found,) = (one for one in report.chapters[0].sections[0].items if isinstance(one, Picture))
    return found


def boxes(svg: str) -> list[ElementTree.Element]:
    return [one for one in ElementTree.fromstring(svg).iter() if one.tag.endswith("rect")]


def on_paper(picture: Picture) -> str:
    """Return all pieces of a picture on paper as one drawing."""
    assert isinstance(picture.paper, Pieces)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{"".join(map(str, picture.paper.parts))}</svg>'


def words(svg: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(svg).iter() if one.tag.endswith("text")]


def test_a_box_stands_for_each_stretch_and_none_where_a_value_is_missing() -> None:
    five = np.array([-4.0, -1.0, 0.5, 1.0, 4.0])[:, None] * np.ones(4)
    five[:, 2] = np.nan
    shown = box_picture("b", [BoxPanel("a <&>", five, (30,))], AXIS, "said")
    for svg in (shown.svg, shown.narrow, on_paper(shown)):
        found = boxes(svg)
        assert len(found) == 3
        heights = {round(float(one.get("height", "")), 1) for one in found}
        assert heights == {26.0}, "the middle half is a quarter of the scale"
        assert svg.count(theme.LOST) == 1, "where the incident begins"
        assert "a <&>" in words(svg)
        assert {"4", "0", "−4", "100"} <= set(words(svg))
    assert "logarithmic" not in shown.svg


def test_an_iteration_stands_at_one_place_in_every_panel() -> None:
    five = np.array([-4.0, -1.0, 0.5, 1.0, 4.0])[:, None] * np.ones(4)
    shown = box_picture("b", [BoxPanel("a", five), BoxPanel("b", five / 30_000)], AXIS, "")
    for svg in (shown.narrow, on_paper(shown)):
        places = [float(one.get("x", "")) for one in boxes(svg)]
        assert places[:4] == places[4:], "however long the labels of its scale are"


def test_one_weight_that_flies_off_leaves_the_boxes_readable() -> None:
    five = np.array([-1.0, -0.1, 0.0, 0.1, 1.0])[:, None] * np.ones(4)
    five[4, 3] = 14_000
    shown = box_picture("b", [BoxPanel("a", five), BoxPanel("b", np.full((5, 4), np.nan))], AXIS, "")
    assert "logarithmic" in words(shown.svg)
    assert "no finite values" in words(shown.svg)
    assert all(float(one.get("height", "")) > 4 for one in boxes(shown.svg))


def test_the_layers_of_incidents_come_first_and_words_say_what_changed() -> None:
    with open_run(FAULTS) as run:
        shown = picture_of(run, "boxes")
        named = run.verdict().worst[0].layers[0]
    bold = [one.text for one in ElementTree.fromstring(shown.svg).iter() if one.get("font-weight") == "bold"]
    assert bold[0] == named == "layer3.0.conv1"
    assert len(bold) == 6
    assert "is in layer3.0.conv1." in shown.description
    assert shown.svg.count(theme.LOST) == 2, "one incident names layer3.0.conv1, one layer2.1.conv1"


def structure(stages: int) -> list[TreeRow]:
    """Stages of two layers each, between two layers."""
    rows = [TreeRow("conv1", "conv1", "3×3", "Conv2d", 8, -1, 0, False)]
    for stage in range(stages):
        top = len(rows)
        rows.append(TreeRow(f"stage{stage} <&>", f"stage{stage}", "", "Sequential", 16, -1, 0, True))
        rows += [TreeRow(name, f"stage{stage}.{name}", "", "Conv2d", 8, top, 1, False) for name in ("a", "b")]
    return [*rows, TreeRow("fc", "fc", "", "Linear", 10, -1, 0, False)]


def test_a_module_is_as_wide_as_the_layers_that_it_holds() -> None:
    rows = structure(3)
    shown = structure_picture("s", rows, [3], "", "said")
    for svg, side in ((shown.svg, "width"), (shown.paper, "width"), (shown.narrow, "height")):
        found = boxes(svg)
        assert len(found) == len(rows)
        sizes = [float(one.get(side, "")) for one in found]
        assert sizes[1] == pytest.approx(sizes[2] + sizes[3], abs=2.1), "but for the frame"
        assert [k for k, one in enumerate(found) if one.get("stroke") == theme.LOST] == [3]
        assert {"conv1", "stage0 <&>", "fc"} <= {word.partition("  ")[0] for word in words(svg)}


def test_a_narrow_module_with_a_long_name_takes_the_room_that_its_name_needs() -> None:
    rows = structure(3)
    rows[1] = replace(rows[1], label="a_long_name_of_a_stage")
    svg = structure_picture("s", rows, [], "", "").svg
    assert "a_long_name_of_a_stage" in words(svg), "whole, and within its box"
    widths = [float(one.get("width", "")) for one in boxes(svg)]
    assert widths[1] > CHARACTER * len("a_long_name_of_a_stage")
    assert widths[1] > widths[4]


def test_names_without_room_beside_each_other_stand_below_each_other() -> None:
    shown = structure_picture("s", structure(20), [3], "", "said")
    for svg in (shown.svg, shown.paper):
        assert [word.partition("  ")[0] for word in words(svg)].count("a") == 20, "a layer of each stage"


def test_of_a_very_deep_network_the_outermost_modules_are_drawn() -> None:
    rows = structure(200)
    found = boxes(structure_picture("s", rows, [3], "", "").svg)
    assert len(found) == 202
    assert [k for k, one in enumerate(found) if one.get("stroke") == theme.LOST] == [1], "the module that holds it"


def sheet(*, has_others: bool = False) -> MatrixSheet:
    counts = np.zeros((3, 2, 3), int)
    counts[:, 0, 0], counts[:, 1, 1] = (50, 20, 49), (40, 40, 40)
    counts[1, 0, 1], counts[2, 0, 2] = 30, 1
    return MatrixSheet(("cat", "dog <&>"), np.array([0, 10, 20]), counts, np.array([[50, 40]] * 3), has_others, 1)


def test_the_matrix_stands_at_the_last_validation_and_on_paper_at_three() -> None:
    shown = matrix_picture("m", sheet(has_others=True), [0, 1, 2], "t", "said")
    for svg in (shown.svg, shown.narrow):
        cells = [(one.get("data-cell"), one.get("fill")) for one in boxes(svg)]
        assert dict(cells)["0 2"] == shade(1 / 50)
        assert dict(cells)["0 1"] == "#ffffff"
        assert len(cells) == 2 * 3
    assert [word for word in words(shown.paper) if ", at " in word] == ["first, at 0", "worst, at 10", "last, at 20"]
    assert shown.paper.count(shade(30 / 50)) == 1
    sizes = [float(size) for size in re.findall(r'font-size="(\d+)"', shown.paper)]
    assert min(sizes) >= 11, "8 points on paper"
    data = json.loads(_data(shown.svg))
    assert (data["iterations"], data["rows"], data["unit"]) == ([0, 10, 20], 2, 1)
    assert "data-matrix" not in shown.narrow, "no picture twice"


def _data(svg: str) -> str:
    return ElementTree.fromstring(svg).attrib["data-matrix"]


def test_a_name_that_leans_stays_on_a_narrow_page() -> None:
    names = tuple(f"class {k:03}" for k in range(11))
    counts = np.ones((1, 11, 12), dtype=np.int64)
    made = MatrixSheet(names, np.array([0]), counts, np.full((1, 11), 50), True, 0)
    drawn = ElementTree.fromstring(matrix_picture("m", made, [0], "t", "").narrow)
    last = next(one for one in drawn.iter() if one.text == "others")
    assert float(last.get("x", "0")) + 6 * len("others") * math.cos(math.radians(65)) <= 360


def test_of_many_classes_those_of_incidents_and_of_confusions_are_shown() -> None:
    query = FakeQuery(classes=[f"class {k:03d}" for k in range(40)])
    shown = picture_of(query, "confusions")
    names = json.loads(_data(shown.svg))["names"]
    assert len(names) - 1 <= MOST_CLASSES
    wanted = {label for one in query.verdict().worst for label in one.classes[:1]}
    assert wanted, "the invented run has such incidents"
    assert {query.names[label] for label in wanted} <= set(names)
    assert {query.names[(label + 1) % 40] for label in wanted} <= set(names), "and what they became"
    assert f"{len(names) - 1} of 40 classes" in shown.description


@pytest.fixture
def page(tmp_path: Path, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> Browser:
    monkeypatch.setattr(build, "open_run", lambda _: FakeQuery())
    write_report([Path("a")], tmp_path / "a.html", sections=["curves", "confusions"])
    browser.open(tmp_path / "a.html")
    browser.wake_charts()
    browser.wait_for("document.querySelector('.slider input') !== null")
    return browser


def test_the_slider_and_the_crosshair_lead_the_matrix(page: Browser) -> None:
    query = FakeQuery()
    cell = "document.querySelector('#run1-confusion-matrix text[data-cell=\"2 3\"]').textContent"
    slider = "document.querySelector('.slider input')"

    def wrong(step: int) -> str:
        count = int(query.confusion_times(2).counts[0, step])
        return str(count) if count else ""

    assert page.run(cell) == wrong(query.records - 1)
    page.run(f"{slider}.focus()")
    for kind in ("keyDown", "keyUp"):
        page.call("Input.dispatchKeyEvent", type=kind, key="Home", code="Home", windowsVirtualKeyCode=36)
    page.wait_for(f"{cell} === {wrong(0)!r} && {slider}.value === '0'")
    page.wait_for("dtuiReport.views['run1-error'].signal('iteration') === 0")
    assert "taken for" in page.run(f"{slider}.getAttribute('aria-valuetext')")
    page.run(f"dtuiReport.show('run1', {20 * query.every + 3})")
    page.wait_for(f"{slider}.value === '20' && {cell} === {wrong(20)!r}")
    page.run("dtuiReport.show('run1', null)")
    page.wait_for(f"{slider}.value === '0'")
    assert page.console == []


def test_without_scripts_the_last_matrix_stands_there(page: Browser, tmp_path: Path) -> None:
    page.open(tmp_path / "a.html", scripts=False)
    root = page.call("DOM.getDocument", depth=0)["root"]["nodeId"]
    found = page.call("DOM.querySelectorAll", nodeId=root, selector="#run1-confusion-matrix svg [data-cell]")["nodeIds"]
    assert len(found) == 2 * 2 * 6 * 6
    assert not page.call("DOM.querySelectorAll", nodeId=root, selector=".slider")["nodeIds"]
