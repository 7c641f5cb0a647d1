"""A power cut: what was synchronised is there, the rest is as if it had not been recorded, and the run opens."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from dtui.errors import DtuiError
from dtui.model import Gap
from dtui.output import CANNOT_SYNC
from dtui.record.recording import WAITING_BYTES
from dtui.store import RunReader, RunWriter, check_run, find_past
from dtui.store.compact.worker import RunCompactor
from dtui.store.run.run_file import RunFile
from dtui.store.write import syncing
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.clock import Clock
from tests.store.conftest import Recording
from tests.store.power import Disk
from tests.store.resuming import die, record_of
from tests.store.twin import Twin

RECORDS, EVERY = 40, 7
"""Records, and after how many of them the writer synchronises by its clock: also in the middle of atomic_files."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(syncing, "time", clock)
    return clock


def after_a_cut(disk: Disk, target: Path, torn: bytes) -> tuple[int, int, tuple[Gap, ...]]:
    """Return how many records, validations and which gaps a run has after a power cut now; it must open."""
    disk.cut(target, torn)
    reader = RunReader(target / "run")
    counts = len(reader.record_iterations), len(reader.validation_iterations), reader.gaps
    assert reader.record_iterations.tolist() == [10 * n for n in range(counts[0])]
    assert reader.faults == ()
    if counts[0] % 5 == 0:
        images = IMAGES if reader.images is not None else None
        validations = [make_validation(n) for n in range(counts[1])]
        Twin([make_record(n) for n in range(counts[0])], validations, images=images).assert_read_by(reader)
    reader.close()
    shutil.rmtree(target)
    return counts


@pytest.mark.parametrize("torn", [b"", b"\0" * 3000 + b"dtJ1"], ids=["cut", "torn"])
def test_what_was_synchronised_survives_at_any_time(tmp_path: Path, clock: Clock, torn: bytes) -> None:
    """The power is cut after each record: never more is lost than was appended within the last seconds."""
    root = tmp_path / "disk"
    root.mkdir()
    safe = 0
    with Disk(root).watched() as disk:
        made = RunWriter(root / "run", STRUCTURE, METADATA, compact=False)
        assert after_a_cut(disk, tmp_path / "cut", torn) == (0, 0, ())
        made.set_images(IMAGES)
        for n in range(RECORDS):
            made.append_record(make_record(n))
            made.append_validation(make_validation(n))
            clock.now += syncing.SYNC_SECONDS / EVERY
            made.heartbeat()  # as where the writer's thread has nothing to do
            records, validations, _ = after_a_cut(disk, tmp_path / "cut", torn)
            assert safe <= records <= n + 1
            assert n + 1 - EVERY <= records
            assert n + 1 - EVERY <= validations
            safe = records
        made.append_gap(Gap(3, 4, "records", "a test"))
        assert after_a_cut(disk, tmp_path / "cut", torn)[2] == (Gap(3, 4, "records", "a test"),)
        made.close()
        assert after_a_cut(disk, tmp_path / "cut", torn)[:2] == (RECORDS, RECORDS)
        disk.cut(tmp_path / "cut")
    ended = RunFile.read(tmp_path / "cut" / "run.dtui")
    assert (ended.closed, ended.counts) == ("done", {"records": RECORDS, "validations": RECORDS, "watches": 0})
    assert check_run(tmp_path / "cut" / "run").is_fine


def test_folding_never_removes_what_the_disk_has_not_in_a_part(tmp_path: Path, clock: Clock) -> None:
    root = tmp_path / "disk"
    root.mkdir()
    with Disk(root).watched() as disk:
        made = RunWriter(root / "run", STRUCTURE, METADATA, compact=False)
        for n in range(RECORDS):
            made.append_record(make_record(n))
        made.close()
        for grace in (5.0, 0.0):  # the parts are published, then the journals are removed
            compactor = RunCompactor(made.path)
            assert compactor.compact(finish=True) is not None
            compactor.sweep(grace)
            compactor.close()
            assert after_a_cut(disk, tmp_path / "cut", b"")[0] == RECORDS


