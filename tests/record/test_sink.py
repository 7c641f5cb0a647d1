"""The account of what was lost on the way to the disk says neither too much nor too little."""

from __future__ import annotations

import threading
from typing import Any

from dtui.model import Gap, RunStatus
from dtui.record.sink import Job, Sink
from tests.record.conftest import MemoryStore


def test_a_record_between_two_dropped_ones_is_in_neither_gap() -> None:
    """The gaps of 10 and of 30 are noted while 20 still waits to be written."""
    release = threading.Event()
    store: Any = MemoryStore(structure=None)  # type: ignore[arg-type]

    def open_store() -> Any:
        assert release.wait(60)
        return store

    sink = Sink(open_store, 2)
    sink.miss(Gap(10, 10, "records", "slow"))
    assert sink.offer(Job("records", 20, lambda store: None))
    sink.miss(Gap(30, 30, "records", "slow"))
    sink.miss(Gap(40, 40, "records", "slow"))
    release.set()
    sink.close(RunStatus.DONE, "")
    assert store.gaps == [Gap(10, 10, "records", "slow"), Gap(30, 40, "records", "slow")]


def test_a_gap_that_goes_on_while_it_is_written_is_written_twice_and_the_record_is_not_in_it() -> None:
    class Store(MemoryStore):
        def append_gap(self, gap: Gap) -> None:
            if not self.gaps:
                sink.miss(Gap(30, 30, "records", "slow"))
            super().append_gap(gap)

    store: Any = Store(structure=None)  # type: ignore[arg-type]
    sink = Sink(lambda: store, 2)
    sink.miss(Gap(10, 10, "records", "slow"))
    assert sink.offer(Job("records", 20, lambda store: None))
    sink.close(RunStatus.DONE, "")
    assert store.gaps == [Gap(10, 10, "records", "slow"), Gap(30, 30, "records", "slow")]
