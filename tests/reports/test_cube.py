"""The sections on incidents × layers and on the cube: what their pictures hold, and what they say in words."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from dtui.model import Layer, TimeAxis
from dtui.model.cube import CubeRequest, RowKind, module_groups
from dtui.reports import build, build_report, write_report
from dtui.reports.charts import correlation
from dtui.reports.charts.correlation import GridSheet, abstract_grid, detailed_grid, row_name
from dtui.reports.charts.cube import DEPTH, CubeSheet, cube_picture
from dtui.reports.charts.vectors import colour_of, fitted, short
from dtui.reports.document import Paragraph, Picture, Table
from dtui.reports.output.markdown import render_markdown
from dtui.reports.output.text import render_text
from dtui.reports.sections import correlation as unusual
from tests import grids
from tests.reports.browser import Browser
from tests.reports.fake_query import HOSTILE, FakeQuery

LAYERS = tuple(Layer(k, f"stage{k // 3}.conv{k % 3}", "Conv2d", (12, 3, 3, 3), 12 * k) for k in range(7))
INCIDENTS = grids.incidents((100, 200, 300, 450, 450, 620), 3, LAYERS)
SVG = "{http://www.w3.org/2000/svg}"


def sheet_of(names: tuple[str, ...] = ("cat", "dog", "3")) -> GridSheet:
    grid = grids.grid(INCIDENTS, LAYERS)
    rows = tuple(row_name(row.kind, row.label, names) for row in grid.rows)
    return GridSheet(grid, tuple(range(len(rows))), rows, tuple(layer.name for layer in LAYERS))


def cube_sheet(**more: object) -> CubeSheet:
    sheet = sheet_of()
    request = CubeRequest(TimeAxis(0, 800, 80), **more)  # type: ignore[arg-type]
    return CubeSheet(grids.cube(sheet.grid, request), sheet, "norm of updates")


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}text")]


def said(svg: str) -> list[str]:
    return [element.text or "" for element in parsed(svg).iter(f"{SVG}title")]


# --- the grid
def test_the_abstract_picture_counts_every_cell_and_names_what_it_counts() -> None:
    sheet = sheet_of()
    picture = abstract_grid("a", sheet, "words")
    assert parsed(picture.svg).get("aria-label") == "words"
    shown = texts(picture.svg)
    assert {"cat", "class 3", "all classes", "no class"} <= set(shown)
    assert {layer.name for layer in LAYERS} <= set(shown)
    assert {"stage0", "stage1"} <= set(shown)
    titles = said(picture.svg)
    for row, layer in zip(*np.nonzero(sheet.grid.counts), strict=True):
        count = int(sheet.grid.counts[row, layer])
        words = f"{sheet.names[row]} × {LAYERS[layer].name}: {count} filter{'s' * (count > 1)}"
        assert any(title.startswith(words) for title in titles), words
    rows = [element for element in parsed(picture.svg).iter(f"{SVG}text") if float(element.get("x", "0")) > 1100 - 64]
    totals = [f"{total:,}" for total in sheet.grid.counts.sum(axis=1).tolist()]
    assert [element.text for element in rows if element.text != "in all" and element.get("y") != "11"] == totals
    assert any(correlation.NAMED in text for text in shown)


def test_in_detail_a_bar_is_as_wide_as_its_mini_set_and_stands_at_each_of_its_incidents() -> None:
    sheet = sheet_of()
    picture = detailed_grid("a", sheet, "words")
    bars: dict[str, list[float]] = {}
    for element in parsed(picture.svg).iter(f"{SVG}rect"):
        title = element.find(f"{SVG}title")
        if title is not None and "importance" in (title.text or ""):
            bars.setdefault(str(title.text), []).append(float(element.get("width", "0")))
    grid = sheet.grid
    for one in grid.found.mini_sets:
        filters = ", ".join(map(str, one.filters[:12])) + (" …" if len(one.filters) > 12 else "")
        own = bars[f"{LAYERS[one.layer].name} filters {filters}: importance {one.importance}"]
        held = sum(grid.holds(one, event) for row in grid.rows for event in row.events)
        assert len(own) == held >= 1
    sizes = {
        len(one.filters): bars[
            f"{LAYERS[one.layer].name} filters {', '.join(map(str, one.filters))}: importance {one.importance}"
        ][0]
        for one in grid.found.mini_sets
    }
    assert len(sizes) > 1
    unit = {round((width + 1) / size, 1) for size, width in sizes.items()}
    assert len(unit) == 1, "each filter is as wide as any other"
    iterations = [f"{event.iteration:,}" for event in grid.found.events]
    assert sorted(text for text in texts(picture.svg) if text in iterations) == sorted(iterations)


def test_a_narrow_page_gets_a_picture_of_its_own() -> None:
    for picture in (
        abstract_grid("a", sheet_of(), ""),
        detailed_grid("a", sheet_of(), ""),
        cube_picture("a", cube_sheet(), ""),
    ):
        assert float(parsed(picture.svg).get("width", "0")) == picture.width == 1100
        assert float(parsed(picture.narrow).get("width", "0")) == 360
        for svg in (picture.svg, picture.narrow):
            assert "style=" not in svg
            assert "<script" not in svg


def test_a_long_name_of_a_layer_keeps_the_end_that_tells_it_apart() -> None:
    ends = ("q_proj.lora_A.default", "q_proj.lora_B.default", "v_proj.lora_A.default", "v_proj.lora_B.default")
    layers = tuple(
        Layer(k, f"base_model.model.vit.layers.1.attention.{end}", "Linear", (12, 3), 12 * k)
        for k, end in enumerate(ends)
    )
    grid = grids.grid(grids.incidents((100, 200, 300), 3, layers), layers)
    sheet = GridSheet(grid, tuple(range(len(grid.rows))), ("row",) * len(grid.rows), tuple(one.name for one in layers))
    for picture in (abstract_grid("a", sheet, ""), detailed_grid("a", sheet, "")):
        for svg in (picture.svg, picture.narrow):
            names = [text for text in texts(svg) if text.endswith(".default")]
            assert {name[-len(ends[0]) :] for name in names} == set(ends)


def test_a_layer_outside_modules_has_its_name_once() -> None:
    layers = tuple(Layer(k, f"conv{k}", "Conv2d", (12, 3, 3, 3), 12 * k) for k in range(4))
    grid = grids.grid(grids.incidents((100, 200, 300), 3, layers), layers)
    sheet = GridSheet(grid, tuple(range(len(grid.rows))), ("row",) * len(grid.rows), tuple(one.name for one in layers))
    for picture in (abstract_grid("a", sheet, ""), detailed_grid("a", sheet, "")):
        for svg in (picture.svg, picture.narrow):
            names = [text for text in texts(svg) if text.startswith("co")]
            assert names == sorted(set(names)) != []


def test_the_cube_says_what_its_shades_are_and_names_its_rows_whole() -> None:
    sheet = cube_sheet()
    short_names = replace(sheet.grid, layers=tuple(f"l{k}" for k in range(len(LAYERS))))
    picture = cube_picture("a", replace(sheet, grid=short_names), "")
    for svg in (picture.svg, picture.narrow, picture.paper):
        shown = texts(svg)
        assert "error of a class: 0 to 100 %" in shown
        assert any(text.startswith("norm of updates: ") for text in shown)
        assert {"all classes", "no class"} <= set(shown)
        assert not any("…" in text for text in shown)


@pytest.mark.parametrize(
    ("kind", "label", "name"),
    [
        (RowKind.ALL, None, "all classes"),
        (RowKind.NO_CLASS, None, "no class"),
        (RowKind.CLASS, 0, "cat"),
        (RowKind.CLASS, 1, "class 7"),
        (RowKind.CLASS, 5, "class 5"),
    ],
)
def test_a_row_has_a_name_that_says_what_it_is(kind: RowKind, label: int | None, name: str) -> None:
    assert row_name(kind, label, ("cat", "7")) == name


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (("conv1", "layer1.0.a", "layer1.1.a", "layer2.0.a", "fc"),
         (("conv1", 1), ("layer1", 2), ("layer2", 1), ("fc", 1))),
        (("model.layers.0.q", "model.layers.0.k", "model.layers.1.q", "head"),
         (("model.layers.0", 2), ("model.layers.1", 1), ("head", 1))),
        (("a", "b"), (("a", 1), ("b", 1))),
        (("net.a", "net.b", "net.c"), (("net.a", 1), ("net.b", 1), ("net.c", 1))),
        (("x", "x.y", "x"), (("x", 3),)),
        ((), ()),
    ],
)  # fmt: skip
def test_layers_are_grouped_by_the_modules_that_tell_them_apart(names, groups) -> None:
    if names[:2] == ("x", "x.y"):
        assert sum(count for _, count in module_groups(names)) == 3
    else:
        assert module_groups(names) == groups


# --- the cube
def test_the_cube_has_three_faces_whose_edges_meet() -> None:
    sheet = cube_sheet()
    svg = cube_picture("c", sheet, "words").svg
    root = parsed(svg)
    data = json.loads(root.get("data_cube") or root.get("data-cube") or "")
    depth, height = data["unit"] * len(data["rows"]), data["row"] * len(data["layers"])

    def placed(face: str, x: float, y: float) -> tuple[float, float]:
        a, b, c, d, e, f = data["oblique"][face]
        return round(a * x + c * y + e, 6), round(b * x + d * y + f, 6)

    for share in (0.0, 0.3, 1.0):
        x, y, z = share * data["width"], share * height, share * depth
        assert placed("front", x, 0) == placed("top", x, 0), "time"
        assert placed("front", data["width"], y) == placed("right", 0, y), "layers"
        assert placed("top", data["width"], z) == placed("right", z, 0), "classes"
    assert DEPTH[0] > 0 < DEPTH[1]
    flat = data["flat"]
    assert all(flat[face][1] == flat[face][2] == 0 for face in flat), "nothing is slanted"
    faces = {element.get("data-face") for element in root.iter(f"{SVG}g")} - {None}
    assert faces == {"front", "top", "right"}
    assert len(list(root.iter(f"{SVG}image"))) == 2
    assert {layer.name for layer in LAYERS} <= set(texts(svg))


def test_every_incident_is_a_vector_on_the_faces() -> None:
    sheet = cube_sheet()
    root = parsed(cube_picture("c", sheet, "").svg)
    grid = sheet.grid.grid
    marks: dict[str, dict[int, int]] = {}
    for face in root.iter(f"{SVG}g"):
        if face.get("data-face"):
            own = marks.setdefault(str(face.get("data-face")), {})
            for mark in face.iter():
                if mark.get("data-event"):
                    own[int(mark.get("data-event", ""))] = own.get(int(mark.get("data-event", "")), 0) + 1
    events = range(len(grid.found.events))
    assert marks["top"] == dict.fromkeys(events, 1)
    assert marks["front"] == {event: int((grid.filters[event] > 0).sum()) for event in events}
    held = {event: sum(grid.holds(one, event) for one in grid.found.mini_sets) for event in events}
    assert marks["right"] == held


def test_the_lowest_class_has_its_name_above_that_of_the_first_layer_on_a_narrow_page() -> None:
    sheet = cube_sheet()
    many = tuple(Layer(k, f"layer{k // 6}.conv{k % 6}", "Conv2d", (12, 3, 3, 3), 12 * k) for k in range(54))
    grid = grids.grid(grids.incidents((100, 200, 300, 450, 450, 620), 3, many), many)
    rows = tuple(row_name(row.kind, row.label, ("cat", "dog", "3")) for row in grid.rows)
    shown = GridSheet(grid, tuple(range(len(rows))), rows, tuple(layer.name for layer in many))
    cube = CubeSheet(grids.cube(grid, CubeRequest(TimeAxis(0, 800, 80))), shown, sheet.quantity)
    picture = parsed(cube_picture("cube", cube, "words").narrow)
    classes = next(one for one in picture.iter(f"{SVG}g") if one.get("data-part") == "classes")
    layers = next(one for one in picture.iter(f"{SVG}g") if one.get("data-part") == "layers")
    names = [element.text for element in classes]
    assert names == list(rows), "of few classes each has its name"
    heights = sorted(float(element.get("y", "0")) for element in (*classes, *layers))
    assert min(np.diff(heights)) >= 9 - 0.01, "no two names meet"


def test_layers_share_rows_where_there_are_too_many() -> None:
    sheet = cube_sheet(layer_rows=3)
    assert sheet.layer_names[0] == "stage0.conv0 … stage0.conv1"
    data = json.loads(parsed(cube_picture("c", sheet, "").svg).get("data-cube", ""))
    assert len(data["layers"]) == 3
    grid = sheet.grid.grid
    for event in data["events"]:
        assert sum(event["layers"].values()) == grid.filters[event["event"]].sum()


def test_a_hostile_name_stays_text() -> None:
    sheet = sheet_of(tuple(HOSTILE[:3]))
    sheet = replace(sheet, layers=tuple(HOSTILE[k % 4] for k in range(len(LAYERS))))
    cube = CubeSheet(grids.cube(sheet.grid, CubeRequest(TimeAxis(0, 800, 20))), sheet, "norm of updates")
    for picture in (
        abstract_grid("a", sheet, HOSTILE[0]),
        detailed_grid("b", sheet, HOSTILE[0]),
        cube_picture("c", cube, ""),
    ):
        for svg in (picture.svg, picture.narrow):
            names = {element.tag.removeprefix(SVG) for element in parsed(svg).iter()}
            assert names <= {"svg", "g", "rect", "path", "text", "title", "image"}
            assert "<script" not in svg


# --- the sections
def section_of(query: FakeQuery, name: str):
    return build_report([query], [name]).chapters[0].sections


def test_the_sections_say_in_words_what_they_show() -> None:
    (grid,) = section_of(FakeQuery(), "correlation")
    pictures = [item for item in grid.items if isinstance(item, Picture)]
    assert len(pictures) == 2
    assert all(len(picture.description) > 40 for picture in pictures)
    (words,) = [item.text for item in grid.items if isinstance(item, Paragraph)]
    assert "When cat broke (100), filter 0 of conv1 moved most" in words
    assert "σ" in words
    (table,) = [item for item in grid.items if isinstance(item, Table)]
    assert [row.cells[1] for row in table.rows]
    (cube,) = section_of(FakeQuery(), "cube")
    assert any("most filters moved in" in item.text for item in cube.items if isinstance(item, Paragraph))
    assert all(re.match(r"\d+ incidents? in \d+ rows?, with", item.text) for item in cube.items[1:])
    text = render_text(build_report([FakeQuery()], ["correlation", "cube"]))
    assert re.search(r"filter \d+ of conv1 moved most", text)
    for words in (text, render_markdown(build_report([FakeQuery()], ["correlation", "cube"]))):
        assert words.count("most filters moved in") == 1
        assert words.count("Over all incidents") == 1
    assert "<svg" not in text


def test_no_table_stands_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unusual, "LEAST_SIGMA", 1e9)
    (grid,) = section_of(FakeQuery(), "correlation")
    assert not [item for item in grid.items if isinstance(item, Table)]


def test_a_run_without_incidents_or_records_says_so_or_nothing() -> None:
    calm = FakeQuery(records=8)
    for name in ("correlation", "cube"):
        (section,) = section_of(calm, name)
        assert section.items[0].text.startswith("No incident, so there is nothing")
        assert section_of(FakeQuery(records=0), name) == ()


@pytest.mark.parametrize("share", [0.0, 0.31, 1.0, 7.0, -1.0])
def test_a_colour_lies_between_its_neighbours(share: float) -> None:
    assert re.fullmatch("#[0-9a-f]{6}", colour_of(("#000000", "#ffffff"), share))
    assert colour_of(("#000000", "#102030"), 1.0) == "#102030"
    assert colour_of(("#000000", "#102030", "#ffffff"), 0.5) == "#102030"


def test_words_are_cut_where_they_differ_least() -> None:
    assert fitted("layer1.0.conv1", 60) == "layer1.0…"
    assert fitted("layer1.0.conv1", 60, from_end=True) == "….0.conv1"
    assert fitted("fc", 60) == "fc"
    assert [short(value) for value in (1.0, 0.5, 1.239, 100.0)] == ["1", "0.5", "1.24", "100"]


# --- in a browser
def test_the_cube_links_its_faces_and_unfolds(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = FakeQuery()
    monkeypatch.setattr(build, "open_run", lambda _: query)
    write_report([Path("a")], tmp_path / "a.html", sections=["cube"])
    browser.open(tmp_path / "a.html")
    shown = "[...document.querySelectorAll('svg[data-cube]')].find(svg => svg.getClientRects().length)"
    words = "[...document.querySelectorAll('.words')].find(p => p.getClientRects().length).textContent"
    browser.wait_for("document.querySelector('.switch') !== null")
    browser.run("document.querySelector('svg[data-cube]').scrollIntoView()")
    x, y = browser.run(
        f"(() => {{ const box = {shown}.querySelector('[data-face=top] [data-event=\"0\"]').getBoundingClientRect(); "
        "return [box.left + box.width / 2, box.top + box.height / 2]; })()"
    )
    browser.mouse("move", x, y)
    browser.wait_for(f"{words}.includes('at 100: conv1')")
    veil = f"{shown}.querySelectorAll(`[data-face=${{name}}] [data-part=over] rect`).length"
    veils = f"['front', 'top', 'right'].map(name => {veil})"
    assert min(browser.run(veils)) > 0, "what does not belong to it is veiled in every face"
    assert "error" in browser.run(words), "the value is read back from the picture"
    slant = f"{shown}.querySelector('[data-face=top]').transform.baseVal.consolidate().matrix.c"
    assert browser.run(slant) > 0.5
    browser.run("[...document.querySelectorAll('.switch')].find(b => b.getClientRects().length).click()")
    browser.wait_for(f"{slant} === 0")
    browser.run(f"{shown}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'ArrowDown'}}))")
    browser.wait_for(f"{words}.startsWith('conv1')")
    browser.run(f"{shown}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'Escape'}}))")
    browser.run(f"{shown}.dispatchEvent(new KeyboardEvent('keydown', {{key: 'ArrowRight'}}))")
    browser.wait_for(f"{words}.startsWith('iteration 100 ')")
    assert browser.console == []
    assert [url for url in browser.requests if not url.startswith(("data:", "file:"))] == []
