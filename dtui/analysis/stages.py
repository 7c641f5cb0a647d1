"""Splits a run into stages of the learning rate.

Owns what counts as a new stage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from dtui.model import FloatArray, IntArray, Stage

FACTOR = 2.0
LEAST_HOLD = 3
HOLD_SHARE = 0.025
SMALLEST = 1e-12
_LEAST = math.log2(FACTOR) - 1e-6


def find_stages(iterations: IntArray, rates: FloatArray) -> tuple[Stage, ...]:
    """Split a run where the learning rate changes at least twofold and does not come back.

    A spike is no stage: the change must last for 3 records, or for a fortieth of a long run. The values within a ramp
    are no stages: a stage shorter than twice that length is merged with the next one, and goes on with the one before
    it where the rate then is what it was. A cosine schedule gets about one stage per halving.

    Args:
        iterations: Of the records, shape (n,), ascending.
        rates: Learning rate at each, shape (n,), NaN where it was not logged.

    Returns:
        The stages. The first begins with the first logged rate; each has the median of its rates, which is a rate that
        was logged.

    Source: dtui.
    """
    logged = np.isfinite(rates)
    iterations, rates = iterations[logged], rates[logged]
    if len(rates) == 0:
        return ()
    hold = max(LEAST_HOLD, int(HOLD_SHARE * len(rates)))
    starts = _changes_that_hold(np.log2(np.maximum(rates, SMALLEST)), hold)
    # A stage too short to stand alone is a step of a ramp: it takes in the one after it.
    kept = [0, *(stop for start, stop in pairwise(starts) if stop - start >= 2 * hold)]
    found: list[Stage] = []
    for start, stop in pairwise([*kept, len(rates)]):
        rate = float(np.quantile(rates[start:stop], 0.5, method="higher"))
        if not found or abs(_power(rate) - _power(found[-1].learning_rate)) >= _LEAST:
            found.append(Stage(int(iterations[start]), rate))
    return tuple(found)


def count_in_stages(stages: Sequence[Stage], iterations: IntArray) -> IntArray:
    """Count what happened in each stage; a stage lasts until the next one begins.

    Args:
        stages: Ascending.
        iterations: When something happened, in any order. Iterations before the first stage are not counted.

    Returns:
        Shape (stages,), int64.

    Source: dtui.
    """
    starts = np.array([stage.iteration for stage in stages], dtype=np.int64)
    places = np.searchsorted(starts, iterations, side="right") - 1
    result: IntArray = np.bincount(places[places >= 0], minlength=len(stages)).astype(np.int64)
    return result


def _power(rate: float) -> float:
    return math.log2(max(rate, SMALLEST))


def _changes_that_hold(powers: FloatArray, hold: int) -> list[int]:
    """Return the positions at which log2 of the rate leaves its level by 1 or more and stays away for `hold`."""
    starts, level = [0], float(powers[0])
    position, least = 1, _LEAST
    while position < len(powers):
        steps = np.flatnonzero(np.abs(powers[position:] - level) >= least)
        if not len(steps):
            break
        position += int(steps[0])
        away = powers[position : position + hold] - level
        if len(away) >= LEAST_HOLD and (np.all(away >= least) or np.all(away <= -least)):
            starts.append(position)
            level = float(powers[position])
        position += 1
    return starts
