from __future__ import annotations

import itertools

import numpy as np
import pytest

from dtui.analysis.relations.anomaly_filters import most_changed, most_changed_at_all
from tests.oracle.relations import twins

LAYERS = np.repeat(np.arange(4), [5, 1, 20, 9])
CHOICES = list(itertools.product([None, 1, 3, 10, 99], [None, 1, 2, 50]))


def changes(seed: int, records: int = 1) -> np.ndarray:
    """Values with ties, zeros, holes and one that is lost to Inf."""
    random = np.random.default_rng(seed)
    values = random.integers(0, 9, (len(LAYERS), records)).astype(np.float32) / 8
    values[random.random(values.shape) < 0.1] = np.nan
    values[random.integers(len(LAYERS))] = np.inf
    return values


@pytest.mark.parametrize(("count", "per_layer"), CHOICES)
@pytest.mark.parametrize("seed", range(3))
def test_the_most_changed_are_those_of_the_definition(seed, count, per_layer):
    values = changes(seed)[:, 0]
    allowed = np.random.default_rng(seed).random(len(LAYERS)) < 0.9
    found = most_changed(values, LAYERS, allowed, count, per_layer)
    assert found.tolist() == twins.most_changed(values, LAYERS, allowed, count, per_layer)


@pytest.mark.parametrize(("count", "per_layer"), CHOICES)
@pytest.mark.parametrize("records", [1, 2, 5])
def test_the_most_changed_at_all_records_are_those_of_the_definition(records, count, per_layer):
    values = changes(records, records)
    allowed = LAYERS != 1
    rows, ranks = most_changed_at_all(values, LAYERS, allowed, count, per_layer)
    expected = twins.most_changed_at_all(values, LAYERS, allowed, count, per_layer)
    assert list(zip(rows.tolist(), ranks.tolist(), strict=True)) == expected
    assert expected


@pytest.mark.parametrize("values", [np.zeros(35), np.full(35, np.nan), np.full(35, -np.inf)])
def test_what_did_not_change_is_no_anomaly_filter(values):
    every = np.ones(35, dtype=bool)
    assert len(most_changed(values, LAYERS, every, 10, None)) == 0
    assert len(most_changed(values, LAYERS, every, None, 1)) == 0
    assert len(most_changed_at_all(values[:, None], LAYERS, every, 10, 2)[0]) == 0


def test_no_record_has_no_filters():
    rows, ranks = most_changed_at_all(np.zeros((35, 0)), LAYERS, np.ones(35, dtype=bool), 10, None)
    assert (rows.shape, ranks.shape) == ((0,), (0, 0))
