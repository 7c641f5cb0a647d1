"""Judges whether the recording process is alive: by its process on this host, by its heartbeat from other hosts.

Owns that judgement.

Clocks of two hosts differ, so a file's time is never compared with our time. A heartbeat counts only if it *changes*
while we watch, measured by our own monotonic clock. So a process on another host cannot be judged at the first look.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from weakref import WeakValueDictionary

from dtui.errors import RunExistsError
from dtui.model import RunStatus
from dtui.store.disk.atomic_files import open_plain
from dtui.store.format.schema import HEARTBEAT_FILE
from dtui.store.run.run_file import Process, RunFile

WATCHED_SECONDS = 10.0
"""The heart of a run that we have just met is still where it has not beaten for so long: it beats once a second."""
SILENT_SECONDS = 120.0
"""For so long may one that was seen to beat be still: its disk may hang."""
GLANCE_SECONDS = 3.0
"""For so long a command that answers once watches a run of another host."""
_LOOK_SECONDS = 0.1


class Heart:
    """Watches a heartbeat: a file that changes while its writer is alive. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Prepare for a file, which need not exist."""
        self._path = path
        self._seen: object = None
        self._first = self._changed = -1.0
        self._has_beaten = False

    def look(self) -> bool | None:
        """Look once; return whether it beats, None while that is not known yet."""
        now, mark = time.monotonic(), _mark(self._path)
        if self._first < 0:
            self._first = self._changed = now
        elif mark not in (None, self._seen):
            self._changed, self._has_beaten = now, True
        self._seen = mark or self._seen
        still = now - self._changed
        if self._has_beaten:
            return still < SILENT_SECONDS
        return False if still >= WATCHED_SECONDS else None

    def watch(self, seconds: float) -> bool:
        """Look until it beats, or until some seconds after the first look; return whether it has beaten."""
        while not self.look() and not self._has_beaten and time.monotonic() - self._first < seconds:
            time.sleep(_LOOK_SECONDS)
        return self._has_beaten and bool(self.look())

    @property
    def seconds(self) -> float:
        """Seconds without a change, as far as we know; 0 before the first look."""
        return max(0.0, time.monotonic() - self._changed) if self._first >= 0 else 0.0


_hearts: WeakValueDictionary[Path, Heart] = WeakValueDictionary()
"""Those that somebody looks at: who opens a run again goes on looking."""


def _mark(path: Path) -> tuple[int, int, int] | None:
    """Return a value that changes at every beat, None if there is no file."""
    try:
        with open_plain(path) as file:  # opening it has a network filesystem ask its server
            stat = os.fstat(file.fileno())
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size


class Life:
    """Judges whether an open run is being recorded. Not thread-safe."""

    def __init__(self, folder: Path) -> None:
        """Prepare for the run in a folder."""
        self._heart = _heart_of(folder)
        self._is_settled = self._is_silent = False

    def status(self, run: RunFile | None) -> RunStatus:
        """Return the run's status without waiting; live while a process on another host cannot be judged yet.

        Args:
            run: Its run.json, None if that cannot be read.
        """
        self._is_silent = False
        if run is not None and run.closed is not None:
            return RunStatus.told(run.closed, run.reason)
        alive = None if run is None else run.writer.is_alive()
        if alive is None:
            beats = self._heart.look()
            alive = not self._is_settled if beats is None else beats
            self._is_silent = not alive
        return RunStatus.LIVE if alive else RunStatus.CRASHED

    def settle(self, run: RunFile | None) -> None:
        """Judge a process on another host now, for a caller that asks only once: watch it for GLANCE_SECONDS."""
        if self.status(run) is RunStatus.LIVE and (run is None or run.writer.is_alive() is None):
            self._heart.watch(GLANCE_SECONDS)
            self._is_settled = True

    def explain(self, run: RunFile | None) -> str:
        """Return one line on why the last status was "crashed", if run.json gives no reason; else ""."""
        if not self._is_silent:
            return ""
        who = "whoever recorded it" if run is None else f"process {run.writer.pid} on {run.writer.host}"
        return f"no sign of life from {who} in {self._heart.seconds:.0f} s of looking"


def meet(folders: Sequence[Path]) -> list[Heart]:
    """Take the first look at several runs, so that judging all of them takes no longer than judging one.

    Returns:
        Objects that the caller must keep until the runs have been judged.
    """
    hearts = [_heart_of(folder) for folder in folders if folder.is_dir()]
    for heart in hearts:
        heart.look()
    return hearts


def _heart_of(folder: Path) -> Heart:
    path = folder.absolute() / HEARTBEAT_FILE
    return _hearts.setdefault(path, Heart(path))


def refuse_living(folder: Path, writer: Process | None) -> None:
    """Refuse a run that a living process records. A process on another host is watched for WATCHED_SECONDS.

    Args:
        folder: The run.
        writer: The process that records it or recorded it; None if unknown.

    Raises:
        RunExistsError: The process is alive.
    """
    alive = None if writer is None else writer.is_alive()
    if alive is None:
        alive = Heart(folder / HEARTBEAT_FILE).watch(WATCHED_SECONDS)
    if not alive:
        return
    who = "another process"
    if writer is not None:
        who = "this very process" if writer == Process.this() else f"process {writer.pid} on {writer.host}"
    raise RunExistsError(f"{folder}: {who} is recording it; stop it first, or record into another run")
