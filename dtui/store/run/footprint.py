"""Tells the size of a run and how long its recorder has been at work, from the file system alone.

Owns both. Times of the run's own files are compared with each other, never with a clock.
"""

from __future__ import annotations

import os
from pathlib import Path

from dtui.store.format.schema import HEARTBEAT_FILE, JOURNAL_FOLDER, PARTS_FOLDER, RUN_FILE, TRIAGE_FILE

_DEEPEST = 2


def size_of(path: Path) -> int:
    """Return the bytes of a run's files, or of its packed file; 0 if nothing can be read. Links are not followed."""
    try:
        if not path.is_dir():
            return path.stat().st_size
    except OSError:
        return 0
    return _bytes_in(path, 0)


def _bytes_in(folder: Path, depth: int) -> int:
    total = 0
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_dir(follow_symlinks=False):
                        total += _bytes_in(Path(entry.path), depth + 1) if depth < _DEEPEST else 0
                    else:
                        total += entry.stat(follow_symlinks=False).st_size
                except OSError:  # it vanished meanwhile
                    continue
    except OSError:
        return total
    return total


def seconds_at_work(folder: Path) -> float:
    """Return how long the present recorder of a live run has been at work; NaN if that is not known.

    It replaces run.json when it begins, and touches the heartbeat from then on.
    """
    try:
        begun, now = (os.stat(folder / name).st_mtime for name in (RUN_FILE, HEARTBEAT_FILE))
    except OSError:
        return float("nan")
    return now - begun if now > begun else float("nan")


def quiet_seconds(folder: Path) -> float:
    """Return how long before its last sign of life a run was last written to; 0 where that is not known."""
    try:
        return max(0.0, os.stat(folder / HEARTBEAT_FILE).st_mtime - _written(folder))
    except OSError:
        return 0.0


def seconds_of_writing(folder: Path) -> float:
    """Return the time from when the present recorder began to what it wrote last; NaN if that is not known."""
    try:
        span = _written(folder) - os.stat(folder / RUN_FILE).st_mtime
    except OSError:
        return float("nan")
    return span if span > 0 else float("nan")


def _written(folder: Path) -> float:
    """Return when a frame was last appended; the fold of the last ones counts where no journal is left.

    Raises:
        FileNotFoundError: There are no frames.
    """
    for name in (JOURNAL_FOLDER, PARTS_FOLDER):
        with os.scandir(folder / name) as entries:
            times = [entry.stat(follow_symlinks=False).st_mtime for entry in entries]
        if times:
            return max(times)
    raise FileNotFoundError(folder)


def stamp_of(path: Path) -> tuple[tuple[int, int] | None, ...]:
    """Return what changes when an ended run is resumed, replaced, judged by a person, gone, or gives a sign of life."""
    stamp: list[tuple[int, int] | None] = []
    for name in (path, path / RUN_FILE, path / TRIAGE_FILE, path / HEARTBEAT_FILE):
        try:
            stat = os.stat(name)
            stamp.append((stat.st_mtime_ns, stat.st_size))
        except OSError:
            stamp.append(None)
    return tuple(stamp)
