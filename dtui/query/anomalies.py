"""Answers what all detectors find in the run, with people's decisions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dtui.analysis.anomalies import check_settings, with_decisions, with_incident_decisions
from dtui.analysis.thresholds import THRESHOLDS, advise_from, count_marks, validations_needed
from dtui.errors import NotRecordedError, UsageError
from dtui.model import Anomaly, AnomalySettings, Incident, IntArray
from dtui.model.findings.advice import ThresholdAdvice
from dtui.number_text import counted
from dtui.query.class_table import class_flips
from dtui.query.data import RunData
from dtui.query.detecting import found_by_all
from dtui.query.wording import in_plain_numbers, of_groups, with_both_layers

STATUSES = ("new", "flagged", "dismissed")


def anomalies(data: RunData, settings: AnomalySettings | None) -> tuple[Anomaly, ...]:
    """Answer `RunQuery.anomalies`."""
    settings = settings or AnomalySettings()
    check_settings(settings)

    def find() -> tuple[Anomaly, ...]:
        return tuple(sorted(found_by_all(data, settings), key=_when))

    return with_decisions(data.remembered(("anomalies", settings), find), _decisions(data))


def top_anomalies(data: RunData, count: int, settings: AnomalySettings | None) -> tuple[Anomaly, ...]:
    """Answer `RunQuery.top_anomalies`."""
    settings = settings or AnomalySettings()
    check_settings(settings)
    if count < 1:
        raise UsageError(f"anomalies: the top {count}; ask for at least 1")
    strongest = sorted(found_by_all(data, settings, count), key=_how_strong)[:count]
    return with_decisions(strongest, _decisions(data))


def advise(data: RunData) -> ThresholdAdvice:
    """Answer `RunQuery.advise`."""
    found, needed = len(data.validations), validations_needed()
    if not found:
        raise NotRecordedError(
            f"{data.reader.path}: no validations were recorded, so no threshold suits them; "
            "let the recorder see them with recorder.validation()"
        )
    if found < needed:
        raise NotRecordedError(
            f"{data.reader.path}: {counted(found, 'validation')}; advice on a threshold needs {needed}"
        )
    rows = data.kept_rows(
        f"marks at {THRESHOLDS}",
        2,
        [0],
        lambda _: {0: count_marks(class_flips(data))},
        lambda _, marks: _are_marks(marks, found, len(data.class_sizes)),
    )
    return advise_from(rows[0], found)


def _are_marks(marks: IntArray, validations: int, classes: int) -> bool:
    """Whether numbers from outside can be what each threshold marks."""
    if len(marks) != len(THRESHOLDS):
        return False
    marked, in_all = marks.T
    in_range = (marked >= 0).all() and (marked <= validations).all() and (in_all <= marked * classes).all()
    return bool(in_range and (marked <= in_all).all() and (np.diff(marks, axis=0) <= 0).all())


def _when(anomaly: Anomaly) -> tuple[int, float]:
    """Order by iteration, then by falling strength."""
    return anomaly.evidence.iteration, -anomaly.evidence.strength


def _how_strong(anomaly: Anomaly) -> tuple[float, int]:
    """Order by falling strength, then by iteration."""
    return -anomaly.evidence.strength, anomaly.evidence.iteration


def _decisions(data: RunData) -> dict[str, tuple[str, str]]:
    return {what: told for what, told in data.reader.decisions().items() if told[0] in STATUSES}


def decided_incidents(data: RunData, incidents: Iterable[Incident]) -> tuple[Incident, ...]:
    """Return incidents with people's decisions on them or on their anomalies."""
    names = data.reader.classes
    told = [with_both_layers(in_plain_numbers(one, names)) for one in incidents]
    decided = with_incident_decisions(told, _decisions(data), data.validation_interval)
    return decided if data.judging is None else tuple(of_groups(one, names) for one in decided)


def decide(data: RunData, decisions: Sequence[tuple[str, str, str | None]]) -> None:
    """Answer `RunQuery.decide_all`."""
    for anomaly, status, _ in decisions:
        if status not in STATUSES:
            raise UsageError(f"anomaly status {status!r} is unknown; use one of {', '.join(STATUSES)}")
        if not anomaly:
            raise UsageError("anomaly id: empty; use an id that the list of anomalies shows")
    before = data.reader.decisions() if any(note is None for _, _, note in decisions) else {}
    data.reader.append_decisions(
        [
            (anomaly, status, before.get(anomaly, ("", ""))[1] if note is None else note)
            for anomaly, status, note in decisions
        ]
    )
