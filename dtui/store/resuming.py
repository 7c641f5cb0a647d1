"""Takes a run over from a recording process that is gone, so that a training can go on from a checkpoint.

Owns who may go on with a run. A second copy would have two processes append to one run.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dtui.errors import DtuiError, RunDamagedError, RunExistsError
from dtui.model import ImageSet, Structure
from dtui.store.catalog import StreamView
from dtui.store.exclusion import CompactionLock
from dtui.store.files import list_folder, make_folder, open_plain
from dtui.store.joins import Join
from dtui.store.lines import read_lines
from dtui.store.opening import find_directory, open_structure
from dtui.store.reader import RunReader
from dtui.store.runfile import HEARTBEAT_FRESH_SECONDS, Process, RunFile, touch_heartbeat
from dtui.store.schema import (
    FORMAT_VERSION,
    GAPS_FILE,
    HEARTBEAT_FILE,
    IMAGES_FILE,
    JOURNAL_FOLDER,
    PARTS_FOLDER,
    RESUME_LOCK_FILE,
    TEMPORARY_MARK,
    TRIGGERS_FILE,
    Stream,
    parse_journal_name,
    parse_part_name,
)
from dtui.store.tokens import with_suffix

WATCHED_SECONDS = 10.0
"""How long a heartbeat that may come from another host is watched: a recorder gives one a second."""


@dataclass(frozen=True, eq=False, slots=True)
class PastRun:
    """A run that no process records, as it was found.

    Attributes:
        path: Its directory.
        run: Its id.
        run_file: run.json, None where it cannot be read.
        structure: The network.
        classes: Names in label order.
        images: The tracked images, None where there are none yet.
        views: The readable frames of each stream.
        stops: Of each stream the ordinal after all that there ever were.
        lines: Of each file that grows by lines how many there are.
    """

    path: Path
    run: str
    run_file: RunFile | None
    structure: Structure
    classes: tuple[str, ...]
    images: ImageSet | None
    views: Mapping[Stream, StreamView]
    stops: Mapping[Stream, int]
    lines: Mapping[str, int]

    @property
    def last_iteration(self) -> int:
        """Of the last record or validation, -1 where there is none."""
        return max((int(view.iterations[-1]) for view in self.views.values() if len(view.iterations)), default=-1)

    def join_at(self, iteration: int) -> Join:
        """Return the join of a training whose first update is `iteration`."""
        holes = {}
        for stream, stop in self.stops.items():
            first = self.views[stream].ordinal_at(iteration)
            holes[str(stream)] = (stop if first is None else first, stop)
        return Join(iteration, holes, self.lines)

    def last_validation_before(self, iteration: int) -> int | None:
        """Return the iteration of the last validation before an iteration, None where there is none."""
        last = self.last_before(iteration)[Stream.VALIDATIONS]
        return None if last < 0 else last

    def last_before(self, iteration: int) -> dict[Stream, int]:
        """Return of each stream the iteration of the last frame before an iteration, -1 where there is none."""
        last = {}
        for stream, view in self.views.items():
            count = int(np.searchsorted(view.iterations, iteration))
            last[stream] = int(view.iterations[count - 1]) if count else -1
        return last


def find_past(path: str | Path) -> PastRun | None:
    """Look at the run that is to go on; None where there is none yet.

    A folder that a process left which died before its run existed is removed.

    Raises:
        RunExistsError: A living process records it.
        RunNotFoundError: What is there is no run.
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: It cannot be read, or its images are lost.
    """
    wanted = with_suffix(path)
    if not (wanted.exists() or wanted.is_symlink()) or _removed_unborn(wanted):
        return None
    folder = find_directory(wanted)
    try:
        return _look_at(folder)
    except OSError as error:
        if isinstance(error, DtuiError):
            raise
        raise RunDamagedError(f"{folder}: cannot be read, {error.strerror}; check the disk and your rights") from error


def _look_at(folder: Path) -> PastRun:
    opened = open_structure(folder)
    _refuse_living(folder, opened.run_file)
    reader = RunReader(folder)
    try:
        views = {stream: reader.frames(stream) for stream in Stream}
        names = [name for kind in (JOURNAL_FOLDER, PARTS_FOLDER) for name in _names(folder / kind)]
        if reader.images is None and any(name.startswith(f"{Stream.VALIDATIONS}-") for name in names):
            raise RunDamagedError(
                f"{folder / IMAGES_FILE}: missing or damaged, so new validations would not fit the old ones; "
                "restore it from a copy, or record into another run"
            )
        stops = {stream: max(views[stream].stop, _stop_of(stream, names, opened.run_file)) for stream in Stream}
        lines = {name: len(read_lines(folder / name)[0]) for name in (GAPS_FILE, TRIGGERS_FILE)}
        return PastRun(
            folder, opened.run, opened.run_file, reader.structure, reader.classes, reader.images, views, stops, lines
        )
    finally:
        reader.close()


def take_over(past: PastRun) -> RunFile:
    """Make this process the one that records a run; returns its run.json.

    Raises:
        RunExistsError: Another process does the same, or did since the run was looked at.
        OSError: It cannot be written to.
    """
    lock = CompactionLock(past.path, RESUME_LOCK_FILE)
    if not lock.acquire():
        raise RunExistsError(f"{past.path}: another process is resuming it at this moment; let only one record it")
    try:
        if _read_or_none(past.path) != past.run_file:
            raise RunExistsError(f"{past.path}: another process has resumed it meanwhile; let only one record it")
        joins = () if past.run_file is None else past.run_file.joins
        for folder in (JOURNAL_FOLDER, PARTS_FOLDER):  # version control drops empty ones
            make_folder(past.path / folder)
        touch_heartbeat(past.path)
        run_file = RunFile(FORMAT_VERSION, past.run, Process.this(), joins=joins)
        run_file.write(past.path)
        return run_file
    finally:
        lock.release()


def _read_or_none(folder: Path) -> RunFile | None:
    try:
        return RunFile.read(folder)
    except OSError:
        return None


def _refuse_living(folder: Path, run_file: RunFile | None) -> None:
    """Refuse a run whose writer lives; one on another host is known by its heart, which is watched for a while."""
    if run_file is not None and run_file.closed is not None:
        return
    alive = None if run_file is None else run_file.writer.is_alive()
    if alive is None:
        alive = _is_beating(folder / HEARTBEAT_FILE)
    if not alive:
        return
    who = "another process"
    if run_file is not None:
        writer = run_file.writer
        who = "this very process" if writer == Process.this() else f"process {writer.pid} on {writer.host}"
    raise RunExistsError(f"{folder}: {who} is recording it; stop it first, or record into another run")


def _is_beating(heartbeat: Path) -> bool:
    try:
        first = _modified(heartbeat)
        if abs(time.time() - first) >= HEARTBEAT_FRESH_SECONDS:
            return False
        end = time.monotonic() + WATCHED_SECONDS
        while time.monotonic() < end:
            if _modified(heartbeat) != first:
                return True
            time.sleep(0.1)
    except OSError:
        pass
    return False


def _modified(path: Path) -> float:
    with open_plain(path) as file:  # opening it has a network filesystem ask its server
        return os.fstat(file.fileno()).st_mtime


def _names(folder: Path) -> list[str]:
    return [path.name for path in list_folder(folder)] if folder.is_dir() else []


def _stop_of(stream: Stream, names: list[str], run_file: RunFile | None) -> int:
    """Return the ordinal after all frames of a stream that its file names and run.json promise."""
    promised = {} if run_file is None else dict(run_file.counts or {})
    found = [promised.get(str(stream), 0)]
    for name in names:
        part, journal = parse_part_name(name), parse_journal_name(name)
        if part is not None and part[0] is stream:
            found.append(part[2])
        if journal is not None and journal[0] is stream:
            found.append(journal[1])
    return max(number for number in found if isinstance(number, int))


def _removed_unborn(folder: Path) -> bool:
    """Remove what a process left that died while it created a run, before there was anything in it."""
    ours = {JOURNAL_FOLDER, PARTS_FOLDER, HEARTBEAT_FILE}
    if not folder.is_dir() or folder.is_symlink():
        return False
    entries = list(folder.iterdir())
    if entries and JOURNAL_FOLDER not in {entry.name for entry in entries}:
        return False
    if any(entry.name not in ours and TEMPORARY_MARK not in entry.name for entry in entries):
        return False
    if any(_names(folder / kind) for kind in (JOURNAL_FOLDER, PARTS_FOLDER)):
        return False
    for entry in entries:
        entry.rmdir() if entry.is_dir() else entry.unlink()
    folder.rmdir()
    return True
