"""Readers that follow a writer: every answer is a consistent prefix."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from dtui.errors import RunDamagedError
from dtui.model import RunStatus
from dtui.store import RunReader, RunWriter, pack_run
from dtui.store.run.run_file import Process, RunFile
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.conftest import Recording
from tests.store.living import live, without_locks

CATALOG = "dtui.store.read.catalog"


def test_a_reader_follows(recording: Recording) -> None:
    reader = recording.reader()
    assert reader.status() is RunStatus.LIVE
    for _ in range(40):
        recording.append(1)
        assert reader.refresh() is True
        assert reader.refresh() is False
        assert len(reader.record_iterations) == len(recording.twin.records)
    recording.twin.assert_read_by(reader)
    recording.writer.close()
    assert reader.refresh() is True
    assert reader.status() is RunStatus.DONE


def test_compaction_under_a_reader_changes_nothing(recording: Recording) -> None:
    recording.append(40)
    reader = recording.reader()
    recording.twin.assert_read_by(reader)
    recording.compact()
    recording.twin.assert_read_by(reader)  # the journals it knows are gone
    recording.writer.close()
    recording.compact(finish=True)
    recording.twin.assert_read_by(reader)
    reader.refresh()
    recording.twin.assert_read_by(reader)


@pytest.mark.parametrize("is_packed", [False, True])
def test_images_that_could_not_be_opened_for_a_moment_are_there_at_the_next_look(
    recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_packed: bool
) -> None:
    """As where a process has too many files open. No file of the run changes until then."""
    recording.append(2)
    recording.writer.close()
    path = tmp_path / "packed.h5" if is_packed else recording.path
    if is_packed:
        pack_run(recording.path, path)

    def fails(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as for_a_moment:
        for_a_moment.setattr("dtui.store.run.sidecars.OpenImages", fails)
        reader = RunReader(path)
        assert reader.refresh() is False
        assert reader.images is None
        file = path if is_packed else path / "images.h5"
        assert reader.faults[0] == f"{file}: cannot be read, Too many open files; validations are left out"
    assert reader.refresh() is True
    recording.twin.assert_read_by(reader)
    assert reader.faults == ()
    assert reader.refresh() is False
    reader.close()


@pytest.mark.parametrize("what", ["SealedFile", "JournalScanner.scan"])
def test_frames_that_could_not_be_read_for_a_moment_are_there_at_the_next_look(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """They are neither damaged nor lost, and no file of the run changes until then."""
    recording.append(40)
    recording.compact()
    recording.append(3)
    recording.writer.close()

    def fails(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    place = {"SealedFile": "dtui.store.read.part_cache.SealedFile", "JournalScanner.scan": f"{CATALOG}.{what}"}[what]
    with monkeypatch.context() as for_a_moment:
        for_a_moment.setattr(place, fails)
        reader = RunReader(recording.path)
        assert len(reader.record_iterations) < 43
        assert reader.faults[0].endswith(
            "permission denied, its frames are left out; ask its owner for the right to read it"
        )
        assert not any("restore" in line for line in reader.faults[-1:])
    assert reader.refresh() is True
    recording.twin.assert_read_by(reader)
    assert reader.faults == ()
    assert reader.refresh() is False
    reader.close()


def test_half_a_frame_is_not_there_yet(recording: Recording) -> None:
    recording.append(3)
    path = recording.path / "journal" / "records-0000000000.dtj"
    whole = path.read_bytes()
    frame = len(whole) // 3
    reader = recording.reader()
    for cut in (1, 40, 41, frame // 2, frame - 1):
        path.write_bytes(whole + whole[:cut])
        assert reader.refresh() is False
        assert reader.faults == ()
    path.write_bytes(whole)
    recording.twin.assert_read_by(recording.reader())


def test_a_journal_that_was_cut_is_read_to_where_it_ends_now(recording: Recording) -> None:
    """As by a full disk or a copy that stopped: what was read from behind it is no longer there, and is said once."""
    recording.append(6)
    path = recording.path / "journal" / "records-0000000000.dtj"
    whole = path.read_bytes()
    reader = recording.reader()
    assert len(reader.record_iterations) == 6
    path.write_bytes(whole[: len(whole) // 2 + 8])
    assert reader.refresh() is True
    assert reader.record_iterations.tolist() == recording.reader().record_iterations.tolist() == [0, 10, 20]
    assert (
        reader.read_scalar("loss", slice(None)).tolist() == recording.reader().read_scalar("loss", slice(None)).tolist()
    )
    assert reader.faults == (f"{recording.path}: records 3 to 5: missing; restore the files that held them",)
    path.write_bytes(whole)
    assert reader.refresh() is True
    assert len(reader.record_iterations) == 6
    assert reader.faults == ()


def test_a_live_run_that_lost_its_newest_files_says_so(recording: Recording) -> None:
    recording.append(40)
    reader = recording.reader()
    (recording.path / "journal" / "records-0000000032.dtj").unlink()
    assert reader.refresh() is True
    assert len(reader.record_iterations) == 32
    assert reader.faults == (f"{recording.path}: records 32 to 39: missing; restore the files that held them",)


def test_what_a_question_missed_first_is_told_by_the_next_refresh(recording: Recording) -> None:
    """It looks again by itself: the refresh behind it finds nothing new in the folder, but its caller has not heard."""
    recording.append(8)
    reader = recording.reader()
    (recording.path / "journal" / "validations-0000000000.dtj").unlink()
    with pytest.raises(RunDamagedError, match="was lost while it was read"):
        reader.read_labels(slice(None), slice(None))
    assert reader.refresh() is True
    assert len(reader.validation_iterations) == 0
    assert reader.refresh() is False


def test_images_may_come_late(tmp_path: Path) -> None:
    from tests.store.builders import IMAGES, make_validation

    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        reader = RunReader(writer.path)
        writer.append_record(make_record(0))
        writer.set_images(IMAGES)
        assert reader.refresh() is True
        writer.append_validation(make_validation(0))
        assert reader.refresh() is True
        assert len(reader.validation_iterations) == 1
        reader.close()


def test_a_removed_run_is_one_clear_line(recording: Recording) -> None:
    import shutil

    reader = recording.reader()
    shutil.rmtree(recording.path)
    with pytest.raises(RunDamagedError, match="was removed while it was read"):
        reader.refresh()


def test_a_dead_writer_is_a_crashed_run(tmp_path: Path) -> None:
    code = (
        "from dtui.store import RunWriter; from tests.store.builders import *; import os;"
        f"w = RunWriter({str(tmp_path / 'run')!r}, STRUCTURE, METADATA); w.append_record(make_record(0)); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    reader = RunReader(tmp_path / "run")
    assert reader.status() is RunStatus.CRASHED
    assert len(reader.record_iterations) == 1
    reader.close()


def test_a_reused_pid_is_not_the_writer(recording: Recording) -> None:
    file = RunFile.read(recording.path)
    mine = file.writer
    RunFile(file.format, file.run, Process(mine.pid, mine.host, mine.boot, mine.started - 1)).write(recording.path)
    assert recording.reader().status() is RunStatus.CRASHED


def test_readers_in_other_processes_see_prefixes(tmp_path: Path) -> None:
    """One writer, two readers, compaction going on: every answer equals the prefix of what was appended."""
    path = tmp_path / "run.dtui"
    with RunWriter(path, STRUCTURE, METADATA) as writer:
        readers = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.store.follower", str(path)], stderr=subprocess.PIPE, text=True
            )
            for _ in range(2)
        ]
        for position in range(600):
            writer.append_record(make_record(position))
    for reader in readers:
        _, errors = reader.communicate(timeout=60)
        assert reader.returncode == 0, errors


def test_a_run_whose_run_file_comes_late_is_followed_to_its_end(recording: Recording) -> None:
    content = (recording.path / "run.json").read_bytes()
    (recording.path / "run.json").unlink()
    reader = recording.reader()
    assert reader.status() is RunStatus.LIVE
    assert any("run.json: missing" in fault for fault in reader.faults)
    (recording.path / "run.json").write_bytes(content)
    assert reader.refresh() is True
    assert reader.faults == ()
    recording.writer.close()
    reader.refresh()
    assert reader.status() is RunStatus.DONE


@pytest.mark.parametrize("has_locks", [True, False])
def test_readers_of_a_long_run_see_prefixes_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_locks: bool
) -> None:
    """Three readers, one with listings a second old, and compaction all the time; also where nobody can lock."""
    if not has_locks:
        without_locks(monkeypatch)
    records = [make_record(position) for position in range(16)]
    life = live(tmp_path / "run.dtui", STRUCTURE, records, 8.0, 0.002, 3)
    assert len(life.appends) > 200
    assert min(life.answers) >= 10
