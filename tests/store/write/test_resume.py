"""A training that goes on from a checkpoint: what counts afterwards, who may do it, and what a crash in it leaves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from dtui.errors import RunDamagedError, RunExistsError, RunNotFoundError
from dtui.model import Gap, RunStatus, Trigger
from dtui.store import RunReader, RunWriter, check_run, find_past, pack_run
from dtui.store.check.result import FileState
from dtui.store.compact import worker as compact
from dtui.store.format.joins import Join, holes_of, kept_stop, seams, unexplained
from dtui.store.format.schema import Stream
from dtui.store.run.run_file import Process, RunFile
from tests.store.builders import IMAGES, METADATA, STRUCTURE
from tests.store.folding import fold
from tests.store.resuming import die, iterations_of, record_of, resume, validation_of
from tests.store.twin import Twin


def record(path: Path, iterations: range, training: int = 0, *, judge: bool = True) -> tuple[RunWriter, Twin]:
    """Record a run, or go on with one whose writer is gone, and return what it alone has added."""
    if path.exists():
        writer = resume(path, iterations.start)
    else:
        writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
        writer.set_images(IMAGES)
    twin = Twin()
    for iteration in iterations:
        twin.records.append(record_of(training, iteration))
        writer.append_record(twin.records[-1])
        if judge:
            twin.validations.append(validation_of(training, iteration))
            writer.append_validation(twin.validations[-1])
    return writer, twin


def read(path: Path) -> RunReader:
    reader = RunReader(path)
    reader.close()
    return reader


@pytest.mark.parametrize(("at", "kept"), [(60, 60), (0, 0), (100, 100), (130, 100)])
def test_what_is_past_the_checkpoint_is_superseded(tmp_path: Path, at: int, kept: int) -> None:
    """From the middle, from the very beginning, from the last record, and from after it."""
    path = tmp_path / "run.dtui"
    writer, before = record(path, range(100))
    writer.close()
    writer, after = record(path, range(at, at + 50), 1)
    twin = Twin(before.records[:kept] + after.records, before.validations[:kept] + after.validations)
    twin.superseded_names = {"late [bold]"}
    reader = RunReader(path)
    twin.assert_read_by(reader)
    assert [join.iteration for join in reader.joins] == [at]
    writer.close()
    fold(path, finish=True)
    reader.refresh()
    twin.assert_read_by(reader)
    reader.close()
    twin.assert_read_by(reopened := RunReader(path))
    reopened.close()
    assert check_run(path).is_fine
    assert {file.state for file in check_run(path).files} == {FileState.FINE}


def test_a_large_part_that_straddles_the_join_is_cut_and_made_smaller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "LARGE_PART", 64)
    path = tmp_path / "run.dtui"
    writer, before = record(path, range(100), judge=False)
    compact.main([str(path)])
    assert (path / "parts" / "records-0000000000-0000000064.h5").exists()
    die(writer)
    writer, after = record(path, range(40, 70), 1, judge=False)
    twin = Twin(before.records[:40] + after.records)
    twin.assert_read_by(reader := RunReader(path))
    states = {str(file.path): file for file in check_run(path).files}
    straddling = states["parts/records-0000000000-0000000064.h5"]
    assert (straddling.state, "from 40 on superseded" in straddling.detail) == (FileState.FINE, True)
    assert states["journal/records-0000000096.dtj"].state is FileState.LEFT_OVER
    writer.close()
    fold(path, finish=True)
    fold(path, finish=True)
    reader.refresh()
    twin.assert_read_by(reader)
    reader.close()
    assert [file.name for file in sorted((path / "parts").iterdir())] == [
        "records-0000000000-0000000040.h5",
        "records-0000000100-0000000130.h5",
    ]
    assert list((path / "journal").iterdir()) == []
    assert fold(path, finish=True) == []


def test_nothing_is_superseded_before_something_new_is_written(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, _ = record(path, range(50))
    die(writer)
    for _ in range(2):
        writer = resume(path, 20)
        assert len(read(path).record_iterations) == 50
        assert read(path).status() is RunStatus.LIVE
        die(writer)
    writer = resume(path, 20)
    writer.supersede()
    assert len(read(path).record_iterations) == 20
    writer.close()
    assert read(path).faults == ()


def test_resumed_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    twin = Twin()
    for training, iterations in enumerate([range(60), range(40, 80), range(70, 90), range(30, 50), range(50, 51)]):
        writer, new = record(path, iterations, training)
        twin.supersede(iterations.start)
        twin.records += new.records
        twin.validations += new.validations
        die(writer, b"dtJ1 torn")
    reader = RunReader(path)
    twin.assert_read_by(reader)
    assert iterations_of(twin.records) == list(range(51))
    assert seams(reader.joins) == (30, 50)
    reader.close()


def test_gaps_and_triggers_past_the_checkpoint_are_superseded(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, _ = record(path, range(10))
    gaps = [Gap(first, first + 4, "records", "disk full") for first in (2, 8, 20)]
    triggers = [Trigger(iteration, "loss", "fc", (), 9.0, 2.0) for iteration in (3, 9)]
    for gap in gaps:
        writer.append_gap(gap)
    for trigger in triggers:
        writer.append_trigger(trigger)
    die(writer)
    writer = resume(path, 9)
    assert read(path).gaps == tuple(gaps)
    writer.append_gap(Gap(30, 31, "records", "disk full"))
    reader = read(path)
    assert reader.gaps == (gaps[0], replace(gaps[1], last=8), Gap(30, 31, "records", "disk full"))
    assert reader.triggers == (triggers[0],)
    writer.close()


def test_a_packed_run_holds_what_counts_and_where_it_was_joined(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, before = record(path, range(50))
    writer.append_gap(Gap(45, 48, "records", "disk full"))
    die(writer)
    writer, after = record(path, range(40, 60), 1)
    writer.close()
    pack_run(path, tmp_path / "one.h5")
    packed = RunReader(tmp_path / "one.h5")
    twin = Twin(before.records[:40] + after.records, before.validations[:40] + after.validations)
    twin.superseded_names = {"late [bold]"}
    twin.assert_read_by(packed)
    assert (packed.seams, packed.gaps) == ((40,), ())
    packed.close()


def test_a_reader_follows_a_resume_to_fewer_records_and_other_numbers(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, before = record(path, range(50))
    reader = RunReader(path)
    die(writer)
    writer, after = record(path, range(40, 50), 1)
    assert reader.refresh()
    assert len(reader.joins) == 1
    Twin(before.records[:40] + after.records, before.validations[:40] + after.validations).assert_read_by(reader)
    reader.close()
    writer.close()


# --- who may


def test_a_living_writer_keeps_its_run(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, _ = record(path, range(3))
    with pytest.raises(RunExistsError, match="this very process is recording it"):
        find_past(path)
    found = RunFile.read(path)
    parent = Process(os.getppid(), found.writer.host, found.writer.boot, -1)
    replace(found, writer=parent).write(path)
    with pytest.raises(RunExistsError, match=f"process {os.getppid()} on {parent.host} is recording it"):
        find_past(path)
    found.write(path)
    writer.close()


def test_a_writer_whose_run_was_taken_over_adds_nothing_more(tmp_path: Path) -> None:
    """As one that was suspended on another host, while nobody saw its heart beat."""
    path = tmp_path / "run.dtui"
    writer, before = record(path, range(10))
    other = Process(7, "elsewhere", "boot", 1)
    replace(RunFile.read(path), writer=other).write(path)
    for attempt in (lambda: writer.append_record(record_of(0, 10)), writer.close):
        with pytest.raises(RunExistsError, match="process 7 on elsewhere records it now"):
            attempt()
    assert RunFile.read(path).writer == other
    assert len(read(path).record_iterations) == len(before.records)


def test_of_two_that_resume_at_once_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, _ = record(path, range(3))
    die(writer)
    first, second = find_past(path), find_past(path)
    assert first is not None
    assert second is not None
    writer = RunWriter.resume(first, 3, compact=False)
    with pytest.raises(RunExistsError, match="another process has resumed it meanwhile"):
        RunWriter.resume(second, 3, compact=False)
    writer.close()
    assert not (path / "resume.lock").exists()


def test_where_no_run_is_there_is_nothing_to_go_on_with(tmp_path: Path) -> None:
    assert find_past(tmp_path / "new") is None
    (tmp_path / "other.dtui").mkdir()
    (tmp_path / "other.dtui" / "notes.txt").write_text("mine")
    with pytest.raises(RunNotFoundError):
        find_past(tmp_path / "other")
    assert (tmp_path / "other.dtui" / "notes.txt").exists()


@pytest.mark.parametrize("folders", [(), ("journal",), ("journal", "parts")])
def test_a_run_whose_creation_was_killed_is_begun_anew(tmp_path: Path, folders: tuple[str, ...]) -> None:
    path = tmp_path / "run.dtui"
    path.mkdir()
    for name in folders:
        (path / name).mkdir()
    if len(folders) == 2:
        (path / "structure.h5.tmp-12-abc").write_bytes(b"half")
    assert find_past(path) is None
    RunWriter(path, STRUCTURE, METADATA, compact=False).close()
    assert {entry.name for entry in path.iterdir()} == {"heartbeat", "journal", "parts", "run.json", "structure.h5"}


def test_lost_images_are_not_replaced_by_others(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, _ = record(path, range(3))
    die(writer)
    (path / "images.h5").unlink()
    with pytest.raises(RunDamagedError, match="restore it from a copy"):
        find_past(path)


# --- what may be damaged


def test_a_lost_join_is_told_and_nothing_is_mixed(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, before = record(path, range(50))
    die(writer)
    writer, after = record(path, range(30, 40), 1)
    writer.close()
    found = RunFile.read(path)
    replace(found, joins=()).write(path)
    reader = RunReader(path)
    assert [fault for fault in reader.faults if "run.json does not tell where" in fault]
    twin = Twin(before.records[:30] + after.records, before.validations[:30] + after.validations)
    twin.superseded_names = {"late [bold]"}
    twin.assert_records(reader, slice(None))
    twin.assert_validations(reader, slice(None))
    reader.close()
    assert not check_run(path).is_fine
    fold(path, finish=True)
    reader = RunReader(path)
    twin.assert_records(reader, slice(None))
    reader.close()
    found.write(path)
    reader = RunReader(path)
    twin.assert_read_by(reader)
    reader.close()


@pytest.mark.parametrize("joins", [7, [{}], [{"iteration": -1, "superseded": {}, "lines": {}}], [[1]]])
def test_mangled_joins_cost_only_run_json(tmp_path: Path, joins: object) -> None:
    import json

    from dtui.store.disk.json_lines import check_of

    path = tmp_path / "run.dtui"
    writer, before = record(path, range(5))
    writer.close()
    values = json.loads((path / "run.json").read_text())
    del values["check"]
    values["joins"] = joins
    (path / "run.json").write_text(json.dumps({**values, "check": check_of(values)}))
    reader = RunReader(path)
    assert len(reader.faults) == 1
    before.assert_records(reader, slice(None))
    reader.close()


def test_a_part_that_is_missing_beside_a_hole_is_named(tmp_path: Path) -> None:
    path = tmp_path / "run.dtui"
    writer, _ = record(path, range(96), judge=False)
    compact.main([str(path)])
    compactor = compact.RunCompactor(path)
    compactor.sweep(0.0)
    compactor.close()
    die(writer)
    writer, _ = record(path, range(40, 50), 1, judge=False)
    writer.close()
    (path / "parts" / "records-0000000000-0000000096.h5").unlink()
    (fault,) = read(path).faults
    assert fault.startswith("records 0 to 39, at the beginning: missing")


# --- pure


def test_holes_are_stretches_that_do_not_touch() -> None:
    joins = [Join(5, {"records": hole}) for hole in ((5, 9), (9, 12), (20, 20), (3, 4), (10, 11))]
    assert holes_of(joins, Stream.RECORDS) == ((3, 4), (5, 12))
    assert holes_of(joins, Stream.VALIDATIONS) == ()
    for first in range(25):
        for stop in range(first + 1, 25):
            holes = holes_of(joins, Stream.RECORDS)
            outside = [n for n in range(first, stop) if not any(a <= n < b for a, b in holes)]
            assert [n for a, b in unexplained(first, stop, holes) for n in range(a, b)] == outside
            leading = 0
            while leading < len(outside) and outside[leading] == first + leading:
                leading += 1
            assert kept_stop(first, stop, holes) == first + leading
