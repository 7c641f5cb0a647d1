"""Groups classes with similar error series.

Owns k-means, average linkage, and the labels of the clusters.
"""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray, IntArray

SEED = 0
RESTARTS = 4
MOST_ROUNDS = 50


def squared_distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    """Return the squared Euclidean distances, shape (points, centres), >= 0 up to rounding.

    Args:
        points: Shape (points, values), finite.
        centres: Shape (centres, values), finite.
    """
    result: FloatArray = (
        np.einsum("ij,ij->i", points, points)[:, None]
        + np.einsum("ij,ij->i", centres, centres)[None, :]
        - points @ (2.0 * centres).T  # doubling is exact, and the centres are fewer
    )
    return result


def _spread_centres(points: FloatArray, count: int, random: np.random.Generator) -> FloatArray:
    """Choose starting centres far from each other (k-means++)."""
    centres = points[[int(random.integers(len(points)))]]
    while len(centres) < count:
        nearest = np.maximum(squared_distances(points, centres).min(axis=1), 0.0)
        total = float(nearest.sum())
        chances = nearest / total if total > 0 else np.full(len(points), 1.0 / len(points))
        centres = np.concatenate([centres, points[[int(random.choice(len(points), p=chances))]]])
    return centres


def k_means(points: FloatArray, count: int) -> IntArray:
    """Assign points to `count` clusters so that squared distances to the clusters' means are small.

    The same points always give the same clusters: the seed is fixed, and the best of a few starts is kept.

    Args:
        points: Shape (points, values), finite.
        count: Clusters, >= 1; no more are made than there are different points.

    Returns:
        Shape (points,), cluster numbers from 0 without holes.

    Source: Lloyd 1982; start: Arthur and Vassilvitskii 2007 (k-means++).
    """
    points = np.asarray(points, dtype=np.float64)
    if len(points) == 0:
        return np.zeros(0, dtype=np.int64)
    count = max(1, min(count, len(np.unique(points, axis=0))))
    random = np.random.default_rng(SEED)
    best: IntArray = np.zeros(len(points), dtype=np.int64)
    least = np.inf
    for _ in range(RESTARTS if count > 1 else 1):
        assigned, cost = _settle(points, _spread_centres(points, count, random))
        if cost < least - 1e-12:
            best, least = assigned, cost
    result: IntArray = np.unique(best, return_inverse=True)[1].astype(np.int64)
    return result


def _settle(points: FloatArray, centres: FloatArray) -> tuple[IntArray, float]:
    """Move centres to their points' means until no point changes its centre; return assignment and cost."""
    assigned: IntArray = np.full(len(points), -1, dtype=np.int64)
    for _ in range(MOST_ROUNDS):
        distances = squared_distances(points, centres)
        nearest: IntArray = distances.argmin(axis=1)
        for lonely in np.flatnonzero(np.bincount(nearest, minlength=len(centres)) == 0):
            nearest[int(distances[np.arange(len(points)), nearest].argmax())] = lonely
        if np.array_equal(nearest, assigned):
            break
        assigned = nearest
        members = assigned[None, :] == np.arange(len(centres))[:, None]
        centres = members @ points / np.maximum(members.sum(axis=1), 1)[:, None]
    cost = float(squared_distances(points, centres)[np.arange(len(points)), assigned].sum())
    return assigned, cost


def average_linkage(points: FloatArray, count: int) -> IntArray:
    """Assign points to `count` clusters by joining, again and again, the two with the smallest mean distance.

    The tree is found by following nearest neighbours until two are each other's, which takes time in proportion to
    points². Among equally near points the first is taken, so the same points always give the same clusters.

    Args:
        points: Shape (points, values), finite. The distances take 8 · points² bytes.
        count: Clusters, >= 1; no more are made than there are different points.

    Returns:
        Shape (points,), cluster numbers from 0 without holes, by first point.

    Source: Sokal and Michener 1958 (average linkage, UPGMA); nearest-neighbour chains: Murtagh 1983.
    """
    points = np.asarray(points, dtype=np.float64)
    if len(points) == 0:
        return np.zeros(0, dtype=np.int64)
    count = max(1, min(count, len(np.unique(points, axis=0))))
    joins = _joins(np.sqrt(np.maximum(squared_distances(points, points), 0.0)))
    joins.sort(key=lambda join: join[0])
    group = list(range(len(points)))
    for _, one, other in joins[: len(points) - count]:
        one, other = _root(group, one), _root(group, other)
        group[max(one, other)] = min(one, other)
    roots = [_root(group, point) for point in range(len(points))]
    result: IntArray = np.unique(roots, return_inverse=True)[1].astype(np.int64)
    return result


