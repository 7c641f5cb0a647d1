"""A writer and a compactor that die at a chosen call, and what must be left of their run; for tests and benchmark."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from dtui.errors import DtuiError
from dtui.store import RunReader, RunWriter, check_run
from dtui.store.compact import RunCompactor
from dtui.store.verdict import FileState
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.dying import in_child
from tests.store.twin import Twin

RECORDS = [make_record(n) for n in range(7)]
VALIDATIONS = [make_validation(n) for n in range(5)]
EXPLAINED = {FileState.FINE, FileState.LEFT_OVER}


def write_run(path: Path, descriptor: int) -> None:
    """Record a run that fills journals, and acknowledge: c created, i images, r record, v validation, e ended."""
    writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
    os.write(descriptor, b"c")
    writer.set_images(IMAGES)
    os.write(descriptor, b"i")
    for n, record in enumerate(RECORDS):
        writer.append_record(record)
        os.write(descriptor, b"r")
        if n < len(VALIDATIONS):
            writer.append_validation(VALIDATIONS[n])
            os.write(descriptor, b"v")
    writer.close()
    os.write(descriptor, b"e")


def crash_writer(path: Path, call: int, *, torn: bool = False) -> None:
    """Let a writer die at a call; what it acknowledged must be there, and compacting must finish the run."""
    acknowledged, _ = in_child(lambda pipe: write_run(path, pipe), call, torn=torn)
    if b"c" not in acknowledged:  # nobody was promised a run: there is none yet, or one line that says what is missing
        with contextlib.suppress(DtuiError):
            RunReader(path).close()
        return
    reader = RunReader(path)
    records, validations = len(reader.record_iterations), len(reader.validation_iterations)
    reader.close()
    assert acknowledged.count(b"r") <= records <= acknowledged.count(b"r") + 1, acknowledged
    assert acknowledged.count(b"v") <= validations <= acknowledged.count(b"v") + 1, acknowledged
    finish(path, Twin(RECORDS[:records], VALIDATIONS[:validations]))


def compact_run(path: Path) -> None:
    """Fold twice, first as if the run went on, then the rest, and remove what was replaced."""
    for is_last in (False, True):
        compactor = RunCompactor(path)
        try:
            assert compactor.compact(finish=is_last) is not None, "somebody else is compacting"
            compactor.sweep(0.0)
        finally:
            compactor.close()


def crash_compactor(good: Path, path: Path, call: int) -> None:
    """Let a compactor die at a call, under a reader that is open all the time; then the next one must finish."""
    shutil.copytree(good, path)
    twin = Twin(RECORDS, VALIDATIONS)
    reader = RunReader(path)
    in_child(lambda _: compact_run(path), call)
    reader.refresh()
    twin.assert_read_by(reader)
    states = {file.state for file in check_run(path).files}
    assert states <= EXPLAINED, states
    reader.close()
    finish(path, twin)


def finish(path: Path, twin: Twin) -> None:
    """Compact what a crash left: everything is still there, and nothing else."""
    compact_run(path)
    reader = RunReader(path)
    twin.assert_read_by(reader)
    reader.close()
    left = [file for file in check_run(path).files if file.state is not FileState.FINE]
    assert all(file.state is FileState.LEFT_OVER and "safe to remove" in file.detail for file in left), left
    assert not any((path / "journal").iterdir())
