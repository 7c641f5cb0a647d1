"""Answers which checks there are, and which could not judge a run."""

from __future__ import annotations

from dataclasses import replace

from dtui.analysis.detectors.stream.detector import online_detectors
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.model import Check, Missing
from dtui.model.judging import as_groups
from dtui.number_text import counted
from dtui.query.data import RunData
from dtui.query.incidents.walk import Held

FLIGHT_RECORDER = "the flight recorder"
"""Title of its detector."""
_LEFT_NOTHING = "the flight recorder left nothing"
"""What its detector, which sees the watches alone, says of one that was off or fired nothing."""


def in_plain_words(data: RunData, missing: Missing) -> Missing:
    """Return what a run lacks; of a flight recorder that left nothing, whether it was off or fired nothing."""
    if _LEFT_NOTHING not in missing.sentence:
        return replace(missing, sentence=as_groups(missing.sentence, data.judging))
    return replace(missing, sentence=f"{FLIGHT_RECORDER} {_of_flight_recorder(data)}")


def _of_flight_recorder(data: RunData) -> str:
    around = _kept_around(data)
    if around is None:
        return "fired nothing, or was off (keep_around=0)"
    return "was on, and fired nothing" if around else "was off (keep_around=0)"


def _kept_around(data: RunData) -> int | None:
    """Return how many watches are kept around a trigger; None where a run of before, or of several turns, is silent."""
    return None if data.reader.seams else data.reader.metadata.keep_around


def _lack(data: RunData, lacks: str) -> str:
    """Return why a detector could not judge; "" for a flight recorder that was on and fired nothing."""
    if _LEFT_NOTHING not in lacks:
        return lacks
    return "" if _kept_around(data) else f"it {_of_flight_recorder(data)}"


def unchecked(data: RunData) -> tuple[str, ...]:
    """Return the titles of the detectors that cannot judge, without those that others cover."""
    held = Held(data)
    if held.records < WARM_UP:
        found = [one.title for one in online_detectors() if not (one.is_covered and one.lacks(held))]
    else:
        found = [one.title for one in online_detectors() if not one.is_covered and one.lacks(held)]
    return tuple(as_groups(title, data.judging) for title in found)


def all_checks(data: RunData) -> tuple[Check, ...]:
    """Return every detector with what it needs, and why it could not judge where it could not."""
    held = Held(data)
    early = f"{counted(held.records, 'record')}, it needs {WARM_UP}" if held.records < WARM_UP else ""
    return tuple(
        Check(
            as_groups(one.title, data.judging),
            as_groups(one.needs, data.judging),
            as_groups(_lack(data, one.lacks(held)) or early, data.judging),
            one.is_covered,
            one.source,
            tuple((name, float(constant.value)) for name, constant in one.constants.items()),
        )
        for one in online_detectors()
    )
