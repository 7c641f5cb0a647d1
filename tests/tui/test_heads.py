"""Attention heads, adapters and where weights start, on the screen and in the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.model import Adapter, HeadGroup, Layer, Module, Structure
from dtui.query import RunQuery
from dtui.reports import write_report
from dtui.store import RunWriter
from dtui.tui.panes.layers.filters import FiltersOptions
from dtui.tui.panes.layers.tree_options import TreeOptions
from tests.store.builders import METADATA, make_record
from tests.tui.desk import Desk

NET = Structure(
    layers=(
        Layer(0, "block.qkv", "Linear", (24, 8), 0),
        Layer(1, "block.proj", "Linear", (8, 8), 24),
        Layer(2, "block.lora_A.default", "Linear", (2, 8), 32),
    ),
    modules=(Module(0, "", "Net", -1, (0, 1, 2)), Module(1, "block", "Attention", 0, (0, 1, 2))),
    heads=(
        *(HeadGroup(0, part, first, 4, 4, 2) for part, first in (("query", 0), ("key", 8), ("value", 16))),
        HeadGroup(1, "output", 0, 4, 4, 2, of_inputs=True),
    ),
    adapters=(
        Adapter("block.proj", "default", "LoRA", 2, 4.0, "block.proj", ("block.lora_A.default",)),
        Adapter("block.qkv", "other", "DoRA", 2, 1.0, "block.qkv"),
    ),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with RunWriter(tmp_path_factory.mktemp("heads") / "run", NET, METADATA, compact=False) as writer:
        for position in range(20):
            record = make_record(position, structure=NET)
            adapters = np.array([[position / 10, np.nan]], np.float32)
            writer.append_record(
                replace(record, filters=np.abs(np.nan_to_num(record.filters, posinf=1)) + 0.1, adapters=adapters)
            )
    return writer.path


def at_layers(run: Path, size: tuple[int, int] = (150, 50)) -> Desk:
    desk = Desk(RunQuery(run), size)
    desk.press("2")
    while desk.session.view.tree[desk.session.selection.node].name != "block.qkv":
        desk.press("k")
    return desk


def test_a_layer_unfolds_to_its_heads_and_a_head_shows_its_filters(run: Path) -> None:
    desk = at_layers(run)
    assert "▸ qkv 6 heads" in desk.panes()["tree"]
    assert "24 filters ×" in desk.panes()["filters"]
    assert "k0" in desk.panes()["filters"]
    desk.press("enter")
    assert "▾ qkv 6 heads" in desk.panes()["tree"]
    assert [title in desk.panes()["tree"] for title in ("◇ query 0", "◇ key 1", "◇ value 1")] == [True] * 3
    desk.press("j", "j", "j", "j")
    assert "key 1 of block.qkv (filters 12–15)" in desk.panes()["tree"]
    filters = desk.panes()["filters"]
    assert "4 filters ×" in filters
    assert "key 1 · cosine distance" in filters
    desk.press("enter")
    assert desk.session.scene.pane.name == "filters"
    desk.press("enter")
    assert "Filter 12 of block.qkv" in desk.text()


def test_a_fold_goes_back_from_a_head_to_its_layer_and_closes_it(run: Path) -> None:
    desk = at_layers(run)
    desk.press("enter", "j", "j")
    assert desk.session.selection.get(TreeOptions).head is not None
    desk.press("h")
    options = desk.session.selection.get(TreeOptions)
    assert (options.head, options.norm) == (None, None)
    assert "24 filters ×" in desk.panes()["filters"]
    desk.press("h")
    assert "◇" not in desk.panes()["tree"]


def test_adapters_have_a_row_behind_their_weight(run: Path) -> None:
    tree = at_layers(run).panes()["tree"]
    assert "‖BA‖·scale / ‖W‖" in tree
    lines = tree.splitlines()
    behind = next(at for at, line in enumerate(lines) if "▬ proj" in line)
    assert "⊕ LoRA default" in lines[behind + 1]
    assert any("⊕ DoRA other" in line for line in lines)


def test_the_standard_deviation_stands_beside_where_it_would_start(run: Path) -> None:
    desk = at_layers(run)
    selection = desk.session.selection
    selection = selection.put(replace(selection.get(FiltersOptions), statistic="std"))
    desk.session.choose(selection.put(replace(selection.get(TreeOptions), statistic="std")))
    desk._answer()
    assert "He would start at 0.500, Xavier at 0.250, torch's default at 0.204" in desk.panes()["tree"]
    assert "He starts" in desk.panes()["filters"]
    desk.press("tab", "enter")
    assert "He would start at 0.500" in desk.text()
    assert "std " in desk.text()


def test_the_report_names_the_heads_that_moved_most_and_what_adapters_change(run: Path, tmp_path: Path) -> None:
    text = write_report([run], tmp_path / "run.txt", sections=["layers"]) and (tmp_path / "run.txt").read_text()
    assert "Attention heads that moved most" in text
    assert "query 0" in text
    assert "What adapters change" in text
    assert "Adapters: 1 is not compared with the weight (DoRA; only LoRA is): block.qkv." in text
