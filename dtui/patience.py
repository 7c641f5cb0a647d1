"""Measures how long something was waited for, by a clock that does not count while the process is stopped.

The usual clock goes on while a process is stopped, by a signal or a debugger, or with its machine: a wait would be over
at once when it goes on, before what it waits for could come.
"""

from __future__ import annotations

import time

TURN_SECONDS = 0.25
"""What one turn of a wait counts at most."""


class Patience:
    """What is left of a wait that is made in short turns."""

    def __init__(self, seconds: float) -> None:
        """Begin to wait."""
        self.seconds = seconds
        self._left, self._at = seconds, time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether the time is over; asked once a turn."""
        now = time.monotonic()
        self._left -= min(now - self._at, TURN_SECONDS)
        self._at = now
        return self._left < 0
