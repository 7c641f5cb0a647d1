"""`should_stop`: it is False for ever, unless the flight recorder saw NaN or somebody asked."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from dtui.record import Recorder
from dtui.record.flight import triggers
from dtui.record.writing import stopping
from dtui.record.writing.stopping import AHEAD_UPDATES, StopSignal
from dtui.store.run.stop_request import leave_stop_request
from tests.record.conftest import RecorderUnderTest, small_net
from tests.record.test_loops import update


class Asked:
    """A store that somebody asked to stop, or not yet."""

    def __init__(self) -> None:
        self.is_asked = False
        self.looks = 0

    def asked_to_stop(self) -> bool:
        self.looks += 1
        return self.is_asked


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds, which only the test lets pass."""
    now = [0.0]
    monkeypatch.setattr(stopping.time, "monotonic", lambda: now[0])
    return now


def test_one_process_stops_at_once_and_looks_once_a_second(clock: list[float]) -> None:
    signal, store = StopSignal(), Asked()
    for _ in range(100):
        signal.look(store)
    assert store.looks == 1
    assert not signal.is_due(1_000_000)
    store.is_asked = True
    clock[0] += 1
    signal.look(store)
    assert signal.is_due(0)
    store.is_asked = False
    clock[0] += 1
    signal.look(store)
    assert signal.is_due(0)  # it never changes back
    assert store.looks == 2


@pytest.mark.parametrize("rate", [1, 3, 500])
def test_all_processes_stop_at_the_same_iteration_ahead_of_all(clock: list[float], rate: int) -> None:
    told: list[int] = []
    first = StopSignal(announce=told.append)
    other = StopSignal(heard=lambda: told[-1] if told else None)
    store, counts = Asked(), [0, 0]
    first.follow(lambda: counts[0])
    other.follow(lambda: counts[1])
    first.saw_nonfinite()  # before anybody knows how fast the training is
    assert told == []
    stopped: list[int | None] = [None, None]
    for _ in range(30):
        clock[0] += 1
        first.look(store)
        for at, signal in enumerate((first, other)):
            for _ in range(rate):
                counts[at] += 1
                if stopped[at] is None and signal.is_due(counts[at]):
                    stopped[at] = counts[at]
        other.look(store)
    assert len(told) == 1
    assert told[0] >= rate + max(AHEAD_UPDATES, 9 * rate)  # others have seconds to hear of it
    assert stopped == [told[0], told[0]]


def test_a_training_that_rests_as_somebody_asks_is_told_as_far_ahead_as_at_its_fastest(clock: list[float]) -> None:
    told: list[int] = []
    signal, store, count = StopSignal(announce=told.append), Asked(), 0
    signal.follow(lambda: count)
    for updates in (0, 500, 0, 0):  # a validation, say
        count += updates
        clock[0] += 1
        signal.look(store)
    store.is_asked = True
    clock[0] += 1
    signal.look(store)
    assert told == [500 + 10 * 500]


def test_processes_go_on_together_where_they_cannot_be_told(clock: list[float]) -> None:
    def refuse(_: int | None = None) -> None:
        raise OSError("the store is gone")

    for signal in (StopSignal(announce=refuse), StopSignal(heard=refuse)):  # type: ignore[arg-type]
        signal.follow(lambda: 7)
        for _ in range(4):
            clock[0] += 1
            signal.saw_nonfinite()
            signal.look(Asked())
        assert not signal.is_due(1_000_000)


def test_a_store_that_fails_stops_nothing(clock: list[float]) -> None:
    signal = StopSignal()
    signal.look(object())  # type: ignore[arg-type]
    assert not signal.is_due(0)


def flown(record: Callable[..., RecorderUnderTest], factor: float, **options: Any) -> tuple[list[bool], set[str]]:
    """Train with one weight multiplied before update 5; return `should_stop` after each update, and what fired."""
    torch.manual_seed(9)
    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recorder = record(model, optimizer, every=20, **options)
    answers = []
    for iteration in range(9):
        if iteration == 5:
            with torch.no_grad():
                model[0].weight[2, 0, 1, 1] *= factor
        update(model, optimizer)
        sink, flight = recorder._recording.sink, recorder._recording.flight
        assert sink is not None
        if flight is not None:
            flight.flush(sink)
        sink.drain()
        answers.append(recorder.should_stop)
    return answers, {trigger.kind for trigger in recorder.store.triggers}


def test_it_is_true_from_the_watch_on_that_saw_nan(record: Callable[..., RecorderUnderTest]) -> None:
    answers, fired = flown(record, math.nan, keep_around=4)
    assert answers == [False] * 5 + [True] * 4
    assert fired == {"nonfinite"}


def test_a_jump_or_nan_without_a_flight_recorder_stops_nothing(
    record: Callable[..., RecorderUnderTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(triggers, "WARM_UP", 3)
    answers, fired = flown(record, 20.0, keep_around=4)
    assert fired
    assert "nonfinite" not in fired
    assert not any(answers)
    assert flown(record, math.nan) == ([False] * 9, set())


def test_a_request_in_the_run_reaches_the_loop_and_not_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "LOOK_SECONDS", 0.0)

    def trained(recorder: Recorder, most: int, ask_at: int = -1) -> int:
        """Train as a loop does that asks; return the updates."""
        for step in range(most):
            update(model, optimizer)
            sink = recorder._recording.sink
            assert sink is not None
            if step == ask_at:
                assert sink.drain()
                leave_stop_request(recorder.path)
            sink.drain()
            if recorder.should_stop:
                return step + 1
        return most

    model = small_net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with Recorder(tmp_path / "run", model, optimizer, every=1) as recorder:
        assert trained(recorder, 30, ask_at=10) in (11, 12)
    with Recorder(tmp_path / "run", model, optimizer, every=1, resume=True, iteration=5) as recorder:
        assert trained(recorder, 5) == 5
        assert not recorder.should_stop
