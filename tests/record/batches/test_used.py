"""Which samples went into each update, against the samples that really were in the loop's hands."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    WeightedRandomSampler,
    random_split,
)

from dtui.errors import RecorderError
from dtui.record import RecorderWarning
from tests.record.batches.loops import COUNT, Ahead, Beside, Loop, Numbered, plain
from tests.record.telling import untold


def prepared() -> Any:
    accelerate = pytest.importorskip("accelerate")
    return accelerate.Accelerator(cpu=True).prepare(plain())


MAKES: dict[str, tuple[Callable[[], Any], int]] = {
    "shuffled": (plain, 8),
    "two workers": (lambda: plain(num_workers=2), 8),
    "workers that stay": (lambda: plain(num_workers=1, persistent_workers=True, prefetch_factor=4), 8),
    "with replacement": (lambda: plain(shuffle=False, sampler=WeightedRandomSampler([1.0] * COUNT, 20)), 5),
    "one part of several": (
        lambda: plain(shuffle=False, sampler=DistributedSampler(Numbered(), num_replicas=2, rank=1)),
        4,
    ),
    "batches of a list": (lambda: DataLoader(Numbered(), batch_sampler=[[3, 1], [4, 1, 5], [9]]), 3),
    "batches of its sampler": (
        lambda: DataLoader(Numbered(), batch_size=None, sampler=BatchSampler(RandomSampler(range(COUNT)), 4, True)),
        7,
    ),
    "a prefetcher": (lambda: Ahead(plain()), 8),
    "a wrapper": (lambda: Beside(plain()), 8),
    "a prefetcher and workers": (lambda: Ahead(plain(num_workers=1)), 8),
    "one batch": (lambda: Ahead(plain(batch_size=COUNT)), 1),
    "accelerate": (prepared, 8),
}


class Whole(Numbered):
    """A data set that is asked for whole batches."""

    def __getitem__(self, item: Any) -> Any:
        return torch.ones(len(item), 3), torch.as_tensor(item)


@pytest.mark.parametrize("name", MAKES)
@pytest.mark.parametrize("is_given", [False, True])
def test_each_update_has_the_samples_that_were_used(name: str, is_given: bool) -> None:
    make, updates = MAKES[name]
    loader = make()
    if name == "batches of its sampler":
        loader = DataLoader(Whole(), batch_size=None, sampler=loader.sampler)
    loop = Loop(loader if is_given else True)
    loop.train(loader)
    loop.check(2 * updates)


def test_micro_batches_that_are_added_up_all_count() -> None:
    loop = Loop()
    for number, (images, ids) in enumerate(plain(batch_size=2)):
        loop.backward(images, ids)
        if number % 3 == 2:
            loop.step()
    loop.check(5)
    assert [len(ids) for ids in loop.real] == [6, 6, 6, 6, 5]


@pytest.mark.parametrize("wrap", [lambda loader: loader, Ahead])
def test_micro_batches_that_were_fetched_together_all_count(wrap: Any) -> None:
    """As the Trainer of transformers does: all of an update first, the last update with fewer."""
    loop = Loop()
    for _ in range(2):
        batches = iter(wrap(plain(batch_size=3)))
        for size in (4, 4, 2):
            for images, ids in [next(batches) for _ in range(size)]:
                loop.backward(images, ids)
            loop.step()
    loop.check(6)


def test_two_batches_that_the_network_gets_at_once_both_count() -> None:
    loop = Loop(model=nn.Bilinear(3, 3, 1))
    source = iter(plain(batch_size=3, drop_last=True))
    for one in source:
        two = next(source, None)
        if two is not None:
            loop.model(one[0], two[0]).mean().backward()
            loop.now = [*one[1].tolist(), *two[1].tolist()]
            loop.step()
    loop.check(4)


@pytest.mark.parametrize("shown", [lambda images: images, torch.clone])
def test_batches_that_one_backward_pass_goes_through_all_count(shown: Callable[[Any], Any]) -> None:
    loop, losses = Loop(), list[Any]()
    for images, ids in plain(batch_size=3, drop_last=True):
        losses.append(loop.model(shown(images)).mean())
        loop.now += ids.tolist()
        if len(losses) == 3:
            sum(losses).backward()
            loop.step()
            losses.clear()
    loop.check(3)


def test_batches_that_are_fetched_together_and_go_through_one_backward_pass_all_count() -> None:
    loop = Loop()
    source = iter(plain(batch_size=3, drop_last=True))
    for pair in zip(source, source, strict=False):
        sum(loop.model(images).mean() for images, _ in pair).backward()
        loop.now = [*pair[0][1].tolist(), *pair[1][1].tolist()]
        loop.step()
    loop.check(4)


@pytest.mark.parametrize("shown", [lambda images: images, torch.clone])
def test_a_batch_whose_loss_is_left_out_does_not_count(shown: Callable[[Any], Any]) -> None:
    """As in loops that skip a loss that is NaN."""
    loop = Loop()
    for number, (images, ids) in enumerate(plain(batch_size=3)):
        loss = loop.model(shown(images)).mean()
        if number % 3 != 1:
            loss.backward()
            loop.now += ids.tolist()
            loop.step()
    loop.check(7)


def test_two_loaders_of_one_data_set_both_count() -> None:
    data = Numbered()
    loop = Loop()
    for (images, ids), (more, others) in zip(plain(data), plain(data, batch_size=3), strict=False):
        loop.backward(torch.cat([images, more]), torch.cat([ids, others]))
        loop.step()
    loop.check(8)


def test_another_data_set_has_other_positions() -> None:
    loop = Loop()

    def train() -> None:
        for first, second in zip(plain(), plain(), strict=True):
            loop.backward(first[0] + second[0], first[1])
            loop.step()

    with pytest.warns(RecorderWarning, match=r"several data sets.*batches=LOADER"):
        train()
    loop.check(8)


def test_a_loader_is_chosen() -> None:
    chosen, other = plain(), plain()
    loop = Loop(chosen)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RecorderWarning)
        for first, second in zip(other, chosen, strict=True):
            loop.backward(first[0] + second[0], second[1])
            loop.step()
    loop.check(8)


def test_batches_that_are_passed_over_do_not_count() -> None:
    loop = Loop()
    for number, (images, ids) in enumerate(plain(batch_size=2)):
        if number < 4 or number % 3 == 0:
            continue
        loop.backward(images, ids)
        if number % 3 == 2:
            loop.step()
    loop.check(4)


def test_a_loop_that_breaks_leaves_its_last_batch() -> None:
    loader = plain()
    loop = Loop()
    for stop in (3, 0, 5):
        for number, (images, ids) in enumerate(loader):
            if number == stop:
                break
            loop.backward(images, ids)
            loop.step()
    loop.check(8)


def test_a_loop_that_breaks_leaves_its_last_batch_where_the_next_loop_has_a_new_loader() -> None:
    data = Numbered()
    loop = Loop()
    for stop in (3, 5):
        for number, (images, ids) in enumerate(plain(data)):
            if number == stop:
                break
            loop.backward(images, ids)
            loop.step()
    loop.check(8)


class Parted(nn.Module):
    """A network of which the first layer is not used, and the second is frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.unused, self.frozen, self.head = nn.Linear(2, 2), nn.Linear(3, 3), nn.Linear(3, 1)
        self.frozen.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.frozen(images))


