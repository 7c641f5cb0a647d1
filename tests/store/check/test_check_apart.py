"""The check of a run whose files crash the library that reads them."""

from __future__ import annotations

import os
import random
import shutil
import signal
from pathlib import Path

import pytest

from dtui.cli.entry import main
from dtui.errors import RunNotFoundError
from dtui.store import check_run
from dtui.store.check.child import check_run_apart
from dtui.store.check.result import FileState
from dtui.store.disk.hdf5_arrays import Hdf5Tree
from tests.store.conftest import Recording
from tests.store.hostile import reseal, unseal


def test_it_is_the_same_check(recording: Recording) -> None:
    recording.append(40)
    recording.compact()
    assert check_run_apart(recording.path) == check_run(recording.path)
    (recording.path / "images.h5").write_bytes(b"x")
    assert check_run_apart(recording.path) == check_run(recording.path)
    with pytest.raises(RunNotFoundError):
        check_run_apart(recording.path / "nothing")


@pytest.mark.parametrize("name", ["parts/records-0000000000-0000000032.h5", "structure.h5"])
def test_a_file_that_ends_the_process_is_named(
    recording: Recording, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    recording.append(40)
    recording.compact()
    recording.writer.close()
    begin = Hdf5Tree.__init__

    def crash(tree: Hdf5Tree, descriptor: int) -> None:
        if os.readlink(f"/proc/self/fd/{descriptor}").endswith(name):
            os.kill(os.getpid(), signal.SIGSEGV)
        begin(tree, descriptor)

    monkeypatch.setattr(Hdf5Tree, "__init__", crash)
    result = check_run_apart(recording.path)
    assert [(str(file.path), file.state) for file in result.files] == [(name, FileState.DAMAGED)]
    assert "reading it ends the process" in result.files[0].detail
    assert main(["check", str(recording.path)]) == 1
    assert name in capsys.readouterr().out


def test_mangled_and_sealed_again_the_check_survives(recording: Recording, tmp_path: Path) -> None:
    """As an attacker would: what is parsed is changed at random, and the seal is right."""
    recording.append(2)
    recording.writer.close()
    rng = random.Random(0)
    for attempt in range(60):
        path = tmp_path / f"{attempt}.dtui"
        shutil.copytree(recording.path, path)
        file = path / rng.choice(["structure.h5", "images.h5"])
        unseal(file)
        data = bytearray(file.read_bytes())
        for _ in range(rng.choice([1, 3, 10])):
            data[rng.randrange(len(data))] = rng.randrange(256)
        file.write_bytes(data)
        reseal(file)
        result = check_run_apart(path)
        assert result.is_fine or file.name in "\n".join([*(str(one.path) for one in result.files), *result.faults])
        shutil.rmtree(path)
