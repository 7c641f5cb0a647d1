"""Pictures for paper: nothing is lost between pages, and each fits one."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from dtui.model import TimeAxis
from dtui.reports.charts import svg, theme
from dtui.reports.charts.heatmap import Group, Strip, class_heatmap_pages
from dtui.reports.charts.horizon import HorizonRow
from dtui.reports.charts.horizon_paper import horizon_pages

AXIS = TimeAxis(0, 100, 20)


def rows(count: int) -> list[HorizonRow]:
    """A top module that holds all others."""
    top = HorizonRow("top", "", "Net", count, -1, 0, True)
    return [top, *(HorizonRow(f"layer{k} <&>", "3×3", "Conv2d", 1, 0, 1, False) for k in range(1, count))]


@pytest.mark.parametrize("count", [1, 36, 41, 78, 200])
def test_every_row_stands_on_one_page_of_a_tree(count: int) -> None:
    values = np.random.default_rng(3).normal(size=(count, 20))
    bad = np.zeros((count, 20), bool)
    bad[-1, 5:7] = True
    pages = horizon_pages(rows(count), values, 2.0, AXIS, quantity="mean <&>", stages=[50], nonfinite=bad)
    parsed = [ElementTree.fromstring(page) for page in pages]
    assert all(float(page.get("height", "")) <= theme.PAPER_HEIGHT for page in parsed)
    assert {float(page.get("width", "")) for page in parsed} == {theme.GUTTER + theme.PAPER_PLOT + theme.MARGIN}
    names = [node.text for page in parsed for node in page.iter() if (node.text or "").startswith(("top", "layer"))]
    assert len(names) == count
    assert sum(page.count(theme.LOST) for page in pages) == 1
    assert all("in top" in page for page in pages[1:]), "where a page begins"
    sizes = [int(size) for page in pages for size in re.findall(r'font-size="(\d+)"', page)]
    assert min(sizes) >= 11, "8 points on paper"
    assert pages == horizon_pages(rows(count), values, 2.0, AXIS, quantity="mean <&>", stages=[50], nonfinite=bad)


@pytest.mark.parametrize("sizes", [(1,), (40,), (20, 20, 20), (1, 29, 1), (64,), (300, 700)])
def test_every_class_stands_on_one_page_of_the_heatmap(sizes: tuple[int, ...]) -> None:
    values = np.linspace(0, 1, 20)
    groups = [
        Group(f"g{k}", values, tuple(Strip(f"g{k}c{n}", values, ()) for n in range(size)), ())
        for k, size in enumerate(sizes)
    ]
    pages = class_heatmap_pages(groups, AXIS, stages=[])
    assert all(page["height"] + 74 <= theme.PAPER_HEIGHT for page in pages)
    assert {page["width"] for page in pages} == {theme.PAPER_PLOT}
    data = [row for page in pages for row in page["data"][0]["values"]]
    names = " ".join(name for row in data if not row["heading"] for name in row["names"])
    if sum(sizes) <= 64:
        assert names.split() == [f"g{k}c{n}" for k, size in enumerate(sizes) for n in range(size)]
    assert all(page["data"][0]["values"][0]["heading"] for page in pages), "a page begins with the name of its cluster"


@pytest.mark.parametrize(("first", "stop"), [(0, 1), (0, 10), (0, 2400), (7, 1_600_003), (10**9, 10**9 + 50)])
def test_ticks_are_round_and_have_room(first: int, stop: int) -> None:
    axis = TimeAxis(first, stop, 10)
    found = svg.ticks(axis, 480)
    assert len(found) <= 480 / svg.TICK_ROOM + 1
    assert len(found) >= 1
    assert all(first <= tick <= stop for tick in found)
    steps = set(np.diff(found).tolist())
    assert len(steps) <= 1
    assert all(str(step).rstrip("0") in ("1", "2", "5") for step in steps)


def test_a_name_is_cut_where_it_does_not_fit() -> None:
    assert svg.cut("short", 100) == "short"
    assert svg.cut("a" * 50, 62) == "a" * 9 + "…"
    assert svg.cut("猫" * 50, 62) == "猫" * 4 + "…"
