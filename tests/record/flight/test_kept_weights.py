"""Weights kept around a trigger: the real ones of the iterations that are named, and no more than they may take."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from dtui.errors import RecorderError
from dtui.model.findings.kept_weights import WeightsAt
from dtui.record.flight import kept_weights as module
from dtui.record.flight import triggers as triggers_module
from tests.record.conftest import RecorderUnderTest
from tests.record.twins import GPU

Make = Callable[..., RecorderUnderTest]
BROKEN_AT = 43


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers_module, "WARM_UP", 20)
    monkeypatch.setattr(module, "COPIED_EVERY", 6)


def net() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2), nn.Flatten(), nn.Linear(54, 3)
    )


def train(
    record: Make, count: int, layer: int = 0, model: nn.Module | None = None, factor: float = 30.0, **options: Any
) -> tuple[RecorderUnderTest, list[list[np.ndarray]]]:
    """Train; at BROKEN_AT filter 2 of a layer is multiplied before the update. Return all weights by iteration too."""
    torch.manual_seed(9)
    model = (net() if model is None else model).to(GPU)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recorder = record(model, optimizer, **{"every": 50, "keep_around": 10, **options})
    images, labels = torch.rand(4, 1, 8, 8, device=GPU), torch.tensor([0, 1, 2, 0], device=GPU)
    seen = []
    for iteration in range(count):
        if iteration == BROKEN_AT:
            with torch.no_grad():
                model[layer].weight[2] *= factor
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
        seen.append([model[place].weight.detach().cpu().numpy().copy() for place in (0, 2, 4)])
        if recorder._recording.sink is not None:
            recorder._recording.sink.drain()
    recorder.close()
    return recorder, seen


def sides(recorder: RecorderUnderTest) -> tuple[list[WeightsAt], list[WeightsAt]]:
    kept = recorder.store.weights
    return [one for one in kept if one.at < one.iteration], [one for one in kept if one.at >= one.iteration]


def assert_real(kept: list[WeightsAt], seen: list[list[np.ndarray]]) -> None:
    names = {"0": 0, "2": 1, "4": 2}
    for one in kept:
        real = seen[one.at][names[one.layer]][list(one.filters)]
        assert one.shape == real.shape[1:]
        flat = real.reshape(len(real), -1)[:, : one.values.shape[1]]
        assert one.values.dtype == np.float32
        assert one.values.tobytes() == np.ascontiguousarray(flat).tobytes()


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels last"])
@pytest.mark.parametrize("layer", [0, 2, 4])
def test_weights_before_and_after_are_the_real_ones_bit_for_bit(
    record: Make, layer: int, order: torch.memory_format
) -> None:
    recorder, seen = train(record, 70, layer, net().to(memory_format=order), keep_weights=1 << 16)
    fired = [one for one in recorder.store.triggers if one.kind == "filter"]
    assert [(one.iteration, one.layer, 2 in one.filters) for one in fired] == [(BROKEN_AT, str(layer), True)]
    before, after = sides(recorder)
    assert len(before) == len(after) == sum(bool(one.layer) for one in recorder.store.triggers)
    assert all(one.filters == fired[0].filters for one in [*before, *after])
    # No older than two copies and the watches that waited, no later than the first watch after it was judged.
    assert all(BROKEN_AT - 2 * 6 - 16 <= one.at < BROKEN_AT for one in before)
    assert all(BROKEN_AT < one.at <= BROKEN_AT + 16 for one in after)
    assert_real([*before, *after], seen)


def test_no_copy_counts_as_before_while_its_own_watch_is_not_judged(record: Make) -> None:
    """The copy of iteration 42 or 43 may be there when 43 is judged; only one from before 43 may be taken."""
    for count in range(BROKEN_AT + 1, BROKEN_AT + 4):
        recorder, seen = train(record, count)
        before, after = sides(recorder)
        assert before
        assert all(one.at < BROKEN_AT for one in before)
        assert {one.at for one in after} == {count - 1}  # the training ended before it was judged: the last watch
        assert_real([*before, *after], seen)


def test_non_finite_weights_are_kept_as_they_are(record: Make) -> None:
    recorder, seen = train(record, 60, factor=float("nan"))
    before, after = sides(recorder)
    assert recorder.store.triggers[0].kind == "nonfinite"
    assert np.isfinite(before[0].values).all()
    assert np.isnan(after[0].values).all()
    assert_real([*before, *after], seen)


def test_what_is_kept_a_trigger_is_bounded(record: Make) -> None:
    for most in (2 * 36 * 4, 50):  # one filter of 36 weights; the first 6 weights of one
        recorder, seen = train(record, 60, 2, keep_weights=most)
        kept = recorder.store.weights
        assert {one.at < BROKEN_AT for one in kept} == {True, False}
        assert all(2 * one.values.nbytes <= most and len(one.filters) == 1 for one in kept)
        assert kept[0].values.shape == (1, most // 8)
        assert_real(kept, seen)


def test_nothing_is_kept_or_copied_where_it_is_off(record: Make) -> None:
    recorder, _ = train(record, 60, keep_weights=0)
    assert recorder.store.triggers
    assert recorder.store.weights == []
    keeper = module.WeightKeeper(_Meter(), (), 0)  # type: ignore[arg-type]
    assert keeper.bytes == 0


def test_a_large_network_keeps_the_weights_after_alone(record: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGEST_COPIES", 1000)
    recorder, seen = train(record, 60)
    before, after = sides(recorder)
    assert (before, len(after)) == ([], sum(bool(one.layer) for one in recorder.store.triggers))
    assert_real(after, seen)


class _Meter:
    device = torch.device("cpu")
    copied_bytes = 4
    matrices = ()


@pytest.mark.parametrize("wrong", [-1, True, 1.5, (1 << 16) + 1])
def test_a_wrong_number_of_bytes_is_refused(record: Make, wrong: Any) -> None:
    with pytest.raises(RecorderError, match=r"keep_weights=.*give an integer from 0 to 65,536"):
        record(net(), keep_around=10, keep_weights=wrong)
