"""One writer, readers in other processes and compaction beside them, for as long as one likes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import shutil
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dtui.model import FILTER_STATISTICS, Record, RunMetadata, RunStatus, Structure
from dtui.record.writing.writer_thread import Job, Sink, Store
from dtui.store import RunReader, RunWriter
from dtui.store.format.schema import Stream
from dtui.store.read import catalog
from dtui.store.run import sidecars
from dtui.store.run.run_file import RunFile
from tests.store.twin import KEPT_BITS, rounded

STATISTICS = ("std", "update_norm")
STALE_SECONDS = 1.0
"""How old a listing may be on the simulated network filesystem; what is replaced stays five seconds."""


LONGEST_QUEUE = 64
FRAMES_IN_FILE = 32


@dataclass(frozen=True)
class Life:
    """What a live run was like; times are in seconds, one a record.

    Attributes:
        waits: For which the training thread waited to hand a record over.
        appends: Which a record took on the writer's thread.
        busy: Of those, the processor time: what is left is time that other processes had.
        late: By which the training thread woke later than it had asked to.
        plain_writes: Which another process, that only sleeps and writes as many bytes, took for that.
        plain_late: By which that process woke later than it had asked to.
        parts: In the end.
        answers: Of each reader.
        slowest: Look of each reader.
    """

    waits: list[float]
    appends: list[float]
    busy: list[float]
    late: list[float]
    plain_writes: list[float]
    plain_late: list[float]
    parts: int
    answers: list[int]
    slowest: list[float]


def live(
    path: Path,
    structure: Structure,
    records: Sequence[Record],
    seconds: float,
    pause: float,
    readers: int,
    *,
    look: float = 0.0,
) -> Life:
    """Record for some seconds as a recorder does, from a thread of its own, followed by readers.

    The last reader sees listings that are out of date. Beside them a process only sleeps and writes: what it meets is
    this machine's, not ours.

    Args:
        path: Of the run, with its suffix.
        structure: Of the network.
        records: Appended in turn, again and again.
        seconds: How long.
        pause: Between two records: the rest of a training, which waits for its GPU.
        readers: Processes that follow.
        look: Seconds between two looks of a reader; 0 for as often as it can.
    """
    writer = RunWriter(path, structure, RunMetadata("live", "2026-01-01T00:00:00+00:00", 1))
    wanted = {
        name: np.stack([rounded(record.filters[FILTER_STATISTICS.index(name)], KEPT_BITS[name]) for record in records])
        for name in STATISTICS
    }
    children = [_fork(lambda last=n == readers - 1: _follow(path, wanted, last, look)) for n in range(readers)]
    plain = path.with_suffix(".plain")
    size = sum(field.size for field in writer._fields[Stream.RECORDS])
    floor = _fork(lambda: _write_plainly(plain, path, size, pause))
    waits, appends, busy, late = _train(writer, records, seconds, pause)
    told = [_result(*child) for child in children]
    beside = _result(*floor)
    parts = len(list((path / "parts").iterdir()))
    assert all(one["records"] == len(appends) for one in told), (told, len(appends))
    return Life(
        waits,
        appends,
        busy,
        late,
        beside["writes"],
        beside["late"],
        parts,
        [one["answers"] for one in told],
        [one["slowest"] for one in told],
    )


def _train(
    writer: RunWriter, records: Sequence[Record], seconds: float, pause: float
) -> tuple[list[float], list[float], list[float], list[float]]:
    """Hand records over for some seconds and end the run; returns `waits`, `appends`, `busy` and `late` of a Life."""
    waits: list[float] = []
    appends: list[float] = []
    busy: list[float] = []
    late: list[float] = []
    sink = Sink(lambda: writer, LONGEST_QUEUE)

    def append(store: Store, iteration: int) -> None:
        record = replace(records[iteration % len(records)], iteration=iteration)
        start, worked = time.perf_counter(), time.thread_time()
        store.append_record(record)
        busy.append(time.thread_time() - worked)
        appends.append(time.perf_counter() - start)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        start = time.perf_counter()
        iteration = len(waits)
        if sink.offer(Job("records", iteration, partial(append, iteration=iteration))):
            waits.append(time.perf_counter() - start)
        late.append(_sleep(pause))  # the training itself
    sink.close(RunStatus.DONE, "")
    assert len(appends) == len(waits), "something was not written"
    return waits, appends, busy, late


def _sleep(seconds: float) -> float:
    """Sleep; returns by how much longer than asked for."""
    start = time.perf_counter()
    time.sleep(seconds)
    return time.perf_counter() - start - seconds


def _write_plainly(folder: Path, run: Path, size: int, pause: float) -> dict[str, Any]:
    """Write as many bytes as a record has, in one call each, and sleep, until the run has ended."""
    folder.mkdir()
    writes: list[float] = []
    late: list[float] = []
    data = os.urandom(size)
    descriptor = -1
    while RunFile.read(run).closed is None:
        if len(writes) % FRAMES_IN_FILE == 0:
            if descriptor >= 0:
                os.close(descriptor)
                (folder / str(len(writes) - FRAMES_IN_FILE)).unlink()
            descriptor = os.open(folder / str(len(writes)), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        start = time.perf_counter()
        os.write(descriptor, data)
        writes.append(time.perf_counter() - start)
        late.append(_sleep(pause))
    shutil.rmtree(folder)
    return {"writes": writes, "late": late}


def without_locks(patch: pytest.MonkeyPatch) -> None:
    """Be on a filesystem that knows neither locks nor links."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    for name in ("flock", "lockf", "fcntl"):
        patch.setattr(fcntl, name, refuse)
    patch.setattr(os, "lockf", refuse)


