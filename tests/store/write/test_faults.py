"""Disks that are full, folders that vanish, rights that are missing: training goes on, and a person gets one line."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dtui.errors import RunDamagedError, RunFormatError, RunNotFoundError
from dtui.model import Gap, RunStatus
from dtui.store import RunReader, RunWriter, check_run, find_runs
from dtui.store.compact.worker import main as compact_main
from dtui.store.run.life import Heart
from dtui.store.run.lock import CompactionLock
from dtui.store.run.run_file import touch_heartbeat
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.conftest import Recording
from tests.store.dying import in_child
from tests.store.filling import on_a_small_disk
from tests.store.folding import fold


@pytest.fixture
def small_files() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def limit_files_to(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


@pytest.mark.usefixtures("small_files")
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_full_disk_takes_nothing_that_was_acknowledged(recording: Recording, share: float) -> None:
    """The disk fills in the middle of a frame; later there is space again."""
    recording.append(3)
    path = recording.path / "journal" / "records-0000000000.dtj"
    size = path.stat().st_size
    limit_files_to(int(size + share * size / 3))
    for position in (3, 4):
        with pytest.raises(OSError, match="File too large"):
            recording.writer.append_record(make_record(position))
        assert path.stat().st_size == size
    recording.twin.assert_read_by(recording.reader())
    limit_files_to(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    record = make_record(5)
    recording.writer.append_record(record)
    recording.twin.records.append(record)
    recording.writer.append_gap(Gap(30, 40, "records", "disk full"))
    reader = recording.reader()
    recording.twin.assert_read_by(reader)
    assert reader.gaps == (Gap(30, 40, "records", "disk full"),)


@pytest.mark.usefixtures("small_files")
def test_a_gap_waits_for_space(recording: Recording) -> None:
    limit_files_to(0)
    recording.writer.append_gap(Gap(0, 0, "records", "disk full"))
    assert recording.reader().gaps == ()
    limit_files_to(resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    recording.append(1)
    assert recording.reader().gaps == (Gap(0, 0, "records", "disk full"),)


def test_a_half_written_frame_that_cannot_be_taken_back_is_skipped(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.append(2)
    writev = os.writev

    def half(descriptor: int, pieces: list[memoryview]) -> int:
        if not getattr(half, "done", False):
            half.done = True  # type: ignore[attr-defined]
            return writev(descriptor, [pieces[0], pieces[1][:100]])
        raise OSError(5, "Input/output error")

    def no_truncate(*_: object) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "writev", half)
        patch.setattr(os, "ftruncate", no_truncate)
        with pytest.raises(OSError, match="Input/output"):
            recording.writer.append_record(make_record(2))
    recording.append(3)
    recording.twin.assert_read_by(recording.reader())


def test_short_writes_are_continued(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    writev = os.writev
    monkeypatch.setattr(os, "writev", lambda descriptor, pieces: writev(descriptor, [pieces[0][:7]]))
    recording.append(1)
    recording.twin.assert_read_by(recording.reader())


def test_a_removed_directory_is_noticed(recording: Recording) -> None:
    recording.append(2)
    shutil.rmtree(recording.path)
    for position in (2, 3):
        with pytest.raises(FileNotFoundError):
            recording.writer.append_record(make_record(position))


def test_a_run_that_cannot_be_created_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("dtui.store.disk.sealed_builder.append_seal", fail)
    with pytest.raises(OSError, match="No space left"):
        RunWriter(tmp_path / "run", STRUCTURE, METADATA)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "NAME.dtui directory; a training that has just started makes it with its recorder"),
        (lambda path: path.mkdir(), "an empty directory, no run"),
        (lambda path: path.write_text("x"), "a file, not a run"),
        (lambda path: (path.mkdir(), (path / "notes.txt").touch()), "a directory without a run in it"),
    ],
)
def test_no_run_is_one_clear_line(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "thing"
    make(path)  # type: ignore[operator]
    with pytest.raises(RunNotFoundError, match=message):
        RunReader(path)


def test_a_newer_format_is_named(recording: Recording) -> None:
    values = json.loads((recording.path / "run.json").read_text())
    (recording.path / "run.json").write_text(json.dumps({**values, "format": 3, "new": "thing"}))
    with pytest.raises(RunFormatError, match=r"run\.dtui: format 3, this dtui reads 1–2; upgrade dtui"):
        recording.reader()


@pytest.mark.parametrize("name", ["", "structure.h5"])
def test_no_permission_is_one_clear_line(recording: Recording, name: str) -> None:
    """Root may read everything: the reading process drops to nobody where the tests run as root."""
    target = recording.path / name
    for folder in [recording.path, *recording.path.parents][:4]:
        os.chmod(folder, 0o755)
    os.chmod(target, 0)
    code = (
        "import os; from dtui.store.read.run_reader import RunReader; from dtui.errors import DtuiError\n"
        "from pathlib import Path\n"
        "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
        f"try: RunReader(Path({str(recording.path)!r}))\n"
        "except DtuiError as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    os.chmod(target, 0o755)
    assert "RunDamagedError" in done.stdout, done
    assert "permission denied; ask its owner" in done.stdout


def test_a_decision_that_cannot_be_written_is_one_clear_line(recording: Recording) -> None:
    (recording.path / "triage.jsonl").mkdir()
    with pytest.raises(RunDamagedError, match="the decision could not be written"):
        recording.reader().append_decisions([("a", "flagged", "")])


def test_runs_are_found_newest_first(tmp_path: Path) -> None:
    for name in ("a", "deep/b", "c"):
        RunWriter(tmp_path / name, STRUCTURE, METADATA, compact=False).close()
    (tmp_path / "none.dtui").mkdir()
    os.utime(tmp_path / "a.dtui" / "run.json", (4e9, 4e9))
    found = find_runs(tmp_path)
    assert found[0] == tmp_path / "a.dtui"
    assert set(found[1:]) == {tmp_path / "deep" / "b.dtui", tmp_path / "c.dtui"}
    with pytest.raises(RunNotFoundError, match="no such folder"):
        find_runs(tmp_path / "elsewhere")


def test_a_run_that_may_not_be_read_is_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening it says so; an empty folder is no run."""
    closed = tmp_path / "closed.dtui"
    closed.mkdir(mode=0)
    (tmp_path / "empty.dtui").mkdir()
    if os.getuid() == 0:  # who may read everything
        monkeypatch.setattr("os.access", lambda path, _: bool(Path(path).stat().st_mode & 0o500))
    assert find_runs(tmp_path) == (closed,)


