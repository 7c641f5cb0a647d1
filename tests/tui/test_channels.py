"""Channels of normalisation layers on the screen: rows from the beginning, and their channels in the Filters pane."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dtui.model import Layer, Module, NormLayer, Structure
from dtui.query import RunQuery
from dtui.store import RunWriter
from tests.store.builders import METADATA, make_record
from tests.tui.desk import Desk

NET = Structure(
    layers=(Layer(0, "conv", "Conv2d", (6, 2, 3, 3), 0), Layer(1, "fc", "Linear", (4, 6), 6)),
    modules=(Module(0, "", "Net", -1, (0, 1)),),
    norms=(NormLayer("bn", "BatchNorm2d", 6, "conv"), NormLayer("ln", "LayerNorm", 4, "fc")),
    channel_norms=(0, 1),
)


def written(path: Path, structure: Structure) -> Path:
    with RunWriter(path, structure, METADATA, compact=False) as writer:
        for position in range(20):
            channels = np.linspace(0.1, 1, 40, dtype=np.float32).reshape(4, 10) * (1 + position)
            channels[2:, 6:] = np.nan
            record = replace(make_record(position, structure=structure), norms=np.full((5, 2), 0.1, np.float32))
            writer.append_record(replace(record, channels=channels if structure.channel_norms else None))
    return writer.path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("channels") / "run", NET)


def at_layers(run: Path) -> Desk:
    desk = Desk(RunQuery(run), (150, 50))
    desk.press("2")
    return desk


def test_a_normalisation_layer_shows_its_channels(run: Path) -> None:
    desk = at_layers(run)
    assert "≈ bn" in desk.panes()["tree"]
    assert "6 filters ×" in desk.panes()["filters"]
    desk.press("j")
    filters = desk.panes()["filters"]
    assert "Channels" in filters
    assert "6 channels × 20 records   scale γ" in filters
    assert "bn BatchNorm2d" in filters
    assert "dead" not in filters
    desk.press("k")
    assert "6 filters ×" in desk.panes()["filters"]


def test_s_goes_through_the_values_and_says_what_a_layer_lacks(run: Path) -> None:
    desk = at_layers(run)
    desk.press("j", "enter")
    assert desk.session.scene.pane.name == "filters"
    seen = []
    for _ in range(4):
        seen.append(desk.panes()["filters"].splitlines()[0])
        desk.press("s")
    assert [title in line for title, line in zip(("γ", "β", "running mean", "variance"), seen, strict=True)] == [
        True
    ] * 4


def test_a_layer_without_running_statistics_says_so(run: Path) -> None:
    desk = at_layers(run)
    desk.press("j", "j", "j", "enter", "s", "s")
    assert "LayerNorm has no running mean here" in desk.panes()["filters"]


def test_there_is_nothing_to_look_into(run: Path) -> None:
    desk = at_layers(run)
    desk.press("j", "enter", "enter")
    assert desk.session.scene.pane.name != "filter_inspector"
    assert "Channels" in desk.text()


def test_without_channels_rows_of_norms_are_asked_for(tmp_path: Path) -> None:
    desk = at_layers(written(tmp_path / "run", replace(NET, channel_norms=())))
    assert "≈" not in desk.panes()["tree"]
