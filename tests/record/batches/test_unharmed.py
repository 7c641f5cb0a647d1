"""The loop and its objects stay as they are, and what is kept of batches stays small."""

from __future__ import annotations

import copy
import io
import pickle
from typing import Any

import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    RandomSampler,
)

from dtui.record.batches.samples import MOST_SAMPLES
from dtui.record.batches.used import MOST_OPEN
from tests.record.batches.loops import COUNT, Loop, Numbered, plain


def test_order_random_numbers_and_objects_stay_as_they_are() -> None:
    def orders(is_watched: bool) -> tuple[list[list[int]], Any]:
        loader = plain(num_workers=1, persistent_workers=True)
        loop = Loop() if is_watched else None
        torch.manual_seed(4)
        found = []
        for _ in range(2):
            iterator = iter(loader)
            assert isinstance(iterator, torch.utils.data.dataloader._MultiProcessingDataLoaderIter)
            assert len(iterator) == 8
            assert type(loader.batch_sampler) is BatchSampler
            found += [ids.tolist() for _, ids in iterator]
        if loop is not None:
            loop.used.remove()
        return found, torch.rand(1).item()

    before = DataLoader.__iter__
    assert orders(True) == orders(False)
    assert DataLoader.__iter__ is before


def test_a_watched_network_is_copied_and_stored() -> None:
    loop = Loop()
    copied = copy.deepcopy(loop.model)
    copied(torch.ones(1, 3)).sum().backward()
    torch.save(loop.model, io.BytesIO())
    stored = pickle.dumps(loop.model)
    assert b"dtui" not in stored  # who loads it may not have it
    pickle.loads(stored)(torch.ones(1, 3))
    images, _ = next(iter(plain()))
    made = loop.model(images)
    assert not made._backward_hooks, "of which one is told who stores it"
    torch.save(made, io.BytesIO())
    loop.used.remove()


def test_what_is_kept_stays_small() -> None:
    loop = Loop()
    for _ in range(3):
        for _ in plain(batch_size=1):
            pass
    iterator = iter(DataLoader(Numbered(), 1, sampler=RandomSampler(range(COUNT), True, 3000)))
    for _ in range(2500):
        next(iterator)
    assert sum(len(handed.waiting) for handed in loop.used._open) == 1024
    loop.used.remove()


def test_loaders_and_batches_of_one_update_are_bounded() -> None:
    loop = Loop()
    iterators = [iter(DataLoader(Numbered(), 1)) for _ in range(20)]
    for iterator in iterators:
        next(iterator)
    assert len(loop.used._open) == MOST_OPEN
    for _ in range(MOST_SAMPLES + 4):
        loop.used.say([1])
    assert len(loop.used.take().parts) == MOST_SAMPLES
    loop.used.remove()


def test_nothing_is_left_at_the_parameters() -> None:
    loop = Loop()
    hooked = [own for own in loop.model.parameters() if own._post_accumulate_grad_hooks]
    assert hooked
    loop.used.remove()
    assert not any(own._post_accumulate_grad_hooks for own in hooked)
