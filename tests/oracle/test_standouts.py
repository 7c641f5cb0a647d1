"""Samples that stand out, against counting all the ways in which the batches could have been chosen."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from dtui.analysis.relations.standouts import find_standouts, tail


def slow_tail(batches: int, chosen: int, total: int, inside: int) -> float:
    """Choose batches in every way, and count those with enough of the sample's, which are the first `total`."""
    ways = list(combinations(range(batches), chosen))
    return sum(sum(one < total for one in way) >= inside for way in ways) / len(ways)


@pytest.mark.parametrize("batches", [1, 5, 9])
def test_the_tail_is_the_share_of_the_ways(batches: int) -> None:
    for chosen in range(batches + 1):
        for total in range(1, batches + 1):
            for inside in range(total + 2):
                assert tail(batches, chosen, total, inside) == pytest.approx(slow_tail(batches, chosen, total, inside))


def test_many_batches_are_no_trouble() -> None:
    assert tail(50_000, 60, 30, 20) == pytest.approx(0, abs=1e-40)
    assert tail(50_000, 60, 30, 20) > 0


def slow_standouts(batches: list[list[int]], chosen: list[bool], most: float) -> list[tuple[int, int, int, float]]:
    samples = sorted({one for batch in batches for one in batch})
    found = []
    for sample in samples:
        total = sum(sample in batch for batch in batches)
        inside = sum(sample in batch for batch, is_in in zip(batches, chosen, strict=True) if is_in)
        chance = slow_tail(len(batches), sum(chosen), total, inside) * len(samples)
        if inside >= 2 and chance <= most:
            found.append((sample, inside, total, chance))
    return sorted(found, key=lambda one: (one[3], -one[1], one[0]))


@pytest.mark.parametrize("seed", range(6))
def test_it_finds_what_the_slow_way_finds(seed: int) -> None:
    generator = np.random.default_rng(seed)
    batches = [generator.integers(0, 12, generator.integers(1, 5)) for _ in range(12)]
    chosen = generator.random(12) < 0.3
    batches = [np.append(batch, 99) if is_in else batch for batch, is_in in zip(batches, chosen, strict=True)]
    found = find_standouts(batches, chosen, most=2.0)
    slow = slow_standouts([batch.tolist() for batch in batches], chosen.tolist(), 2.0)
    assert [(one.sample, one.inside, one.total) for one in found] == [one[:3] for one in slow]
    assert [one.chance for one in found] == pytest.approx([one[3] for one in slow])


def test_shuffled_epochs_name_nobody_and_a_poisoned_sample_is_named() -> None:
    generator = np.random.default_rng(1)
    named = []
    for poison in (None, 7):
        batches, chosen = [], []
        for _ in range(12):
            for batch in generator.permutation(1_000).reshape(-1, 20):
                batches.append(batch)
                chosen.append(generator.random() < 0.02 if poison is None else bool((batch == poison).any()))
        named.append([one.sample for one in find_standouts(batches, np.array(chosen))])
    assert named == [[], [7]]


def test_a_sample_that_is_frequent_everywhere_is_not_named() -> None:
    batches = [np.array([1, 100 + number]) for number in range(60)]
    chosen = np.arange(60) % 10 == 0
    assert find_standouts(batches, chosen) == []


def test_nothing_chosen_or_all_or_nothing_there_names_nobody() -> None:
    batches = [np.array([1]), np.array([1])]
    for chosen in ([False, False], [True, True]):
        assert find_standouts(batches, np.array(chosen)) == []
    assert find_standouts([], np.empty(0, bool)) == []
