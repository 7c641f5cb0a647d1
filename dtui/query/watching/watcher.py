"""Follows a run, or all runs of a folder, also those that appear in it later; keeps open only what is being recorded.

Owns which runs are followed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from dtui.errors import DtuiError, RunNotBegunError, RunNotFoundError
from dtui.query.compare.listing import located, names_run
from dtui.query.watching.claims import Claims
from dtui.query.watching.events import EventKind, Look, Wanted, WatchEvent
from dtui.query.watching.told import Told
from dtui.query.watching.watched_run import WatchedRun
from dtui.store.disk.atomic_files import stamp_of
from dtui.store.format.schema import HEARTBEAT_FILE, RUN_FILE
from dtui.store.run.life import meet
from dtui.store.run.list_runs import find_runs
from dtui.store.run.run_file import RunFile
from dtui.store.run.turns import highest_turn

MOST_FOLLOWED = 64
"""Runs of a folder that are followed at once: each takes memory for the size of its network."""
SCAN_SHARE = 20.0
"""A folder is searched for new runs so seldom that it takes a twentieth of the time at most."""


class Watcher:
    """Follows what is at one place. Not thread-safe."""

    def __init__(
        self,
        place: Path,
        wanted: Wanted,
        told: Told | None = None,
        *,
        is_once: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Find what is there.

        Args:
            place: A run, or a folder of runs.
            wanted: What is watched for.
            told: What was told before.
            is_once: Whether there is only one look: then runs that have ended are looked at, too.
            clock: Seconds that only rise.

        Raises:
            RunNotFoundError, RunFormatError, RunDamagedError: The run or the folder is not there or cannot be read; or
                there is no run in the folder, and only one look.
            RunNotBegunError: The run is claimed, nothing is recorded in it yet, and there is only one look.
        """
        self._place, self._wanted, self._is_once, self._clock = place, wanted, is_once, clock
        self._told = Told() if told is None else told
        self._is_run = names_run(place)
        self._followed: dict[Path, WatchedRun] = {}
        self._ended: dict[Path, object] = {}
        self._remarked: dict[Path, str] = {}
        self._claims = Claims()
        self._scan_at, self._paths = float("-inf"), ()  # type: float, tuple[Path, ...]
        self.is_over = False
        """Whether the run has ended, so that nothing more will come of it. A folder is never over."""
        if self._is_run:
            self._paths = (located(place),)
            self._open_first(self._paths[0])
        else:
            self._paths = self._scan()
            if not is_once:
                self._pass_over_old()
            elif not self._paths:
                raise RunNotFoundError(f"{place}: no run in this folder; give the folder that holds them")

    def close(self) -> None:
        """Close all runs."""
        for run in self._followed.values():
            run.close()
        self._followed.clear()

    @property
    def following(self) -> tuple[WatchedRun, ...]:
        """The runs that are open."""
        return tuple(self._followed.values())

    def look(self) -> Look:
        """Look at every run; return what is new. A run that cannot be read is told once, and hinders no other."""
        events: list[WatchEvent] = []
        remarks: list[str] = []
        for path in self._to_look_at(remarks):
            try:
                found = self._look_at(path)
            except RunNotBegunError:
                self._claims.see(path)
                continue
            except (DtuiError, OSError) as error:
                if path not in self._claims:
                    self._lose(path, error, remarks)
                continue
            self._remarked.pop(path, None)
            events += found.events
            remarks += found.remarks
        events += self._crashed_early()
        return Look(tuple(events), tuple(remarks))

    def _crashed_early(self) -> Iterator[WatchEvent]:
        """Return an event for each training that crashed before its first record."""
        for event in self._claims.crashed(self._clock()):
            if EventKind.CRASH in self._wanted.kinds:
                self.is_over = self._is_run
                if self._told.add(event.path, event.key):
                    yield event

    # --- one run

    def _open_first(self, path: Path) -> None:
        try:
            self._followed[path] = WatchedRun(path, self._wanted, self._told)
        except RunNotBegunError:
            if self._is_once:
                raise
            self._claims.see(path)

    def _look_at(self, path: Path) -> Look:
        if path not in self._followed:
            self._followed[path] = WatchedRun(path, self._wanted, self._told)
        run = self._followed[path]
        if self._is_once:
            run.settle()
        found = run.look(self._clock())
        if run.is_over:
            self._ended[path] = _signs_of(path)
            self._followed.pop(path).close()
            self.is_over = self._is_run
        return found

    def _lose(self, path: Path, error: Exception, remarks: list[str]) -> None:
        """Close a run that cannot be read; if it was replaced, the next look opens the new one."""
        lost = self._followed.pop(path, None)
        if lost is not None:
            lost.close()
        line = str(error)
        if self._remarked.get(path) != line:
            self._remarked[path] = line
            remarks.append(line)
        if self._is_run and (isinstance(error, RunNotFoundError) or not path.exists()):
            self.is_over = True  # also one that was claimed, and whose training died before its first record

    # --- a folder

    def _to_look_at(self, remarks: list[str]) -> list[Path]:
        if self._is_run:
            return list(self._paths)  # as it was found: it may be gone by now
        if self._clock() >= self._scan_at:
            try:
                self._paths = self._scan()
                self._remarked.pop(self._place, None)
            except (DtuiError, OSError) as error:
                self._lose(self._place, error, remarks)
        for path in [path for path in self._followed if path not in self._paths and _is_gone(path)]:
            remarks.append(f"{path}: the run was removed; it is not watched any more")
            self._followed.pop(path).close()
        wanted = [path for path in self._paths if path in self._followed or self._is_new(path)]
        if len(wanted) > MOST_FOLLOWED and not self._is_once and self._place not in self._remarked:
            self._remarked[self._place] = "many"
            remarks.append(f"{self._place}: {len(wanted)} live runs; the newest {MOST_FOLLOWED} are watched")
        return wanted if self._is_once else wanted[:MOST_FOLLOWED]

    def _is_new(self, path: Path) -> bool:
        """Whether a run is not known to have ended, or has gone on since."""
        return path not in self._ended or self._ended[path] != _signs_of(path)

    def _scan(self) -> tuple[Path, ...]:
        begun = self._clock()
        found = tuple(located(path) for path in find_runs(self._place, has_claims=not self._is_once))
        meet(found)
        took = self._clock() - begun
        self._scan_at = begun + SCAN_SHARE * took
        return found

    def _pass_over_old(self) -> None:
        """Leave out what ended before anybody watched: it is no news."""
        for path in self._paths:
            run_file = _run_file_of(path)
            if run_file is not None and run_file.run:  # a newer dtui may name it elsewhere
                self._told.begin(str(path), run_file.run)
            key = _over(path)
            if not self._told.is_new and not self._told.knows(str(path), key):
                continue  # an earlier process watched this folder, and this run ended since
            if not path.is_dir() or (run_file is not None and _has_ended(run_file)):
                self._ended[path] = _signs_of(path)
                self._told.add(str(path), key)


def _signs_of(path: Path) -> object:
    """Return what changes when an ended run is resumed or replaced, or another host gives a sign of life again."""
    return stamp_of(path / RUN_FILE), stamp_of(path / HEARTBEAT_FILE)


def _is_gone(path: Path) -> bool:
    try:
        return not path.exists()
    except OSError:  # the disk does not say
        return False


def _run_file_of(path: Path) -> RunFile | None:
    try:
        return RunFile.read(path)
    except OSError:
        return None


def _has_ended(found: RunFile) -> bool:
    return found.closed is not None or found.writer.is_alive() is False


def _over(path: Path) -> str:
    """Return the key that a run has ended: one that was resumed ends once more."""
    turn = highest_turn(path)
    return "over" if turn == 1 else f"over {turn}"
