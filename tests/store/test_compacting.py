"""dtui compact: what it tells about what it did."""

from __future__ import annotations

import pytest

from dtui.errors import RunNotFoundError
from dtui.store import compact_run
from dtui.store.compact import RunCompactor
from tests.store.conftest import Recording


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
    recording.append(32)
    recording.compact()
    recording.append(3)
    recording.writer.close()
    path = recording.path / "parts" / "records-0000000000-0000000032.h5"
    from dtui.store.hdf5 import SealedFile

    file = SealedFile(path)
    info = file._find("/filters/norm").chunk_info((0, 0))
    file.close()
    data = bytearray(path.read_bytes())
    data[info.offset] ^= 1
    path.write_bytes(data)
    result = compact_run(recording.path)
    assert str(path) in result.fault
    assert path.exists()


def test_no_run_is_one_clear_line(recording: Recording) -> None:
    with pytest.raises(RunNotFoundError):
        compact_run(recording.path / "nothing")
