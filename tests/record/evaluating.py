"""Networks, evaluations and what they count themselves, for the tests of what is recorded of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from dtui.model import NOT_JUDGED_STORED
from tests.record.conftest import MemoryStore, RecorderUnderTest, small_net

Make = Callable[..., RecorderUnderTest]
COUNT = 37


def pictures(classes: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    images = torch.randn(COUNT, 1, 8, 8, generator=generator)
    return images, torch.randint(0, classes, (COUNT,), generator=generator)


class Headed(nn.Module):
    """A network whose answer is made by a function."""

    def __init__(self, outputs: int, head: Callable[[Tensor], Any], gain: float = 4.0) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.net, self.head, self.gain = small_net(outputs), head, gain

    def forward(self, images: Tensor) -> Any:
        return self.head(self.net(images) * self.gain)


def over_half(scores: Tensor) -> Tensor:
    return (scores.reshape(-1) > 0.5).long()


def over_zero(scores: Tensor) -> Tensor:
    return (scores.reshape(-1) > 0).long()


def largest(scores: Tensor) -> Tensor:
    return scores.argmax(1)


def same(anything: Any) -> Any:
    return anything


def evaluate(
    recorder: RecorderUnderTest,
    model: nn.Module,
    loader: Any,
    rule: Callable[[Tensor], Tensor] = largest,
    scores: Callable[[Any], Tensor] = same,
    take: Callable[[Any], tuple[Tensor, Tensor]] = tuple,
    **options: Any,
) -> float:
    """Validate as a loop does, and return the accuracy that it counts itself."""
    right = total = 0
    with recorder.validation(loader, **options), torch.no_grad():
        for batch in loader:
            images, labels = take(batch)
            right += int((rule(scores(model(images))) == labels).sum())
            total += len(labels)
    return right / total


def accuracy(store: MemoryStore, place: int = -1) -> float:
    assert store.images is not None
    labels = store.validations[place].labels
    known = labels != NOT_JUDGED_STORED
    return float((labels == store.images.targets)[known].mean())
