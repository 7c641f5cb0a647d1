"""dtui compact: what it tells about what it did."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import RunDamagedError, RunNotFoundError
from dtui.store import check_run, compact_run
from dtui.store.compact import worker as compact
from dtui.store.compact.worker import RunCompactor
from dtui.store.disk.run_folder import Place
from dtui.store.disk.verified_builder import ProvenFile
from dtui.store.format.part_arrays import BIN, SCALARS_NODE
from dtui.store.format.schema import LARGE_PART
from dtui.store.run.lock import CompactionLock
from dtui.store.write import background_compactor
from tests.store.chunks import chunk_place
from tests.store.conftest import Recording


def damage_chunk(path: Path) -> None:
    """Damage the data of one statistic of a part, which its index checksum does not cover."""
    offset, _ = chunk_place(path, "/filters/std")
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)


def test_it_folds_and_removes(recording: Recording) -> None:
    recording.append(40)
    recording.writer.close()
    result = compact_run(recording.path)
    assert [part.name for part in result.published] == [
        "records-0000000000-0000000040.h5",
        "validations-0000000000-0000000040.h5",
    ]
    assert (result.removed, result.is_busy, result.fault) == (4, False, "")
    recording.twin.assert_read_by(recording.reader())
    again = compact_run(recording.path)
    assert (again.published, again.removed) == ((), 0)


def test_it_says_that_somebody_else_is_at_it(recording: Recording) -> None:
    compactor = RunCompactor(recording.path)
    assert compactor._lock.acquire()
    assert compact_run(recording.path).is_busy
    compactor._lock.release()
    compactor.close()


def test_it_says_what_is_damaged(recording: Recording) -> None:
    for _ in range(2):  # two parts and no journal: nothing is left to fold, so nothing is waited for
        recording.append(32, 0)
        recording.compact()
    recording.writer.close()
    path = recording.path / "parts" / "records-0000000000-0000000032.h5"
    damage_chunk(path)
    result = compact_run(recording.path)
    assert str(path) in result.fault
    assert path.exists()


def test_no_run_is_one_clear_line(recording: Recording) -> None:
    with pytest.raises(RunNotFoundError):
        compact_run(recording.path / "nothing")


def test_what_is_damaged_is_folded_around(recording: Recording) -> None:
    for _ in range(3):
        recording.append(32, 0)
        recording.compact()
    recording.append(5, 0)
    recording.writer.close()
    damage_chunk(recording.path / "parts" / "records-0000000032-0000000064.h5")
    compactor = RunCompactor(recording.path)
    with pytest.raises(RunDamagedError, match="0000000032-0000000064"):
        compactor.compact(finish=True)
    compactor.sweep(0.0)
    compactor.close()
    assert sorted(path.name for path in (recording.path / "parts").iterdir()) == [
        "records-0000000000-0000000032.h5",
        "records-0000000032-0000000064.h5",
        "records-0000000064-0000000101.h5",
    ]
    reader = recording.reader()
    recording.twin.assert_records(reader, slice(64, None))
    recording.twin.assert_records(reader, slice(0, 32))


@pytest.mark.parametrize("folder", ["journal", "parts"])
def test_an_empty_folder_that_a_copy_dropped_is_not_missed(recording: Recording, folder: str) -> None:
    if folder == "journal":
        recording.append(3)
        recording.writer.close()
        recording.compact(finish=True)
    (recording.path / folder).rmdir()
    reader = recording.reader()
    recording.twin.assert_read_by(reader)
    assert check_run(recording.path).is_fine
    assert compact_run(recording.path).fault == ""
    recording.twin.assert_read_by(reader)


def test_what_the_system_refuses_is_one_clear_line(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: CompactionLock) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", "a.dtui/compact.lock")

    monkeypatch.setattr(CompactionLock, "acquire", refuse)
    recording.writer.close()
    assert compact.main([str(recording.path), "--wait"]) == 1
    fault = json.loads(capsys.readouterr().out)["fault"]
    assert fault == "a.dtui/compact.lock: Permission denied; check the disk and your right to write there"


def test_a_compactor_that_hangs_is_waited_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []

    def hanging(path: Path, *options: str) -> list[str]:
        started.append(" ".join(options))
        return [sys.executable, "-c", "import time; time.sleep(600)"]

    monkeypatch.setattr(background_compactor, "compact_command", hanging)
    monkeypatch.setattr(background_compactor, "_FINISH_SECONDS", 0.1)
    compactor = background_compactor.Compactor(Place(tmp_path))
    compactor.start()
    child = compactor._child
    assert child is not None
    compactor.finish()
    child.kill()
    child.wait()
    assert started == ["--follow --finish"]


@pytest.mark.parametrize("error", [OSError("no process"), TypeError("child watchers are only for the default loop")])
def test_a_process_that_cannot_be_started_is_nobodys_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse(*_: object, **options: object) -> None:
        raise error  # gevent's Popen raises the second outside the main thread

    monkeypatch.setattr(subprocess, "Popen", refuse)
    compactor = background_compactor.Compactor(Place(tmp_path))
    compactor.start()
    compactor.finish()
    assert compactor._child is None


def test_folding_gives_way_to_the_training_and_makes_no_other_process_nice(recording: Recording) -> None:
    recording.append(3)
    before = os.nice(0)
    assert compact.main([str(recording.path), "--wait"]) == 0
    assert os.nice(0) == before
    program = (
        "import os, runpy, sys\n"
        "sys.argv = ['compact', '--help']\n"
        "try: runpy.run_module('dtui.store.compact', run_name='__main__')\n"
        "finally: print(os.nice(0))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False).stdout
    assert said.splitlines()[-1] == "19"


def test_large_parts_are_not_packed_again(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing hard takes ten times as long as all else: a long run that ends copies what is packed already."""
    for _ in range(2):
        recording.append(LARGE_PART)
        recording.compact()
    recording.append(40)
    recording.writer.close()
    written: set[tuple[str, int]] = set()
    write = ProvenFile.write_rows

    def noted(file: ProvenFile, node: str, rows: range, values: np.ndarray, first: int = 0) -> None:
        written.add((node, first))
        write(file, node, rows, values, first)

    monkeypatch.setattr(ProvenFile, "write_rows", noted)
    with closing(RunCompactor(recording.path)) as compactor:
        assert len(compactor.compact(finish=True) or ()) == 2
        compactor.sweep(0.0)
    firsts = dict(written)
    assert firsts.pop(SCALARS_NODE) == 0
    assert {first for node, first in firsts.items() if node.startswith("/bins/")} == {2 * LARGE_PART // BIN}
    assert {first for node, first in firsts.items() if not node.startswith("/bins/")} == {2 * LARGE_PART}
    assert len(list((recording.path / "parts").iterdir())) == 2
    recording.twin.assert_read_by(recording.reader())
    assert check_run(recording.path).is_fine


def test_a_damaged_large_part_is_not_copied(recording: Recording) -> None:
    recording.append(LARGE_PART, 0)
    recording.compact()
    recording.append(5, 0)
    recording.writer.close()
    path = recording.path / "parts" / f"records-{0:010}-{LARGE_PART:010}.h5"
    damage_chunk(path)
    with closing(RunCompactor(recording.path)) as compactor, pytest.raises(RunDamagedError, match=path.name):
        compactor.compact(finish=True)
    assert path.exists()
