"""Anomaly iterations: where unusually many images of a class flip at once.

Owns what counts as an anomaly, its id and its score. A second copy would attach a person's decision to
something else. Many are first a table of numbers, a row each: of a long run, only the strongest are ever looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dtui.analysis.correctness import PackedLayout, WordArray
from dtui.analysis.flips import find_flips, looks_at
from dtui.errors import UsageError
from dtui.model import DEFAULT_WINDOW, Anomaly, AnomalySettings, IntArray

RULES = ("left", "right")
DIRECTIONS = ("gained", "lost", "both")
COLUMNS = ("rule", "class", "iteration", "direction", "count")
"""Of a table of anomalies of classes; rule and direction as positions in RULES and DIRECTIONS."""
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


def count_flips(
    layout: PackedLayout, packed: WordArray, rule: str, window: int, lost: WordArray | None = None
) -> FlipCounts:
    """Count the flips of each class by rule and direction.

    Where the rule would look at a judgement of the class that is lost there are none: too low a count would be wrong.

    Args:
        layout: Where each image's bit lies.
        packed: Correctness, shape (validations, W).
        rule: "left" or "right".
        window: In validations, >= 1.
        lost: Which judgements are lost to damage, shape (validations, W); None where none is.

    Source: DeepTracker (ACM TIST 2018); what is lost: dtui.
    """
    flips = find_flips(packed, rule, window)
    gained, down = layout.count(flips.gained), layout.count(flips.lost)
    if lost is not None:
        untold = looks_at(layout.count(lost) > 0, rule, window)
        gained[untold] = down[untold] = 0
    return FlipCounts(gained, down)


def score_of(count: int, share: float) -> float:
    """Return share × √count: it grows with both, so that 10 images of 50 outrank 2 of 10.

    Source: dtui.
    """
    return share * float(np.sqrt(count))


def find_class_table(evidence: Evidence, settings: AnomalySettings) -> IntArray:
    """Find the anomaly iterations of classes.

    A class, iteration and rule is one anomaly; where both directions pass the threshold its direction is "both"
    and its count is that of both together.

    Args:
        evidence: The flips.
        settings: Checked by `check_settings`.

    Returns:
        Shape (anomalies, len(COLUMNS)), int64, by falling score, then by iteration, rule and class.

    Source: DeepTracker (ACM TIST 2018), rules and threshold; directions apart: dtui.
    """
    window = settings.window or DEFAULT_WINDOW
    images = np.maximum(evidence.images, 1)
    exact = settings.threshold * images if settings.unit == "share" else np.full(len(images), settings.threshold)
    # A share such as 0.2 of 50 images is 10.000000000000002 of them in floating point.
    least = np.clip(np.ceil(exact - 1e-9), 1, NEVER).astype(np.uint32)
    tables: list[IntArray] = [np.empty((0, len(COLUMNS)), np.int64)]
    for rule in RULES if settings.rule == "either" else (settings.rule,):
        flips = evidence.flips(rule, window)
        gained, lost = flips.gained >= least, flips.lost >= least
        positions, labels = np.nonzero(gained | lost)
        up, down = gained[positions, labels], lost[positions, labels]
        count = flips.gained[positions, labels].astype(np.int64) * up
        count += flips.lost[positions, labels].astype(np.int64) * down
        direction = np.select([up & down, up], [DIRECTIONS.index("both"), DIRECTIONS.index("gained")], 1)
        code = np.full(len(labels), RULES.index(rule))
        tables.append(np.column_stack([code, labels, evidence.iterations[positions], direction, count]))
    table = np.concatenate(tables).astype(np.int64, copy=False)
    share = table[:, COLUMNS.index("count")] / images[table[:, COLUMNS.index("class")]]
    score = share * np.sqrt(table[:, COLUMNS.index("count")])
    result: IntArray = table[np.lexsort((table[:, COLUMNS.index("iteration")], -score))]
    return result


def in_time_order(table: IntArray) -> IntArray:
    """Return a table that falls by score by iteration instead, then by falling score."""
    result: IntArray = table[np.argsort(table[:, COLUMNS.index("iteration")], kind="stable")]
    return result


def table_anomalies(table: IntArray, images: IntArray, threshold: float) -> list[Anomaly]:
    """Return the anomalies that the rows of a table stand for.

    Args:
        table: Shape (anomalies, len(COLUMNS)).
        images: Images of each class, shape (C,).
        threshold: Of the settings that they were found with.
    """
    return [
        Anomaly(
            id=f"class-{RULES[rule]}-{label}-{iteration}-{DIRECTIONS[direction]}",
            kind="class",
            rule=RULES[rule],
            iteration=iteration,
            class_index=label,
            layer=None,
            filters=(),
            direction=DIRECTIONS[direction],
            count=count,
            share=count / size,
            score=score_of(count, count / size),
            threshold=threshold,
        )
        for (rule, label, iteration, direction, count), size in zip(
            table.tolist(), images[table[:, COLUMNS.index("class")]].tolist(), strict=True
        )
    ]


def find_anomalies(evidence: Evidence, settings: AnomalySettings) -> tuple[Anomaly, ...]:
    """Find the anomaly iterations of classes.

    Returns:
        By iteration, then by falling score.

    Raises:
        UsageError: The settings make no sense.
    """
    check_settings(settings)
    table = in_time_order(find_class_table(evidence, settings))
    return tuple(table_anomalies(table, evidence.images, settings.threshold))


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
