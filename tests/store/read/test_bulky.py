"""Runs of few bytes that hold very much: each command ends, and leaving does not wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import RunDamagedError
from dtui.store.disk.sealed_builder import SealedFileBuilder
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.format.schema import Stream
from dtui.store.read.catalog import PartSpan
from tests.store.bulky import write_bulky
from tests.tui.terminal import Terminal

FRAMES = 4_000_000


@pytest.fixture(scope="module", params=[Stream.RECORDS, Stream.VALIDATIONS])
def bulky(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("bulky") / "run.h5"
    write_bulky(path, request.param, FRAMES)
    return path


@pytest.mark.parametrize("command", ["info", "report"])
def test_four_million_frames_are_answered(bulky: Path, command: str) -> None:
    """At 4,096 frames a question, what costs as much as there are frames costs a thousand times that."""
    words = [command, str(bulky)] + (["-o", str(bulky.with_suffix(".txt"))] if command == "report" else [])
    said = subprocess.run([sys.executable, "-m", "dtui", *words], capture_output=True, text=True, timeout=90)
    assert said.returncode == 0, said.stderr
    assert f"{FRAMES:,}" in said.stdout + (bulky.with_suffix(".txt").read_text() if command == "report" else "")


def test_q_leaves_at_once_whatever_is_being_read(bulky: Path) -> None:
    with Terminal([sys.executable, "-m", "dtui", str(bulky)], 100, 30) as terminal:
        terminal.until("opening")
        terminal.send("q")
        assert terminal.wait() == 0
        assert b"Traceback" not in terminal.written


def test_where_values_are_lost_is_asked_for_some_frames() -> None:
    stretches = [(0, 3), (2, 5), (9, 10), (9, 12)]
    edges = np.sort(np.array(stretches).T, axis=1)
    span = PartSpan(Path("x"), 0, 15, 0, np.arange(15), (), lost={"/a": edges})
    slow = np.array([any(first <= at < stop for first, stop in stretches) for at in range(15)])
    for positions in (slice(0, 15), slice(3, 11), slice(1, 15, 4), slice(14, 15)):
        np.testing.assert_array_equal(span.lost_at("/a", positions), slow[positions])
    assert not span.lost_at("/b", slice(0, 15)).any()


def test_an_array_of_far_more_than_its_file_is_refused(tmp_path: Path) -> None:
    """A chunk of zeros is a few hundred bytes, whatever its size."""
    path, shape = tmp_path / "x.h5", (1 << 20, 4096)
    builder = SealedFileBuilder(path)
    builder.create("/zeros", np.dtype("<f4"), shape, (1 << 20, 1))
    for at in range(4):
        builder.write("/zeros", (slice(None), slice(at, at + 1)), np.zeros((1 << 20, 1), np.float32))
    builder.seal()
    builder.publish()
    file = SealedFile(path)
    with pytest.raises(RunDamagedError, match=r"in a file of [0-9,]+ bytes"):
        file.read("/zeros", np.dtype("<f4"), shape, (slice(0, 1), slice(0, 1)))
    file.close()
