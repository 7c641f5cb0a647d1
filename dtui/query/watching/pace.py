"""Tells how long a run has recorded nothing new, and whether that is much longer than usual.

Owns that rule. Time is given, never read: it is that of whoever looks, so that clocks of two hosts are not compared.
"""

from __future__ import annotations

from collections import deque

REMEMBERED = 32
"""Intervals between records that tell what is usual."""
FEWEST = 3
"""Intervals before which they do not."""
UNKNOWN_SECONDS = 3600.0
"""A run whose usual interval is not known yet may be silent for so long: its first records wait for a compiler."""
LEEWAY = 1.5
"""A pause may be so many times as long as the longest that ended by itself after it was told: a long validation."""


class Pace:
    """The pace of one run."""

    def __init__(self, factor: float, least: float) -> None:
        """Know nothing yet.

        Args:
            factor: So many usual intervals without anything new are a stall.
            least: And so many seconds at least.
        """
        self._factor, self._least = factor, least
        self._mark: object = None
        self._records = 0
        self._since = self._record_at = 0.0
        self._intervals: deque[float] = deque(maxlen=REMEMBERED)
        self._average: float | None = None
        self._longest = 0.0
        self._is_told = False

    def begin(self, mark: object, records: int, now: float, quiet: float, average: float | None) -> None:
        """Take the first look.

        Args:
            mark: Changes whenever anything new was recorded.
            records: That the run holds.
            now: Seconds, of any clock that only rises.
            quiet: For how many seconds nothing new was recorded, as the run's own files tell, >= 0.
            average: Seconds from one record to the next so far; None where that is not known.
        """
        self._mark, self._records, self._average = mark, records, average
        self._since = self._record_at = now - quiet

    def see(self, mark: object, records: int, now: float) -> None:
        """Take another look; see `begin`."""
        if mark == self._mark:
            return
        if self._is_told:
            self._longest = now - self._since  # longer than LEEWAY times the one before, or it was not told
        if records > self._records:
            self._intervals.append((now - self._record_at) / (records - self._records))
            self._record_at = now
        self._mark, self._records, self._since, self._is_told = mark, records, now, False

    @property
    def usual(self) -> float | None:
        """Seconds from one record to the next, usually; None while that is not known."""
        if len(self._intervals) < FEWEST:
            return self._average
        from statistics import median

        return median(self._intervals)

    def stalled(self, now: float) -> float | None:
        """Return for how many seconds nothing new came, once for each stall; None while that is not strange."""
        quiet = self.strange(now)
        if self._is_told or not quiet:
            return None
        self._is_told = True
        return quiet

    def strange(self, now: float) -> float:
        """Return for how many seconds nothing new came; 0 while that is not strange."""
        usual, quiet = self.usual, now - self._since
        expected = UNKNOWN_SECONDS if usual is None else self._factor * usual
        return quiet if quiet >= max(self._least, expected, LEEWAY * self._longest) else 0.0
