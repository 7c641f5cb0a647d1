"""The first rank's writer waits for the parts of others, but not again and again for one that is gone."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from dtui.record.training import distributed


class Keys:
    """The key-value store of torch.distributed in one process."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def set(self, key: str, value: bytes) -> None:
        self.values[key] = value

    def check(self, keys: list[str]) -> bool:
        return all(key in self.values for key in keys)

    def get(self, key: str) -> bytes:
        return self.values[key]

    def delete_key(self, key: str) -> None:
        del self.values[key]


def exchange_of(rank: int, keys: Any) -> distributed.Exchange:
    exchange = distributed.Exchange("run")
    exchange.rank, exchange.ranks, exchange._store, exchange._prefix = rank, 2, keys, "run"
    return exchange


def test_a_rank_that_is_gone_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    now = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", sleep)
    keys = Keys()
    first, second = exchange_of(0, keys), exchange_of(1, keys)
    for iteration in range(3):
        begin = now
        with pytest.raises(distributed.PartMissingError, match="rank 1 left no part"):
            first.pick_up("records", iteration)
        waited.append(now - begin)
    assert waited == pytest.approx([60, 1, 1], abs=0.1)

    second.leave("records", 3, {"sums": np.ones(2)})
    assert first.pick_up("records", 3)[0]["sums"].tolist() == [1, 1]
    begin = now
    with pytest.raises(distributed.PartMissingError):
        first.pick_up("records", 4)
    assert now - begin == pytest.approx(60, abs=0.1)


def test_the_time_for_which_a_host_is_stopped_is_not_waited(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by SIGSTOP, a debugger, or a machine that sleeps: the other rank was stopped, too, and has had no time."""
    now = 0.0
    keys = Keys()
    first, second = exchange_of(0, keys), exchange_of(1, keys)

    def sleep(_: float) -> None:
        nonlocal now
        if now > 3600:
            second.leave("records", 0, {"sums": np.ones(2)})
        now += 3600

    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "sleep", sleep)
    assert first.pick_up("records", 0)[0]["sums"].tolist() == [1, 1]
