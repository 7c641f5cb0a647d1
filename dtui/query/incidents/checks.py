"""Answers which checks there are, and which could not judge a run."""

from __future__ import annotations

from dataclasses import replace

from dtui.analysis.detectors.stream.detector import OnlineDetector, online_detectors
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.model import Check, Missing
from dtui.model.judging import as_groups
from dtui.number_text import counted
from dtui.query.data import RunData
from dtui.query.incidents.walk import AT_ONCE, FIRST_VALIDATION, Held

FLIGHT_RECORDER = "the flight recorder"
"""Title of its detector."""
_VALIDATIONS = "validations of the same images"
"""What the detectors need that judge validations alone."""
_LEFT_NOTHING = "the flight recorder left nothing"
"""What its detector, which sees the watches alone, says of one that was off or fired nothing."""
_NO_GRADIENTS = "gradients were not recorded"
"""What the detectors say that found no finite gradient in the last records."""


def in_plain_words(data: RunData, missing: Missing) -> Missing:
    """Return what a run lacks; of a flight recorder that left nothing, whether it was off or fired nothing."""
    if _LEFT_NOTHING not in missing.sentence:
        return replace(missing, sentence=as_groups(_with_broken(data, missing.sentence), data.judging))
    return replace(missing, sentence=f"{FLIGHT_RECORDER} {_of_flight_recorder(data)}")


def _with_broken(data: RunData, sentence: str) -> str:
    """Return a sentence about what is missing; of gradients that were recorded, and NaN or Inf, it says that."""
    if _NO_GRADIENTS not in sentence or not data.records_layers("gradients", "nonfinite"):
        return sentence
    records = len(data.records)
    last = slice(max(0, records - AT_ONCE), records)
    if not (data.reader.read_layers("gradients", "nonfinite", last) > 0).any():
        return sentence
    return sentence.replace(_NO_GRADIENTS, f"no gradient was finite in the last {last.stop - last.start:,} records")


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
        return _with_broken(data, lacks)
    return "" if _kept_around(data) else f"it {_of_flight_recorder(data)}"


def _too_early(held: Held, detector: OnlineDetector) -> str:
    """Return why a detector that lacks nothing has not judged yet; "" for one that has."""
    if held.records < WARM_UP:
        return f"{counted(held.records, 'record')}, it needs {WARM_UP}"
    if detector.needs == _VALIDATIONS and held.validations < FIRST_VALIDATION:
        return f"{counted(held.validations, 'validation')}, it needs {FIRST_VALIDATION}"
    return ""


def unchecked(data: RunData) -> tuple[str, ...]:
    """Return the titles of the detectors that cannot judge, without those that others cover."""
    held = Held(data)
    found = [one for one in online_detectors() if (not one.is_covered if one.lacks(held) else _too_early(held, one))]
    return tuple(as_groups(one.title, data.judging) for one in found)


def all_checks(data: RunData) -> tuple[Check, ...]:
    """Return every detector with what it needs, and why it could not judge where it could not."""
    held = Held(data)
    return tuple(
        Check(
            as_groups(one.title, data.judging),
            as_groups(one.needs, data.judging),
            as_groups(_lack(data, one.lacks(held)) or _too_early(held, one), data.judging),
            one.is_covered,
            one.source,
            tuple((name, float(constant.value)) for name, constant in one.constants.items()),
        )
        for one in online_detectors()
    )
