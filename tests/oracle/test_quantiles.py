from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from dtui.analysis.quantiles import column_medians, column_quantiles, magnitude_quantile, thin
from dtui.query.layers.shading import mean_shades
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
    assert set(thin([values], 100).tolist()) == set(range(10))
    np.testing.assert_array_equal(thin([-values, values[:3]], 1_000), np.concatenate([values, values[:3]]).ravel())
    uneven = thin([values, -values[:, :9], np.zeros((0, 10))], 95)
    assert len(uneven) == 46 + 45
    assert (uneven >= 0).all()


def test_a_scale_and_shades_of_many_filters_need_little_room():
    """They are made while the numbers of the filters are there, which may be 45 MB: so much room is nowhere else."""
    values, most = np.random.default_rng(3).lognormal(-7, 2, (10_000, 96)).astype(np.float32), []
    values[::7] = np.nan
    for make in (
        lambda: mean_shades(values, np.full((1, 1), 2, np.float32), 3.0, 32),
        lambda: mean_shades(values, np.full((10_000, 1), 2, np.float32), 3.0, 32),
        lambda: magnitude_quantile(values.copy(), 0.995, overwrite_input=True),
    ):
        tracemalloc.start()
        make()
        most.append(tracemalloc.get_traced_memory()[1] / values.nbytes)
        tracemalloc.stop()
    assert max(most[:2]) < 0.6, most  # of the room of the values; made all at once it was 3
    assert most[2] < 1.4, most  # and here 2.7; the copy is 1
