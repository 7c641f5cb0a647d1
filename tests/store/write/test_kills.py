"""SIGKILL at random instants: what was acknowledged is there, and the next process continues."""

from __future__ import annotations

import errno
import itertools
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dtui.model import Record, RunStatus
from dtui.store import RunReader, RunWriter, check_run
from dtui.store.compact.worker import RunCompactor
from dtui.store.format.schema import Stream
from dtui.store.run import life
from dtui.store.run.lock import UNFINISHED_SECONDS
from dtui.store.write.part_writer import FoldPlan
from tests.store.builders import METADATA, STRUCTURE, make_record
from tests.store.clock import Clock
from tests.store.conftest import Recording
from tests.store.killing import Child, Instants, kill_somewhere
from tests.store.ordeal import KINDS, endure
from tests.store.tally import Tally
from tests.store.twin import Twin

DEATHS = 120
SHARES = 2
"""Tests that share the deaths among them, so that they spread over processes."""


@pytest.mark.parametrize("share", range(SHARES))
def test_runs_endure_ordeals(tmp_path: Path, share: int, record_property: Callable[[str, object], None]) -> None:
    """Writers, new and resumed, compactors, packers and viewers are killed, and after each death all is compared."""
    tally = endure(tmp_path, itertools.count(share * 10_000), lambda tally: tally.total >= DEATHS // SHARES)
    assert tally.failures == []
    assert tally.total >= DEATHS // SHARES
    assert set(tally.counts) == KINDS
    record_property("deaths", tally.total)


def test_a_lost_record_is_a_failure_of_its_ordeal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the ordeal blind, a writer that acknowledges what it never wrote would pass."""
    append = RunWriter.append_record

    def forget(self: RunWriter, record: Record) -> None:
        if record.iteration != 10:
            append(self, record)

    monkeypatch.setattr(RunWriter, "append_record", forget)
    tally = endure(tmp_path, iter(range(12)), lambda tally: bool(tally.failures))
    assert len(tally.failures) == 1
    assert tally.fine < tally.total
    assert re.match(r"python -m tests\.store\.ordeal \d+ ", tally.failures[0])


def test_only_who_is_killed_is_dead() -> None:
    """A process that is done before the signal comes is no death, and one that fails is no survivor."""
    tally, instants = Tally(), Instants(random.Random(0))
    told, died = kill_somewhere("quick", lambda pipe: os.write(pipe, b"xe") and None, instants, tally, after=b"e")
    while died:
        told, died = kill_somewhere("quick", lambda pipe: os.write(pipe, b"xe") and None, instants, tally, after=b"e")
    before = tally.total
    assert told == b"xe"
    told, died = kill_somewhere("slow", lambda pipe: signal.pause(), instants, tally)
    assert (told, died, tally.total) == (b"", True, before + 1)
    with pytest.raises(AssertionError, match="ZeroDivisionError"):
        Child.fork(lambda pipe: 1 / 0 and None).end(kill=False)


def test_a_killed_writer_that_compacts_loses_nothing(tmp_path: Path) -> None:
    """With the compactor as its child, as it is in earnest."""
    code = (
        "import sys; from dtui.store import RunWriter; from tests.store.builders import *\n"
        "writer = RunWriter(sys.argv[1], STRUCTURE, METADATA)\n"
        "for position in range(200):\n"
        "    writer.append_record(make_record(position)); sys.stdout.write('r'); sys.stdout.flush()\n"
        "sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "run")]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    parts = tmp_path / "run.dtui" / "parts"
    acknowledged = 0
    while not (parts.is_dir() and any(parts.glob("*.h5"))):
        if acknowledged < 200:
            acknowledged += len(child.stdout.read1(65536))
    child.kill()
    acknowledged += len(child.stdout.read())
    child.communicate()
    reader = RunReader(tmp_path / "run")
    assert reader.status() is RunStatus.CRASHED
    found = len(reader.record_iterations)
    assert acknowledged <= found <= acknowledged + 1
    Twin([make_record(n) for n in range(found)], images=None).assert_read_by(reader)
    reader.close()


@pytest.mark.parametrize(
    "step", ["ProvenFile._prove", "SealedFileBuilder.seal", "SealedFileBuilder.publish", "append_seal"]
)
def test_a_compactor_that_fails_anywhere_loses_nothing(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    recording.append(40)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "no space left on device")

    home = "dtui.store.disk.sealed_builder" if step == "append_seal" else "dtui.store.disk.verified_builder"
    with monkeypatch.context() as patch:
        patch.setattr(f"{home}.{step}", fail)
        with pytest.raises(OSError, match="no space left"):
            recording.compact()
    assert list((recording.path / "parts").iterdir()) == []
    recording.twin.assert_read_by(recording.reader())
    recording.compact()
    recording.twin.assert_read_by(recording.reader())


def test_a_part_that_reads_back_differently_is_not_published(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As HDF5 does on a full disk: rows are not written, and nothing is raised."""
    from dtui.errors import RunDamagedError
    from dtui.store.disk.sealed_builder import SealedFileBuilder

    recording.append(40, 0)
    write = SealedFileBuilder.write

    def forget(self: SealedFileBuilder, node: str, index: object, values: object) -> None:
        if node != "/filters/update_norm":
            write(self, node, index, values)  # type: ignore[arg-type]

    monkeypatch.setattr(SealedFileBuilder, "write", forget)
    with pytest.raises(RunDamagedError, match=r"reads back differently|points out of the file"):
        recording.compact()
    assert list((recording.path / "parts").iterdir()) == []


def assert_one_compacts(path: Path) -> None:
    """While one compactor has the lock, another does nothing."""
    first, second = RunCompactor(path), RunCompactor(path)
    assert first._lock.acquire()
    assert second.compact(finish=False) is None
    first._lock.release()
    assert second.compact(finish=False)
    first.close()
    second.close()


def test_two_compactors_exclude_each_other(recording: Recording) -> None:
    recording.append(40)
    assert_one_compacts(recording.path)


def test_the_lock_of_a_dead_compactor_is_taken_over(recording: Recording) -> None:
    code = (
        "from dtui.store.run.lock import CompactionLock; from pathlib import Path;"
        f"assert CompactionLock(Path({str(recording.path)!r})).acquire()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (recording.path / "compact.lock").exists()
    recording.append(40)
    assert recording.compact()
    assert not (recording.path / "compact.lock").exists()


def test_two_folds_of_the_same_frames_are_harmless(recording: Recording) -> None:
    """Were the lock to fail: both publish the same part, nothing is lost."""
    recording.append(40)
    first, second = RunCompactor(recording.path), RunCompactor(recording.path)
    plans = []
    for compactor in (first, second):
        for stream, reader in compactor._readers.items():
            plan = compactor._plan(stream, reader, finish=False)
            assert (plan is None) == (stream is Stream.WATCHES)
            if plan is not None:
                plans.append((compactor, reader, plan))
    for compactor, reader, plan in plans:
        compactor._fold(reader, plan)
    first.sweep(0.0)
    recording.twin.assert_read_by(recording.reader())
    first.close()
    second.close()


def test_parts_that_begin_inside_another_are_read_from_its_end_on(recording: Recording) -> None:
    """No compactor of ours makes such parts; two at once on a disk without locks may, of listings that differ."""
    recording.append(60, 0)
    compactor = RunCompactor(recording.path)
    reader = compactor._readers[Stream.RECORDS]
    reader.refresh()
    for first, stop in ((0, 32), (8, 24), (16, 48)):
        compactor._fold(reader, FoldPlan(Stream.RECORDS, first, stop, first))
    recording.twin.assert_read_by(recording.reader())
    compactor.sweep(0.0)
    compactor.close()
    names = sorted(path.name for path in (recording.path / "parts").iterdir())
    assert names == ["records-0000000000-0000000032.h5", "records-0000000016-0000000048.h5"]
    reader = recording.reader()
    recording.twin.assert_read_by(reader)
    recording.twin.assert_records(reader, slice(29, 51, 3))
    recording.compact(finish=True)
    recording.twin.assert_read_by(recording.reader())
    recording.writer.close()
    recording.compact(finish=True)
    recording.twin.assert_read_by(recording.reader())
    assert check_run(recording.path).is_fine


def test_a_journal_that_a_part_holds_only_in_part_stays(recording: Recording) -> None:
    """Damage in the middle of a journal makes two parts of it; killed after the first one, the rest is still there."""
    recording.append(40, 0)
    path = recording.path / "journal" / "records-0000000000.dtj"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    recording.writer.close()
    compactor = RunCompactor(recording.path)
    reader = compactor._readers[Stream.RECORDS]
    plan = compactor._plan(Stream.RECORDS, reader, finish=True)
    assert plan is not None
    assert plan.stop < 32
    compactor._fold(reader, plan)
    compactor.sweep(0.0)
    compactor.close()
    assert len(recording.reader().record_iterations) == 39


def test_one_compactor_serves_a_whole_run_and_is_replaced_when_it_dies(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run", STRUCTURE, METADATA) as writer:
        children = set()
        for position in range(130):
            writer.append_record(make_record(position))
            if position >= 32 and writer._compactor is not None and writer._compactor._child is not None:
                children.add(writer._compactor._child.pid)
        assert len(children) == 1
        writer._compactor._child.kill()  # type: ignore[union-attr]
        writer._compactor._child.wait()  # type: ignore[union-attr]
        for position in range(130, 170):
            writer.append_record(make_record(position))
        assert writer._compactor._child.pid not in children  # type: ignore[union-attr]
    assert (tmp_path / "run.dtui" / "parts" / "records-0000000000-0000000170.h5").exists()
    reader = RunReader(tmp_path / "run")
    Twin([make_record(position) for position in range(170)], images=None).assert_read_by(reader)
    reader.close()


def test_a_lock_without_an_owner_is_taken_over(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the filesystem has no links, and a compactor was killed between making its lock and writing to it."""
    recording.append(40)
    lock = recording.path / "compact.lock"
    lock.touch()
    clock = Clock(lambda: os.utime(lock))
    monkeypatch.setattr(life, "time", clock)
    compactor = RunCompactor(recording.path)
    assert compactor.compact(finish=False) is None
    clock.while_asleep = lambda: None
    started = clock.now
    assert compactor.compact(finish=False)
    assert clock.now - started <= UNFINISHED_SECONDS + 0.2
    assert not lock.exists()
    compactor.close()


def test_a_filesystem_without_links_has_locks(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("dtui.store.run.lock.os.link", refuse)
    recording.append(40)
    assert_one_compacts(recording.path)
