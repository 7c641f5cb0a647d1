"""Finds samples that stand in some batches more often than chance allows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, IntArray

MOST_CHANCE = 0.01
"""How likely it may be that any sample at all is named by chance."""
FEWEST_INSIDE = 2
"""Batches that a sample must stand in: once is what every sample of such a batch does."""


@dataclass(frozen=True, slots=True)
class Standout:
    """A sample that stands in more of the chosen batches than chance allows.

    Attributes:
        sample: Its id.
        inside: Chosen batches that hold it.
        total: Batches that hold it.
        chance: Probability of as many or more, times the number of samples, at most 1.
    """

    sample: int
    inside: int
    total: int
    chance: float


def find_standouts(batches: Sequence[IntArray], is_chosen: BoolArray, most: float = MOST_CHANCE) -> list[Standout]:
    """Return the samples that stand in too many of the chosen batches, the most striking first.

    Of a sample in `total` of all batches, the number of chosen ones among them is hypergeometric if the chosen batches
    are like the others. So it is with shuffled epochs, and with weighted samplers: what they favour is in many of both.

    Args:
        batches: The ids in each, shape (n,); one that comes twice in a batch counts once.
        is_chosen: Which batches are chosen, shape (batches,).
        most: Largest `chance` of a sample that is returned.
    """
    distinct = [np.unique(batch) for batch in batches]
    if not len(distinct) or not is_chosen.any() or is_chosen.all():
        return []
    samples, counts = np.unique(np.concatenate(distinct), return_counts=True)
    chosen = [batch for batch, is_inside in zip(distinct, is_chosen, strict=True) if is_inside]
    inside, times = np.unique(np.concatenate(chosen), return_counts=True)
    found = []
    for sample, often in zip(inside[times >= FEWEST_INSIDE], times[times >= FEWEST_INSIDE], strict=True):
        total = int(counts[np.searchsorted(samples, sample)])
        chance = tail(len(distinct), int(is_chosen.sum()), total, int(often)) * len(samples)
        if chance <= most:
            found.append(Standout(int(sample), int(often), total, chance))
    return sorted(found, key=lambda one: (one.chance, -one.inside, one.sample))


def tail(batches: int, chosen: int, total: int, inside: int) -> float:
    """Return how likely `inside` or more of `total` batches are chosen ones, of `batches`, if all are alike; [0, 1]."""
    last = min(total, chosen)
    ways = sum(math.comb(chosen, hits) * math.comb(batches - chosen, total - hits) for hits in range(inside, last + 1))
    return ways / math.comb(batches, total)
