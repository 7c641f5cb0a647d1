from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.relations.correlation import distinct_filters
from dtui.analysis.relations.minisets import partition
from tests.oracle.relations import twins


def random_sets(seed: int, filters: int, sets: int) -> list[np.ndarray]:
    """Some are empty, some twice; the order within one is by chance."""
    random = np.random.default_rng(seed)
    kinds = [random.permutation(filters)[: random.integers(0, filters // 3 + 1)] for _ in range(sets // 2 + 1)]
    blocks = [np.concatenate([kinds[at], np.arange(filters // 2, filters // 2 + 3)]) for at in range(len(kinds))]
    return [np.unique(blocks[random.integers(len(blocks))])[::-1] for _ in range(sets)]


@pytest.mark.parametrize(("filters", "sets"), [(6, 1), (12, 3), (40, 9), (200, 30), (70_000, 3)])
def test_parts_are_those_of_splitting_by_each_set(filters, sets):
    layer_of = np.sort(np.random.default_rng(0).integers(0, 4, filters))
    given = random_sets(filters, filters, sets)
    found = partition(given, layer_of)
    expected = twins.mini_sets([set(one.tolist()) for one in given], layer_of.tolist())
    assert sorted(map(sorted, expected)) == sorted(part.filters.tolist() for part in found)
    for part in found:
        holding = [at for at, one in enumerate(given) if int(part.filters[0]) in one]
        assert part.sets.tolist() == holding


def test_parts_come_by_their_first_filter_and_do_not_cross_layers():
    found = partition([np.array([4, 0, 1, 5]), np.array([5, 1])], np.array([0, 0, 0, 1, 1, 1]))
    assert [part.filters.tolist() for part in found] == [[0], [1], [4], [5]]
    (whole,) = partition([np.array([2, 0, 1])], np.zeros(3, dtype=np.int64))
    assert whole.filters.tolist() == [0, 1, 2]


@pytest.mark.parametrize("sets", [[], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)] * 3])
def test_nothing_has_no_parts(sets):
    assert partition(sets, np.zeros(5, dtype=np.int64)) == []


@pytest.mark.parametrize("seed", range(4))
def test_the_grid_counts_each_filter_once(seed):
    random = np.random.default_rng(seed)
    row_of = np.sort(random.integers(-1, 5, 30))
    sets = [np.unique(random.integers(0, 30, 6)) for _ in range(7)]
    set_of, column_of = random.integers(-1, 7, 25), random.integers(0, 4, 25)
    found = distinct_filters(sets, set_of, column_of, 6, row_of, 5)
    assert found.tolist() == twins.distinct_filters(sets, set_of, column_of, 6, row_of, 5)
    assert found.any()


def test_a_grid_without_events_is_empty():
    nothing = np.zeros(0, dtype=np.int64)
    assert distinct_filters([], nothing, nothing, 0, np.zeros(3, np.int64), 2).shape == (2, 0)
    assert not distinct_filters([], np.array([-1]), np.array([0]), 1, np.zeros(3, np.int64), 2).any()
