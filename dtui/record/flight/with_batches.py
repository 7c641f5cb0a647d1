"""Lets watches ride along where batches are asked for, and nobody asked for a flight recorder."""

from __future__ import annotations

from collections.abc import Callable

from dtui.errors import RecorderError
from dtui.record.flight.plan import WatchPlan
from dtui.record.writing.warn import warn_once

KEPT_AROUND = 40
"""Watches that are kept around a trigger then."""


def plan_with_batches(
    plan: Callable[[int], WatchPlan | None], keep_around: int, *, is_wanted: bool, is_asked: bool
) -> WatchPlan | None:
    """Return the settings of the flight recorder, None if there is none.

    Args:
        plan: Returns those for a number of watches; see `plan_watches`.
        keep_around: Watches that were asked for.
        is_wanted: Whether batches want watches where none were asked for.
        is_asked: Whether something else about watches was asked for.

    Raises:
        RecorderError: As `plan_watches` does, about watches that were asked for.
    """
    if keep_around != 0 or not is_wanted:
        return plan(keep_around)
    try:
        return plan(KEPT_AROUND)
    except RecorderError as error:
        if is_asked:
            raise
        warn_once("batches", f"batches: records alone hold samples, for nothing can be watched: {error}")
        return None
