"""Processes that are forked and killed at random instants, hundreds a minute; shared by the tests and the benchmark."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

from dtui.store import RunReader, RunWriter
from dtui.store.compact import RunCompactor
from tests.store.builders import IMAGES, METADATA, STRUCTURE, make_record, make_validation
from tests.store.twin import Twin


def fork(work: Callable[[], None]) -> int:
    """Run `work` in a child process that ends with it; returns its id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def kill_after(child: int, seconds: float) -> None:
    """Kill a child at an instant; the delay is the random instant itself, nothing is waited for."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def record_until_killed(path: Path, rng: random.Random) -> int:
    """Fork a writer, kill it somewhere; returns how many records it had acknowledged."""
    read_end, write_end = os.pipe()

    def work() -> None:
        writer = RunWriter(path, STRUCTURE, METADATA, compact=False)
        writer.set_images(IMAGES)
        for position in range(100_000):
            writer.append_record(make_record(position))
            os.write(write_end, b"r")
            writer.append_validation(make_validation(position))
            os.write(write_end, b"v")

    child = fork(work)
    os.close(write_end)
    acknowledged = os.read(read_end, 1)
    kill_after(child, rng.random() * 0.03)
    while data := os.read(read_end, 65536):
        acknowledged += data
    os.close(read_end)
    return acknowledged.count(b"r")


def assert_nothing_lost(path: Path, acknowledged: int) -> int:
    """Compare a killed writer's run with what it must hold; returns how many records it holds."""
    reader = RunReader(path)
    found, judged = len(reader.record_iterations), len(reader.validation_iterations)
    assert acknowledged <= found <= acknowledged + 1
    assert judged in (found, found - 1)
    Twin(
        [make_record(n) for n in range(found)], validations=[make_validation(n) for n in range(judged)]
    ).assert_read_by(reader)
    reader.close()
    return found


def compact_until_killed(path: Path, seconds: float) -> None:
    """Fork a compactor that also removes what it replaced, and kill it after a time."""
    kill_after(fork(lambda: compact(path)), seconds)


def compact(path: Path) -> None:
    """Fold everything there is and remove what was replaced at once."""
    compactor = RunCompactor(path)
    compactor.compact(finish=True)
    compactor.sweep(0.0)
    compactor.close()
