"""Sorts images and filters for display.

Owns every sort order. Ties keep the order of the data.
"""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray, IntArray


def by_largest_first(values: FloatArray | IntArray) -> IntArray:
    """Return the positions of the values from the largest to the smallest, shape (n,); NaN last."""
    order: IntArray = np.argsort(-np.asarray(values, dtype=np.float64), kind="stable")
    return order


def by_smallest_first(values: FloatArray | IntArray) -> IntArray:
    """Return the positions of the values from the smallest to the largest, shape (n,); NaN last."""
    order: IntArray = np.argsort(values, kind="stable")
    return order


def by_most_frequent(kinds: IntArray) -> IntArray:
    """Return positions with the most frequent kind first, of equally frequent ones the smallest, shape (n,)."""
    found, own, counts = np.unique(kinds, return_inverse=True, return_counts=True)
    rank = np.empty(len(found), dtype=np.int64)
    rank[np.lexsort((found, -counts))] = np.arange(len(found))
    order: IntArray = np.argsort(rank[own], kind="stable")
    return order


def by_peak(values: FloatArray) -> IntArray:
    """Order rows by the position of their largest value, the first of equal ones. Rows without values come last.

    Args:
        values: Shape (rows, columns), such as the errors of classes over time; NaN is no value.

    Returns:
        Shape (rows,), positions.

    Source: DeepTracker (ACM TIST 2018): rows of a pixel chart by peak time.
    """
    columns = values.shape[1]
    if columns == 0:
        return np.arange(len(values))
    known = ~np.isnan(values)
    peaks = np.where(known, values, -np.inf).argmax(axis=1)
    return by_smallest_first(np.where(known.any(axis=1), peaks, columns))


def by_similarity(features: FloatArray) -> IntArray:
    """Order rows so that similar ones lie side by side, the end with the larger rows first.

    Classical scaling to one dimension of the distance √(2 - 2 cosine similarity), which is the leading
    principal component of the rows at unit length.

    Args:
        features: Shape (rows, values), finite, such as the correctness of images over time. A row of zeros has
            no direction and lies at the origin.

    Returns:
        Shape (rows,), positions.

    Source: DeepTracker (ACM TIST 2018): images ordered by 1-D scaling on cosine distance.
    """
    rows = np.asarray(features, dtype=np.float64)
    if len(rows) < 3 or rows.shape[1] == 0:
        return by_largest_first(rows.sum(axis=1))
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit = rows / np.where(norms > 0, norms, 1.0)
    centred = unit - unit.mean(axis=0)
    direction = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    place = centred @ direction
    size = rows.mean(axis=1)
    if float((size - size.mean()) @ place) < 0:
        place = -place
    return by_largest_first(np.round(place, 9))
