from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from dtui.store import RunReader, RunWriter
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.twin import Twin


class Recording:
    """A writer, its twin, and readers that are closed when the test ends."""

    def __init__(self, path: Path) -> None:
        self.writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
        self.path = self.writer.path
        self.twin = Twin()
        self.writer.set_images(IMAGES)
        self._readers: list[RunReader] = []

    def append(self, records: int, validations: int | None = None) -> None:
        for _ in range(records):
            record = make_record(len(self.twin.records))
            self.writer.append_record(record)
            self.twin.records.append(record)
        for _ in range(records if validations is None else validations):
            validation = make_validation(len(self.twin.validations))
            self.writer.append_validation(validation)
            self.twin.validations.append(validation)

    def compact(self, *, finish: bool = False, sweep: bool = True) -> list[Path]:
        from tests.store.folding import fold

        return fold(self.path, finish=finish, sweep=sweep)

    def reader(self) -> RunReader:
        reader = RunReader(self.path)
        self._readers.append(reader)
        return reader

    def close(self) -> None:
        for reader in self._readers:
            reader.close()
        with contextlib.suppress(OSError):  # where a test has removed the run
            self.writer.close()


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    made = Recording(tmp_path / "run")
    yield made
    made.close()


@pytest.fixture(scope="module")
def folded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 36 records, of which 32 are in a part and four in a journal."""
    made = Recording(tmp_path_factory.mktemp("hostile") / "run")
    made.append(36)
    made.compact()
    made.close()
    return made.path
