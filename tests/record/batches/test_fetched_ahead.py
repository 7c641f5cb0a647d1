"""Loops that fetch ahead, keep batches or use them again: a name is right, or it is left out."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import (
    Subset,
    random_split,
)

from dtui.record import RecorderWarning
from dtui.record.batches.kept import Batch, owned
from tests.record.batches.loops import Ahead, Loop, Numbered, plain
from tests.record.telling import untold


def test_the_next_batch_may_be_fetched_before_the_update() -> None:
    loop = Loop()
    loader = iter(plain())
    fetched = next(loader, None)
    while fetched is not None:
        loop.backward(*fetched)
        fetched = next(loader, None)
        loop.step()
    loop.check(8)


def ahead(loop: Loop, loader: Any, shown: Callable[[Any], Any], where: str = "before") -> None:
    """Train for one pass as a script that fetches its next batch before it uses one, or before the backward pass."""
    source = iter(loader)
    batch = next(source)
    while batch is not None:
        following = next(source, None) if where == "before" else None
        output = loop.model(shown(batch[0])).mean()
        if where == "within":
            following = next(source, None)
        output.backward()
        loop.now += batch[1].tolist()
        loop.step()
        batch = following


@pytest.mark.parametrize("where", ["before", "within"])
@pytest.mark.parametrize("shown", [lambda images: images, lambda images: images.flatten()[3:].view(-1, 3)])
def test_a_loop_may_fetch_its_next_batch_before_it_uses_one(where: str, shown: Callable[[Any], Any]) -> None:
    loop = Loop()
    with untold():
        ahead(loop, plain(), shown, where)
        loop.train(plain(), epochs=1)
        ahead(loop, plain(num_workers=1), shown, where)
    loop.check(24)


def test_a_tensor_without_memory_of_its_own_is_known_by_itself() -> None:
    """As a sparse one, or one of no elements: it is still told from that of the next batch."""
    one = cast("Any", SimpleNamespace(is_ahead=False))
    contents = [[torch.eye(3).to_sparse(), torch.zeros(0), torch.rand(3)] for _ in range(2)]
    batches = [Batch(one, number, np.array([number]), content) for number, content in enumerate(contents)]
    for content, batch in zip(contents, batches, strict=True):
        assert owned(batches, content) == [batch]


def test_a_loop_may_fetch_ahead_beyond_the_end_of_its_loader() -> None:
    """And evaluate with gradients meanwhile."""
    loop, loader = Loop(), plain()
    source = iter(loader)
    batch = next(source)
    for number in range(20):
        following = next(source, None)
        if following is None:
            source = iter(loader)
            following = next(source)
        if number == 4:
            for images, _ in plain(Subset(Numbered(), [1, 2])):
                loop.model(images)
        loop.backward(*batch)
        loop.step()
        batch = following
    loop.check(20)


def test_a_loop_that_is_ahead_is_known_by_the_end_of_its_loader_where_the_network_gets_copies() -> None:
    """As on another device. Until then nobody knows whether it left its first batch out, and no batch is named."""
    loop, loader = Loop(), plain(batch_size=3)
    with pytest.warns(RecorderWarning, match=r"fetches its next batch before it uses one.*recorder\.samples\(ids\)"):
        ahead(loop, loader, torch.clone)
    for _ in range(2):
        ahead(loop, loader, torch.clone)
    assert loop.said[:9] == [[]] * 9
    loop.said[:9] = loop.real[:9]
    loop.check(30)


def shuffled_through_a_buffer(loop: Loop, shown: Callable[[Any], Any]) -> None:
    kept: list[Any] = []
    for batch in plain(batch_size=2):
        kept.append(batch)
        if len(kept) == 4:
            trained(loop, kept.pop(1), shown)


def replayed(loop: Loop, shown: Callable[[Any], Any]) -> None:
    kept: list[Any] = []
    for batch in plain():
        if kept:
            trained(loop, kept[len(kept) // 2], shown)
        kept.append(batch)
        trained(loop, batch, shown)


def replayed_in_one_update(loop: Loop, shown: Callable[[Any], Any]) -> None:
    kept: list[Any] = []
    for images, ids in plain():
        loop.backward(shown(images), ids)
        if kept:
            loop.backward(shown(kept[0][0]), kept[0][1])
        loop.step()
        kept.append((images, ids))


def replayed_from_copies(loop: Loop, shown: Callable[[Any], Any]) -> None:
    ring, names = torch.zeros(8, 4, 3), list[Any]()
    for images, ids in plain(drop_last=True):
        trained(loop, (images, ids), shown)
        ring[len(names)] = images
        names.append(ids)
        trained(loop, (ring[len(names) // 2 - 1], names[len(names) // 2 - 1]), shown)


def moved_once_and_kept(loop: Loop, shown: Callable[[Any], Any]) -> None:
    kept = []
    for images, ids in plain():
        kept.append((shown(images), ids))
        trained(loop, kept[-1])
    for batch in reversed(kept):
        trained(loop, batch)


def listed_first(loop: Loop, shown: Callable[[Any], Any]) -> None:
    for batch in reversed(list(plain())):
        trained(loop, batch, shown)


def several_ahead(loop: Loop, shown: Callable[[Any], Any]) -> None:
    source = iter(plain())
    waiting = [next(source) for _ in range(3)]
    while waiting:
        batch = waiting.pop(0)
        waiting += [following for following in [next(source, None)] if following is not None]
        trained(loop, batch, shown)


def put_together(loop: Loop, shown: Callable[[Any], Any]) -> None:
    source = iter(plain(drop_last=True))
    for one in source:
        two = next(source, None)
        if two is not None:
            trained(loop, (torch.cat([shown(one[0]), shown(two[0])]), torch.cat([one[1], two[1]])))


def evaluated_between(loop: Loop, shown: Callable[[Any], Any]) -> None:
    train, held = random_split(Numbered(), [20, 9])
    for batch in plain(train):
        trained(loop, batch, shown)
        for number, (images, _) in enumerate(plain(held)):
            loop.model(shown(images)).mean().item()
            if number:
                break
        for images, _ in Ahead(plain(held, batch_size=9)):
            with torch.no_grad():
                loop.model(shown(images))


def trained(loop: Loop, batch: Any, shown: Callable[[Any], Any] = lambda images: images) -> None:
    loop.backward(shown(batch[0]), batch[1])
    loop.step()


@pytest.mark.filterwarnings("ignore::dtui.record.RecorderWarning")
@pytest.mark.parametrize("shown", [lambda images: images, torch.clone])
@pytest.mark.parametrize(
    ("train", "in_full"),
    [
        (shuffled_through_a_buffer, "same"),
        (replayed, "same"),
        (replayed_in_one_update, "same"),
        (replayed_from_copies, ""),
        (moved_once_and_kept, "always"),
        (listed_first, "same"),
        (several_ahead, "same"),
        (put_together, "always"),
        (evaluated_between, "same"),
    ],
)
def test_a_name_is_right_or_left_out(train: Any, in_full: str, shown: Callable[[Any], Any]) -> None:
    """Batches that are kept, mixed and used again; with its own tensors the network is seen to get each of them."""
    loop = Loop()
    train(loop, shown)
    loop.used.remove()
    if in_full == "always" or (in_full == "same" and shown is not torch.clone):
        assert loop.said == loop.real
    assert all(said in ([], real) for said, real in zip(loop.said, loop.real, strict=True))


def test_calls_of_a_compiled_network_are_seen() -> None:
    loop = Loop(model=cast("nn.Module", torch.compile(nn.Linear(3, 1), backend="eager")))
    replayed(loop, lambda images: images)
    loop.check(15)


def test_batches_that_nobody_can_name_are_told() -> None:
    loop = Loop()
    with pytest.warns(RecorderWarning, match=r"gets copies of batches where the loop has several.*samples\(ids\)"):
        listed_first(loop, torch.clone)
    loop.used.remove()
