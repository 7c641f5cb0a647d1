"""Turns the flight recorder on where the samples of batches are asked for, and nothing is said of watches."""

from __future__ import annotations

from dtui.errors import RecorderError
from dtui.record.flight.kept_weights import MOST_BYTES
from dtui.record.flight.plan import WatchPlan, plan_watches
from dtui.record.network.layers import LayerProbe
from dtui.record.writing.warn import warn_once

KEPT_AROUND = 40
"""Watches that are kept around a trigger then."""


def plan_with_batches(
    batches: object,
    every: int,
    watch_every: int | None,
    keep_around: int,
    probes: list[LayerProbe],
    is_first: bool,
    keep_weights: int = MOST_BYTES,
) -> WatchPlan | None:
    """Return the settings of the flight recorder, None if there is none; see `plan_watches`.

    Raises:
        RecorderError: As `plan_watches` does, about watches that were asked for.
    """
    if batches is False or keep_around != 0 or every == 1:
        return plan_watches(every, watch_every, keep_around, probes, is_first, keep_weights)
    try:
        return plan_watches(every, watch_every, KEPT_AROUND, probes, is_first, keep_weights)
    except RecorderError as error:
        if watch_every is not None:
            raise
        warn_once("batches", f"batches: records alone hold samples, for nothing can be watched: {error}")
        return None
