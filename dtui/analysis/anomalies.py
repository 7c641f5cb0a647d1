"""Anomaly iterations: where unusually many images of a class flip at once.

Owns what counts as an anomaly, its id and its score. A second copy would attach a person's decision to
something else. Each detector is a function in `DETECTORS`; detectors of filters and of whole layers join it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dtui.analysis.correctness import PackedLayout, WordArray
from dtui.analysis.flips import find_flips
from dtui.errors import UsageError
from dtui.model import Anomaly, AnomalySettings, IntArray

RULES = ("left", "right")
DEFAULT_WINDOW = 5
NEVER = 2**32 - 1
Decisions = Mapping[str, tuple[str, str]]


@dataclass(frozen=True, eq=False, slots=True)
class FlipCounts:
    """How many images of each class flipped at each validation; both shape (validations, C), unsigned."""

    gained: IntArray
    lost: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Evidence:
    """What detectors look at.

    Attributes:
        iterations: Of the validations, shape (m,), ascending.
        images: Images of each class, shape (C,).
        flips: Answers the flip counts of a rule ("left", "right") and a window; whoever builds it may remember them.
    """

    iterations: IntArray
    images: IntArray
    flips: Callable[[str, int], FlipCounts]


def default_window(validations: int) -> int:
    """Return the window k used when none is asked for: 5, or a tenth of a short run's validations, at least 1.

    Source: dtui; the authors of DeepTracker used 40 of about 757 records.
    """
    return min(DEFAULT_WINDOW, max(1, validations // 10))


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


def count_flips(layout: PackedLayout, packed: WordArray, rule: str, window: int) -> FlipCounts:
    """Count the flips of each class by rule and direction.

    Args:
        layout: Where each image's bit lies.
        packed: Correctness, shape (validations, W).
        rule: "left" or "right".
        window: In validations, >= 1.

    Source: DeepTracker (ACM TIST 2018).
    """
    flips = find_flips(packed, rule, window)
    return FlipCounts(layout.count(flips.gained), layout.count(flips.lost))


def score_of(count: int, share: float) -> float:
    """Return share × √count: it grows with both, so that 10 images of 50 outrank 2 of 10.

    Source: dtui.
    """
    return share * float(np.sqrt(count))


def find_class_anomalies(evidence: Evidence, settings: AnomalySettings) -> list[Anomaly]:
    """Find the anomaly iterations of classes.

    A class, iteration and rule is one anomaly; where both directions pass the threshold its direction is "both"
    and its count is that of both together.

    Args:
        evidence: The flips.
        settings: Checked by `check_settings`.

    Source: DeepTracker (ACM TIST 2018), rules and threshold; directions apart: dtui.
    """
    window = settings.window or default_window(len(evidence.iterations))
    images = np.maximum(evidence.images, 1)
    exact = settings.threshold * images if settings.unit == "share" else np.full(len(images), settings.threshold)
    # A share such as 0.2 of 50 images is 10.000000000000002 of them in floating point.
    least = np.clip(np.ceil(exact - 1e-9), 1, NEVER).astype(np.uint32)
    found: list[Anomaly] = []
    for rule in RULES if settings.rule == "either" else (settings.rule,):
        flips = evidence.flips(rule, window)
        gained, lost = flips.gained >= least, flips.lost >= least
        for position, label in np.argwhere(gained | lost).tolist():
            up, down = bool(gained[position, label]), bool(lost[position, label])
            count = int(flips.gained[position, label]) * up + int(flips.lost[position, label]) * down
            direction = "both" if up and down else "gained" if up else "lost"
            iteration, share = int(evidence.iterations[position]), count / int(images[label])
            found.append(
                Anomaly(
                    id=f"class-{rule}-{label}-{iteration}-{direction}",
                    kind="class",
                    rule=rule,
                    iteration=iteration,
                    class_index=label,
                    layer=None,
                    filters=(),
                    direction=direction,
                    count=count,
                    share=share,
                    score=score_of(count, share),
                    threshold=settings.threshold,
                )
            )
    return found


Detector = Callable[[Evidence, AnomalySettings], Iterable[Anomaly]]
DETECTORS: tuple[Detector, ...] = (find_class_anomalies,)
"""Everything that looks for anomalies, in the order in which equals are listed."""


def find_anomalies(evidence: Evidence, settings: AnomalySettings) -> tuple[Anomaly, ...]:
    """Run every detector.

    Returns:
        By iteration, then by falling score.

    Raises:
        UsageError: The settings make no sense.
    """
    check_settings(settings)
    found = [anomaly for detector in DETECTORS for anomaly in detector(evidence, settings)]
    return tuple(sorted(found, key=lambda anomaly: (anomaly.iteration, -anomaly.score)))


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
    stem = anomaly.id.removesuffix(f"-{anomaly.direction}")
    candidates = [anomaly.id]
    if anomaly.direction == "both":
        candidates += [f"{stem}-gained", f"{stem}-lost"]
    elif stem != anomaly.id:
        candidates.append(f"{stem}-both")
    for candidate in candidates:
        if candidate in decisions:
            status, note = decisions[candidate]
            return replace(anomaly, status=status, note=note)
    return anomaly
