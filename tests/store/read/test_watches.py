"""Watches of the flight recorder: a stream of their own that is read as one axis with the records."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import Gap, Record, Trigger
from dtui.model.statistics import FILTERS
from dtui.store import check_run
from tests.store.builders import make_record
from tests.store.conftest import Recording

TRIGGER = Trigger(205, "filter", "stage.\x1b[31mconv", (2, 4), 57.5, 12.25)
BROKEN = Trigger(211, "nonfinite", "fc", (0,), 3.0, math.nan)


def watch_at(iteration: int, training: int = 0) -> Record:
    record = make_record(100_000 * training + 1000 + iteration)
    record.filters[[not one.is_watched for one in FILTERS.values()]] = np.nan
    return replace(record, iteration=iteration)


def append_watches(recording: Recording, iterations: Iterable[int]) -> None:
    """Append watches to the run and its twin."""
    for iteration in iterations:
        watch = watch_at(iteration)
        recording.writer.append_watch(watch)
        recording.twin.watches.append(watch)


@pytest.mark.parametrize("way", ["journal", "parts", "both", "finished"])
def test_records_and_watches_are_one_axis_and_a_record_wins(recording: Recording, way: str) -> None:
    recording.append(40)
    append_watches(recording, range(200, 275))
    if way == "finished":
        recording.writer.close()
    if way != "journal":
        assert any(path.name.startswith("watches-") for path in recording.compact(finish=way == "finished"))
    if way == "both":
        append_watches(recording, range(280, 285))
    reader = recording.reader()
    recording.twin.assert_read_by(reader)
    for part in (slice(18, 60), slice(3, 100, 7), slice(25, 26), slice(0, 5), slice(22, 22)):
        recording.twin.assert_records(reader, part)
    watches = reader.record_iterations[reader.is_watch]
    assert watches.tolist() == [
        n for n in [*range(200, 275), *range(280, 285)] if n % 10 and (n < 275 or way == "both")
    ]
    assert check_run(recording.path).is_fine


def test_a_run_without_watches_has_no_file_of_them_and_marks_none(recording: Recording) -> None:
    recording.append(5)
    reader = recording.reader()
    assert not reader.is_watch.any()
    assert reader.triggers == ()
    assert not [path for path in recording.path.rglob("*") if "watches" in path.name or "triggers" in path.name]


def test_watches_that_come_late_are_put_before_the_records_that_were_read(recording: Recording) -> None:
    recording.append(30)
    reader = recording.reader()
    assert len(reader.record_iterations) == 30
    append_watches(recording, range(241, 249))
    assert reader.refresh()
    recording.twin.assert_read_by(reader)
    assert not reader.refresh()


def test_a_closed_run_that_lacks_watches_says_so(recording: Recording) -> None:
    recording.append(3)
    append_watches(recording, range(11, 15))
    recording.writer.close()
    for path in recording.path.glob("journal/watches-*"):
        path.unlink()
    assert any("watches 0 to 3: missing" in fault for fault in recording.reader().faults)


def test_triggers_are_read_back_and_a_damaged_line_costs_itself(recording: Recording) -> None:
    reader = recording.reader()
    recording.writer.append_trigger(TRIGGER)
    recording.writer.append_trigger(BROKEN)
    assert reader.refresh()
    first, second = reader.triggers
    assert first == TRIGGER
    assert math.isnan(second.times)
    assert replace(second, times=0.0) == replace(BROKEN, times=0.0)
    path = recording.path / "triggers.jsonl"
    path.write_text(path.read_text().replace('"fc"', '"cf"'))
    assert reader.refresh()
    assert reader.triggers == (TRIGGER,)
    assert any("triggers.jsonl: 1 damaged lines" in fault for fault in reader.faults)
    assert not check_run(recording.path).is_fine


def test_a_full_disk_keeps_a_trigger_for_later(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dtui.store.write.line_queue.append_line", full)
        recording.writer.append_trigger(TRIGGER)
        recording.writer.append_gap(Gap(1, 2, "watches", "OSError"))
    assert recording.reader().triggers == ()
    recording.append(1)
    assert recording.reader().triggers == (TRIGGER,)
    assert recording.reader().gaps == (Gap(1, 2, "watches", "OSError"),)


def test_watches_ascend_within_their_stream_alone(recording: Recording) -> None:
    recording.append(30)
    recording.writer.append_watch(watch_at(5))
    with pytest.raises(UsageError, match="iteration 5 of watches is not after the last one, 5"):
        recording.writer.append_watch(watch_at(5))
    assert np.array_equal(np.sort(recording.reader().record_iterations), recording.reader().record_iterations)
