"""Batches that a training keeps are known again, and those that it does not are forgotten."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dtui.record.batches.kept import MOST_KEPT, Batch, KeptBatches  # noqa: E402


def batch(number: int, *content: Any) -> Batch:
    return Batch(cast(Any, None), number, np.arange(number, number + 4), content)


def test_what_is_gone_is_forgotten_and_what_is_there_is_found_by_its_memory() -> None:
    kept, whole = KeptBatches(), torch.zeros(4, 3)
    first = batch(0, whole)
    kept.add([first])
    for number in range(1, 500):
        kept.add([batch(number, torch.zeros(4, 3))])
    assert len(kept._batches) <= 32
    assert sum(map(len, kept._at_home.values())) <= 32
    assert kept.known([whole]) == kept.known([whole[2:]]) == [first]
    assert kept.known([whole.clone()]) == []


def test_no_more_are_kept_than_are_ever_looked_at() -> None:
    kept, all_of_them = KeptBatches(), [torch.zeros(2) for _ in range(3 * MOST_KEPT)]
    for number, one in enumerate(all_of_them):
        kept.add([batch(number, one)])
    assert len(kept._batches) <= MOST_KEPT * 5 // 4
    assert [one.number for one in kept.known([all_of_them[-1]])] == [len(all_of_them) - 1]
    assert kept.known([all_of_them[0]]) == []


def test_tensors_without_memory_of_their_own_are_known_by_themselves() -> None:
    kept = KeptBatches()
    sparse = [torch.eye(3).to_sparse() for _ in range(3)]
    kept.add(batch(number, one) for number, one in enumerate(sparse))
    assert [one.number for one in kept.known([sparse[1]])] == [1]
