from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis import filters
from dtui.analysis.filters import NEVER, find_dead, find_late, first_clear_change, standing_out
from dtui.analysis.standing import dead_since
from tests.oracle import twins


def ratios() -> np.ndarray:
    values = np.random.default_rng(0).uniform(0.5, 2.0, (9, 80)) * np.geomspace(1e-2, 1e-4, 80)
    values[2, :40] *= 1e-3
    values[4] = 0
    values[7, 50] *= 1e4
    values[:, 0] = np.nan
    return values


def test_first_clear_changes():
    values = ratios()
    expected = []
    for row in range(9):
        clear = [t for t in range(1, 80) if values[row, t] >= 0.1 * twins.median(values[:, t].tolist())]
        expected.append(clear[0] if clear else NEVER)
    first, layer = first_clear_change(values)
    assert (first.tolist(), layer) == (expected, 1)
    assert find_late(first, layer, 80).tolist() == [row == 2 for row in range(9)]


def test_a_layer_that_stands_still_has_no_first_change():
    first, layer = first_clear_change(np.zeros((3, 50)))
    assert (first.tolist(), layer) == ([NEVER] * 3, NEVER)
    assert not find_late(first, layer, 50).any()
    assert first_clear_change(np.zeros((3, 0)))[1] == NEVER


def test_a_layer_thawed_late_has_no_late_filters():
    values = np.full((4, 100), 1e-3)
    values[:, :60] = 0
    first, layer = first_clear_change(values)
    assert layer == 60
    assert not find_late(first, layer, 100).any()


def test_dead_filters():
    gradients = np.full((9, 3), 1.0)
    updates = np.full((9, 3), 1e-3)
    gradients[1] = 1e-4
    gradients[2, :2] = 0
    gradients[3] = 0
    updates[3] = 0
    gradients[4] = np.nan
    assert find_dead(gradients, updates).tolist() == [row in (1, 3) for row in range(9)]
    assert not find_dead(gradients[:, :2], updates[:, :2]).any()


def test_a_layer_without_any_gradient_is_dead_only_where_nothing_changes():
    gradients, updates = np.zeros((3, 3)), np.zeros((3, 3))
    updates[1] = 0.1
    assert find_dead(gradients, updates).tolist() == [True, False, True]


@pytest.mark.parametrize(("dead", "left"), [(0.0, 4), (0.0, 1), (1e-9, 4)])
def test_where_most_filters_are_dead_they_are_all_said_to_be(dead: float, left: int) -> None:
    """The median is that of a dead filter then; and weight decay changes what gets no gradient."""
    gradients, updates = np.full((10, 3), 1.0), np.full((10, 3), 1e-3)
    gradients[left:] = dead
    assert find_dead(gradients, updates).tolist() == [row >= left for row in range(10)]
    assert dead_since(gradients, np.arange(10), np.array([0, 5, 9])) == [None] * left + [0] * (10 - left)
    gradients[:, 1] = 0  # of the whole layer, for one record: a batch without anything to learn
    assert not find_dead(gradients, updates).any()


def test_how_far_a_filter_leaves_its_place(monkeypatch):
    values = ratios()
    values[4] = 0  # stands still: a thousandth takes the place of its median
    values[8] = np.nan
    expected = []
    for row in range(9):
        places = []
        for t in range(1, 80):
            median = twins.median([v for v in values[:, t].tolist() if v == v])
            if values[row, t] == values[row, t]:
                places.append(values[row, t] / median)
        expected.append(max(places) / max(twins.median(places), 1e-3) if places else np.nan)
    for at_once in (128, 4):
        monkeypatch.setattr(filters, "FILTERS_AT_ONCE", at_once)
        np.testing.assert_allclose(standing_out(values), expected, rtol=1e-12)
    assert np.nanargmax(standing_out(values)) == 7, "the one that jumps once, although all others shrink a hundredfold"
    assert np.isnan(standing_out(np.zeros((3, 5)))).all()
    assert np.isnan(standing_out(np.zeros((3, 0)))).all()
    assert np.isnan(standing_out(np.full((2, 4), np.inf))).all()
