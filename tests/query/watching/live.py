"""A run that is recorded, and a watcher of it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from dtui.model import (
    LAYER_STATISTICS,
    SOURCES,
    Record,
)
from dtui.query.watching.events import EventKind, Wanted, WatchEvent
from dtui.query.watching.watcher import Watcher
from dtui.store import RunWriter
from dtui.store.run.run_file import Process, RunFile
from tests.store.builders import METADATA, STRUCTURE, make_record

SAMPLES = Path(__file__).parents[3] / "sample_runs"
NONFINITE = LAYER_STATISTICS.index("nonfinite")
STALL = Wanted(frozenset({EventKind.STALL}))


def calm(position: int, bad: str = "", **scalars: float) -> Record:
    """Return a record of a healthy training, or one in which layer 1 has a NaN in its weights or gradients."""
    record = make_record(position)
    layers = np.ones_like(record.layers)
    layers[:, NONFINITE] = 0
    if bad:
        layers[SOURCES.index(bad), NONFINITE, 1] = 3
    filters = np.ones_like(record.filters)
    return replace(record, layers=layers, filters=filters, scalars={"loss": 0.5, **scalars})


class Live:
    """A run that this process records, and a watcher of it on a clock of its own."""

    def __init__(self, path: Path, wanted: Wanted | None = None) -> None:
        self.writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
        self.path, self.now, self.count = self.writer.path, 1_000.0, 0
        self.append()
        self.watcher = Watcher(self.path, wanted or Wanted(), clock=lambda: self.now)

    def append(self, bad: str = "", **scalars: float) -> None:
        self.writer.append_record(calm(self.count, bad, **scalars))
        self.count += 1

    def look(self, seconds: float = 0.0) -> list[WatchEvent]:
        self.now += seconds
        found = self.watcher.look()
        assert found.remarks == ()
        return list(found.events)

    def close(self) -> None:
        self.watcher.close()
        with contextlib.suppress(OSError):  # where a test has removed or resumed the run
            self.writer.close()


def killed(path: Path) -> None:
    """Let the process that records a run be gone without closing it."""
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    file = RunFile.read(path)
    replace(file, writer=replace(Process.this(), pid=child), closed=None).write(path)


def kinds(events: list[WatchEvent]) -> list[str]:
    return [str(event.kind) for event in events]