def test_a_lock_on_a_part_keeps_nobody_from_reading(recording: Recording) -> None:
    """As on a filesystem without locks: HDF5 must not even try, or it would refuse a file that somebody has locked."""
    recording.append(40)
    recording.compact()
    files = [path.open("rb") for path in recording.path.rglob("*.h5")]
    assert len(files) == 4
    for file in files:
        fcntl.flock(file, fcntl.LOCK_EX)
    recording.twin.assert_read_by(recording.reader())
    for file in files:
        file.close()


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3, 0.6, 0.9])
def test_a_full_disk_in_the_compactor_loses_nothing_and_heals(recording: Recording, share: float) -> None:
    """The disk takes a share of the part: in a child, as in earnest, for HDF5 is not to be trusted after that."""
    recording.append(40)
    whole = recording.path / "whole.dtui"
    shutil.copytree(recording.path, whole, ignore=shutil.ignore_patterns("whole.dtui"))
    fold(whole, finish=True)
    size = max(path.stat().st_size for path in (whole / "parts").iterdir())
    shutil.rmtree(whole)

    def fold_there(descriptor: int) -> None:
        limit_files_to(int(share * size))
        os.write(descriptor, str(compact_main([str(recording.path)])).encode())

    told, _ = in_child(fold_there, 0)
    assert told == b"1"
    assert len(list((recording.path / "journal").iterdir())) == 4
    recording.twin.assert_read_by(recording.reader())
    recording.compact()
    recording.twin.assert_read_by(recording.reader())
    assert check_run(recording.path).is_fine


