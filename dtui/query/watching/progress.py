"""Follows the pace of a live run by what its reader sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dtui.model import RunStatus
from dtui.query.watching.pace import Pace
from dtui.store.run.footprint import quiet_seconds, seconds_of_writing

if TYPE_CHECKING:
    from dtui.store import RunReader


class Progress:
    """The pace of one run. Not thread-safe."""

    def __init__(self, reader: RunReader, factor: float = 10.0, least: float = 60.0) -> None:
        """Look at nothing yet; see `Pace`."""
        self._reader = reader
        self._pace = Pace(factor, least)
        self._has_begun = False

    def see(self, now: float) -> Pace:
        """Look at what there is now; return the pace.

        Args:
            now: Seconds, of any clock that only rises, and always of the same.
        """
        reader = self._reader
        records = len(reader.record_iterations) - int(reader.is_watch.sum())
        logged = sum(len(iterations) for iterations, _ in reader.logged.values())
        mark = (records, len(reader.validation_iterations), len(reader.triggers), logged)
        if not self._has_begun:
            self._has_begun = True
            begun = max((join.iteration for join in reader.joins), default=0)
            since = int((reader.record_iterations[~reader.is_watch] >= begun).sum())
            span = seconds_of_writing(reader.path)
            average = span / (since - 1) if since > 1 and span == span else None
            self._pace.begin(mark, records, now, quiet_seconds(reader.path), average)
        self._pace.see(mark, records, now)
        return self._pace

    def quiet(self, now: float) -> float:
        """Return for how many seconds a live run has recorded nothing new; 0 where that is not strange."""
        pace = self.see(now)
        return pace.strange(now) if self._reader.status() is RunStatus.LIVE else 0.0
