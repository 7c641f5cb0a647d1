"""Classes whose error series resemble each other.

Owns k-means and the words for its clusters.
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
        - 2.0 * points @ centres.T
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
        for lonely in np.setdiff1d(np.arange(len(centres)), nearest):
            nearest[int(distances[np.arange(len(points)), nearest].argmax())] = lonely
        if np.array_equal(nearest, assigned):
            break
        assigned = nearest
        members = assigned[None, :] == np.arange(len(centres))[:, None]
        centres = members @ points / np.maximum(members.sum(axis=1), 1)[:, None]
    cost = float(squared_distances(points, centres)[np.arange(len(points)), assigned].sum())
    return assigned, cost


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
    """Name clusters that are in order of rising mean error, relative to each other.

    Relative words, because "hard" of a network at 2 % error and of one at 40 % mean nothing alike; the error itself
    stands beside the label on every screen.

    Args:
        count: Number of clusters, >= 0.

    Returns:
        One label a cluster, all different.

    Source: dtui.
    """
    return _WORDS.get(count) or tuple(f"group {position + 1} of {count}" for position in range(count))
