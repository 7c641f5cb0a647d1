"""A clock that only sleeping moves, so that a test of patience takes no time."""

from __future__ import annotations

from collections.abc import Callable


class Clock:
    """Stands for the module `time`."""

    def __init__(self, while_asleep: Callable[[], None] = lambda: None) -> None:
        """Begin; `while_asleep` is what others do meanwhile."""
        self.now = 1000.0
        self.while_asleep = while_asleep

    def monotonic(self) -> float:
        """Return the seconds slept, and some."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Move on."""
        self.now += seconds
        self.while_asleep()
