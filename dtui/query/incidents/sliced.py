"""Looks for incidents a little at a time, so that other questions need not wait for a whole run."""

from __future__ import annotations

import math
import time
from typing import Any, cast

from dtui.analysis.detectors.stream.block import Block
from dtui.query.data import RunData
from dtui.query.incidents import walk
from dtui.query.labels.error_columns import ErrorsAsAsked


class _TimeIsUpError(Exception):
    """The slice of time is over; the detectors stand between two blocks of records."""


class _Walked:
    """A run's numbers as one walks through them: no errors of classes are read but those of the validations at hand."""

    def __init__(self, data: RunData) -> None:
        self._data = data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def class_errors(self) -> ErrorsAsAsked:
        return ErrorsAsAsked(self._data.errors_within)


class SlicedIncidents(walk.Incidents):
    """The same incidents; `go_on` does a part of the work."""

    def __init__(self, data: RunData) -> None:
        """Take over the numbers of a run; nothing is read before it is asked for."""
        super().__init__(cast(RunData, _Walked(data)))
        self._deadline = math.inf
        self._spent = 0.0
        self._has_read = False

    def go_on(self, seconds: float) -> bool:
        """Look for incidents for some seconds, at least at one block of records; return whether all were looked at."""
        begun = time.monotonic()
        self._deadline, self._has_read = begun + seconds, False
        is_first = not self._spent
        try:
            self._all_evidence()
        except _TimeIsUpError:
            self._spent += time.monotonic() - begun
            return False
        finally:
            self._deadline = math.inf
        self._spent += time.monotonic() - begun
        if not is_first and self._spent > walk.WORTH_KEEPING_SECONDS and not self._data.detector_faults:
            self._keep()  # of several slices none knows that together they took long
        self._spent = 0.0
        self._data.tidy()  # what it read of the whole run, before others read the whole run
        return True

    def _read(self, *window: Any) -> Block:
        if self._has_read and time.monotonic() >= self._deadline:
            raise _TimeIsUpError
        self._has_read = True
        return super()._read(*window)
