"""One writer, readers in other processes and compaction beside them, for as long as one likes."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import random
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from dtui.model import FILTER_STATISTICS, Record, RunMetadata, RunStatus, Structure
from dtui.store import RunReader, RunWriter, catalog, surroundings
from dtui.store.layout import KEPT_BITS
from tests.store.twin import rounded

STATISTICS = ("std", "update_norm")
STALE_SECONDS = 1.0
"""How old a listing may be on the simulated network filesystem; what is replaced stays five seconds."""


@dataclass(frozen=True)
class Life:
    """What a live run was like: seconds of each append, and of each reader its answers and the slowest one."""

    appends: list[float]
    parts: int
    answers: list[int]
    slowest: list[float]


def live(
    path: Path, structure: Structure, records: Sequence[Record], seconds: float, pause: float, readers: int
) -> Life:
    """Record for some seconds, followed by readers, the last of which sees listings that are out of date.

    Args:
        path: Of the run, with its suffix.
        structure: Of the network.
        records: Appended in turn, again and again.
        seconds: How long.
        pause: Between two records: the rest of a training.
        readers: Processes that follow.
    """
    writer = RunWriter(path, structure, RunMetadata("live", "2026-01-01T00:00:00+00:00", 1))
    wanted = {
        name: np.stack([rounded(record.filters[FILTER_STATISTICS.index(name)], KEPT_BITS[name]) for record in records])
        for name in STATISTICS
    }
    children = [_fork(lambda last=n == readers - 1: _follow(path, wanted, last)) for n in range(readers)]
    appends = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        record = replace(records[len(appends) % len(records)], iteration=len(appends))
        start = time.perf_counter()
        writer.append_record(record)
        appends.append(time.perf_counter() - start)
        time.sleep(pause)  # the training itself
    writer.close()
    told = [_result(*child) for child in children]
    parts = len(list((path / "parts").iterdir()))
    assert all(one["records"] == len(appends) for one in told), (told, len(appends))
    return Life(appends, parts, [one["answers"] for one in told], [one["slowest"] for one in told])


def without_locks(patch: pytest.MonkeyPatch) -> None:
    """Be on a filesystem that knows neither locks nor links."""

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    for name in ("flock", "lockf", "fcntl"):
        patch.setattr(fcntl, name, refuse)
    patch.setattr(os, "lockf", refuse)


def _follow(path: Path, wanted: dict[str, np.ndarray], is_stale: bool) -> dict[str, float]:
    if is_stale:
        catalog.list_folder = surroundings.list_folder = _stale(catalog.list_folder)
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


def _stale(listing: Callable[[Path], list[Path]]) -> Callable[[Path], list[Path]]:
    """Answer from what was listed up to STALE_SECONDS ago."""
    known: dict[Path, tuple[float, list[Path]]] = {}

    def stale(folder: Path) -> list[Path]:
        now = time.monotonic()
        if folder not in known or now - known[folder][0] > STALE_SECONDS:
            known[folder] = now, listing(folder)
        return known[folder][1]

    return stale


def _fork(work: Callable[[], dict[str, float]]) -> tuple[int, int]:
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


def _result(child: int, descriptor: int) -> dict[str, int]:
    data = b""
    while piece := os.read(descriptor, 65536):
        data += piece
    os.close(descriptor)
    os.waitpid(child, 0)
    assert data.startswith(b"{"), data.decode()
    return json.loads(data)  # type: ignore[no-any-return]
