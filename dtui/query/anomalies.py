"""Anomaly iterations of the run, with people's decisions on them.

Owns the way from the stored labels to the list of anomalies. A second copy would count other flips in the
ribbon than in the inbox.
"""

from __future__ import annotations

from dtui.analysis.anomalies import (
    Evidence,
    FlipCounts,
    check_settings,
    count_flips,
    in_time_order,
    table_anomalies,
    with_decisions,
)
from dtui.analysis.triggers import find_trigger_anomalies
from dtui.errors import UsageError
from dtui.model import Anomaly, AnomalySettings
from dtui.query.class_table import class_table
from dtui.query.data import RunData

STATUSES = ("new", "flagged", "dismissed")


def anomalies(data: RunData, settings: AnomalySettings | None) -> tuple[Anomaly, ...]:
    """Answer `RunQuery.anomalies`."""
    settings = settings or AnomalySettings()
    check_settings(settings)
    evidence = _evidence(data)

    def find() -> tuple[Anomaly, ...]:
        table = in_time_order(class_table(data, evidence, settings))
        found = table_anomalies(table, evidence.images, settings.threshold)
        fired = find_trigger_anomalies(data.reader.triggers, data.structure.layers)
        return tuple(sorted((*fired, *found), key=lambda one: (one.iteration, -one.score)) if fired else found)

    return with_decisions(data.remembered(("anomalies", settings), find), _decisions(data))


def top_anomalies(data: RunData, count: int, settings: AnomalySettings | None) -> tuple[Anomaly, ...]:
    """Answer `RunQuery.top_anomalies`."""
    settings = settings or AnomalySettings()
    check_settings(settings)
    if count < 1:
        raise UsageError(f"anomalies: the top {count}; ask for at least 1")
    evidence = _evidence(data)
    table = class_table(data, evidence, settings, count)[:count]
    fired = find_trigger_anomalies(data.reader.triggers, data.structure.layers)
    found = [*fired, *table_anomalies(table, evidence.images, settings.threshold)]
    strongest = sorted(found, key=lambda one: (-one.score, one.iteration))[:count]
    return with_decisions(strongest, _decisions(data))


def _evidence(data: RunData) -> Evidence:
    def flips(rule: str, window: int) -> FlipCounts:
        def count() -> FlipCounts:
            judged = data.judgements()
            return count_flips(judged.layout, judged.right, rule, window, judged.lost)

        return data.remembered(("flips", rule, window), count)

    return Evidence(data.validations, data.layout.images, flips)


def _decisions(data: RunData) -> dict[str, tuple[str, str]]:
    return {what: told for what, told in data.reader.decisions().items() if told[0] in STATUSES}


def decide(data: RunData, anomaly: str, status: str, note: str | None) -> None:
    """Answer `RunQuery.decide`."""
    if status not in STATUSES:
        raise UsageError(f"anomaly status {status!r} is unknown; use one of {', '.join(STATUSES)}")
    if not anomaly:
        raise UsageError("anomaly id: empty; use an id that the list of anomalies shows")
    if note is None:
        note = data.reader.decisions().get(anomaly, ("", ""))[1]
    data.reader.append_decision(anomaly, status, note)
