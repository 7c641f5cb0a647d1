"""The grid of incidents × layers, what a pick lights, and values against usual ones, each against its slow twin."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from dtui.analysis.relations.grid import (
    against_usual,
    belonging,
    distinct_of_rows,
    farthest_rows,
    filters_of_events,
)
from dtui.analysis.relations.minisets import partition
from dtui.model.cube import Pick
from dtui.model.relations import MiniSet
from tests.oracle.relations import twins

LAYERS, ROWS = 5, 4


def world(seed: int):
    """Sets of filters of some records, the events at them, and the mini-sets of all sets."""
    random = np.random.default_rng(seed)
    layer_of = np.sort(np.append(random.integers(0, LAYERS, 30), range(LAYERS)))
    sets = [np.unique(random.integers(0, len(layer_of), 6)) for _ in range(6)]
    record_of, row_of = random.integers(-1, 6, 12), np.append(random.integers(0, ROWS, 8), range(ROWS))
    occurrences = np.bincount(record_of[record_of >= 0], minlength=6)
    mini_sets = [
        MiniSet(
            int(layer_of[part.filters[0]]),
            tuple(part.filters.tolist()),
            tuple(part.sets.tolist()),
            int(occurrences[part.sets].sum()),
        )
        for part in partition(sets, layer_of)
    ]
    return sets, layer_of, record_of, row_of, mini_sets


@pytest.mark.parametrize("seed", range(5))
def test_filters_are_counted_once_in_each_event_and_each_row(seed):
    sets, layer_of, record_of, row_of, mini_sets = world(seed)
    found = filters_of_events(mini_sets, record_of, LAYERS)
    every = np.arange(len(record_of))
    by_layer = np.array(twins.distinct_filters(sets, record_of, every, len(every), layer_of, LAYERS))
    assert found.tolist() == by_layer.T.tolist()
    rows = distinct_of_rows(mini_sets, record_of, row_of, ROWS, LAYERS)
    expected = np.array(twins.distinct_filters(sets, record_of, row_of, ROWS, layer_of, LAYERS))
    assert rows.tolist() == expected.T.tolist()
    assert (rows < np.array([found[row_of == row].sum(axis=0) for row in range(ROWS)])).any()  # some filters repeat


@pytest.mark.parametrize("seed", range(3))
def test_a_pick_lights_what_belongs_to_it(seed):
    _, _, record_of, row_of, mini_sets = world(seed)
    filters = filters_of_events(mini_sets, record_of, LAYERS)
    iterations = np.random.default_rng(seed).integers(0, 40, len(row_of))
    sizes = set()
    for row, layer, span in itertools.product((None, 0, 3), (None, 0, 4), (None, (0.0, 12.5), (38, 39))):
        lit = belonging(Pick(row, layer, span), filters, row_of, ROWS, iterations)
        events, rows, layers, cells = twins.belonging(row, layer, span, filters.tolist(), row_of.tolist(), iterations)
        assert set(np.flatnonzero(lit.events).tolist()) == events
        assert set(np.flatnonzero(lit.rows).tolist()) == rows
        assert set(np.flatnonzero(lit.layers).tolist()) == layers
        assert set(zip(*(axis.tolist() for axis in np.nonzero(lit.cells)), strict=True)) == cells
        sizes.add(len(events))
    assert len(sizes) > 3


def test_of_no_events_only_the_pick_itself_is_lit():
    nothing = np.zeros(0, dtype=np.int64)
    lit = belonging(Pick(layer=1), np.zeros((0, 3), np.int64), nothing, 0, nothing)
    assert lit.layers.tolist() == [False, True, False]
    assert not len(lit.rows)


@pytest.mark.parametrize("seed", range(3))
def test_values_are_compared_with_the_twenty_before(seed):
    random = np.random.default_rng(seed)
    values = np.exp(random.normal(size=(3, 70)) * 1.5) * random.choice([-1, 1], (3, 70))
    values[0, 30:36], values[1, ::7], values[2, 20:60] = 0, np.nan, 0
    found = against_usual(values)
    expected = [twins.against_usual(row) for row in values.astype(np.float32).tolist()]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert {-1.0, 1.0} <= set(found.ravel().tolist())


def test_a_short_run_has_nothing_usual():
    assert np.isnan(against_usual(np.ones((2, 5)))).all()
    assert against_usual(np.zeros((0, 5))).shape == (0, 5)
    assert against_usual(np.zeros((2, 0))).shape == (2, 0)


def test_rows_that_share_a_row_show_the_value_farthest_from_zero():
    values = np.array([[1.0, np.nan, -3.0], [-2.0, np.nan, 3.0], [9.0, 0.0, np.nan]])
    found = farthest_rows(values, ((0, 1), (2,)))
    np.testing.assert_array_equal(found, [[-2.0, np.nan, 3.0], [9.0, 0.0, np.nan]])
