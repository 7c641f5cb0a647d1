"""Answers which checks could not judge a run."""

from __future__ import annotations

from dtui.analysis.detectors.stream.detector import online_detectors
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.query.data import RunData
from dtui.query.incidents.walk import Held


def unchecked(data: RunData) -> tuple[str, ...]:
    """Return the titles of the detectors that cannot judge, without those that others cover."""
    held = Held(data)
    if held.records < WARM_UP:
        return tuple(one.title for one in online_detectors() if not (one.is_covered and one.lacks(held)))
    return tuple(one.title for one in online_detectors() if not one.is_covered and one.lacks(held))
