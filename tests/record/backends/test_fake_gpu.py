"""On a GPU nothing waits and devices fit: shown without one, by torch's fake tensors, which refuse both.

A fake tensor has shape, type and device, and no values: whatever needs a value on the host (`item`, `bool`, boolean
masks, `nonzero`) raises, and so does an operation on tensors of two devices. Their device is called "meta": this torch
may be built without CUDA, and what is not on the CPU takes the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from dtui.record.batches.samples import as_ids
from dtui.record.judging import (
    absolute_error,
    by_class,
    class_iou,
    main_class,
    mean_iou,
    share_right,
    token_loss,
    truth_probability,
)
from dtui.record.measure.parameter_values import _Group
from dtui.record.validation.activations.places import Reading
from dtui.record.validation.activations.tally import Ranking, Tally
from dtui.record.validation.judge_input import Call, Given, Terms


@pytest.fixture(autouse=True)
def _fake() -> Iterator[None]:
    with FakeTensorMode(), torch.device("meta"):
        yield


def judged() -> Any:
    ids, scores = torch.zeros(6, dtype=torch.long), torch.zeros(6)
    given = Given(ids, scores, ids, None, 0.5, "higher", None, None, False, False)
    Terms.of(given)
    call = Call.of(given)
    return call.ids, call.scores, call.groups


def counted() -> Any:
    layers = [Tally(Reading(name, 0, 4, nn.Identity(), channels, "relu")) for name, channels in (("a", -3), ("b", -1))]
    ranking = Ranking()
    for number in range(2):
        layers[0].see(torch.zeros(5, 4, 3, 3))
        layers[1].see(torch.zeros(5, 7, 4))
        ranking.merge([peaks for one in layers if (peaks := one.take_peaks()) is not None], number)
    return ranking._best


def parameters() -> Any:
    group = _Group()
    group.now, group.before = ([torch.zeros(8), torch.zeros(3, 4)] for _ in range(2))
    return group.norms(), group.update_norms()


WAYS: dict[str, Callable[[], Any]] = {
    "regression": lambda: absolute_error(torch.zeros(6, 2), torch.zeros(6, 2)),
    "segmentation": lambda: mean_iou(torch.zeros(6, 4, 8, 8), torch.zeros(6, 8, 8, dtype=torch.long)),
    "classes of a segmentation": lambda: class_iou(torch.zeros(6, 4, 8, 8), torch.zeros(6, 8, 8, dtype=torch.long)),
    "main class": lambda: main_class(torch.zeros(6, 8, 8, dtype=torch.long), 4, background=0),
    "tokens": lambda: token_loss(torch.zeros(6, 5, 9), torch.zeros(6, 5, dtype=torch.long), shift=True),
    "labels": lambda: share_right(torch.zeros(6, 3), torch.zeros(6, 3)),
    "each label": lambda: by_class(
        torch.zeros(6, dtype=torch.long), truth_probability(torch.zeros(6, 3), torch.zeros(6, 3)), ["a", "b", "c"]
    )[1],
    "ids": lambda: as_ids(torch.zeros(6, dtype=torch.int32)),
    "judge": judged,
    "activations": counted,
    "other parameters": parameters,
}


@pytest.mark.parametrize("way", WAYS)
def test_nothing_waits_and_devices_fit(way: str) -> None:
    found = WAYS[way]()
    tensors = [one for one in (found if isinstance(found, tuple) else (found,)) if isinstance(one, Tensor)]
    assert tensors
    assert {one.device.type for one in tensors} == {"meta"}
