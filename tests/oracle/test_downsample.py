from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.downsample import (
    ROWS_AT_ONCE,
    mean_of_rows,
    mean_rows,
    pool_farthest,
    pool_largest,
    pool_mean,
    pool_smallest,
    records_of_columns,
)
from dtui.model import TimeAxis
from tests.oracle import twins

AXES = [
    TimeAxis(0, 400, 40),
    TimeAxis(0, 400, 7),
    TimeAxis(0, 400, 333),
    TimeAxis(-50, 900, 31),
    TimeAxis(120, 128, 64),
    TimeAxis(390, 700, 5),
    TimeAxis(0.5, 333.3, 1),
    TimeAxis(800, 900, 9),
]
POOLS = {"largest": pool_largest, "smallest": pool_smallest, "mean": pool_mean, "farthest": pool_farthest}


def records(spacing: str) -> np.ndarray:
    random = np.random.default_rng(5)
    if spacing == "even":
        return np.arange(9, 400, 10)
    if spacing == "uneven":
        return np.unique(random.integers(3, 390, 60))
    return np.array([37])


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("spacing", ["even", "uneven", "one"])
@pytest.mark.parametrize("how", POOLS)
def test_pooling_is_that_of_the_definition(axis, spacing, how):
    iterations = records(spacing)
    values = np.random.default_rng(1).normal(0, 1, (3, len(iterations)))
    values[0, ::4] = np.nan
    values[2] = np.nan
    held = records_of_columns(axis, iterations, 10)
    expected = twins.pooled(values, axis, iterations, 10, how)
    np.testing.assert_allclose(POOLS[how](values, held), expected, rtol=1e-12)


@pytest.mark.parametrize("axis", AXES)
def test_needed_is_all_that_is_needed(axis):
    iterations = records("uneven")
    held = records_of_columns(axis, iterations, 10)
    used = {p for column in range(axis.columns) for p in twins.record_positions(axis, iterations, 10, column)}
    needed = held.needed
    assert (needed.start, needed.stop) == ((min(used), max(used) + 1) if used else (0, 0))


def test_without_records_there_is_no_value():
    held = records_of_columns(TimeAxis(0, 10, 4), np.zeros(0, dtype=np.int64), 10)
    assert np.isnan(pool_largest(np.zeros((2, 0)), held)).all()
    assert held.needed == slice(0, 0)


@pytest.mark.parametrize(
    ("rows", "pixels"), [(10, 3), (7, 7), (3, 9), (100, 13), (5, 1), (5000, 13), (3000, 999), (4000, 3)]
)
def test_rows_share_pixels(rows, pixels):
    values = np.random.default_rng(2).normal(0, 1, (rows, 4))
    np.testing.assert_allclose(mean_rows(values, pixels), twins.mean_rows(values, pixels), rtol=1e-12)
    values[:2] = np.nan
    np.testing.assert_allclose(mean_rows(values, pixels), twins.mean_rows(values, pixels), rtol=1e-12)
    if rows <= pixels:
        return
    made = []
    mean_of_rows(rows, pixels, lambda some: made.append(some) or values[some])
    assert [one.start for one in made] == [0, *(one.stop for one in made[:-1])]
    assert made[-1].stop == rows
    assert max(one.stop - one.start for one in made) <= max(ROWS_AT_ONCE, -(-rows // pixels))


def test_no_record_before_a_break_stands_behind_it() -> None:
    rng = np.random.default_rng(5)
    for _ in range(50):
        iterations = np.unique(rng.integers(0, 400, 30))
        breaks = np.unique(rng.integers(0, 400, rng.integers(0, 6)))
        axis = TimeAxis(0.0, 420.0, int(rng.integers(5, 200)))
        held, without = (records_of_columns(axis, iterations, 10, some) for some in (breaks, breaks[:0]))
        of = axis.columns_of(iterations)
        for column in range(axis.columns):
            middle = np.floor(axis.first + (column + 0.5) * axis.column_span)
            before = [int(one) for one in iterations if one <= middle]
            is_broken = bool(before) and any(before[-1] < one <= middle for one in breaks)
            expected = bool(without.has_value[column]) and (column in of or not is_broken)
            assert held.has_value[column] == expected
