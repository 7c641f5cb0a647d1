"""Runs on disk for the tests of the TUI."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from dtui.model import ImageSet, IntArray, RunMetadata
from dtui.store import RunWriter
from dtui.store.run.anomaly_cache import FindingsFile, Key
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation

SAMPLES = Path(__file__).parents[2] / "sample_runs"


@pytest.fixture(autouse=True)
def _untouched_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep nothing in the sample runs themselves: other tests copy them at the same time."""
    write_all = FindingsFile.write_all

    def write_to_copies(cache: FindingsFile, added: Sequence[tuple[Key, IntArray]]) -> None:
        if SAMPLES not in cache._path.parents:
            write_all(cache, added)

    monkeypatch.setattr(FindingsFile, "write_all", write_to_copies)


@pytest.fixture
def sample_run(tmp_path: Path) -> Path:
    """A copy of the sample run with faults, to be decided upon."""
    path = tmp_path / "mnist-faults.dtui"
    shutil.copytree(SAMPLES / "mnist-faults.dtui", path)
    return path


class GrowingRun:
    """A run that a test records bit by bit."""

    every = 10

    def __init__(self, path: Path, images: ImageSet | None = IMAGES, metadata: RunMetadata = METADATA) -> None:
        images = images and dataclasses.replace(images, thumbnails=())
        self.writer = RunWriter(path, STRUCTURE, metadata, classes=images.classes if images else (), compact=False)
        self.path, self.images, self.position = self.writer.path, images, 0
        if images is not None:
            self.writer.set_images(images)

    def grow(self, records: int) -> None:
        for _ in range(records):
            self.writer.append_record(make_record(self.position, self.every))
            if self.images is not None:
                self.writer.append_validation(make_validation(self.position, self.every, self.images))
            self.position += 1
        self.writer.heartbeat()

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
def growing_run(tmp_path: Path):
    """A run that is being recorded, with awkward values and hostile names; empty at first."""
    run = GrowingRun(tmp_path / "growing")
    yield run
    run.close()
