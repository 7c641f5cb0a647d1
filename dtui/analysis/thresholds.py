"""Proposes a threshold of the class rules for a run: it counts the validations that each threshold would mark."""

from __future__ import annotations

import math

import numpy as np

from dtui.analysis.flip_table import ClassFlips, fewest_flips
from dtui.model import DEFAULT_WINDOW, IntArray
from dtui.model.findings.advice import ThresholdAdvice, ThresholdRow

THRESHOLDS = (0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)
MOST_MARKED = 0.05
"""Share of the validations that the proposed threshold marks at most.

Measured on 53 visible faults: 44 were found so, with 1.8 false clusters of marks a hundred validations. One threshold
for all runs, 0.2, found 52 with 4.2, and 0.3 found 48 with 2.4.
"""
LEARNING = 10
"""The first of so many parts of a run is left out: most of its flips are classes that are learned at last."""
FEWEST_COUNTED = 20
"""With fewer validations, one mark is more than MOST_MARKED of them."""


def validations_left_out(validations: int) -> int:
    """Return how many validations at the beginning are not counted: a tenth, or the window, if that is more."""
    return max(math.ceil(validations / LEARNING), DEFAULT_WINDOW)


def validations_needed() -> int:
    """Return how many validations a run must have."""
    return next(count for count in range(1_000) if count - validations_left_out(count) >= FEWEST_COUNTED)


def advise(judged: ClassFlips) -> ThresholdAdvice:
    """Count what each threshold marks, and propose the smallest that marks few validations.

    Marked validations are counted, not clusters of them. At a smaller threshold two clusters may merge into one, so the
    number of clusters need not fall while the threshold rises.

    Args:
        judged: The flips.

    Raises:
        ValueError: There are fewer validations than `validations_needed`.

    Source: DeepTracker (ACM TIST 2018), which leaves it to future work; how: dtui.
    """
    return advise_from(count_marks(judged), len(judged.iterations))


def count_marks(judged: ClassFlips) -> IntArray:
    """Return for each of THRESHOLDS how many validations it marks, and how many classes in them, shape (n, 2)."""
    lost = judged.flips("left", DEFAULT_WINDOW).lost[validations_left_out(len(judged.iterations)) :]
    rows = []
    for threshold in THRESHOLDS:
        is_marked = lost >= fewest_flips(judged.images, "share", threshold)
        rows.append((np.count_nonzero(is_marked.any(axis=1)), np.count_nonzero(is_marked)))
    return np.array(rows, np.int64)


def advise_from(marks: IntArray, validations: int) -> ThresholdAdvice:
    """Propose a threshold from what each marks, as `advise` does.

    Args:
        marks: As `count_marks` returns it.
        validations: Of the run.

    Raises:
        ValueError: There are fewer of them than `validations_needed`.
    """
    left_out = validations_left_out(validations)
    counted = validations - left_out
    if counted < FEWEST_COUNTED:
        raise ValueError(f"{validations} validations; a threshold needs {validations_needed()}")
    rows = [ThresholdRow(at, *some) for at, some in zip(THRESHOLDS, marks.tolist(), strict=True)]
    fits = (row.threshold for row in rows if row.marked <= MOST_MARKED * counted + 1e-9)
    return ThresholdAdvice(
        rule="left",
        window=DEFAULT_WINDOW,
        direction="lost",
        counted=counted,
        left_out=left_out,
        most=MOST_MARKED,
        rows=tuple(rows),
        proposed=next(fits, None),
    )