def test_a_run_goes_on_after_a_power_cut(tmp_path: Path, clock: Clock) -> None:
    """What was lost is recorded again, under the same ordinals; the take-over itself is on the disk before a record."""
    root = tmp_path / "disk"
    root.mkdir()
    with Disk(root).watched() as disk:
        made = RunWriter(root / "run", STRUCTURE, METADATA, compact=False)
        for n in range(40):
            made.append_record(record_of(0, n))
            if n == 31:
                made.sync()
        disk.cut(tmp_path / "again")
    die(made)
    shutil.rmtree(root)
    (tmp_path / "again").rename(root)
    path = root / "run.dtui"
    found = RunFile.read(path)
    found.write(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dtui.store.run.run_file.Process.is_alive", lambda _: False)  # the host was started again
        past = find_past(path)
    assert past is not None
    assert past.last_iteration == 31
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dtui.store.run.run_file.Process.is_alive", lambda _: False)
        resumed = RunWriter.resume(past, 32, compact=False)
    for n in range(32, 50):
        resumed.append_record(record_of(1, n))
    resumed.close()
    reader = RunReader(path)
    twin = Twin([record_of(0, n) for n in range(32)] + [record_of(1, n) for n in range(32, 50)], images=None)
    twin.assert_read_by(reader)
    reader.close()


@pytest.mark.usefixtures("clock")
def test_it_synchronises_sooner_where_much_waits(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that takes long has records pile up behind it: as much is brought to the disk at once, and no more."""
    monkeypatch.setattr(syncing, "SYNC_BYTES", 10_000)
    waiting: list[int] = []
    monkeypatch.setattr(os, "fdatasync", lambda _: waiting.append(recording.writer._journals["records"].unsynced))  # type: ignore[index]
    recording.append(30, 0)
    assert len(waiting) == 6
    assert all(journal.unsynced < 10_000 for journal in recording.writer._journals.values())


def test_a_disk_that_fails_to_keep_frames_is_told(clock: Clock, recording: Recording) -> None:
    """As on NFS, where a full disk shows when what was written is brought to the server."""
    recording.append(10)
    clock.now += 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fdatasync", _fail)
        recording.writer.heartbeat()
    recording.append(3)
    reader = recording.reader()
    reason = "may be lost: the disk failed to keep it, No space left on device"
    assert reader.gaps == (Gap(0, 90, "records", reason), Gap(0, 180, "validations", reason))
    recording.twin.assert_read_by(reader)  # the kernel still has them


def _fail(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("number", CANNOT_SYNC)
def test_a_filesystem_that_cannot_synchronise_is_no_fault(clock: Clock, recording: Recording, number: int) -> None:
    asked: list[int] = []

    def refuse(descriptor: int) -> None:
        asked.append(descriptor)
        raise OSError(number, os.strerror(number))

    recording.append(3)
    clock.now += 10
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fdatasync", refuse)
        recording.writer.heartbeat()
    assert (len(asked), recording.reader().gaps) == (2, ())


def test_the_forgetful_disk_forgets(tmp_path: Path) -> None:
    """Were it not so, the tests above could not fail."""
    root = tmp_path / "disk"
    root.mkdir()
    with Disk(root).watched() as disk:
        made = RunWriter(root / "run", STRUCTURE, METADATA, compact=False)
        made.append_record(make_record(0))
        disk.cut(tmp_path / "cut")
        assert len(RunReader(tmp_path / "cut" / "run").record_iterations) == 0
        made.close()
    with Disk(tmp_path).watched() as disk:
        disk.cut(tmp_path / "empty")
        with pytest.raises(DtuiError):
            RunReader(tmp_path / "empty" / "run")


@pytest.mark.parametrize(
    ("took", "speed", "most_waiting"), [(0.05, 15e6, 17.5e6), (1.0, 5e6, 51e6), (5.0, 4e6, 68e6), (0.2, 60e6, 68e6)]
)
def test_records_do_not_pile_up_behind_a_slow_disk(took: float, speed: float, most_waiting: float) -> None:
    """The queue before the thread holds 64 MiB; what comes while it waits for the disk, so long each time, is less."""
    clock = Clock()

    class Journal:
        unsynced, full_files = 0.0, 0

        def sync(self) -> None:
            clock.now += took
            self.unsynced = 0.0

    journal: Any = Journal()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(syncing, "time", clock)
        syncer = syncing.Syncing([journal])
        began, waited = clock.now, 0.0
        for _ in range(20_000):
            clock.now += 0.01
            journal.unsynced += 0.01 * speed
            assert journal.unsynced < most_waiting
            if syncer.is_due():
                assert syncer.sync() == []
                waited += took
                journal.unsynced = queued = took * speed
                assert queued < WAITING_BYTES
    assert 0 < waited < 0.33 * (clock.now - began)
