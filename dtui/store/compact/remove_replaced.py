"""Removes files of a run that are no longer needed: a larger part replaces them, or all their frames are superseded.

Owns which files are removed, and when.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from dtui.errors import RunDamagedError
from dtui.store.disk.atomic_files import list_folder, stamp_of
from dtui.store.disk.journal import JournalScanner
from dtui.store.disk.seal import verify_seal
from dtui.store.format.frames import FRAME_HEADER, frame_fields
from dtui.store.format.joins import Hole, disjoint, holes_of, is_superseded, kept_stop, unexplained
from dtui.store.format.names import run_token
from dtui.store.format.schema import (
    JOURNAL_FOLDER,
    PARTS_FOLDER,
    RUN_FILE,
    SMALL_PART,
    Sizes,
    Stream,
    parse_journal_name,
    parse_part_name,
)
from dtui.store.read.part_cache import OpenParts
from dtui.store.run.run_file import RunFile, RunFileWatch
from dtui.store.run.turns import highest_turn, last_claim

_MOST_REMEMBERED = 65_536

_first_seen: dict[object, float] = {}
"""Of each file that was looked at, and how it was, when that was first, by the monotonic clock."""


class Sweeper:
    """Removes files of one run. The caller holds the compaction lock, or runs after the process that held it."""

    def __init__(self, folder: Path, run: str, parts: OpenParts) -> None:
        """Prepare for the run with the id `run`; `parts` holds its open parts."""
        self._folder = folder
        self._parts = parts
        self._proven: set[Path] = set()
        self._token = run_token(run)
        self._run_file = RunFileWatch(folder, run)

    @property
    def is_ended(self) -> bool:
        """Whether no process appends to the run now: it was closed, or its writer is known to be dead."""
        run_file = self._run_file_now()
        if run_file is None:
            return False
        claim = last_claim(self._folder, run_file.run) if highest_turn(self._folder) > run_file.turn else None
        if claim is not None and not (claim.writer and claim.writer.is_alive() is False):  # just being taken over
            return False
        return run_file.closed is not None or run_file.writer.is_alive() is False

    def sweep(self, sizes: Sizes, grace: float) -> int:
        """Remove journals and parts whose frames are all superseded or in a larger part.

        Args:
            sizes: Of the run.
            grace: A file must have been unneeded for so many seconds, because a reader's listing may be that old.

        Returns:
            How many files were removed.
        """
        return sum(remove_file(path) for path in self._replaced(sizes, lambda path: _is_old(path, grace)))

    def is_waiting(self, sizes: Sizes) -> bool:
        """Whether replaced files remain that are still too new to remove."""
        return any(True for _ in self._replaced(sizes, lambda _: True))

    def _replaced(self, sizes: Sizes, is_old: Callable[[Path], bool]) -> Iterator[Path]:
        """Yield the files to remove; `is_old` says which files have waited long enough."""
        holes_settled = is_old(self._folder / RUN_FILE)
        for stream in Stream:
            holes = holes_of(self._run_file.joins(), stream) if holes_settled else ()
            parts = [
                (kept_stop(named[1], named[2], holes), named[1], named[2], path)
                for path in list_folder(self._folder / PARTS_FOLDER)
                if (named := parse_part_name(path.name)) and named[0] is stream
            ]
            held = list(holes)
            is_alone = len(parts) < 2 and not any(self._journals(stream))
            for kept, first, _, path in sorted(parts, key=lambda part: (part[1] - part[0], part[2] - part[1], part[3])):
                if not unexplained(first, kept, disjoint(held)):
                    yield path
                elif not is_alone and is_old(path) and self._is_proven(path):
                    held.append((first, kept))
            yield from self._journals_within(stream, sizes, disjoint(held))
            yield from self._remains(stream, sizes, is_old)

    def _journals(self, stream: Stream) -> Iterator[tuple[Path, int]]:
        for path in list_folder(self._folder / JOURNAL_FOLDER):
            named = parse_journal_name(path.name)
            if named is not None and named[0] is stream:
                yield path, named[1]

    def _is_proven(self, path: Path) -> bool:
        """Whether every byte of a part is intact, and the part belongs to this run and matches its name."""
        named = parse_part_name(path.name)
        if path not in self._proven and named is not None:
            with contextlib.suppress(FileNotFoundError, RunDamagedError):
                verify_seal(path, whole=True)
                self._parts.read_head(named[0], path, named[1], named[2])
                self._proven.add(path)
        return path in self._proven

    def _remains(self, stream: Stream, sizes: Sizes, is_old: Callable[[Path], bool]) -> Iterator[Path]:
        """Yield journals of killed writers that are too short to hold a frame."""
        least = FRAME_HEADER.size + sum(field.size for field in frame_fields(stream, sizes).values())
        for path, _ in self._journals(stream):
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_size < least and self.is_ended and is_old(path):
                    yield path

    def _journals_within(self, stream: Stream, sizes: Sizes, held: Sequence[Hole]) -> Iterator[Path]:
        """Yield finished journals whose frames are all superseded or in parts."""
        fixed = sum(field.size for field in frame_fields(stream, sizes).values())
        for path, first in self._journals(stream):
            if not is_superseded(first, held):
                continue
            # Ended before the scan and by the same writer after it: so the scan saw all that there will be.
            before, is_ended = self._run_file_now(), self.is_ended
            scanner = JournalScanner(path, stream, self._token, fixed)
            with contextlib.suppress(FileNotFoundError):
                scanner.scan()
                is_complete = len(scanner.frames) >= SMALL_PART or (is_ended and before == self._run_file_now())
                if is_complete and all(is_superseded(frame.ordinal, held) for frame in scanner.frames):
                    yield path

    def _run_file_now(self) -> RunFile | None:
        try:
            return RunFile.read(self._folder)
        except OSError:
            return None


def remove_file(path: Path) -> int:
    """Remove a file; returns 1, or 0 if another process removed it first."""
    try:
        path.unlink()
    except FileNotFoundError:
        return 0
    return 1


def _is_old(path: Path, seconds: float) -> bool:
    """Whether this process has seen a file unchanged for so long. It uses no clock of another host."""
    mark = stamp_of(path)
    if mark is None:
        return False
    if len(_first_seen) >= _MOST_REMEMBERED:
        _first_seen.clear()
    now = time.monotonic()
    return now - _first_seen.setdefault((path.name, mark), now) >= seconds
