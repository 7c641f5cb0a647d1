"""The account of what was lost on the way to the disk says neither too much nor too little."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import pytest

from dtui.errors import RunExistsError
from dtui.model import Gap, RunStatus
from dtui.record import RecorderWarning
from dtui.record.writing.warn import forget_told
from dtui.record.writing.writer_thread import STALLED_SECONDS, Job, Sink
from tests.record.conftest import MemoryStore
from tests.record.telling import untold


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


def test_no_more_jobs_of_a_stream_wait_than_may() -> None:
    release = threading.Event()

    def open_store() -> Any:
        assert release.wait(60)
        return MemoryStore(structure=None)  # type: ignore[arg-type]

    sink = Sink(open_store, 2)
    jobs = [Job(stream, at, lambda store: None) for stream in ("records", "watches") for at in range(3)]
    assert [sink.offer(job) for job in jobs] == [True, True, False] * 2
    assert not sink.has_room("records")
    assert [sink.offer(Job("validations", at, lambda store: None), limit=1) for at in range(2)] == [True, False]
    release.set()
    sink.close(RunStatus.DONE, "")


@pytest.mark.parametrize(
    ("stream", "at"),
    [
        pytest.param("records", 11, id="it goes on"),
        pytest.param("validations", 20, id="one was interrupted where another was recorded"),
    ],
)
def test_a_gap_while_one_is_written_is_written_behind_it_and_costs_no_record(stream: str, at: int) -> None:
    class Store(MemoryStore):
        def append_gap(self, gap: Gap) -> None:
            if not self.gaps:
                sink.miss(Gap(at, at, stream, "slow"))
            super().append_gap(gap)

    store: Any = Store(structure=None)  # type: ignore[arg-type]
    sink = Sink(lambda: store, 2)
    sink.miss(Gap(10, 10, stream, "slow"))
    with untold():
        assert sink.offer(Job(stream, 20, lambda store: None))
        sink.close(RunStatus.DONE, "")
    assert store.gaps == [Gap(10, 10, stream, "slow"), Gap(at, at, stream, "slow")]


def hanging(store: Any, begun: threading.Event, release: threading.Event, at: str) -> Any:
    """A store in which one call hangs until it is released."""

    def hang(*_: object) -> None:
        begun.set()
        assert release.wait(60)

    class Hanging(MemoryStore):
        def append_record(self, record: Any) -> None:
            if at == "disk":
                hang()

        def close(self, status: RunStatus = RunStatus.DONE, reason: str = "") -> None:
            super().close(status, reason)
            if at == "folding":
                hang()

    return Hanging(structure=store)


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("disk", "the disk has taken nothing for 0 s; 2 records or validations may be missing, and the run may look"),
        ("folding", "the run is complete; folding its journals takes long and is left to a process of its own"),
    ],
)
def test_closing_does_not_wait_for_what_hangs(monkeypatch: pytest.MonkeyPatch, at: str, said: str) -> None:
    begun, release = threading.Event(), threading.Event()
    forget_told()
    store = hanging(None, begun, release, at)
    sink = Sink(lambda: store, 2)
    if at == "disk":
        assert sink.offer(Job("records", 0, lambda store: store.append_record(None)))
        assert begun.wait(60)
        assert sink.offer(Job("records", 1, lambda store: None))
    monkeypatch.setattr("dtui.record.writing.writer_thread.STALLED_SECONDS", 0.05)
    monkeypatch.setattr("dtui.record.writing.writer_thread.TURN_SECONDS", 0.05)
    with pytest.warns(RecorderWarning, match=said):
        sink.close(RunStatus.DONE, "")
    assert sink._thread.is_alive()
    release.set()
    sink._thread.join(60)
    assert not sink._thread.is_alive()
    assert store.status is RunStatus.DONE


def test_closing_waits_for_a_disk_that_is_only_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each job ends just after the patience has run out once: what moves is waited for."""
    steps = [threading.Event() for _ in range(3)]
    written: list[int] = []
    store: Any = MemoryStore(structure=None)  # type: ignore[arg-type]
    sink = Sink(lambda: store, 3)

    def slow(number: int) -> Job:
        def write(store: Any) -> None:
            assert steps[number].wait(60)
            written.append(number)

        return Job("records", number, write)

    for number in range(3):
        assert sink.offer(slow(number))
    join = sink._thread.join

    def impatient(seconds: float | None = None) -> None:
        if len(written) < 3:
            done = sink._done
            steps[len(written)].set()
            with sink._changed:
                assert sink._changed.wait_for(lambda: sink._done > done, 60)
        else:
            join(60)

    monkeypatch.setattr(sink._thread, "join", impatient)
    with untold():
        sink.close(RunStatus.DONE, "")
    assert written == [0, 1, 2]
    assert store.status is RunStatus.DONE


def test_a_process_that_was_stopped_for_long_still_waits_for_its_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped by a signal, or with its machine, while it waits: its clock went on, and its threads did not."""
    release = threading.Event()

    def write(store: Any) -> None:
        assert release.wait(60)

    store: Any = MemoryStore(structure=None)  # type: ignore[arg-type]
    sink = Sink(lambda: store, 2)
    assert sink.offer(Job("records", 0, write))
    join = sink._thread.join
    waits: list[float] = []

    def stopped_at_first(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) > 1:
            release.set()
            join(60)

    monkeypatch.setattr(sink._thread, "join", stopped_at_first)
    with untold():
        sink.close(RunStatus.DONE, "")
    assert store.status is RunStatus.DONE
    assert max(waits) < STALLED_SECONDS / 10, "one wait that is lost costs little of what may be waited"


@pytest.mark.filterwarnings("ignore::dtui.record.RecorderWarning")
def test_a_job_that_exits_costs_itself_and_not_the_thread() -> None:
    """Code of the user runs on the thread: it makes the pictures."""

    def exits(store: Any) -> None:
        raise SystemExit(3)

    store: Any = MemoryStore(structure=None)  # type: ignore[arg-type]
    sink = Sink(lambda: store, 2)
    assert sink.offer(Job("validations", 7, exits))
    sink.close(RunStatus.DONE, "")
    assert store.gaps == [Gap(7, 7, "validations", "SystemExit: 3")]
    assert store.status is RunStatus.DONE


def test_a_writer_that_was_replaced_says_so_once_and_writes_nothing_more() -> None:
    """Another host took the run over: neither records, nor gaps, nor signs of life are ours any more."""
    asked: list[str] = []

    class Taken(MemoryStore):
        def append_record(self, record: Any) -> None:
            asked.append("record")
            raise RunExistsError("a.dtui: process 7 on elsewhere records it now; nothing more is added here")

        def append_gap(self, gap: Gap) -> None:
            asked.append("gap")

        def close(self, status: RunStatus = RunStatus.DONE, reason: str = "") -> None:
            asked.append("close")
            raise RunExistsError("a.dtui: process 7 on elsewhere records it now; nothing more is added here")

    forget_told()
    store: Any = Taken(structure=None)  # type: ignore[arg-type]
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        sink = Sink(lambda: store, 8)
        sink.miss(Gap(10, 10, "records", "slow"))
        for iteration in (20, 30):
            assert sink.offer(Job("records", iteration, lambda store: store.append_record(None)))  # type: ignore[arg-type]
            sink.drain(60)
        assert sink.is_refused
        sink.close(RunStatus.DONE, "")
    assert asked == ["record", "close"]
    assert ["process 7 on elsewhere records it now" in str(one.message) for one in told] == [True]
