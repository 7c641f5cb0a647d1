"""Follows one run and tells what happened in it since the last look.

Owns when a thing counts as told: by what it is and where, not by how often it is looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dtui.model import Cause, Evidence, Incident, RunStatus
from dtui.query.findings import UNEXPLAINED
from dtui.query.run import RunQuery
from dtui.query.watching.events import EventKind, Look, Severity, Wanted, WatchEvent
from dtui.query.watching.nonfinite import Nonfinite, NonfiniteSearch
from dtui.query.watching.progress import Progress
from dtui.query.watching.told import Told
from dtui.store.run.turns import highest_turn

if TYPE_CHECKING:
    from dtui.store import RunReader

OF_ONE_INCIDENT = 8
"""Pieces of evidence of an incident by which it is known again when it grows and gets another name."""


def _open(path: Path) -> RunReader:
    from dtui.store import RunReader

    return RunReader(path)


class WatchedRun:
    """One run that is looked at again and again. Not thread-safe."""

    def __init__(self, path: Path, wanted: Wanted, told: Told) -> None:
        """Open it.

        Args:
            path: The run.
            wanted: What is watched for.
            told: What was told before; this run adds to it.

        Raises:
            RunNotFoundError, RunNotBegunError, RunFormatError, RunDamagedError: It cannot be opened.
        """
        self._reader = _open(path)
        self.path = self._reader.path
        self._query = RunQuery(self.path, self._reader)
        self._wanted, self._told = wanted, told
        told.begin(self._run_id, self._reader.run_id)
        self._nonfinite = NonfiniteSearch(self._reader)
        self._progress = Progress(self._reader, wanted.stall_factor, wanted.stall_seconds)
        self._remarked: set[str] = set()
        self._has_looked = False
        self.status = self._reader.status()

    def close(self) -> None:
        """Close its files."""
        self._query.close()

    def settle(self) -> None:
        """Wait some seconds to see whether another host still records it, for a caller that looks only once."""
        self._query.settle()

    @property
    def is_over(self) -> bool:
        """Whether nobody records it any more, as of the last look."""
        return self.status is not RunStatus.LIVE

    @property
    def last_iteration(self) -> int | None:
        """Of the last record or validation; None before the first."""
        ends = [
            int(one[-1]) for one in (self._reader.record_iterations, self._reader.validation_iterations) if len(one)
        ]
        return max(ends, default=None)

    def look(self, now: float) -> Look:
        """Return what is new.

        Args:
            now: Seconds, of any clock that only rises.

        Raises:
            RunDamagedError: The run was removed or replaced, or can no longer be read.
        """
        changed = self._query.refresh() or not self._has_looked
        self.status, self._has_looked = self._reader.status(), True
        if not self.is_over:  # another host was silent and is back: it may crash yet
            self._told.forget(self._run_id, self._crash_key)
        kinds = self._wanted.kinds if changed else frozenset()
        # All is read before anything counts as told: what cannot be read now is told by a later look.
        bad = self._nonfinite.look() if EventKind.NONFINITE in kinds else ()
        incidents = self._query.incidents() if EventKind.INCIDENT in kinds else ()
        remarks = tuple(self._hindrances())
        finders: dict[EventKind, Callable[[], Iterator[WatchEvent]]] = {
            EventKind.CRASH: self._crash,
            EventKind.NONFINITE: lambda: self._bad_values(bad),
            EventKind.STALL: lambda: self._stall(now),
            EventKind.INCIDENT: lambda: self._new_incidents(incidents),
        }
        found = [event for kind, find in finders.items() if kind in self._wanted.kinds for event in find()]
        new = [event for event in found if self._told.add(self._run_id, event.key)]
        return Look(tuple(new), remarks)

    @property
    def _run_id(self) -> str:
        return str(self.path.absolute())

    def _event(self, kind: EventKind, key: str, iteration: int | None, sentence: str, **more: object) -> WatchEvent:
        name = self._reader.metadata.name or self.path.stem
        return WatchEvent(
            kind, key, name, str(self.path.absolute()), self.status, iteration, sentence, details=dict(more)
        )

    # --- what happened

    def _crash(self) -> Iterator[WatchEvent]:
        if self.status is not RunStatus.CRASHED:
            return
        reason, last = self._reader.reason or UNEXPLAINED, self.last_iteration
        where = "before its first record" if last is None else f"after iteration {last:,}"
        yield self._event(EventKind.CRASH, self._crash_key, last, f"crashed {where}: {reason}", reason=reason)

    @property
    def _crash_key(self) -> str:
        return f"crash {self._turn}"

    @property
    def _turn(self) -> int:
        """Which process records it, counted from 1: a run that was resumed may crash again."""
        return highest_turn(self.path)

    def _bad_values(self, found: Sequence[Nonfinite]) -> Iterator[WatchEvent]:
        new = [one for one in found if self._told.add(self._run_id, self._key_of(one))]
        if not new:
            return
        first = min(one.iteration for one in new)
        sentences = "; ".join(dict.fromkeys(one.sentence for one in new[:3]))
        more = f"; and {len(new) - 3} more" if len(new) > 3 else ""
        values = [{"what": one.what, "name": one.name, "layers": one.layers, "iteration": one.iteration} for one in new]
        sentence = f"at iteration {first:,} {sentences}{more}"
        yield self._event(EventKind.NONFINITE, f"together {self._key_of(new[0])}", first, sentence, values=values)

    def _key_of(self, one: Nonfinite) -> str:
        """Return what a value is known by: after a resume before it, it may come again at the same iteration."""
        came_again = sum(join.iteration <= one.iteration for join in self._reader.joins)
        name = one.name if one.what == "value" else ""
        return f"nonfinite {one.what} {name} {one.iteration} {came_again}"

    def _stall(self, now: float) -> Iterator[WatchEvent]:
        pace = self._progress.see(now)
        quiet = pace.stalled(now) if self.status is RunStatus.LIVE else None
        if quiet is not None:
            usual, last = pace.usual, self.last_iteration
            usually = "" if usual is None else f", usually a record comes every {as_seconds(usual)}"
            where = "" if last is None else f" since iteration {last:,}"
            sentence = f"nothing new for {as_seconds(quiet)}{where}{usually}"
            key = f"stall {self._turn} {last}"
            yield self._event(EventKind.STALL, key, last, sentence, seconds=quiet, usual_seconds=usual)

    def _new_incidents(self, incidents: Sequence[Incident]) -> Iterator[WatchEvent]:
        images = self._reader.images
        classes: tuple[str, ...] = images.classes if images is not None else ()
        for one in incidents:
            if not self._is_wanted(one):
                continue
            keys = [_evidence_key(evidence) for evidence in one.evidence[:OF_ONE_INCIDENT]]
            is_known = any(self._told.knows(self._run_id, key) for key in keys)
            for key in keys:
                self._told.add(self._run_id, key)
            if not is_known:
                event = self._event(EventKind.INCIDENT, one.id, one.first, f"at iteration {one.first:,} {one.sentence}")
                yield replace(event, incident=one, classes=classes)

    def _is_wanted(self, one: Incident) -> bool:
        if one.status == "dismissed":
            return False
        if one.cause is Cause.NONFINITE and EventKind.NONFINITE in self._wanted.kinds:
            return False  # told already, as what it is
        severity = self._wanted.severity
        return (
            severity is Severity.ANY
            or (severity is Severity.STRONG and one.score >= 1)
            or (severity is Severity.LASTING and one.persists is True)
        )

    # --- what hinders

    def _hindrances(self) -> Iterator[str]:
        reader, query = self._reader, self._query
        told: Sequence[str] = [
            *(f"damaged: {fault.removeprefix(f'{self.path}/')}" for fault in reader.faults[:1]),
            *query.detector_faults(),
        ]
        for line in told:
            if line not in self._remarked and len(self._remarked) < 16:
                self._remarked.add(line)
                yield f"{self.path}: {line}"


def _evidence_key(one: Evidence) -> str:
    return f"{one.detector} {one.rule} {one.iteration} {one.place} {','.join(map(str, one.classes[:3]))}"


def as_seconds(seconds: float) -> str:
    """Return a length of time in words, such as "4 s", "12 min" or "3.5 h"."""
    if seconds < 10:
        return f"{seconds:.1f} s" if seconds >= 0.05 else f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
