"""Finds where unusually many images of a class flip at once. The result is a table of numbers, one row per anomaly.

A long run has a million rows, and people look only at the strongest. So `detectors/class_rules.py` makes evidence only
from those.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from dtui.analysis.correctness import PackedLayout, WordArray
from dtui.analysis.flips import find_flips, looks_at, words_at_once
from dtui.dataclass_on_use import dataclass
from dtui.model import DEFAULT_WINDOW, AnomalySettings, FloatArray, IntArray

RULES = ("left", "right")
DIRECTIONS = ("gained", "lost", "both")
COLUMNS = ("rule", "class", "iteration", "direction", "count")
"""Of a table of flips; rule and direction as positions in RULES and DIRECTIONS."""
NEVER = 2**32 - 1
VALIDATIONS_AT_ONCE = 1_024
"""Validations whose flips are compared with a threshold at once: of 1,000 classes a megabyte each comparison."""


@dataclass(frozen=True, eq=False, slots=True)
class FlipCounts:
    """How many images of each class flipped at each validation; both shape (validations, C), unsigned."""

    gained: IntArray
    lost: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class ClassFlips:
    """The input of the class rules.

    Attributes:
        iterations: Of the validations, shape (m,), ascending.
        images: Images of each class, shape (C,).
        flips: Returns the flip counts for a rule ("left", "right") and a window; it may cache them.
    """

    iterations: IntArray
    images: IntArray
    flips: Callable[[str, int], FlipCounts]


def count_flips(
    layout: PackedLayout, packed: WordArray, rule: str, window: int, lost: WordArray | None = None
) -> FlipCounts:
    """Count the flips of each class by rule and direction.

    The count is zero where the rule would need a judgement of the class that is lost: a partial count would be wrong.
    Some classes are counted at a time: the flips of all images of a long run take twice the room of its judgements.

    Args:
        layout: Where each image's bit lies.
        packed: Correctness, shape (validations, W).
        rule: "left" or "right".
        window: In validations, >= 1.
        lost: Which judgements are lost to damage, shape (validations, W); None if none is lost.

    Source: DeepTracker (ACM TIST 2018); what is lost: dtui.
    """
    shape, kind = (len(packed), len(layout.images)), layout.count(packed[:0]).dtype
    gained, down = np.empty(shape, kind), np.empty(shape, kind)
    for classes, words in _blocks(layout, words_at_once(len(packed))):
        some = PackedLayout.of_sizes(layout.images[classes])
        flips = find_flips(packed[:, words], rule, window)
        gained[:, classes], down[:, classes] = some.count(flips.gained), some.count(flips.lost)
        if lost is not None:
            untold = looks_at(some.count(lost[:, words]) > 0, rule, window)
            gained[:, classes][untold] = down[:, classes][untold] = 0
    return FlipCounts(gained, down)


def _blocks(layout: PackedLayout, at_once: int) -> Iterator[tuple[slice, slice]]:
    """Yield whole classes of about so many words together, and their words."""
    ends, first = layout.first_word + layout.words, 0
    while first < len(ends):
        begin = int(layout.first_word[first])
        stop = max(first + 1, int(np.searchsorted(ends, begin + at_once, side="right")))
        yield slice(first, stop), slice(begin, int(ends[stop - 1]))
        first = stop


def fewest_flips(images: IntArray, unit: str, threshold: float) -> IntArray:
    """Return how many images of each class must flip, shape (C,), unsigned, >= 1, so an empty class never reaches it.

    Args:
        images: Images of each class, shape (C,).
        unit: "share" of the class's images, or "images".
        threshold: In that unit, > 0.
    """
    exact = threshold * np.maximum(images, 1) if unit == "share" else np.full(len(images), threshold)
    # A share such as 0.2 of 50 images is 10.000000000000002 of them in floating point.
    least: IntArray = np.clip(np.ceil(exact - 1e-9), 1, NEVER).astype(np.uint32)
    return least


def find_flip_table(judged: ClassFlips, settings: AnomalySettings) -> IntArray:
    """Find where as many images of a class flip as the settings ask for.

    There is one row per class, iteration and rule. Where both directions pass the threshold, the direction is "both"
    and the count is the sum of both.

    Args:
        judged: The flips.
        settings: Checked by `check_settings`.

    Returns:
        Shape (anomalies, len(COLUMNS)), int64, by falling score, then by iteration, rule and class.

    Source: DeepTracker (ACM TIST 2018), rules and threshold; directions apart: dtui.
    """
    window = settings.window or DEFAULT_WINDOW
    images = np.maximum(judged.images, 1)
    least = fewest_flips(judged.images, settings.unit, settings.threshold)
    tables: list[IntArray] = [np.empty((0, len(COLUMNS)), np.int64)]
    for rule in RULES if settings.rule == "either" else (settings.rule,):
        flips = judged.flips(rule, window)
        for first in range(0, len(flips.gained), VALIDATIONS_AT_ONCE):
            some = slice(first, first + VALIDATIONS_AT_ONCE)
            part = FlipCounts(flips.gained[some], flips.lost[some])
            tables.append(_rows(RULES.index(rule), part, least, judged.iterations[some]))
    table = np.concatenate(tables).astype(np.int64, copy=False)
    _, score = shares_and_scores(table, images)
    result: IntArray = table[np.lexsort((table[:, COLUMNS.index("iteration")], -score))]
    return result


def _rows(rule: int, flips: FlipCounts, least: IntArray, iterations: IntArray) -> IntArray:
    """Return the rows of a rule at some validations, by iteration, then by class."""
    gained, lost = flips.gained >= least, flips.lost >= least
    positions, labels = np.nonzero(gained | lost)
    up, down = gained[positions, labels], lost[positions, labels]
    count = flips.gained[positions, labels].astype(np.int64) * up
    count += flips.lost[positions, labels].astype(np.int64) * down
    direction = np.select([up & down, up], [DIRECTIONS.index("both"), DIRECTIONS.index("gained")], 1)
    return np.column_stack([np.full(len(labels), rule), labels, iterations[positions], direction, count])


def shares_and_scores(table: IntArray, images: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the share of each row's class that flipped, and share × √count, each shape (rows,).

    The score grows with both, so that 10 images of 50 outrank 2 of 10.

    Args:
        table: Shape (rows, len(COLUMNS)).
        images: Images of each class, shape (C,).

    Source: dtui.
    """
    count = table[:, COLUMNS.index("count")]
    share: FloatArray = count / images[table[:, COLUMNS.index("class")]]
    score: FloatArray = share * np.sqrt(count)
    return share, score
