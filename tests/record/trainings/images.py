"""Small images with one bright square each, of which a network is to find class, place or mask."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

SIDE, CLASSES, COUNT, TRAIN = 16, 3, 24, 48
NAMES = ("left", "middle", "right")


@dataclass(frozen=True)
class Pictures:
    """Images, shape (n, 3, 16, 16), with what is true of each.

    Attributes:
        images: Noise with a square of 6 by 6, brighter.
        labels: In which third it is, shape (n,).
        masks: 1 + label where it is, else 0, shape (n, 16, 16).
        boxes: (centre x, centre y, width, height) as shares of the side, shape (n, 4).
    """

    images: Tensor
    labels: Tensor
    masks: Tensor
    boxes: Tensor

    def loader(self) -> DataLoader[tuple[Tensor, ...]]:
        return DataLoader(TensorDataset(self.images, self.labels), 8)


def pictures(count: int, seed: int) -> Pictures:
    """Return images, equal for equal seeds."""
    draw = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.randn(count, 3, SIDE, SIDE, generator=draw)
    labels = torch.arange(count) % CLASSES
    masks = torch.zeros(count, SIDE, SIDE, dtype=torch.long)
    boxes = torch.zeros(count, 4)
    for index, label in enumerate(labels.tolist()):
        left, top = 5 * label, int(torch.randint(0, SIDE - 6, (), generator=draw))
        images[index, :, top : top + 6, left : left + 6] += 1.5
        masks[index, top : top + 6, left : left + 6] = 1 + label
        boxes[index] = torch.tensor([left + 3, top + 3, 6, 6]) / SIDE
    return Pictures(images, labels, masks, boxes)


def training_images() -> Pictures:
    return pictures(TRAIN, 1)


def validation_images() -> Pictures:
    return pictures(COUNT, 2)


def batches(epochs: int) -> list[slice]:
    """Return the rows of each step."""
    return [slice(first, first + 12) for _ in range(epochs) for first in range(0, TRAIN, 12)]
