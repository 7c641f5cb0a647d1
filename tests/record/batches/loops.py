"""Data sets, loaders and a loop whose updates are compared with what the watch says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    IterableDataset,
)

from dtui.record.batches.used import UsedSamples
from dtui.record.writing.warn import forget_told

COUNT = 29


class Numbered(Dataset[Any]):
    """Items that know their position."""

    def __len__(self) -> int:
        return COUNT

    def __getitem__(self, item: Any) -> Any:
        return torch.ones(3), torch.as_tensor(item)


class Stream(IterableDataset[Any]):
    """A stream whose items have an id of their own."""

    def __iter__(self) -> Iterator[Any]:
        for number in range(COUNT):
            yield {"x": torch.ones(3), "id": 1000 + number}


class Ahead:
    """A wrapper that fetches the next batch before it hands out one, as timm's PrefetchLoader does."""

    def __init__(self, loader: Any) -> None:
        self.loader = loader

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Any]:
        last = None
        for batch in self.loader:
            if last is not None:
                yield last
            last = batch
        if last is not None:
            yield last


class Beside(Ahead):
    """A wrapper that hands out each batch before it asks for the next one."""

    def __iter__(self) -> Iterator[Any]:
        yield from self.loader


class Loop:
    """A training whose updates are compared with what the watch says."""

    def __init__(self, batches: Any = True, model: nn.Module | None = None) -> None:
        forget_told()
        self.model = nn.Linear(3, 1) if model is None else model  # a compiled one has no truth value
        self.optimizer = torch.optim.SGD(self.model.parameters(), 0.01)
        self.is_paused = False
        self.used = UsedSamples(self.model, batches, lambda: self.is_paused)
        self.real: list[list[int]] = []
        self.said: list[list[int]] = []
        self.now: list[int] = []

    def backward(self, images: Any, ids: Any) -> None:
        self.model(images).mean().backward()
        self.now += np.asarray(ids).reshape(-1).tolist()

    def step(self) -> None:
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.said.append(sorted(self.used.take().read().tolist()))
        self.real.append(sorted(self.now))
        self.now = []

    def train(self, loader: Any, epochs: int = 2) -> None:
        for _ in range(epochs):
            for images, ids in loader:
                self.backward(images, ids)
                self.step()

    def check(self, updates: int) -> None:
        self.used.remove()
        assert self.said == self.real
        assert len(self.real) == updates


def plain(data: Any = None, **options: Any) -> DataLoader[Any]:
    given = {"batch_size": 4, "shuffle": True} | options
    return DataLoader(Numbered() if data is None else data, **given)