def _follow(path: Path, wanted: dict[str, np.ndarray], is_stale: bool, look: float) -> dict[str, Any]:
    if is_stale:
        catalog.list_folder = sidecars.list_folder = _stale(catalog.list_folder)
    rng = random.Random(os.getpid())
    reader = RunReader(path)
    seen = answers = 0
    slowest = 0.0
    while True:
        ended = reader.status() is not RunStatus.LIVE
        if ended and is_stale:
            time.sleep(2 * STALE_SECONDS)  # until its listings tell the end
        start = time.perf_counter()
        reader.refresh()
        count = len(reader.record_iterations)
        assert count >= seen, f"{count} records after {seen}"
        is_closed = reader.status() is not RunStatus.LIVE  # its file may say so before an old listing shows all
        assert is_closed or reader.faults == (), reader.faults
        low = rng.randrange(count + 1) if rng.random() < 0.9 else 0
        for name, values in wanted.items():
            found = reader.read_filters(name, slice(None), slice(low, count))
            np.testing.assert_array_equal(found, values[np.arange(low, count) % len(values)].T)
            answers += 1
        np.testing.assert_array_equal(reader.record_iterations, np.arange(count))
        slowest = max(slowest, time.perf_counter() - start)
        seen = count
        if ended:
            assert reader.faults == (), reader.faults
            reader.close()
            return {"answers": answers, "records": count, "slowest": slowest}
        time.sleep(look)


def _stale(listing: Callable[[Path], list[Path]]) -> Callable[[Path], list[Path]]:
    """Answer from what was listed up to STALE_SECONDS ago."""
    known: dict[Path, tuple[float, list[Path]]] = {}

    def stale(folder: Path) -> list[Path]:
        now = time.monotonic()
        if folder not in known or now - known[folder][0] > STALE_SECONDS:
            known[folder] = now, listing(folder)
        return known[folder][1]

    return stale


def _fork(work: Callable[[], dict[str, Any]]) -> tuple[int, int]:
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read_end)
            os.write(write_end, json.dumps(work()).encode())
        except BaseException:
            os.write(write_end, traceback.format_exc()[-8000:].encode())
        finally:
            os._exit(0)
    os.close(write_end)
    return child, read_end


def _result(child: int, descriptor: int) -> dict[str, Any]:
    data = b""
    while piece := os.read(descriptor, 65536):
        data += piece
    os.close(descriptor)
    os.waitpid(child, 0)
    assert data.startswith(b"{"), data.decode()
    return json.loads(data)  # type: ignore[no-any-return]
