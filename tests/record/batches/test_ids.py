"""Where the ids of samples come from: positions in a data set, a part of the batch, or the loop itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    Subset,
)

from dtui.record import RecorderWarning
from dtui.record.batches.samples import MOST_SAMPLES, SampleColumns, Samples, as_ids
from tests.record.batches.loops import COUNT, Loop, Numbered, Stream, plain


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
