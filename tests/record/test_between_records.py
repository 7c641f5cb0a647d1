"""The largest of what happened between two records, where it is at hand at every update."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
import torch
from torch import nn

from dtui.model import LARGEST
from dtui.record.training.largest import MOST_WAITING, Largest
from tests.record.conftest import RecorderUnderTest

Make = Callable[..., RecorderUnderTest]


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))


def update(model: nn.Module, optimizer: torch.optim.Optimizer, size: float = 1.0) -> None:
    optimizer.zero_grad()
    (size * model(torch.ones(5, 4)).square().mean()).backward()
    optimizer.step()


def norm(tensors: Iterable[torch.Tensor]) -> float:
    return math.sqrt(sum(float(tensor.square().sum()) for tensor in tensors))


def test_loss_and_rate_between_records_are_kept(record: Make) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=4)
    rates = [0.1, 0.1, 0.9, 0.1, 0.1, 0.2, 0.1, 0.1, 0.3]
    losses = [1.0, 2.0, 1.5, 7.0, 1.0, 0.5, 0.25, 0.5, 0.125]
    for rate, loss in zip(rates, losses, strict=True):
        optimizer.param_groups[0]["lr"] = rate
        recorder.log(loss=torch.tensor(loss))
        update(model, optimizer)
    recorder.close()
    found = [one.scalars for one in recorder.store.records]
    assert [one["learning_rate"] for one in found] == [0.1, 0.1, 0.3]
    assert [one.get("learning_rate_max") for one in found] == [None, 0.9, 0.3]
    assert [one.get("loss_max") for one in found] == [None, 7.0, 0.5]
    assert not set(LARGEST.values()) & set(found[0])
    assert "gradient_norm_max" not in found[1]


def test_where_each_update_is_recorded_nothing_is_said_twice(record: Make) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=1)
    for _ in range(3):
        recorder.log(loss=1.0)
        update(model, optimizer)
    recorder.close()
    assert all(set(one.scalars) == {"loss", "learning_rate"} for one in recorder.store.records)


def test_a_nan_between_records_stays_and_a_name_that_is_logged_is_the_users(record: Make) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=5)
    for step in range(11):
        recorder.log(loss=math.nan if step == 3 else 1.0, learning_rate_max=-1.0)
        update(model, optimizer)
    recorder.close()
    first, second = (one.scalars for one in recorder.store.records[1:])
    assert math.isnan(first["loss_max"])
    assert second["loss_max"] == 1
    assert first["learning_rate_max"] == second["learning_rate_max"] == -1


def test_the_largest_norms_are_those_of_the_watches(record: Make) -> None:
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    recorder = record(model, optimizer, every=20, keep_around=4)
    gradients, updates = [], []
    for step in range(41):
        weights = [module.weight.detach() for module in (model[0], model[2])]
        before = [weight.double().clone() for weight in weights]
        update(model, optimizer, 50.0 if step == 11 else 3.0 if step == 20 else 1.0)
        gradients.append(norm(module.weight.grad.double() for module in (model[0], model[2])))
        updates.append(norm(weight.double() - old for weight, old in zip(weights, before, strict=True)))
    recorder.close()
    found = [one.scalars for one in recorder.store.records]
    assert [one.iteration for one in recorder.store.records] == [0, 20, 40]
    for at, stop in ((1, 21), (2, 41)):
        begin = 1 if at == 1 else 21
        assert found[at]["gradient_norm_max"] == pytest.approx(max(gradients[begin:stop]), rel=1e-5)
        assert found[at]["update_norm_max"] == pytest.approx(max(updates[begin:stop]), rel=1e-5)
    assert "gradient_norm_max" not in found[0]


@pytest.mark.parametrize("count", [2, MOST_WAITING - 1, MOST_WAITING, 3 * MOST_WAITING + 5])
def test_tensors_are_not_waited_for(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def wait(*_: Any) -> None:
        raise AssertionError("waited for a device")

    largest = Largest()
    for name in ("__float__", "item", "tolist", "__bool__"):
        monkeypatch.setattr(torch.Tensor, name, wait)
    largest.add(0.25)
    for number in range(count):
        kind = torch.float64 if number % 3 == 0 else torch.float32
        largest.add(torch.tensor([5.0 if number == count // 2 else 0.5], dtype=kind))
        assert len(largest._tensors) < MOST_WAITING
    read = largest.take()
    monkeypatch.undo()
    assert read is not None
    assert read() == 5
    assert largest.take() is None


@pytest.mark.parametrize("values", [(math.nan, 1.0), (1.0, math.nan), (torch.tensor(math.nan), 2.0)])
def test_nan_is_the_largest(values: tuple[float | torch.Tensor, ...]) -> None:
    largest = Largest()
    for value in values:
        largest.add(value)
    read = largest.take()
    assert read is not None
    assert math.isnan(read())
