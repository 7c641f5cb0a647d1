"""What a script sets for all of torch, its default type and device, changes nothing of what is recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from tests.record.conftest import MemoryStore, RecorderUnderTest
from tests.record.test_loops import data

Make = Callable[..., RecorderUnderTest]

OPTIONS: dict[str, Any] = {"every": 2, "keep_around": 2, "activations": True, "norms": "channels"}

pytestmark = pytest.mark.usefixtures("nothing_else_is_told")


@contextmanager
def in_double() -> Iterator[None]:
    """As a script of physicists begins: `torch.set_default_dtype(torch.float64)`."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def elsewhere() -> Any:
    """As `torch.set_default_device("cuda")`, while the network is on the CPU; what is made there has no values."""
    return torch.device("meta")


def recorded(record: Make, around: Callable[[], Any], fused: bool) -> MemoryStore:
    torch.manual_seed(2)
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3))
    nn.utils.parametrizations.weight_norm(model[0])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    images, labels = data()
    with around():
        recorder = record(model, optimizer, fused=fused, **OPTIONS)
    for _ in range(5):
        optimizer.zero_grad()
        functional.cross_entropy(model(images), labels).backward()
        with around():
            optimizer.step()
            with recorder.validation([(images, labels)]):
                model(images)
    with around():
        recorder.close()
    return recorder.store


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("around", [in_double, elsewhere])
def test_defaults_of_torch_change_nothing(record: Make, around: Callable[[], Any], fused: bool) -> None:
    if fused:
        pytest.importorskip("numba")
    plain, set_ = recorded(record, torch.enable_grad, fused), recorded(record, around, fused)
    assert (len(set_.records), len(set_.triggers), set_.gaps) == (3, 0, [])
    for one, other in zip(plain.records, set_.records, strict=True):
        np.testing.assert_array_equal(one.filters, other.filters)
        np.testing.assert_array_equal(one.layers, other.layers)
        np.testing.assert_array_equal(one.norms, other.norms)
        np.testing.assert_array_equal(one.parameters, other.parameters)
    assert len(set_.validations) == len(plain.validations) == 5
    for one, other in zip(plain.validations, set_.validations, strict=True):
        np.testing.assert_array_equal(one.labels, other.labels)
        assert one.columns.keys() == other.columns.keys() != set()
        for name, values in one.columns.items():
            np.testing.assert_array_equal(values, other.columns[name])


def test_scores_in_a_list_stay_where_they_are(record: Make) -> None:
    model = nn.Linear(3, 2)
    recorder = record(model, every=1)
    with elsewhere():
        recorder.step()
        recorder.judge([0, torch.tensor(1, device="cpu")], [0.5, torch.tensor(0.25, device="cpu")], threshold=0.4)
        recorder.close()
    assert len(recorder.store.validations) == 1
