"""Pictures, a network, and what each picture is to be judged as."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.record.conftest import MemoryStore, RecorderUnderTest

Make = Callable[..., RecorderUnderTest]
COUNT = 23


def pictures(count: int = COUNT) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(11)
    return torch.randn(count, 1, 8, 8, generator=generator), torch.randint(0, 3, (count,), generator=generator)


def slow_answer(model: nn.Module, images: Tensor) -> dict[int, tuple[int, float]]:
    """Label and probability of each image, by its position, one image at a time."""
    with torch.no_grad():
        scores = [torch.softmax(model(image[None])[0].double(), 0) for image in images]
    return {position: (int(score.argmax()), float(score.max())) for position, score in enumerate(scores)}


def check(store: MemoryStore, model: nn.Module, images: Tensor, labels: Tensor, validations: int = 1) -> None:
    """The store holds what the slow answer says, image by image."""
    assert store.images is not None
    assert len(store.validations) == validations
    wanted = slow_answer(model, images)
    assert sorted(int(identity) for identity in store.images.ids) == list(range(len(images)))
    assert store.images.targets.tolist() == sorted(labels.tolist())
    for validation in store.validations:
        for row, identity in enumerate(store.images.ids):
            label, confidence = wanted[int(identity)]
            assert store.images.targets[row] == labels[int(identity)]
            assert validation.labels[row] == label
            assert abs(validation.confidences[row] / 255 - confidence) < 0.004
