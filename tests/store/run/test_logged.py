"""What is logged between records: one file of lines, read as it grows, bounded, and left out where superseded."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import UsageError
from dtui.model import LOGGED_NAN, LOST_NAN, was_logged
from dtui.model.scalars import Points, scalar_points
from dtui.store import RunReader, RunWriter, check_run, pack_run
from dtui.store.run.logged_values import MOST_LOGGED_NAMES, logged_lines, parse_logged
from dtui.store.write.resume import find_past
from tests.store.builders import METADATA, STRUCTURE, make_record, points_of
from tests.store.conftest import Recording


def told(points: Points) -> list[tuple[int, float]]:
    return list(zip(points[0].tolist(), points[1].tolist(), strict=True))


def read(path: Path, name: str) -> list[tuple[int, float]]:
    reader = RunReader(path)
    try:
        return told(points_of(reader, name))
    finally:
        reader.close()


def test_a_reader_follows_what_is_logged(recording: Recording) -> None:
    reader = recording.reader()
    assert reader.logged == {}
    recording.writer.append_logged(3, {"val_acc": 0.25, "other": 1.0})
    assert reader.refresh()
    assert told(reader.logged["val_acc"]) == [(3, 0.25)]
    assert reader.scalar_names()[-2:] == ("other", "val_acc")
    assert not reader.refresh()
    recording.writer.append_logged(7, {"val_acc": math.nan, "other": math.inf})
    assert reader.refresh()
    assert told(reader.logged["other"]) == [(3, 1.0), (7, math.inf)]
    values = reader.logged["val_acc"][1]
    assert was_logged(values).all()
    assert np.isnan(values[1])
    assert reader.faults == ()


def test_lines_in_any_order_are_one_ascending_curve(recording: Recording) -> None:
    for iteration, value in ((30, 3.0), (10, 1.0), (30, 4.0), (20, 2.0)):
        recording.writer.append_logged(iteration, {"val_acc": value})
    assert told(recording.reader().logged["val_acc"]) == [(10, 1.0), (20, 2.0), (30, 4.0)]


def test_a_damaged_line_costs_itself_and_is_told(recording: Recording) -> None:
    reader = recording.reader()
    for iteration in (3, 5, 7):
        recording.writer.append_logged(iteration, {"val_acc": iteration / 8})
    assert reader.refresh()
    path = recording.path / "logged.jsonl"
    path.write_text(path.read_text().replace("0.625", "0.725"))
    assert reader.refresh()
    assert told(reader.logged["val_acc"]) == [(3, 0.375), (7, 0.875)]
    assert reader.faults == (f"{path}: 1 damaged lines are left out",)
    assert "logged.jsonl: 1 lines are lost, 2 are fine" in _verdicts(recording.path)
    recording.writer.append_logged(9, {"val_acc": 1.0})
    assert reader.refresh()
    assert told(reader.logged["val_acc"])[-1] == (9, 1.0)
    path.unlink()
    assert reader.refresh()
    assert (reader.logged, reader.faults) == ({}, ())


def _verdicts(path: Path) -> list[str]:
    return [f"{file.path}: {file.detail}" for file in check_run(path).files]


def test_a_line_that_is_not_whole_yet_is_waited_for(recording: Recording) -> None:
    recording.writer.append_logged(3, {"val_acc": 0.5})
    path = recording.path / "logged.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:20])
    reader = recording.reader()
    assert (told(reader.logged["val_acc"]), reader.faults) == ([(3, 0.5)], ())
    recording.writer.append_logged(7, {"val_acc": 0.75})  # ends the torn line first
    assert reader.refresh()
    assert told(reader.logged["val_acc"]) == [(3, 0.5), (7, 0.75)]
    assert reader.faults == (f"{path}: 1 damaged lines are left out",)
    path.write_bytes(path.read_bytes()[:-1])
    again = recording.reader()
    assert told(again.logged["val_acc"]) == [(3, 0.5), (7, 0.75)]
    recording.writer.append_logged(9, {"val_acc": 1.0})
    assert again.refresh()
    assert told(again.logged["val_acc"])[-1] == (9, 1.0)


@pytest.mark.parametrize(
    "line",
    [
        {"iteration": -1, "values": {"a": 1.0}},
        {"iteration": 1 << 62, "values": {"a": 1.0}},
        {"iteration": 1.0, "values": {"a": 1.0}},
        {"iteration": True, "values": {"a": 1.0}},
        {"iteration": 1, "values": [1.0]},
        {"iteration": 1, "values": {"a": "1"}},
        {"iteration": 1, "values": {"a": True}},
        {"iteration": 1, "values": {"a": 10**400}},
        {"values": {"a": 1.0}},
    ],
)
def test_what_no_recorder_writes_is_refused(line: dict[str, object]) -> None:
    assert parse_logged(line) is None


def test_a_run_has_so_many_names_and_no_more(recording: Recording) -> None:
    names = [f"n{at}" for at in range(MOST_LOGGED_NAMES + 1)]
    recording.writer.append_logged(3, dict.fromkeys(names, 1.0))
    reader = recording.reader()
    assert len(reader.logged) == MOST_LOGGED_NAMES
    assert any("logged.jsonl: 1 damaged lines are left out" in fault for fault in reader.faults)


def test_many_values_are_several_lines_each_short_enough_to_be_read() -> None:
    values = {f"{at}".rjust(500, "x"): float(at) for at in range(200)}
    lines = list(logged_lines(5, values))
    assert len(lines) > 2
    found = [parsed[1] for line in lines if (parsed := parse_logged(line)) is not None]
    assert {name: value for some in found for name, value in some.items()} == values
    with pytest.raises(UsageError, match="a name of 50,000 characters"):
        list(logged_lines(5, {"x" * 50_000: 1.0}))


def test_a_full_file_takes_no_more_and_what_is_in_it_stays(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dtui.store.run.logged_values.LARGEST_LOGGED", 200)
    for iteration in range(4):
        recording.writer.append_logged(iteration, {"val_acc": float(iteration)})
    with pytest.raises(UsageError, match="full"):
        recording.writer.append_logged(4, {"val_acc": 4.0})
    recording.append(1)
    reader = recording.reader()
    assert told(reader.logged["val_acc"]) == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
    assert reader.faults == ()


def test_a_full_disk_keeps_values_for_later(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("dtui.store.write.line_queue.append_line", full)
        recording.writer.append_logged(3, {"val_acc": 0.5})
    assert recording.reader().logged == {}
    recording.append(1)
    assert told(recording.reader().logged["val_acc"]) == [(3, 0.5)]


def test_a_packed_run_has_what_its_folder_has(recording: Recording, tmp_path: Path) -> None:
    recording.append(3)
    recording.writer.append_logged(3, {"val_acc": math.nan, "other": -math.inf})
    recording.writer.append_logged(25, {"val_acc": 0.5})
    recording.writer.close()
    pack_run(recording.path, tmp_path / "packed.h5")
    packed, folder = RunReader(tmp_path / "packed.h5"), recording.reader()
    for name in folder.scalar_names():
        for one, other in zip(points_of(packed, name), points_of(folder, name), strict=True):
            assert one.tobytes() == other.tobytes()
    assert packed.scalar_names() == folder.scalar_names()
    assert check_run(tmp_path / "packed.h5").is_fine


def test_a_resumed_training_supersedes_what_was_logged_past_its_checkpoint(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False)
    for position in range(4):
        writer.append_record(make_record(position))
        writer.append_logged(10 * position + 5, {"val_acc": float(position)})
    writer.close()
    past = find_past(tmp_path / "run")
    assert past is not None
    again = RunWriter.resume(past, 20, compact=False)
    again.append_logged(19, {"before": 1.0})
    assert read(tmp_path / "run", "val_acc") == [(5, 0.0), (15, 1.0), (25, 2.0), (35, 3.0)]
    again.append_logged(24, {"val_acc": 7.0})
    again.close()
    assert read(tmp_path / "run", "val_acc") == [(5, 0.0), (15, 1.0), (24, 7.0)]
    assert read(tmp_path / "run", "before") == [(19, 1.0)]
    pack_run(tmp_path / "run.dtui", tmp_path / "packed.h5")
    assert read(tmp_path / "packed.h5", "val_acc") == [(5, 0.0), (15, 1.0), (24, 7.0)]


# --- records and what was logged between them, as one curve

NAN = math.nan


@pytest.mark.parametrize(
    ("values", "own", "wanted"),
    [
        ([1, 2, 3], [], [(0, 1), (10, 2), (20, 3)]),
        ([NAN, 2, NAN], [(7, 2)], [(7, 2)]),
        ([NAN, 2, 3], [(7, 2)], [(7, 2), (20, 3)]),
        ([1, 2, 3], [(0, 1), (3, 5), (7, 2), (19, 3)], [(0, 1), (3, 5), (7, 2), (19, 3)]),
        ([NAN, 2, 2], [(7, 2)], [(7, 2), (20, 2)]),  # the last record is of a later value, which is the same
        ([NAN, 2, 3], [(7, 9)], [(7, 9), (10, 2), (20, 3)]),  # the record is of a later value
        ([NAN, 2, 3], [(9, 2), (10, 4), (20, 3)], [(9, 2), (10, 4), (20, 3)]),
        ([NAN, LOGGED_NAN, NAN], [(7, LOGGED_NAN)], [(7, NAN)]),
        ([1, LOST_NAN, 3], [], [(0, 1), (10, NAN), (20, 3)]),
        ([1, LOST_NAN, 3], [(7, 2)], [(0, 1), (7, 2), (20, 3)]),
        ([NAN, NAN, NAN], [(25, 4)], [(25, 4)]),
    ],
)
def test_a_record_repeats_what_was_logged_before_it(
    values: list[float], own: list[tuple[int, float]], wanted: list[tuple[int, float]]
) -> None:
    points = (np.array([at for at, _ in own], np.int64), np.array([value for _, value in own], np.float64))
    found = scalar_points(np.array([0, 10, 20]), np.zeros(3, np.bool_), np.array(values, np.float64), points)
    np.testing.assert_array_equal(np.array(told(found)), np.array(wanted, np.float64))


def test_a_record_repeats_what_was_logged_before_the_watches_in_front_of_it() -> None:
    iterations, is_watch = np.array([0, 8, 9, 10]), np.array([False, True, True, False])
    values, own = np.array([NAN, 2.0, NAN, 2.0]), (np.array([7]), np.array([2.0]))
    assert told(scalar_points(iterations, is_watch, values, own)) == [(7, 2.0)]
