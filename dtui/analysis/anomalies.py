"""Attaches people's decisions to anomalies and incidents, and checks the settings that anomalies are found with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dtui.errors import UsageError
from dtui.model import Anomaly, AnomalySettings, Incident

Decisions = Mapping[str, tuple[str, str]]


def check_settings(settings: AnomalySettings) -> None:
    """Refuse invalid settings.

    Raises:
        UsageError: An unknown rule or unit, a window below 1, a threshold that is not positive.
    """
    if settings.rule not in ("left", "right", "either"):
        raise UsageError(f"anomaly rule: {settings.rule!r} is unknown; use left, right or either")
    if settings.unit not in ("share", "images"):
        raise UsageError(f"anomaly threshold unit: {settings.unit!r} is unknown; use share or images")
    if settings.window is not None and settings.window < 1:
        raise UsageError(f"anomaly window: {settings.window} records; use at least 1")
    if not settings.threshold > 0:
        raise UsageError(f"anomaly threshold: {settings.threshold}; use a number above 0")


def with_decisions(anomalies: Iterable[Anomaly], decisions: Decisions) -> tuple[Anomaly, ...]:
    """Return the anomalies with people's decisions on them.

    A decision belongs to a class, iteration and rule. Another threshold may turn "lost" into "both": the decision about
    "lost" then still holds, unless "both" has a decision of its own.

    Args:
        anomalies: Without decisions.
        decisions: Anomaly id to (status, note).
    """
    if not decisions:
        return tuple(anomalies)
    return tuple(_with_decision(anomaly, decisions) for anomaly in anomalies)


def _with_decision(anomaly: Anomaly, decisions: Decisions) -> Anomaly:
    """Return the anomaly with the decision on its own id, or else on another direction of the same event."""
    direction = anomaly.evidence.direction
    stem = anomaly.id.removesuffix(f"-{direction}")
    others = {None: (), "both": ("gained", "lost")}.get(direction, ("both",))
    for candidate in (anomaly.id, *(f"{stem}-{other}" for other in others)):
        if candidate in decisions:
            status, note = decisions[candidate]
            return replace(anomaly, status=status, note=note)
    return anomaly


def with_incident_decisions(
    incidents: Iterable[Incident], decisions: Decisions, interval: float
) -> tuple[Incident, ...]:
    """Return incidents with people's decisions on them.

    If nobody has decided on the incident itself, decisions on anomalies of the same time count: anomalies of its
    classes, and watches that the flight recorder kept. The incident is flagged if one of them is flagged, and dismissed
    if all of them are dismissed.

    Args:
        incidents: Without decisions.
        decisions: Anomaly or incident id to (status, note).
        interval: Iterations from one validation to the next. An anomaly may begin that much before or after the
            incident.
    """
    older = [(at, label, told) for key, told in decisions.items() for at, label in [_anomaly_of(key)] if at is not None]
    return tuple(_with_incident_decision(one, decisions, older, interval) for one in incidents)


def _with_incident_decision(
    incident: Incident, decisions: Decisions, older: list[tuple[int, int | None, tuple[str, str]]], interval: float
) -> Incident:
    if incident.id in decisions:
        status, note = decisions[incident.id]
        return replace(incident, status=status, note=note)
    told = [
        decision
        for at, label, decision in older
        if incident.first - interval <= at <= incident.last + interval and (label is None or label in incident.classes)
    ]
    flagged = [decision for decision in told if decision[0] == "flagged"]
    if flagged or (told and all(status == "dismissed" for status, _ in told)):
        status, note = (flagged or told)[-1]
        return replace(incident, status=status, note=note)
    return incident


def _anomaly_of(key: str) -> tuple[int | None, int | None]:
    """Return iteration and label (None without a class) from an anomaly's id; (None, None) for any other id."""
    parts = key.split("-")
    try:
        if parts[0] == "class" and len(parts) == 5:
            return int(parts[3]), int(parts[2])
        if parts[0] == "watch" and len(parts) == 3:
            return int(parts[2]), None
    except ValueError:
        pass
    return None, None
