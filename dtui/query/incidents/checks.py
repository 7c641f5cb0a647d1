"""Answers which checks there are, and which could not judge a run."""

from __future__ import annotations

from dtui.analysis.detectors.stream.detector import online_detectors
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.model import Check
from dtui.query.data import RunData
from dtui.query.incidents.walk import Held


def unchecked(data: RunData) -> tuple[str, ...]:
    """Return the titles of the detectors that cannot judge, without those that others cover."""
    held = Held(data)
    if held.records < WARM_UP:
        return tuple(one.title for one in online_detectors() if not (one.is_covered and one.lacks(held)))
    return tuple(one.title for one in online_detectors() if not one.is_covered and one.lacks(held))


def all_checks(data: RunData) -> tuple[Check, ...]:
    """Return every detector with what it needs, and why it could not judge where it could not."""
    held = Held(data)
    early = f"{held.records:,} records, it needs {WARM_UP}" if held.records < WARM_UP else ""
    return tuple(
        Check(
            one.title,
            one.needs,
            one.lacks(held) or early,
            one.is_covered,
            one.source,
            tuple((name, float(constant.value)) for name, constant in one.constants.items()),
        )
        for one in online_detectors()
    )
