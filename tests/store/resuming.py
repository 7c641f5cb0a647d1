"""What the tests of resumed runs share: writers that die, and frames that tell which training they are of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from dtui.model import Record, Validation
from dtui.store import RunWriter, find_past
from dtui.store.run.run_file import Process, RunFile
from tests.store.builders import make_record, make_validation


def record_of(training: int, iteration: int) -> Record:
    """Return the record of an iteration as one of several trainings made it."""
    return replace(make_record(100_000 * training + iteration), iteration=iteration)


def validation_of(training: int, iteration: int) -> Validation:
    """Return the validation at an iteration as one of several trainings made it."""
    return replace(make_validation(100_000 * training + iteration), iteration=iteration)


def die(writer: RunWriter, half_frame: bytes = b"") -> None:
    """Leave a run as a killed writer would: not closed, its process gone, perhaps with half a frame in its journal."""
    for stream, journal in writer._journals.items():
        journal.close()
        files = sorted((writer.path / "journal").glob(f"{stream}-*"))
        if half_frame and files:
            with files[-1].open("ab") as file:
                file.write(half_frame)
    writer._closed = True
    found = RunFile.read(writer.path)
    process = found.writer
    gone = Process(process.pid, process.host, process.boot, process.started - 1)
    if found.closed is None:
        replace(found, writer=gone).write(writer.path)


def resume(path: Path, iteration: int, *, compact: bool = False) -> RunWriter:
    """Go on with a run whose writer is gone."""
    past = find_past(path)
    assert past is not None
    return RunWriter.resume(past, iteration, compact=compact)


def half_frame(path: Path, share: float) -> bytes:
    """Return the beginning of some frame of a run."""
    data = b"".join(file.read_bytes() for file in sorted((path / "journal").iterdir()))[:4000]
    return data[: int(len(data) * share)]


def iterations_of(frames: list[Record] | list[Validation]) -> list[int]:
    """Return the iterations of frames."""
    return np.array([frame.iteration for frame in frames], np.int64).tolist()
