"""Small runs for a night, and what a folder of a night holds, as bytes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from dtui.model import FILTER_STATISTICS, LAYER_STATISTICS, Record, Validation
from dtui.reports.nightly.plan import Unit
from dtui.reports.nightly.worker import answer
from dtui.store import RunWriter
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation

NAMED = replace(METADATA, notes=())


def quiet_record(position: int) -> Record:
    """Return a record at which nothing happens."""
    record = make_record(0)
    filters, layers, modules = (np.full_like(part, 0.5) for part in (record.filters, record.layers, record.modules))
    filters[FILTER_STATISTICS.index("nonfinite")] = 0
    layers[:, LAYER_STATISTICS.index("nonfinite")] = 0
    return replace(
        record, iteration=position * 10, filters=filters, layers=layers, modules=modules, scalars={"loss": 0.5}
    )


def right(position: int) -> Validation:
    """Return a validation at which every image is judged right."""
    return Validation(position * 10, IMAGES.targets, np.full(len(IMAGES.ids), 200, np.uint8))


class Training:
    """A training that a test records bit by bit; `troubled` ones have NaN and Inf in every record."""

    def __init__(self, path: Path, *, troubled: bool = False) -> None:
        self.writer = RunWriter(path, STRUCTURE, NAMED, classes=IMAGES.classes, compact=False)
        self.writer.set_images(IMAGES)
        self.path, self.position, self.troubled = self.writer.path, 0, troubled

    def grow(self, records: int) -> None:
        for _ in range(records):
            self.writer.append_record((make_record if self.troubled else quiet_record)(self.position))
            self.writer.append_validation(
                replace(make_validation(self.position), iteration=self.position * 10)
                if self.troubled
                else right(self.position)
            )
            self.position += 1

    def close(self) -> None:
        self.writer.close()


def make_run(path: Path, records: int = 4, *, troubled: bool = False) -> Path:
    """Write a run that has ended."""
    training = Training(path, troubled=troubled)
    training.grow(records)
    training.close()
    return training.path


def damage(run: Path) -> None:
    """Cut the file without which a run cannot be read."""
    file = run / "structure.h5"
    file.write_bytes(file.read_bytes()[:1000])


def here(units: Sequence[Unit]) -> Iterator[tuple[Unit, str]]:
    """Make reports in this process: an engine for what is not about processes."""
    for unit in units:
        yield unit, answer(unit)


def tree(folder: Path, without: Sequence[str] = ()) -> dict[str, bytes]:
    """Return every file of a folder by its path."""
    found = {}
    for place, _, files in os.walk(folder):
        for name in files:
            with contextlib.suppress(FileNotFoundError):
                path = Path(place) / name
                found[path.relative_to(folder).as_posix()] = path.read_bytes()
    return {name: data for name, data in found.items() if not name.startswith(tuple(without))} if without else found
