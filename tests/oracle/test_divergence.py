"""Pairs of runs against slow twins that look at one record at a time."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest

from dtui.analysis import divergence
from dtui.analysis.divergence import (
    BEFORE,
    LEAST_BEFORE,
    SIGMA,
    distance_in_spreads,
    find_onsets,
    pair_records,
    rows_that_part,
    same_until,
    spread_before,
    surprise,
)
from dtui.model import FloatArray


def slow_pairs(a: list[float], b: list[float]) -> list[tuple[int, int]]:
    def step(keys: list[float]) -> float:
        return statistics.median(np.diff(keys).tolist()) if len(keys) > 1 else math.inf

    if not a or not b:
        return []
    if step(a) < step(b):
        return [(p, q) for q, p in slow_pairs(b, a)]
    most = step(a) / 2 if math.isfinite(step(a)) else 0.5
    best: dict[int, tuple[float, int]] = {}
    for p, key in enumerate(a):
        q = min(range(len(b)), key=lambda q: (abs(b[q] - key), q))
        apart = abs(b[q] - key)
        if apart <= most and (q not in best or (apart, p) < best[q]):
            best[q] = (apart, p)
    return sorted((p, q) for q, (_, p) in best.items())


def slow_median(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return statistics.median(known) if known else math.nan


def slow_spread(a: list[float], b: list[float], at: int, floor: float) -> float:
    before = range(max(0, at - BEFORE), at)
    gaps = [a[i] - b[i] for i in before]
    if sum(not math.isnan(gap) for gap in gaps) < LEAST_BEFORE:
        return math.nan
    middle = slow_median(gaps)
    usual = [floor, SIGMA * slow_median([abs(gap - middle) for gap in gaps])]
    steps = [abs(series[i] - series[i - 1]) for series in (a, b) for i in before if i - 1 in before]
    usual.append(SIGMA / math.sqrt(2) * slow_median(steps))
    return max(value for value in usual if not math.isnan(value))


@pytest.fixture
def two() -> tuple[FloatArray, FloatArray]:
    random = np.random.default_rng(3)
    a = random.normal(size=(7, 61)).cumsum(axis=1)
    b = a + random.normal(size=a.shape) * 0.2
    b[2, 40:] += 30
    a[4, 5:19] = np.nan
    b[5] = np.nan
    b[6] = a[6]
    return a.astype(np.float32), b.astype(np.float32)


@pytest.mark.parametrize("seed", range(30))
def test_records_are_paired_with_the_nearest(seed: int) -> None:
    random = np.random.default_rng(seed)
    sizes = random.integers(0, 30, size=2)
    a, b = (np.unique(random.integers(0, 90, size=size)).astype(np.float64) for size in sizes)
    if seed % 3 == 0:
        a = a * 0.37 + 4
    first, second = pair_records(a, b)
    assert list(zip(first.tolist(), second.tolist(), strict=True)) == slow_pairs(a.tolist(), b.tolist())


def test_the_spread_is_what_both_did_before(two: tuple[FloatArray, FloatArray]) -> None:
    a, b = two
    found = spread_before(a, b, 0.05)
    slow = [[slow_spread(x, y, at, 0.05) for at in range(len(x))] for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    np.testing.assert_allclose(found, np.array(slow), rtol=1e-4)


def test_the_spread_is_the_same_in_blocks_of_rows(
    two: tuple[FloatArray, FloatArray], monkeypatch: pytest.MonkeyPatch
) -> None:
    floors = np.linspace(0.01, 3, len(two[0]))[:, None]
    whole = spread_before(*two, floors)
    monkeypatch.setattr(divergence, "AT_ONCE", 130)
    np.testing.assert_array_equal(spread_before(*two, floors), whole)


def test_distance_and_surprise(two: tuple[FloatArray, FloatArray]) -> None:
    a, b = two
    spread = spread_before(a, b, 0.05)
    distance, found = distance_in_spreads(a, b, spread), surprise(a, b, spread)
    for row in range(len(a)):
        known = [at for at in range(a.shape[1]) if not math.isnan(spread[row, at])]
        for at in range(a.shape[1]):
            usual = spread[row, max(at, known[0])] if known else math.nan
            assert distance[row, at] == pytest.approx(abs(a[row, at] - b[row, at]) / usual, rel=1e-4, nan_ok=True)
            middle = slow_median((a[row, max(0, at - BEFORE) : at] - b[row, max(0, at - BEFORE) : at]).tolist())
            slow = abs(a[row, at] - b[row, at] - middle) / spread[row, at]
            assert found[row, at] == pytest.approx(slow, rel=1e-4, abs=1e-6, nan_ok=True)


def test_a_row_that_parts_is_found_where_it_parts(two: tuple[FloatArray, FloatArray]) -> None:
    strengths = surprise(*two, spread_before(*two, 0.05))
    assert find_onsets(strengths).tolist() == [40]
    assert rows_that_part(strengths, 40).tolist() == [2]
    assert find_onsets(strengths, 41).tolist() == []


def test_a_rise_must_exceed_what_was_usual_before() -> None:
    strengths = np.zeros((2, 60), np.float32)
    strengths[0, [10, 20, 33, 50]] = [5.9, 11.7, 23.7, 60]
    strengths[1, 52] = 190
    assert find_onsets(strengths).tolist() == [33, 50]


def test_no_rows_and_few_records() -> None:
    nothing = np.zeros((0, 40), np.float32)
    assert spread_before(nothing, nothing, 1.0).shape == (0, 40)
    assert not len(find_onsets(surprise(nothing, nothing, nothing)))
    few = np.ones((3, LEAST_BEFORE), np.float32)
    spread = spread_before(few, few, 1.0)
    assert np.isnan(spread).all()
    assert np.isnan(distance_in_spreads(few, few, spread)).all()
    none = np.ones((3, 0), np.float32)
    assert distance_in_spreads(none, none, spread_before(none, none, 1.0)).shape == (3, 0)


def test_the_same_until() -> None:
    keys = np.arange(5) * 10
    a = np.arange(10.0).reshape(2, 5)
    a[0, 1] = np.nan
    b = a.copy()
    assert same_until([(keys, a, b)]) == 40
    b[1, 3] += 1e-9
    assert same_until([(keys, a, b)]) == 20
    assert same_until([(keys, a, b), (keys + 5, a, a + 1)]) == 0
    assert same_until([(keys, a, a + 1)]) == -1
    assert same_until([]) == -1