def test_a_disk_without_room_for_the_head_of_a_part_leaves_nothing(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even what HDF5 writes when it makes a file, after which the file is there, and empty."""
    recording.append(40)
    monkeypatch.setattr(CompactionLock, "acquire", lambda _: True)  # it would not fit either

    def fold_there(descriptor: int) -> None:
        limit_files_to(50)
        os.write(descriptor, str(compact_main([str(recording.path)])).encode())

    told, _ = in_child(fold_there, 0)
    assert told == b"1"
    assert list((recording.path / "parts").iterdir()) == []
    assert check_run(recording.path).is_fine


def test_a_clock_that_jumps_loses_nothing(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """By an hour, back and forth, around every fold and removal."""
    now = time.time
    for step, jump in enumerate((0, -3600, 3600, -7200, 0)):
        monkeypatch.setattr(time, "time", lambda jump=jump: now() + jump)
        recording.append(33)
        recording.compact(sweep=step % 2 == 0)
        recording.twin.assert_read_by(recording.reader())
        assert recording.reader().status() is RunStatus.LIVE
    recording.writer.close()
    recording.compact(finish=True)
    recording.twin.assert_read_by(recording.reader())


def test_signals_interrupt_nothing(recording: Recording) -> None:
    """A timer fires a thousand times a second, in the middle of whatever the writer does."""
    fired = 0

    def count(*_: object) -> None:
        nonlocal fired
        fired += 1

    before = signal.signal(signal.SIGALRM, count)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        while fired < 50:
            recording.append(1)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    recording.twin.assert_read_by(recording.reader())


@pytest.mark.parametrize("calls", [("fsync", "fdatasync"), ("utime",), ("link",)])
def test_a_filesystem_that_cannot_do_something_is_recorded_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: tuple[str, ...]
) -> None:
    """Some network filesystems know no synchronising, set no times for others than the owner, or make no links."""

    def cannot(*_: object, **__: object) -> None:
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))

    for call in calls:
        monkeypatch.setattr(os, call, cannot)
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA, compact=False) as writer:
        for position in range(3):
            writer.append_record(make_record(position))
        heart = Heart(writer.path / "heartbeat")
        heart.look()
        deadline = time.monotonic() + 60
        while not heart.look() and time.monotonic() < deadline:  # until the clock of the files goes on
            touch_heartbeat(writer.path)
        assert heart.look()
    reader = RunReader(tmp_path / "run.dtui")
    assert (reader.status(), len(reader.record_iterations), reader.gaps) == (RunStatus.DONE, 3, ())


def test_a_journal_folder_that_is_removed_is_made_again(recording: Recording) -> None:
    """Only what was in it is lost."""
    recording.append(3)
    shutil.rmtree(recording.path / "journal")
    recording.writer.append_record(make_record(3))
    assert RunReader(recording.path).record_iterations.tolist() == [make_record(3).iteration]


@pytest.mark.parametrize("call", ["fsync", "rename"])
def test_a_disk_that_fails_to_publish_leaves_the_old_file(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """The end of a run cannot be noted: all frames are there, and run.json is as it was."""

    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    recording.append(3)
    before = (recording.path / "run.json").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail) if call == "fsync" else patch.setattr(Path, "rename", fail)
        with pytest.raises(OSError, match="Input/output error"):
            recording.writer.close()
    assert (recording.path / "run.json").read_bytes() == before
    recording.twin.assert_read_by(recording.reader())
    assert check_run(recording.path).is_fine


@pytest.mark.parametrize("kind", ["tmpfs", "limit"])
def test_a_disk_that_is_full_in_earnest_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """On a small tmpfs where the machine allows one, and with files that may not grow anywhere."""
    if kind == "limit":
        monkeypatch.setenv("PATH", "")  # without unshare
    told = on_a_small_disk(tmp_path / "disk")
    expected = {"tmpfs": ["No space left on device"], "limit": ["File too large"]}
    assert told["errors"] == expected[str(told["kind"])]
    assert told["kind"] == "limit" or kind == "tmpfs"
    assert 5 < int(str(told["before"])) < 25
    assert int(str(told["records"])) + int(str(told["refused"])) == 40
    assert (told["gaps"], told["is_fine"]) == (1, True)


@pytest.mark.parametrize(("asked", "meant"), [("mnist-fautls", "mnist-faults"), ("mnist-faults.dtu", "mnist-faults")])
def test_a_mistyped_run_is_told_the_one_that_is_there(asked: str, meant: str, tmp_path: Path) -> None:
    (tmp_path / "mnist-faults.dtui").mkdir()
    (tmp_path / "other.h5").touch()
    with pytest.raises(RunNotFoundError, match=f"did you mean {re.escape(str(tmp_path / meant))}\\?"):
        RunReader(tmp_path / asked)
    with pytest.raises(RunNotFoundError, match="no such file or directory; give"):
        RunReader(tmp_path / "something else")
