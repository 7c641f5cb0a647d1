"""Pictures for paper: nothing is lost between pages, and each fits one."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from dtui.model import BoolArray, FloatArray, TimeAxis
from dtui.reports.charts import axis as time_axes
from dtui.reports.charts import theme
from dtui.reports.charts.heatmap import Group, Strip, class_heatmap_pieces
from dtui.reports.charts.rows.layer_tree import FOLDED, ROWS, paper_rows, still_tree, tree_pieces
from dtui.reports.charts.vectors import fitted
from dtui.reports.document import (
    Card,
    Chapter,
    Gallery,
    Item,
    Paragraph,
    Picture,
    Report,
    Row,
    Section,
    Table,
    Thumbnail,
)
from dtui.reports.output.paper import CARDS, NARROW_ROWS, OF_MANY, on_paper
from dtui.reports.output.paper import ROWS as TABLE_ROWS
from dtui.reports.output.pdf import WHOLE_ROWS, document_data
from dtui.reports.rows import LayerTree, Plane, TreeRow

AXIS = TimeAxis(0, 100, 20)


def tree(count: int, values: FloatArray, nonfinite: BoolArray | None = None) -> LayerTree:
    """A top module that holds all other rows."""
    top = TreeRow("top", "top", "", "Net", count, -1, 0, True)
    rows = (top, *(TreeRow(f"layer{k} <&>", f"top.layer{k}", "3×3", "Conv2d", 1, 0, 1, False) for k in range(1, count)))
    plane = Plane("mean", "weights", "mean <&>", values, 2.0, nonfinite)
    return LayerTree("t", "", rows, (plane,), AXIS, [50])


@pytest.mark.parametrize("count", [1, 36, 41, 78, 200])
def test_every_row_stands_in_one_piece_of_a_tree(count: int) -> None:
    bad = np.zeros((count, 20), bool)
    bad[-1, 5:7] = True
    shown = tree(count, np.random.default_rng(3).normal(size=(count, 20)), bad)
    every = range(count)
    cut = tree_pieces(shown, shown.planes[0], every)
    pages = [str(part) for part in (*cut.parts, cut.head, cut.foot)]
    parsed = [ElementTree.fromstring(page) for page in pages]
    assert all(float(page.get("height", "")) <= theme.PAPER_HEIGHT / 4 for page in parsed), "no page ends half empty"
    assert {float(page.get("width", "")) for page in parsed} == {theme.GUTTER + theme.PAPER_PLOT + theme.MARGIN}
    names = [node.text for page in parsed for node in page.iter() if (node.text or "").startswith(("top", "layer"))]
    assert len(names) == count
    assert sum(page.count(theme.LOST) for page in pages) == 1
    assert all(">top.layer" in str(part) for part in cut.parts[1:]), "where a page may begin"
    sizes = [int(size) for page in pages for size in re.findall(r'font-size="(\d+)"', page)]
    assert min(sizes) >= 11, "8 points on paper"
    again = tree_pieces(shown, shown.planes[0], every)
    assert pages == [str(part) for part in (*again.parts, again.head, again.foot)]


def test_a_jump_of_one_iteration_can_be_seen_on_paper_and_without_a_script() -> None:
    values = np.full((5, 20), 0.2)
    values[3, 7] = 2.0
    shown = tree(5, values)
    darkest = theme.HORIZON_POSITIVE[2]
    parts = map(str, tree_pieces(shown, shown.planes[0], range(5)).parts)
    for drawn in ("".join(('<svg xmlns="http://www.w3.org/2000/svg">', *parts, "</svg>")), still_tree(shown)):
        bands = [path for path in ElementTree.fromstring(drawn).iter() if path.get("fill") == darkest and path.get("d")]
        assert [band.get("d") for band in bands] == ["M0,17h7v-17h1v17Z"]


@pytest.mark.parametrize("sizes", [(1,), (40,), (20, 20, 20), (1, 29, 1), (64,), (300, 700)])
def test_every_class_stands_in_one_piece_of_the_heatmap(sizes: tuple[int, ...]) -> None:
    values = np.linspace(0, 1, 20)
    groups = [
        Group(f"g{k}", values, tuple(Strip(f"g{k}c{n}", values, ()) for n in range(size)), ())
        for k, size in enumerate(sizes)
    ]
    (cut,) = class_heatmap_pieces(groups, AXIS, stages=[])
    pages = [part for part in cut.parts if isinstance(part, dict)]
    assert all(page["height"] <= theme.PAPER_HEIGHT / (2 if sum(sizes) > 64 else 4) for page in pages)
    assert {page["width"] for page in pages} == {theme.PAPER_PLOT}
    data = [row for page in pages for row in page["data"][0]["values"]]
    names = " ".join(name for row in data if not row["heading"] for name in row["names"])
    if sum(sizes) <= 64:
        assert names.split() == [f"g{k}c{n}" for k, size in enumerate(sizes) for n in range(size)]
    assert all(page["data"][0]["values"][0]["heading"] for page in pages), "a page begins with the name of its cluster"


@pytest.mark.parametrize(("first", "stop"), [(0, 1), (0, 10), (0, 2400), (7, 1_600_003), (10**9, 10**9 + 50)])
def test_ticks_are_round_and_have_room(first: int, stop: int) -> None:
    axis = TimeAxis(first, stop, 10)
    found = time_axes.ticks(axis, 480)
    assert len(found) <= 480 / time_axes.TICK_ROOM + 1
    assert len(found) >= 1
    assert all(first <= tick <= stop for tick in found)
    steps = set(np.diff(found).tolist())
    assert len(steps) <= 1
    assert all(str(step).rstrip("0") in ("1", "2", "5") for step in steps)


def test_a_name_is_cut_where_it_does_not_fit() -> None:
    assert fitted("short", 100) == "short"
    assert fitted("a" * 50, 66) == "a" * 9 + "…"
    assert fitted("猫" * 50, 66) == "猫" * 4 + "…"
    assert fitted("猫" * 50, 66, from_end=True) == "…" + "猫" * 4
    assert fitted("猫" * 5, 66) == "猫" * 5


def test_a_large_tree_unfolds_on_paper_where_incidents_are() -> None:
    """Outermost modules, then what incidents name with all that holds it; a small one stands there whole."""
    rows = []
    for stage in range(4):
        top = len(rows)
        rows.append(TreeRow(f"stage{stage}", f"stage{stage}", "", "Sequential", 1, -1, 0, True))
        for block in range(8):
            rows.append(TreeRow(f"{block}", f"stage{stage}.{block}", "", "Block", 1, top, 1, True))
            rows.append(TreeRow("conv", f"stage{stage}.{block}.conv", "3×3", "Conv2d", 1, len(rows) - 1, 2, False))
    plane = Plane("mean", "weights", "mean", np.ones((len(rows), 20)), 2.0)
    deep = len(rows) - 1
    shown = paper_rows(LayerTree("t", "", tuple(rows), (plane,), AXIS, [], named=(deep,)))
    assert {deep, deep - 1, *(k for k, row in enumerate(rows) if row.depth == 0)} <= set(shown)
    assert len(shown) == FOLDED
    assert list(shown) == sorted(shown)
    assert all(rows[k].parent in shown for k in shown if rows[k].parent >= 0)
    small = LayerTree("t", "", tuple(rows[:ROWS]), (plane,), AXIS, [])
    assert paper_rows(small) == tuple(range(ROWS))


def printed(*items: Item) -> tuple[Item, ...]:
    chapter = Chapter("c", "c", "done", False, (), (Section("c-s", "s", "", items),))
    return on_paper(chapter).sections[0].items


def test_the_worst_incidents_keep_their_pictures_on_paper_and_the_others_a_line_each() -> None:
    cards = [Card(f"c{n}", n, 10 * n, f"what {n}", "over", "new", rank=20 - n) for n in range(1, 20)]
    *kept, table = printed(*cards)
    assert [card.number for card in kept if isinstance(card, Card)] == list(range(20 - CARDS, 20))
    assert isinstance(table, Table)
    assert [row.cells for row in table.rows] == [
        (f"{n}", f"{10 * n}", f"what {n}", "over") for n in range(1, 20 - CARDS)
    ]
    assert printed(*cards[:CARDS]) == tuple(cards[:CARDS])


def test_long_lists_end_earlier_on_paper_and_say_how_much_is_left_out() -> None:
    wide = tuple(Row((str(k), "x" * 80)) for k in range(100))
    narrow = tuple(Row((str(k), "x")) for k in range(100))
    image = Thumbnail("", "a", (), "")
    galleries = [Gallery(f"{k}", (image,) * 12) for k in range(4)]
    columns, numeric = ("number", "what"), (True, False)
    found = printed(Table(columns, numeric, wide, "A note."), Table(columns, numeric, narrow), *galleries)
    assert isinstance(found[0], Table)
    assert found[0].rows == wide[:TABLE_ROWS]
    assert found[0].note == f"{100 - TABLE_ROWS} more rows in the HTML report. A note."
    assert isinstance(found[1], Table)
    assert found[1].rows == narrow[:NARROW_ROWS]
    assert [len(one.images) for one in found[2:] if isinstance(one, Gallery)] == [OF_MANY] * 4
    short = Table(columns, numeric, wide[: TABLE_ROWS + 2])
    assert printed(short) == (short,), "a few more cost no page"


def chapter(*items: Item) -> Chapter:
    return Chapter("c", "c", "done", False, (), (Section("s", "s", "", items),))


def test_words_stand_before_their_picture_and_are_not_said_twice() -> None:
    said, named = Paragraph("Layer a moved."), Paragraph("Layer b moved.")
    bare, titled = Picture("p", "", "", "<svg/>", 9), Picture("q", "Which", "Layer b moved.", "<svg/>", 9)
    printed = on_paper(chapter(bare, said, titled, named))
    assert printed.sections[0].items == (said, bare, titled)


@pytest.mark.parametrize(
    ("rows", "cell", "whole"), [(6, "a", True), (WHOLE_ROWS + 12, "a", False), (6, "a" * 400, False)]
)
def test_a_short_table_stays_on_one_page(rows: int, cell: str, whole: bool) -> None:
    table = Table(("a",), (False,), tuple(Row((cell,)) for _ in range(rows)), title="What grew")
    data = document_data(Report("r", (chapter(table),)), {}, {})
    assert data["chapters"][0]["sections"][0]["items"][0]["whole"] is whole
