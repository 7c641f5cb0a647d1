"""Weights before and after a trigger, in the inspector of a filter: a real training with a filter that breaks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from dtui.model.findings.kept_weights import KeptWeights
from dtui.query import RunQuery, open_run
from dtui.record import Recorder
from dtui.record.flight import triggers
from dtui.tui.panes.layers.inspected import inspecting
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import ColorMode, Output
from dtui.tui.renderables.canvas.theme import DARK
from dtui.tui.renderables.panes.layers.kept_weights import draw_kept, kept_rows
from tests.tui.desk import Desk

BROKEN_AT = {1: 90, 2: 135}
"""Layers, and the updates before which their filter 1 is broken."""


@pytest.fixture(scope="module")
def query(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunQuery]:
    path = tmp_path_factory.mktemp("kept") / "run.dtui"
    torch.manual_seed(3)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.Flatten(), nn.Linear(48, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    images, labels = torch.rand(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(triggers, "WARM_UP", 20)
        with Recorder(path, model, optimizer, every=20, keep_around=10, graph=False) as recorder:
            for iteration in range(160):
                for layer, at in BROKEN_AT.items():
                    if iteration == at:
                        with torch.no_grad():
                            model[2 * layer].weight[1] *= -3
                optimizer.zero_grad()
                loss = functional.cross_entropy(model(images), labels)
                loss.backward()
                optimizer.step()
                sink = recorder._recording.sink
                assert sink is not None
                sink.drain()
    with open_run(path) as opened:
        yield opened


def looking(query: RunQuery, layer: int, filter: int, at: int, size: tuple[int, int] = (150, 50)) -> Desk:
    desk = Desk(query, size).go(at)
    desk.session.choose(inspecting(desk.session.scene, layer, filter))
    return desk.press("up" if filter else "down").press("down" if filter else "up")


def test_the_filter_shows_its_weights_before_and_after(query: RunQuery) -> None:
    for layer, at in BROKEN_AT.items():
        kept = query.kept_weights(layer, 1, at)
        assert [(one.before_at is not None, one.after_at is not None) for one in kept] == [(True, True)]
        text = looking(query, layer, 1, at).text()
        assert f"Weights around iteration {at}" in text
        assert f"before, at update {kept[0].before_at}" in text
        assert f"after, at update {kept[0].after_at}" in text
        assert f"its weights are kept around {at}" in text
        assert "were not kept" not in text


def test_a_filter_that_no_trigger_names_says_so(query: RunQuery) -> None:
    named = {one.filter for one in query.kept_weights(2)}
    other = next(filter for filter in range(3) if filter not in named)
    text = looking(query, 2, other, 135).text()
    assert "its weights were not kept in this run" in text
    assert "Weights around" not in text


def test_they_fit_a_small_terminal_beside_the_courses(query: RunQuery) -> None:
    text = looking(query, 1, 1, 90, (80, 24)).text()
    for words in (
        "its weights are kept around 90",
        "Weights around iteration 90",
        "after, at update",
        "cosine distance",
    ):
        assert words in text


def drawn(query: RunQuery, layer: int, mode: ColorMode, width: int = 100, rows: int | None = None) -> Cells:
    (kept,) = query.kept_weights(layer, 1, BROKEN_AT[layer])
    cells = Cells(width, 12, DARK)
    frame = Frame(width, 12, 18, None, DARK, Output(mode))
    draw_kept(cells, frame, 0, kept_rows(kept, 10) if rows is None else rows, kept, (1, 1))
    return cells


def lines(cells: Cells) -> list[str]:
    return ["".join(chr(point) for point in row).rstrip() for row in cells.ch]


def test_without_colours_each_weight_is_a_sign_and_a_size(query: RunQuery) -> None:
    (kept,) = query.kept_weights(1, 1, 90)
    text = lines(drawn(query, 1, ColorMode.NONE))
    largest = max(np.abs(kept.before).max(), np.abs(kept.after).max())

    def said(values: np.ndarray) -> list[str]:
        sizes = [(round(float(abs(value)) / float(largest) * 9), value < 0) for value in values]
        return [f"{'-' if is_less else '+'}{size}" if size else " 0" for size, is_less in sizes]

    for row in range(3):
        line = text[2 + row].ljust(100)
        for channel in range(4):
            first, x = 9 * channel + 3 * row, 8 * channel
            assert line[2 + x : 10 + x] == "".join(said(kept.before)[first : first + 3]) + "  "
            assert line[50 + x : 58 + x] == "".join(said(kept.after)[first : first + 3]) + "  "


def test_with_colours_signs_differ_and_kernels_stand_beside_each_other(query: RunQuery) -> None:
    (kept,) = query.kept_weights(1, 1, 90)
    cells = drawn(query, 1, ColorMode.TRUECOLOR)
    panel, after = cells.theme.panel, kept.after.reshape(4, 3, 3)
    for channel in range(4):
        block = cells.bg[2:5, 50 + channel * 8 : 50 + channel * 8 + 6]
        assert (block != panel).all()
        assert (cells.bg[2:5, 50 + channel * 8 + 6 : 50 + channel * 8 + 8] == panel).all()
        low, high = np.unravel_index(after[channel].argmin(), (3, 3)), np.unravel_index(after[channel].argmax(), (3, 3))
        assert block[low[0], 2 * low[1]] != block[high[0], 2 * high[1]]
    assert "all 4 input channels" in lines(cells)[0]


def test_a_vector_is_a_strip_in_lines(query: RunQuery) -> None:
    cells = drawn(query, 2, ColorMode.TRUECOLOR, 60)
    assert "first 39 of 48 weights" in lines(cells)[0]
    assert kept_rows(query.kept_weights(2, 1, 135)[0], 40) == 5


def test_a_side_without_contrast_gets_a_scale_of_its_own() -> None:
    weak, strong = np.array([0.5, -1.0], np.float32), np.array([1000.0, np.nan], np.float32)
    kept = KeptWeights(9, 0, 0, (2,), 4, weak, 10, strong)
    cells = Cells(140, 5, DARK)
    draw_kept(cells, Frame(140, 5, 34, None, DARK, Output(ColorMode.NONE)), 0, 5, kept, (2, 3))
    text = lines(cells)
    assert text[0].strip() == (
        "Weights around iteration 9 (2 of 3 triggers that name it) · all 2 weights · each side on a scale of its own"
    )
    assert "before, at update 4  9 is 1" in text[1]
    assert "after, at update 10  9 is 1" in text[1]
    assert text[2].split() == ["+4-9", "+9××"]


def test_a_side_that_is_not_kept_says_so_and_a_close_one_shares_the_scale() -> None:
    empty, values = np.zeros(0, np.float32), np.array([0.5, -1.0], np.float32)
    cells = Cells(100, 5, DARK)
    frame = Frame(100, 5, 18, None, DARK, Output(ColorMode.NONE))
    draw_kept(cells, frame, 0, 5, KeptWeights(9, 0, 0, (2,), None, empty, 10, values), (1, 1))
    assert "before: not kept" in lines(cells)[1]
    assert lines(cells)[2].split() == ["+4-9"]
    draw_kept(cells, frame, 0, 5, KeptWeights(9, 0, 0, (2,), 4, values / 4, 10, values), (1, 1))
    assert "scale of its own" not in lines(cells)[0]
    assert lines(cells)[2].split() == ["+1-2", "+4-9"]
