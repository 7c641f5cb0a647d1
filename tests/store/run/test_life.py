"""Whether a run is recorded, told by what changes: no clock of another host is asked, however wrong it is."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dtui.cli import main
from dtui.errors import RunExistsError
from dtui.model import RunStatus
from dtui.store import RunReader, RunWriter, find_past
from dtui.store.compact.worker import RunCompactor
from dtui.store.run import life
from dtui.store.run import lock as exclusion
from dtui.store.run.run_file import Process, RunFile
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.clock import Clock
from tests.store.conftest import Recording
from tests.store.resuming import die

AGES = (0.0, 5.0, -30.0, 300.0, -300.0, 90_000.0)
"""By how many seconds a sign of life looks old: the other host's clock is so much slow, or fast."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the module that judges a clock of ours, and every process another wall clock, which must not matter."""
    clock = Clock()
    monkeypatch.setattr(life, "time", clock)
    return clock


def put_elsewhere(path: Path) -> None:
    """Have a run recorded by a process of another host, which nobody here can ask about."""
    replace(RunFile.read(path), writer=Process(7, "elsewhere", "boot", 1)).write(path)


def beat(path: Path, at: list[int], age: float = 0.0) -> None:
    """Give a sign of life, one later than the last, by a clock that differs from ours."""
    at.append(at[-1] + 1 if at else int(time.time()))
    os.utime(path / "heartbeat", (at[-1] - age, at[-1] - age))


@pytest.mark.parametrize("age", AGES)
def test_a_living_run_of_another_host_is_live(recording: Recording, clock: Clock, age: float) -> None:
    put_elsewhere(recording.path)
    at: list[int] = []
    beat(recording.path, at, age)
    reader = recording.reader()
    for _ in range(300):
        assert reader.status() is RunStatus.LIVE
        clock.sleep(1.0)
        beat(recording.path, at, age)
        reader.refresh()
    for _ in range(int(life.SILENT_SECONDS)):  # its disk hangs
        assert reader.status() is RunStatus.LIVE
        clock.sleep(1.0)
    assert reader.status() is RunStatus.CRASHED
    assert reader.reason == "no sign of life from process 7 on elsewhere in 120 s of looking"
    beat(recording.path, at, age)  # it goes on
    assert (reader.status(), reader.reason) == (RunStatus.LIVE, "")


@pytest.mark.parametrize("age", AGES)
def test_a_dead_run_of_another_host_is_not_live_for_long(recording: Recording, clock: Clock, age: float) -> None:
    put_elsewhere(recording.path)
    beat(recording.path, [], age)
    reader = recording.reader()
    started = clock.now
    while reader.status() is RunStatus.LIVE:
        clock.sleep(1.0)
    assert clock.now - started <= life.WATCHED_SECONDS + 1
    (recording.path / "heartbeat").unlink()
    assert reader.status() is RunStatus.CRASHED


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("lives", [True, False])
def test_a_command_that_answers_once_watches_for_seconds(
    recording: Recording, clock: Clock, capsys: pytest.CaptureFixture[str], age: float, lives: bool
) -> None:
    put_elsewhere(recording.path)
    at: list[int] = []
    beat(recording.path, at, age)
    if lives:
        clock.while_asleep = lambda: beat(recording.path, at, age)
    started = clock.now
    main(["info", str(recording.path), "--json"])
    told = json.loads(capsys.readouterr().out)
    if lives:
        assert (told["status"], told["reason"]) == ("live", "")
    else:
        assert told["status"] == "crashed"
        assert told["reason"].startswith("no sign of life from process 7 on elsewhere in 3 s")
    assert clock.now - started <= life.GLANCE_SECONDS + 0.2


def test_many_runs_are_judged_in_the_time_of_one(
    tmp_path: Path, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(8):
        with RunWriter(tmp_path / f"run{n}", STRUCTURE, METADATA, compact=False) as writer:
            writer.append_record(make_record(0))
            replace(RunFile.read(writer.path), writer=Process(7, "elsewhere", "boot", 1)).write(writer.path)
            writer._closed = True
    started = clock.now
    main(["runs", str(tmp_path), "--json"])
    assert {run["status"] for run in json.loads(capsys.readouterr().out)} == {"crashed"}
    assert clock.now - started <= life.GLANCE_SECONDS + 0.2


@pytest.mark.parametrize("age", AGES)
def test_only_a_silent_run_is_taken_over(recording: Recording, clock: Clock, age: float) -> None:
    die(recording.writer)
    put_elsewhere(recording.path)
    at: list[int] = []
    beat(recording.path, at, age)
    assert find_past(recording.path) is not None
    clock.while_asleep = lambda: beat(recording.path, at, age)
    with pytest.raises(RunExistsError, match="process 7 on elsewhere is recording it"):
        find_past(recording.path)


@pytest.mark.parametrize("age", AGES)
@pytest.mark.parametrize("lives", [True, False])
def test_only_a_silent_lock_is_taken_over(recording: Recording, clock: Clock, age: float, lives: bool) -> None:
    recording.append(40)
    lock = recording.path / "compact.lock"
    lock.write_text('{"pid": 7, "host": "elsewhere", "boot": "b", "started": 1}')
    times = [int(time.time())]

    def touch() -> None:
        times.append(times[-1] + 1)
        os.utime(lock, (times[-1] - age, times[-1] - age))

    touch()
    if lives:
        clock.while_asleep = touch
    compactor = RunCompactor(recording.path)
    assert bool(compactor.compact(finish=False)) is not lives
    compactor.close()
    assert clock.now - 1000 <= exclusion.WATCHED_SECONDS + 0.2


def test_what_a_part_replaces_stays_as_long_as_a_reader_may_need_it(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five seconds as this process has seen them, however old the files look by another host's clock."""
    from dtui.store.compact import remove_replaced

    clock = Clock()
    monkeypatch.setattr(remove_replaced, "time", clock)
    recording.append(40)
    recording.compact(sweep=False)
    compactor = RunCompactor(recording.path)
    for path in (recording.path / "parts").iterdir():
        os.utime(path, (1, 1))
    journals = sorted((recording.path / "journal").iterdir())
    for _ in range(5):
        compactor.sweep(5.0)
        assert sorted((recording.path / "journal").iterdir()) == journals
        clock.sleep(1.0)
    compactor.sweep(5.0)
    assert sorted((recording.path / "journal").iterdir()) != journals
    compactor.close()


def test_a_reader_of_this_host_asks_the_process(recording: Recording, clock: Clock) -> None:
    reader = RunReader(recording.path)
    os.utime(recording.path / "heartbeat", (1, 1))
    clock.sleep(1000)
    assert reader.status() is RunStatus.LIVE
    die(recording.writer)
    reader.refresh()
    assert reader.status() is RunStatus.CRASHED
    reader.close()
    recording.writer._closed = True
