from __future__ import annotations

import math

import numpy as np
import pytest

from dtui.analysis.quantiles import column_medians, column_quantiles, magnitude_quantile, thin
from tests.oracle import twins


def awkward() -> np.ndarray:
    values = np.random.default_rng(0).normal(0, 1, (11, 30))
    values[3, :] = np.nan
    values[:, 7] = np.nan
    values[0, 2], values[5, 2], values[6, 2] = np.inf, -np.inf, np.nan
    return values


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.99, 0.995, 1.0])
def test_the_scale_is_a_nearest_rank_quantile(share):
    values = np.abs(awkward())
    assert magnitude_quantile(values, share) == twins.quantile(values.ravel().tolist(), share)


@pytest.mark.parametrize("values", [np.zeros(5), np.full(3, np.nan), np.zeros(0), np.full(2, np.inf)])
def test_a_scale_can_always_be_divided_by(values):
    assert magnitude_quantile(values, 0.99) == 1.0


@pytest.mark.parametrize("share", [0.25, 0.995])
def test_quantiles_of_columns(share):
    values = awkward()
    expected = [twins.quantile(values[:, column].tolist(), share) for column in range(values.shape[1])]
    np.testing.assert_array_equal(column_quantiles(values, share), expected)
    assert math.isnan(expected[7])


def test_medians_of_columns():
    values = awkward()
    expected = [twins.median(values[:, column].tolist()) for column in range(values.shape[1])]
    np.testing.assert_allclose(column_medians(values), expected, rtol=1e-15)
    assert math.isnan(expected[7])


def test_thinning_visits_every_record():
    values = np.tile(np.arange(10.0), (50, 1))
    assert set(thin(values, 5).tolist()) == set(range(10))
    np.testing.assert_array_equal(thin(-values, 1), values.ravel())
