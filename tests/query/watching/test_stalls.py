"""A training that writes nothing for much longer than usual is told of."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dtui.model import (
    Trigger,
)
from dtui.query import open_run
from dtui.query.watching.pace import LEEWAY, UNKNOWN_SECONDS, Pace
from dtui.query.watching.progress import Progress
from dtui.query.watching.watcher import Watcher
from dtui.store import RunReader, RunWriter, find_past
from tests.query.watching.live import STALL, Live, calm
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation


def test_a_stall_is_ten_times_the_usual_interval_and_a_minute_at_least(tmp_path: Path) -> None:
    live = Live(tmp_path / "run", STALL)
    for _ in range(5):
        live.append()
        assert live.look(20.0) == []
    assert live.look(199.0) == []  # a long validation
    (event,) = live.look(1.0)
    assert event.sentence == "nothing new for 3 min since iteration 50, usually a record comes every 20 s"
    assert live.look(10_000.0) == []
    live.append()
    assert live.look(1.0) == []
    assert [event.iteration for event in live.look(20_000.0)] == [60]
    live.close()


@pytest.mark.parametrize("interval", [0.01, 2.0, 30.0])
def test_the_pace_decides_when_nothing_new_is_strange(interval: float) -> None:
    pace, now = Pace(10.0, 60.0), 0.0
    pace.begin(0, 0, now, 0.0, None)
    assert pace.stalled(now + UNKNOWN_SECONDS - 1) is None  # its first records may wait for a compiler
    for record in range(1, 10):
        now += interval
        pace.see(record, record, now)
    limit = max(60.0, 10 * interval)
    assert pace.usual == pytest.approx(interval)
    assert pace.stalled(now + limit - 0.001) is None
    assert pace.stalled(now + limit) == pytest.approx(limit)
    assert pace.stalled(now + limit + 1) is None  # told once
    pace.see("a validation", 9, now + limit + 5)
    again = now + limit + 5 + LEEWAY * (limit + 5)
    assert pace.stalled(again - 0.001) is None  # such a pause has ended by itself before
    assert pace.stalled(again) is not None


def test_of_several_records_between_two_looks_each_has_its_share_of_the_time() -> None:
    pace = Pace(10.0, 60.0)
    pace.begin(0, 0, 0.0, 0.0, None)
    for look in range(1, 5):
        pace.see(look, 20 * look, 100.0 * look)
    assert pace.usual == 5.0


def test_what_is_usual_is_the_middle_of_the_last_intervals_once_there_are_three() -> None:
    pace, now = Pace(10.0, 60.0), 0.0
    pace.begin(0, 0, now, 0.0, 100.0)
    usual = []
    for record, interval in enumerate([1.0, 2.0, 9.0, *[1.0] * 40, *[30.0] * 15], 1):
        now += interval
        pace.see(record, record, now)
        usual.append(pace.usual)
    assert usual[:3] == [100.0, 100.0, 2.0]  # before, what the files tell
    assert usual[-1] == 1.0
    for record in range(100, 103):
        now += 30.0
        pace.see(record, record, now)
    assert pace.usual == 30.0, "of 32 intervals more than half are of 30 s now"


def test_records_that_a_resumed_training_supersedes_are_no_interval() -> None:
    pace = Pace(10.0, 60.0)
    pace.begin(0, 0, 0.0, 0.0, None)
    for look in range(1, 5):
        pace.see(look, 10 * look, 10.0 * look)
    for records, now in ((15, 50.0), (16, 51.0), (15, 52.0)):
        pace.see((records, now), records, now)
    assert pace.usual == 1.0
    assert min(pace._intervals) > 0


def test_a_training_that_ends_well_after_a_long_rest_did_not_stall(tmp_path: Path) -> None:
    live = Live(tmp_path / "run", STALL)
    assert live.look() == []
    for _ in range(5):
        live.append()
        assert live.look(20.0) == []
    live.writer.close()
    assert live.look(10_000.0) == []
    live.close()


def validate(writer: RunWriter) -> None:
    writer.set_images(IMAGES)
    writer.append_validation(make_validation(5))


@pytest.mark.parametrize(
    "act",
    [
        lambda writer: writer.append_logged(55, {"loss": 0.5}),
        lambda writer: writer.append_trigger(Trigger(55, "loss", "", (), 9.0, 7.0)),
        validate,
    ],
    ids=["a logged value", "a trigger", "a validation"],
)
def test_a_training_that_writes_anything_does_not_stall(tmp_path: Path, act: Callable[[RunWriter], None]) -> None:
    live = Live(tmp_path / "run", STALL)
    for _ in range(5):
        live.append()
        assert live.look(20.0) == []
    assert live.look(150.0) == []
    act(live.writer)
    assert live.look(1.0) == []
    assert live.look(150.0) == []
    assert len(live.look(100.0)) == 1
    live.close()


def test_watches_between_records_do_not_count_as_records(tmp_path: Path) -> None:
    live = Live(tmp_path / "run", STALL)
    for _ in range(5):
        for iteration in range(10 * live.count - 5, 10 * live.count):
            live.writer.append_watch(make_record(iteration, every=1))
        live.append()
        assert live.look(20.0) == []
    (event,) = live.look(200.0)
    assert event.sentence.endswith("usually a record comes every 20 s")
    live.close()


def test_the_first_look_knows_from_the_files_for_how_long_nothing_came(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False)
    for position in range(11):
        writer.append_record(calm(position))
    for name, at in (("run.json", 1_000), ("journal", 1_020), ("heartbeat", 1_079)):
        files = [*(writer.path / name).iterdir()] if name == "journal" else [writer.path / name]
        for file in files:
            os.utime(file, (at, at))
    for at, found in ((1_079, 0), (1_081, 1)):  # records came every 2 s: a minute counts
        os.utime(writer.path / "heartbeat", (at, at))
        watcher = Watcher(writer.path, STALL, is_once=True)
        assert len(watcher.look().events) == found
        watcher.close()
    writer.close()


def test_what_is_usual_is_counted_from_where_the_present_process_went_on(tmp_path: Path) -> None:
    """The files tell when that process began; the records before it came at another time, maybe on another machine."""
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as first:
        for position in range(30):
            first.append_record(calm(position))
    past = find_past(first.path)
    assert past is not None
    with RunWriter.resume(past, 100, compact=False) as writer:
        for position in (10, 11, 12):
            writer.append_record(calm(position))
        files = [*(writer.path / "journal").iterdir()]
        for file, at in ((writer.path / "run.json", 1_000), *((file, 1_020) for file in files)):
            os.utime(file, (at, at))
        reader = RunReader(writer.path)
        assert len(reader.record_iterations) == 13
        assert Progress(reader).see(5.0).usual == 10.0
        reader.close()


def test_a_query_says_how_long_a_live_run_has_been_quiet(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        for position in range(4):
            writer.append_record(calm(position))
        with open_run(writer.path) as query:
            assert query.quiet_seconds(100.0) == 0
            assert query.quiet_seconds(159.0) == 0
            assert query.quiet_seconds(161.0) == pytest.approx(61.0, abs=1.0)
            writer.append_record(calm(4))
            query.refresh()
            assert query.quiet_seconds(162.0) == 0
            assert query.quiet_seconds(223.0) == pytest.approx(61.0, abs=1.0)
            writer.close()
            query.refresh()
            assert query.quiet_seconds(1_000.0) == 0
