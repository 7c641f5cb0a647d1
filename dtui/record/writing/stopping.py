"""Says whether a training should stop: the flight recorder saw a non-finite value, or somebody asked for it.

Owns that answer, `Recorder.should_stop`. It is made on the writer's thread, once a second; the training only reads a
number. It never changes back.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

LOOK_SECONDS = 1.0
AHEAD_SECONDS = 10.0
"""So far ahead of where they are the processes of one training are told to stop: each hears of it within seconds."""
AHEAD_UPDATES = 16
"""And so many updates at least: a process may be some ahead of its devices, and of the others."""


class Asked(Protocol):
    """The method of a store that says whether somebody asked the training to stop."""

    def asked_to_stop(self) -> bool:
        """Whether somebody asked the training to stop."""


class StopSignal:
    """The answer of one process. The training's thread calls `is_due`, the writer's thread the rest.

    A training of one process should stop at once. Of several, the first agrees with the others on an iteration ahead of
    all, so that each answers the same at the same iteration, and nobody waits in the loop.
    """

    def __init__(
        self,
        announce: Callable[[int], None] | None = None,
        heard: Callable[[], int | None] | None = None,
    ) -> None:
        """Start with "no".

        Args:
            announce: Tells the other processes the iteration from which on they should stop; None if there are none.
            heard: Returns what the first process has told, None for nothing yet; None for the first process.
        """
        self._announce, self._heard = announce, heard
        self._count: Callable[[], int | None] = lambda: None
        self._from: int | None = None
        self._is_wanted = False
        self._looked = -math.inf
        self._seen: tuple[float, int] | None = None
        self._rate: float | None = None

    def follow(self, count: Callable[[], int | None]) -> None:
        """Take the function that returns the iteration of the last update, None once the training is gone."""
        self._count = count

    def is_due(self, iteration: int) -> bool:
        """Whether the training should stop, asked after the update of an iteration."""
        return self._from is not None and iteration >= self._from

    # --- on the writer's thread

    def saw_nonfinite(self) -> None:
        """Decide to stop: the flight recorder saw NaN or Inf."""
        self._is_wanted = True
        self._decide()

    def look(self, store: Asked) -> None:
        """Look once a second whether somebody asked for it. Never raises."""
        now = time.monotonic()
        if self._from is not None or now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        try:
            self._measure(now)
            if self._heard is not None:
                self._from = self._heard()
                return
            self._is_wanted = self._is_wanted or store.asked_to_stop()
            self._decide()
        except Exception:  # noqa: BLE001 - the first process is gone, and tells nothing any more
            self._heard = None if self._heard is None else lambda: None

    def _measure(self, now: float) -> None:
        """Keep the updates a second, the most of any second so far."""
        count = self._count()
        if count is None:
            return
        if self._seen is not None and now > self._seen[0]:
            self._rate = max(self._rate or 0.0, (count - self._seen[1]) / (now - self._seen[0]))
        self._seen = (now, count)

    def _decide(self) -> None:
        if not self._is_wanted or self._from is not None or self._heard is not None:
            return
        if self._announce is None:
            self._from = 0
            return
        count = self._count()
        if count is None or self._rate is None:
            return  # the next look knows how fast the training is
        start = count + max(AHEAD_UPDATES, math.ceil(self._rate * AHEAD_SECONDS))
        with suppress(Exception):  # the others cannot be told: this one does not stop alone, which would hang it
            self._announce(start)
            self._from = start