class Framed(nn.Module):
    """A network of which the first, the middle and the last layer are frozen."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.head = nn.Linear(3, 3), nn.Linear(3, 3, bias=False), nn.Linear(3, 1)
        self.last = nn.Linear(1, 1, bias=False)
        for layer in (self.first, self.middle, self.last):
            layer.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.head(self.middle(self.first(images))))


@pytest.mark.parametrize("network", [Parted, Framed])
def test_gradients_are_seen_where_some_layers_get_none(network: Callable[[], nn.Module]) -> None:
    loop = Loop(model=network())
    for number, (images, ids) in enumerate(plain()):
        if number % 2 == 0:
            loop.backward(images, ids)
            loop.step()
    loop.check(4)


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("way", ["no_grad", "paused", "to the end"])
def test_an_evaluation_is_no_training(way: str, last: int) -> None:
    data = Numbered()
    train, held = random_split(data, [20, 9])
    loop = Loop()
    for images, ids in plain(train):
        loop.backward(images, ids)
        loop.step()
        loop.is_paused = way == "paused"
        with torch.set_grad_enabled(way != "no_grad"):
            for number, _ in enumerate(plain(held)):
                if number == last and way != "to the end":
                    break
        loop.is_paused = False
    loop.check(5)


def test_a_second_step_on_the_same_batch_has_the_same_samples() -> None:
    loop = Loop()
    with untold():
        for images, ids in (batch for _ in range(2) for batch in plain()):
            for _ in range(2):
                loop.backward(images, ids)
                loop.step()
    loop.check(32)


def test_an_update_after_the_last_batch_has_no_samples() -> None:
    loop = Loop()
    loop.train(plain(), epochs=1)
    loop.backward(torch.ones(2, 3), [])
    loop.step()
    loop.check(9)


def test_an_update_without_any_gradient_that_was_seen_takes_what_was_handed_out() -> None:
    loop = Loop()
    for images, ids in plain():
        for parameter in loop.model.parameters():
            parameter.grad = torch.autograd.grad(loop.model(images).mean(), parameter)[0]
        loop.now = ids.tolist()
        loop.step()
    loop.check(8)


def test_checkpointed_passes_are_one_backward() -> None:
    from torch.utils.checkpoint import checkpoint

    loop = Loop()
    for number, (images, ids) in enumerate(plain()):
        if number == 2:
            continue
        checkpoint(loop.model, images.requires_grad_(), use_reentrant=True).mean().backward()
        loop.now = ids.tolist()
        loop.step()
    loop.check(7)


def test_workers_that_hand_out_in_any_order_are_told() -> None:
    loop = Loop()

    def train() -> None:
        for images, _ in plain(num_workers=1, in_order=False):
            loop.backward(images, [])
            loop.step()

    with pytest.warns(RecorderWarning, match="its workers hand out batches in any order; in_order=True keeps it"):
        train()
    loop.check(8)


def test_what_is_no_loader_is_refused() -> None:
    with pytest.raises(RecorderError, match=r"batches=list: .*recorder\.samples\(ids\)"):
        Loop([1, 2, 3])
