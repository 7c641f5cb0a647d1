"""ESTALE: another host replaced a file, and this one still has a handle of the old one. The next try finds the new."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from dtui.errors import RunDamagedError
from dtui.store import RunReader
from dtui.store.disk import atomic_files
from dtui.store.disk.atomic_files import open_again, open_plain
from dtui.store.disk.sealed_file import SealedFile
from tests.store.conftest import Recording
from tests.store.twin import Twin

TRIES = len(atomic_files._STALE_PAUSES) + 1


class Stale:
    """Has the first tries to open each path fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        """Patch `os.open`, and the pauses between tries."""
        self.tried: dict[str, int] = {}
        self._times, self._open = times, os.open
        monkeypatch.setattr(os, "open", self._fail)
        monkeypatch.setattr(atomic_files.time, "sleep", lambda _: None)

    def _fail(self, path: Any, *arguments: Any, **named: Any) -> int:
        self.tried[str(path)] = tried = self.tried.get(str(path), 0) + 1
        if tried <= self._times:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return self._open(path, *arguments, **named)


@pytest.mark.parametrize("times", [1, TRIES - 1])
def test_everything_is_opened_again(recording: Recording, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Journals, lines, run.json, parts and images, for reading and for writing, and the folders that they are in."""
    recording.append(40)
    recording.compact()
    stale = Stale(monkeypatch, times)
    recording.append(40)
    reader = recording.reader()
    recording.twin.assert_read_by(reader)
    reader.append_decisions([("x", "flagged", "")])
    assert reader.decisions() == {"x": ("flagged", "")}
    recording.writer.close()
    reader.refresh()
    recording.twin.assert_read_by(reader)
    names = {Path(path).name for path in stale.tried}
    assert {"run.json", "images.h5", "structure.h5", "triage.jsonl", "journal", "parts"} <= names
    assert any(name.endswith(".dtj") for name in names)
    assert any(name.startswith("records-") and name.endswith(".h5") for name in names)


def test_a_file_that_stays_stale_is_an_error_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()
    stale = Stale(monkeypatch, 100)
    with pytest.raises(OSError, match="Stale file handle"):
        open_plain(tmp_path / "a")
    assert stale.tried == {str(tmp_path / "a"): TRIES}


def test_a_file_that_lost_its_name_while_it_was_opened_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a server shows the old file to who remembers it."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    (tmp_path / "b").write_bytes(b"new")
    real = os.open

    def late(*arguments: Any, **named: Any) -> int:
        descriptor = real(*arguments, **named)
        if (tmp_path / "b").exists():
            (tmp_path / "b").rename(path)
        return descriptor

    monkeypatch.setattr(os, "open", late)
    with open_plain(path) as file:
        assert file.read() == b"new"
    os.close(open_again(tmp_path, os.O_RDONLY))


@pytest.mark.parametrize("happens", ["replaced", "stale"])
def test_a_part_that_is_replaced_between_its_seal_and_its_arrays(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, happens: str
) -> None:
    """What was verified is not there any more, or another file is."""
    recording.append(40, 0)
    recording.compact()
    failed: list[Path] = []
    real = SealedFile._open_file

    def fail(file: SealedFile) -> None:
        if "parts" in file.path.parts and not failed:
            failed.append(file.path)
            if happens == "stale":
                raise RunDamagedError("no arrays are found in it")
            recording.append(24, 0)
            recording.writer.close()
            recording.compact(finish=True)
        real(file)

    reader = RunReader(recording.path)
    reader.close()
    monkeypatch.setattr(SealedFile, "_open_file", fail)
    reader = recording.reader()
    Twin(recording.twin.records, validations=[], images=reader.images).assert_read_by(reader)
    assert failed
    assert reader.faults == ()
