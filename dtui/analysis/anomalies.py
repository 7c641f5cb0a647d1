"""People's decisions on anomalies, and the settings that anomalies are found with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dtui.errors import UsageError
from dtui.model import Anomaly, AnomalySettings

Decisions = Mapping[str, tuple[str, str]]


def check_settings(settings: AnomalySettings) -> None:
    """Refuse settings that no rule can be computed with.

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

    A decision follows the class, iteration and rule: when another threshold turns "lost" into "both", what was
    decided about "lost" still holds, unless "both" has a decision of its own.

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
