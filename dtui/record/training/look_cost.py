"""Measures what a look at the gradients costs beside an update, and decides whether every update is looked at."""

from __future__ import annotations

import statistics
import time
from itertools import pairwise
from typing import Protocol

import torch

MOST_SHARE = 0.002
"""Of the time of an update."""
PASSED = 3
"""Updates before the measurement: the first ones take longer than all later ones."""
MEASURED = 12
"""Updates of which the median is taken."""


class Stopwatch(Protocol):
    """Takes the time of looks and updates; it waits for nothing."""

    def begin(self) -> None:
        """Note that a look begins, just before an update."""

    def end(self) -> None:
        """Note that it has ended."""

    def share(self) -> float | None:
        """Return the share of an update's time that a look takes; None before that is known."""


class HostStopwatch:
    """For weights in host memory."""

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self._begins: list[float] = []
        self._looks: list[float] = []

    def begin(self) -> None:
        """Note that a look begins."""
        self._begins.append(time.perf_counter())

    def end(self) -> None:
        """Note that it has ended."""
        self._looks.append(time.perf_counter() - self._begins[-1])

    def share(self) -> float | None:
        """Return the share once enough updates were measured."""
        if len(self._begins) <= PASSED + MEASURED:
            return None
        steps = [later - one for one, later in pairwise(self._begins[PASSED:])]
        return statistics.median(self._looks[PASSED:-1]) / max(statistics.median(steps), 1e-9)


class DeviceStopwatch:
    """For weights on a GPU: events on the training's stream, which nobody waits for.

    While the GPU lags behind the host, as it does where it is busy, this is the time of the look's own operations.
    Where the host is the slower one, it is the time that the host takes to start them: what the look really costs.
    """

    def __init__(self) -> None:
        """Begin with nothing measured."""
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._is_running = False

    def begin(self) -> None:
        """Note that a look begins."""
        self._is_running = len(self._events) <= PASSED + MEASURED
        if self._is_running:
            both = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
            self._events.append(both)
            both[0].record()

    def end(self) -> None:
        """Note that it has ended."""
        if self._is_running:
            self._events[-1][1].record()

    def share(self) -> float | None:
        """Return the share once enough updates were measured and the GPU has done them."""
        if len(self._events) <= PASSED + MEASURED or not self._events[-1][0].query():  # type: ignore[no-untyped-call]
            return None
        kept = self._events[PASSED:]
        looks = [one.elapsed_time(other) for one, other in kept[:-1]]
        steps = [one[0].elapsed_time(other[0]) for one, other in pairwise(kept)]
        return float(statistics.median(looks) / max(statistics.median(steps), 1e-9))