def _joins(distances: FloatArray) -> list[tuple[float, int, int]]:
    """Return all joins of average linkage as (distance, a point of one cluster, a point of the other), in no order.

    Args:
        distances: Shape (points, points), symmetric; written over.
    """
    points = len(distances)
    np.fill_diagonal(distances, np.inf)
    sizes = np.ones(points)
    joins: list[tuple[float, int, int]] = []
    chain: list[int] = []
    alone = 0  # the first point that may still stand for a cluster
    while len(joins) < points - 1:
        if not chain:
            while sizes[alone] == 0:
                alone += 1
            chain.append(alone)
        last = chain[-1]
        near = int(distances[last].argmin())
        if len(chain) < 2 or distances[last, chain[-2]] > distances[last, near]:
            chain.append(near)
            continue
        near = chain[-2]
        del chain[-2:]
        joins.append((float(distances[last, near]), near, last))
        both = sizes[near] + sizes[last]
        mean = (sizes[near] * distances[near] + sizes[last] * distances[last]) / both
        mean[near] = mean[last] = np.inf
        distances[near], distances[:, near] = mean, mean
        distances[last], distances[:, last] = np.inf, np.inf
        sizes[near], sizes[last] = both, 0
    return joins


def _root(group: list[int], point: int) -> int:
    """Return the point that represents a point's cluster, and shorten the path to it (union-find)."""
    while group[point] != point:
        group[point] = group[group[point]]
        point = group[point]
    return point


def standardised(features: FloatArray) -> FloatArray:
    """Return each row with mean 0 and standard deviation 1: the level is removed, the shape over time stays.

    Args:
        features: Shape (rows, values), finite, at least one value a row.

    Returns:
        Same shape; zeros for a row that is constant up to rounding.
    """
    centred = features - features.mean(axis=1, keepdims=True)
    spread = centred.std(axis=1, keepdims=True)
    is_flat = spread <= 1e-12 * np.abs(features).max(axis=1, keepdims=True, initial=0.0)
    result: FloatArray = np.where(is_flat, 0.0, centred / np.where(is_flat, 1.0, spread))
    return result


def error_features(errors: FloatArray, most: int = 128) -> FloatArray:
    """Return class error series as points for k-means: at most `most` means over equal stretches of time.

    Args:
        errors: Shape (classes, validations), NaN where a class was not judged.
        most: Most values a class.

    Returns:
        Shape (classes, min(validations, most)), finite: a NaN takes the value before it, or else the next.

    Source: dtui.
    """
    filled = _fill(np.asarray(errors, dtype=np.float64))
    validations = filled.shape[1]
    if validations <= most:
        return filled
    edges = np.arange(most) * validations // most
    result: FloatArray = np.add.reduceat(filled, edges, axis=1) / np.diff(np.append(edges, validations))
    return result


def _fill(series: FloatArray) -> FloatArray:
    """Replace each NaN by the value before it in its row, or the first after it, or 0."""
    if not np.isnan(series).any():
        return series
    absent = np.isnan(series)
    positions = np.where(absent, -1, np.arange(series.shape[1]))
    before = np.maximum.accumulate(positions, axis=1)
    first = np.argmax(~absent, axis=1)
    filled = series[np.arange(len(series))[:, None], np.where(before < 0, first[:, None], before)]
    return np.nan_to_num(filled, nan=0.0)


_WORDS = {
    1: ("all classes",),
    2: ("easier", "harder"),
    3: ("easiest", "middling", "hardest"),
    4: ("easiest", "easier", "harder", "hardest"),
    5: ("easiest", "easier", "middling", "harder", "hardest"),
}


def cluster_labels(count: int) -> tuple[str, ...]:
    """Return labels, relative to each other, for clusters in order of rising mean error.

    The words are relative, because a "hard" class of a network with 2 % error has little in common with one of a
    network with 40 % error. Every screen shows the error itself beside the label.

    Args:
        count: Number of clusters, >= 0.

    Returns:
        One label a cluster, all different.

    Source: dtui.
    """
    return _WORDS.get(count) or tuple(f"cluster {position + 1} of {count}" for position in range(count))
