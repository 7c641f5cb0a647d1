"""A request to stop reaches the process that records now, and no later one."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from dtui.errors import DtuiError, RunNotFoundError, UsageError
from dtui.query.folders.fingerprint import fingerprint
from dtui.store import RunWriter, check_run, find_past, pack_run
from dtui.store.format.schema import RUN_ENTRIES, STOP_FILE
from dtui.store.run import stop_request
from dtui.store.run.stop_request import leave_stop_request, read_stop_request
from tests.store.builders import METADATA, STRUCTURE
from tests.store.conftest import Recording


def verdict(path: Path) -> tuple[str, str]:
    """Return what `dtui check` says of the request."""
    (found,) = [file for file in check_run(path).files if file.path.name == STOP_FILE]
    return str(found.state), found.detail


def test_a_request_reaches_the_writer_and_changes_nothing_else(recording: Recording) -> None:
    recording.append(3)
    reader, before = recording.reader(), fingerprint(recording.path)
    reader.refresh()
    assert not recording.writer.asked_to_stop()
    assert leave_stop_request(recording.path.with_suffix("")) == recording.path
    assert recording.writer.asked_to_stop()
    assert verdict(recording.path) == ("fine", "a request to stop")
    assert not reader.refresh()
    assert fingerprint(recording.path) == before
    assert reader.faults == ()
    recording.writer.close()
    assert recording.path.with_name("packed.h5") == pack_run(recording.path, recording.path.with_name("packed.h5")).path


def test_a_request_of_before_a_resume_does_not_stop_what_goes_on(recording: Recording) -> None:
    recording.append(3)
    leave_stop_request(recording.path)
    recording.writer.close()
    past = find_past(recording.path)
    assert past is not None
    resumed = RunWriter.resume(past, 20, compact=False)
    assert not resumed.asked_to_stop()
    assert verdict(recording.path) == ("left over", "a request to stop for a training that has ended")
    leave_stop_request(recording.path)
    assert resumed.asked_to_stop()
    resumed.close()


def test_a_request_in_a_copied_run_or_of_another_run_stops_nothing(recording: Recording, tmp_path: Path) -> None:
    recording.append(1)
    other = RunWriter(tmp_path / "other", STRUCTURE, METADATA, compact=False)
    leave_stop_request(recording.path)
    shutil.copy(recording.path / STOP_FILE, other.path / STOP_FILE)
    assert not other.asked_to_stop()
    other.close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"run": 1}',
        b"\xff" * 100,
        b"[" * 3000,
        b" " * 5000,
        json.dumps({"run": "x", "turn": 1, "check": "00000000"}).encode(),
        json.dumps({"run": "x", "turn": "NaN" * 50, "check": "00000000"}).encode(),
    ],
)
def test_what_is_no_request_stops_nothing_and_is_told_by_check(recording: Recording, content: bytes) -> None:
    recording.append(1)
    (recording.path / STOP_FILE).write_bytes(content)
    assert not recording.writer.asked_to_stop()
    assert verdict(recording.path) == ("left over", "a damaged request to stop, which stops nothing")
    with pytest.raises(DtuiError, match="it stops nothing"):
        read_stop_request(recording.path)
    leave_stop_request(recording.path)  # takes its place
    assert recording.writer.asked_to_stop()


def test_a_link_or_a_pipe_is_no_request(recording: Recording, tmp_path: Path) -> None:
    recording.append(1)
    leave_stop_request(recording.path)
    (recording.path / STOP_FILE).rename(tmp_path / "elsewhere")
    (recording.path / STOP_FILE).symlink_to(tmp_path / "elsewhere")
    assert not recording.writer.asked_to_stop()
    (recording.path / STOP_FILE).unlink()
    os.mkfifo(recording.path / STOP_FILE)
    assert not recording.writer.asked_to_stop()


def test_a_run_that_nobody_records_is_refused(recording: Recording, tmp_path: Path) -> None:
    recording.append(1)
    recording.writer.close()
    with pytest.raises(UsageError, match="nothing records it any more, so there is nothing to stop"):
        leave_stop_request(recording.path)
    with pytest.raises(RunNotFoundError):
        leave_stop_request(tmp_path / "nowhere")
    assert not (recording.path / STOP_FILE).exists()


def test_the_writer_looks_at_the_file_only_where_it_changed(
    recording: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording.append(1)
    reads: list[Path] = []
    monkeypatch.setattr(stop_request, "read_stop_request", lambda folder: reads.append(folder))
    (recording.path / STOP_FILE).write_bytes(b"{}")
    for _ in range(5):
        assert not recording.writer.asked_to_stop()
    assert len(reads) == 1


def test_a_run_with_a_request_can_be_replaced() -> None:
    assert STOP_FILE in RUN_ENTRIES  # else whoever replaces the run removes nothing
