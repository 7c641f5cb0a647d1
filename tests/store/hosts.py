"""Processes on several hosts that record one run, played by one process, for tests of take-overs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from dtui.model import Record
from dtui.store import RunReader
from dtui.store.disk.atomic_files import stamp_of
from dtui.store.format.schema import RUN_FILE
from dtui.store.run import life, ownership
from dtui.store.run.run_file import RunFile
from dtui.store.write.run_writer import RunWriter
from tests.store.builders import make_record
from tests.store.clock import Clock

View = tuple[object, RunFile, int]
"""What a host remembers of a run: the stamp of run.json, its content, and the last turn that was claimed."""


@contextmanager
def on(host: str) -> Iterator[None]:
    """Act as a process of a host, to which the hearts of others are still: nothing else runs meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "gethostname", lambda: host)
        patch.setattr(life, "time", Clock())
        yield


@contextmanager
def seeing(view: View | None) -> Iterator[None]:
    """Act as a writer to which a network filesystem shows run.json and claims as they were; None for as they are."""
    if view is None:
        yield
        return
    stamp, run_file, turn = view
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ownership, "stamp_of", lambda _: stamp)
        patch.setattr(ownership, "read_or_none", lambda _: run_file)
        patch.setattr(ownership, "highest_turn", lambda _: turn)
        yield


def view_of(writer: RunWriter) -> View:
    """Return what a host remembers of a run that its writer has just looked at."""
    return stamp_of(writer.path / RUN_FILE), writer._owner.run_file, writer._owner.run_file.turn


def record_of(who: int, iteration: int) -> Record:
    """Return a record that tells which writer made it."""
    made = make_record(iteration % 50)
    return replace(made, iteration=iteration, scalars={"who": float(who)})


def content(path: Path) -> list[tuple[int, int]]:
    """Return what a reader sees: iteration and writer of each record."""
    reader = RunReader(path)
    iterations = reader.record_iterations.tolist()
    names = reader.scalar_names()
    who = reader.read_scalar("who", slice(0, len(iterations))).tolist() if "who" in names else []
    faults = reader.faults
    reader.close()
    assert faults == ()
    return list(zip(iterations, map(int, who), strict=True))
