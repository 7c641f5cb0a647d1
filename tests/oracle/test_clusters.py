from __future__ import annotations

import math

import numpy as np
import pytest

from dtui.analysis.clusters import (
    average_linkage,
    cluster_labels,
    error_features,
    k_means,
    squared_distances,
    standardised,
)
from tests.oracle import twins


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_every_point_is_with_its_nearest_mean(count):
    points = np.random.default_rng(count).normal(0, 1, (60, 6)) + np.repeat(np.arange(3), 20)[:, None] * 3
    assigned = k_means(points, count)
    assert set(assigned.tolist()) == set(range(count))
    centres = [points[assigned == cluster].mean(axis=0) for cluster in range(count)]
    assert assigned.tolist() == [twins.nearest_centre(point, centres) for point in points]


def test_plain_groups_are_found():
    points = np.repeat([[0.0, 0.0], [5.0, 0.0], [0.0, 5.0], [5.0, 5.0]], 8, axis=0)
    points += np.random.default_rng(0).normal(0, 0.1, points.shape)
    assigned = k_means(points, 4)
    assert [len(set(assigned[group * 8 : group * 8 + 8].tolist())) for group in range(4)] == [1] * 4
    assert len(set(assigned.tolist())) == 4


@pytest.mark.parametrize("points", [np.zeros((0, 3)), np.zeros((5, 3)), np.array([[1.0], [1.0], [2.0]])])
def test_no_more_clusters_than_different_points(points):
    assigned = k_means(points, 4)
    assert len(assigned) == len(points)
    assert len(set(assigned.tolist())) == len(np.unique(points, axis=0))


def test_the_same_points_give_the_same_clusters():
    points = np.random.default_rng(3).random((200, 20))
    np.testing.assert_array_equal(k_means(points, 7), k_means(points.copy(), 7))


def test_distances_are_euclidean():
    points, centres = np.random.default_rng(1).random((7, 4)), np.random.default_rng(2).random((3, 4))
    expected = [[((a - b) ** 2).sum() for b in centres] for a in points]
    np.testing.assert_allclose(squared_distances(points, centres), expected, atol=1e-12)


def test_features_are_means_over_stretches_without_holes():
    errors = np.random.default_rng(0).random((4, 300))
    errors[1, :3] = np.nan
    errors[2, 10:20] = np.nan
    errors[3] = np.nan
    filled = errors.copy()
    filled[1, :3], filled[2, 10:20], filled[3] = errors[1, 3], errors[2, 9], 0
    features = error_features(errors, 7)
    edges = [stretch * 300 // 7 for stretch in range(8)]
    for row in range(4):
        expected = [filled[row, edges[i] : edges[i + 1]].mean() for i in range(7)]
        np.testing.assert_allclose(features[row], expected)


@pytest.mark.parametrize("count", range(8))
def test_labels_differ_and_rise(count):
    labels = cluster_labels(count)
    assert len(set(labels)) == len(labels) == count
    assert not any("group" in label for label in labels), "what items belong to is called so"
    if 2 <= count <= 5:
        assert labels[0].startswith("eas")
        assert labels[-1].startswith("hard")


def greedy_average_linkage(points, count):
    """Join the two clusters with the smallest mean distance of their points until there are `count`."""
    clusters = [[at] for at in range(len(points))]

    def distance(one, other):
        return sum(math.dist(points[a], points[b]) for a in one for b in other) / (len(one) * len(other))

    while len(clusters) > count:
        pairs = [(distance(clusters[i], clusters[j]), i, j) for j in range(len(clusters)) for i in range(j)]
        _, first, second = min(pairs)
        clusters[first] += clusters.pop(second)
    return sorted(sorted(cluster) for cluster in clusters)


def groups(assigned):
    return sorted(np.flatnonzero(assigned == cluster).tolist() for cluster in set(assigned.tolist()))


@pytest.mark.parametrize("count", [1, 2, 3, 7, 24, 25])
@pytest.mark.parametrize("seed", range(3))
def test_average_linkage_joins_the_nearest_first(seed, count):
    random = np.random.default_rng(seed)
    points = random.normal(0, 1, (25, 3)) + np.repeat(np.arange(5), 5)[:, None] * seed
    assigned = average_linkage(points, count)
    assert groups(assigned) == greedy_average_linkage(points.tolist(), count)
    first = [assigned.tolist().index(cluster) for cluster in range(count)]
    assert first == sorted(first)


@pytest.mark.parametrize(
    "points", [np.zeros((0, 3)), np.zeros((5, 3)), np.array([[1.0], [1.0], [2.0]]), np.ones((1, 0))]
)
def test_average_linkage_makes_no_more_clusters_than_different_points(points):
    assigned = average_linkage(points, 4)
    assert len(assigned) == len(points)
    assert set(assigned.tolist()) == set(range(len(np.unique(points, axis=0))))


def test_average_linkage_of_equal_distances_is_the_same_each_time():
    points = np.array([[x, y] for x in range(5) for y in range(4)], dtype=float)
    np.testing.assert_array_equal(average_linkage(points, 6), average_linkage(points.copy(), 6))
    assert len(set(average_linkage(points, 6).tolist())) == 6


def test_standardised_rows_keep_their_course_alone():
    features = np.random.default_rng(0).random((5, 9))
    features[3] = features[0] * 7 + 2
    features[4] = 0.1
    assert not standardised(np.zeros((2, 9))).any()
    found = standardised(features)
    for row in range(3):
        mean = sum(features[row]) / 9
        spread = math.sqrt(sum((value - mean) ** 2 for value in features[row]) / 9)
        np.testing.assert_allclose(found[row], [(value - mean) / spread for value in features[row]])
    np.testing.assert_allclose(found[3], found[0], atol=1e-9)
    assert not found[4].any()
