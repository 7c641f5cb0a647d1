"""Which samples went into each update, against the samples that really were in the loop's hands."""

from __future__ import annotations

import copy
import io
import pickle
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Subset,
    WeightedRandomSampler,
    random_split,
)

from dtui.errors import RecorderError
from dtui.record import RecorderWarning
from dtui.record.batches.kept import Batch, owned
from dtui.record.batches.samples import MOST_SAMPLES, SampleColumns, Samples, as_ids
from dtui.record.batches.used import MOST_OPEN, UsedSamples
from dtui.record.writing.warn import forget_told
from tests.record.telling import untold

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


def test_positions_are_those_below_all_subsets() -> None:
    data = Subset(Subset(Numbered(), range(5, 25)), [19, 0, 7, 3])
    loop = Loop()
    loop.train(plain(data, batch_size=3))
    loop.check(4)
    assert {number for ids in loop.said for number in ids} == {24, 5, 12, 8}


@pytest.mark.parametrize("place", ["id", lambda batch: batch["id"].tolist()])
def test_a_stream_says_where_its_ids_are(place: Any) -> None:
    loop = Loop(place)
    for batch in plain(Stream(), shuffle=False):
        loop.backward(batch["x"], batch["id"])
        loop.step()
    loop.check(8)


def train_on_stream(loop: Loop, epochs: int) -> None:
    for _ in range(epochs):
        for batch in plain(Stream(), shuffle=False):
            loop.backward(batch["x"], [])
            loop.step()


def test_a_stream_without_ids_is_told_once() -> None:
    loop = Loop()
    with pytest.warns(RecorderWarning, match=r'a Stream hands out no positions; .* batches="id"') as told:
        train_on_stream(loop, 2)
    assert len(told) == 1
    loop.check(16)


def test_a_place_that_is_not_there_is_told_once() -> None:
    loop = Loop("uid")
    with pytest.warns(RecorderWarning, match=r"no ids at 'uid'") as told:
        train_on_stream(loop, 1)
    assert len(told) == 1
    loop.check(8)


def test_ids_that_the_loop_states() -> None:
    loop = Loop()
    for chosen in torch.randperm(COUNT).split(5):
        loop.used.say(chosen)
        loop.backward(torch.ones(len(chosen), 3), chosen)
        loop.step()
    loop.check(6)


def test_ids_that_the_loop_states_stand_for_those_of_its_loader() -> None:
    loop = Loop()
    for images, ids in plain():
        loop.used.say(ids + 100)
        loop.backward(images, ids + 100)
        loop.step()
    loop.check(8)


@pytest.mark.parametrize("kind", [torch.as_tensor, np.array])
def test_ids_may_be_changed_once_they_are_stated(kind: Callable[..., Any]) -> None:
    ids = kind([4, 0])
    found = as_ids(ids)
    ids[:] = 9
    assert found.tolist() == [4, 0]
    assert Samples((found,)).read().tolist() == [4, 0]


@pytest.mark.parametrize("ids", [torch.ones(2), np.ones(2), [0.5]])
def test_numbers_that_are_not_whole_are_no_ids(ids: Any) -> None:
    with pytest.raises(ValueError, match=r"they are .*float.*ids are integers"):
        as_ids(ids)


def test_there_is_room_for_one_sample_and_for_as_many_as_a_watch_may_hold() -> None:
    assert [SampleColumns(rows).rows for rows in (0, 5, MOST_SAMPLES + 1)] == [1, 5, MOST_SAMPLES]


def test_workers_that_hand_out_in_any_order_are_told() -> None:
    loop = Loop()

    def train() -> None:
        for images, _ in plain(num_workers=1, in_order=False):
            loop.backward(images, [])
            loop.step()

    with pytest.warns(RecorderWarning, match="its workers hand out batches in any order; in_order=True keeps it"):
        train()
    loop.check(8)


def test_a_skipped_update_takes_its_samples_with_it() -> None:
    loop = Loop()
    for number, (images, ids) in enumerate(plain()):
        loop.backward(images, ids)
        if number == 3:
            loop.used.drop()
            loop.now = []
            continue
        loop.step()
    loop.check(7)


def by_hand(loop: Loop, to_none: bool) -> None:
    for parameter in loop.model.parameters():
        if to_none or parameter.grad is None:
            parameter.grad = None
        else:
            parameter.grad.zero_()


CLEARINGS: dict[str, Callable[[Loop], None]] = {
    "to None": lambda loop: loop.optimizer.zero_grad(),
    "to zeros": lambda loop: loop.model.zero_grad(set_to_none=False),
    "to None by hand": lambda loop: by_hand(loop, True),
    "to zeros by hand": lambda loop: by_hand(loop, False),
}


@pytest.mark.parametrize("clear", CLEARINGS.values(), ids=CLEARINGS.keys())
@pytest.mark.parametrize("when", ["at once", "before the next", "before the next backward pass"])
def test_a_batch_whose_gradients_were_cleared_does_not_count(when: str, clear: Callable[[Loop], None]) -> None:
    """A loop of its own skips what is not finite, or goes on after a backward pass that failed."""
    loop = Loop()
    is_unclear = when == "before the next backward pass" and clear in (
        CLEARINGS["to zeros"],
        CLEARINGS["to zeros by hand"],
    )
    for number, (images, ids) in enumerate(plain()):
        if when == "before the next":
            clear(loop)
        output = loop.model(images).mean()
        if when == "before the next backward pass":
            clear(loop)
        output.backward()
        loop.now = [] if is_unclear and number % 3 == 2 else ids.tolist()  # zeros that more was added to tell nothing
        if number % 3 != 1:
            loop.step()
        elif when == "at once":
            clear(loop)
    loop.check(5)


@pytest.mark.parametrize("clear", CLEARINGS.values(), ids=CLEARINGS.keys())
def test_gradients_that_are_made_anew_from_the_same_batch_count(clear: Callable[[Loop], None]) -> None:
    """SAM, and the closures of LBFGS, also after a batch that was skipped."""
    loop = Loop()
    for number, (images, ids) in enumerate(plain()):
        for _ in range(3):
            clear(loop)
            loop.now = []
            loop.backward(images, ids)
        if number != 3:
            loop.step()
    loop.check(7)


def halve(model: nn.Module) -> None:
    for parameter in model.parameters():
        assert parameter.grad is not None
        parameter.grad = parameter.grad * 0.5


@pytest.mark.parametrize("change", [lambda model: nn.utils.clip_grad_norm_(model.parameters(), 1e-3), halve])
def test_gradients_that_are_changed_between_micro_batches_are_not_cleared(change: Callable[[nn.Module], Any]) -> None:
    loop = Loop()
    for number, (images, ids) in enumerate(plain(batch_size=2)):
        loop.model(images).mean().backward(create_graph=number < 6)
        loop.now += ids.tolist()
        change(loop.model)
        if number % 3 == 2:
            loop.step()
    loop.check(5)


def test_what_is_no_loader_is_refused() -> None:
    with pytest.raises(RecorderError, match=r"batches=list: .*recorder\.samples\(ids\)"):
        Loop([1, 2, 3])


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
