"""Common bins of histograms, against a twin that spreads one stored bin after the other."""

from __future__ import annotations

import math

import numpy as np

from dtui.analysis.layers.histograms import COARSEST, common_edges, rebin


def slow(counts, low: float, high: float, edges) -> list[float]:
    """Give each stored bin's elements to the common bins, by the length that lies in each."""
    total, bins, n = float(sum(counts)), len(counts), len(edges) - 1
    if (
        total == 0
        or min(counts) < 0
        or not math.isfinite(low)
        or (high - low) / bins > COARSEST * (edges[-1] - edges[0])
    ):
        return [math.nan] * n
    ends = [-math.inf, *edges[1:-1], math.inf]
    shares = [0.0] * n
    for place, count in enumerate(counts):
        begin, stop = low + (high - low) * place / bins, low + (high - low) * (place + 1) / bins
        for share in range(n):
            inside = min(stop, ends[share + 1]) - max(begin, ends[share])
            if inside > 0:
                shares[share] += count / total * inside / (stop - begin)
    return shares


def test_shares_are_those_of_the_twin_and_sum_to_one() -> None:
    random = np.random.default_rng(3)
    counts = random.integers(0, 50, (64, 30))
    counts[:, 4] = 0
    counts[7, 5] = -1
    low = random.normal(-1, 0.4, 30)
    high = low + random.uniform(0.1, 4, 30)
    high[9] = 1000.0
    low[11] = np.nan
    edges = np.linspace(-1.2, 1.7, 9)
    found = rebin(counts, low, high, edges)
    for record in range(30):
        twin = slow(counts[:, record].tolist(), low[record], high[record], edges.tolist())
        np.testing.assert_allclose(found[:, record], twin, atol=1e-9)
    unknown = np.isnan(found).any(0)
    assert np.flatnonzero(unknown).tolist() == [4, 5, 9, 11]
    np.testing.assert_allclose(found[:, ~unknown].sum(0), 1.0)


def test_equal_weights_are_in_one_bin() -> None:
    found = rebin(np.array([[7], [0]]), np.array([0.5]), np.array([0.5]), np.linspace(0, 1, 5))
    assert found[:, 0].tolist() == [0, 0, 1, 0]


def test_one_far_weight_makes_no_bin_wider() -> None:
    low, q1, q3, high = (np.full(100, value) for value in (-1.0, -0.2, 0.2, 1.0))
    high[50:] = 10_000
    edges = common_edges(low, q1, q3, high, 16)
    assert edges[0] == -1.0
    np.testing.assert_allclose(edges[-1], 0.2 + 3 * 0.4)
    assert len(edges) == 17


def test_without_elements_there_still_are_bins() -> None:
    nothing = np.full(3, np.nan)
    assert (np.diff(common_edges(nothing, nothing, nothing, nothing, 4)) > 0).all()
    same = np.full(3, 0.0)
    assert (np.diff(common_edges(same, same, same, same, 4)) > 0).all()
