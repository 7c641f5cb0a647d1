"""Medians and quantiles of the filters of each layer, of all layers of one size at once: a run may have a hundred."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np

from dtui.model import FloatArray, IntArray, Layer


def layer_medians(layers: Sequence[Layer], values: FloatArray) -> FloatArray:
    """Return the median of the finite values of each layer's filters, shape (L, n); NaN where there are none.

    Args:
        layers: L of them.
        values: Shape (F, n).
    """
    return _ranked(layers, values, None)


def layer_quantiles(layers: Sequence[Layer], values: FloatArray, quantile: float) -> FloatArray:
    """Return the nearest-rank quantile of the finite values of each layer's filters, shape (L, n); NaN likewise.

    Args:
        layers: L of them.
        values: Shape (F, n).
        quantile: In [0, 1].
    """
    return _ranked(layers, values, quantile)


def layer_extremes(layers: Sequence[Layer], values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the lowest and highest of each layer's values, each of shape (L, n); NaN where all are.

    Args:
        layers: L of them in storage order, each with a filter or more.
        values: Shape (F, n); NaN is passed over, infinities count.
    """
    rows, begins = np.ascontiguousarray(values.T), np.array([layer.first_filter for layer in layers], dtype=np.intp)
    return np.fmin.reduceat(rows, begins, axis=1).T, np.fmax.reduceat(rows, begins, axis=1).T


def _ranked(layers: Sequence[Layer], values: FloatArray, quantile: float | None) -> FloatArray:
    result = np.full((len(layers), values.shape[1]), np.nan)
    rows = np.ascontiguousarray(values.T)
    for places, filters in _groups(tuple((layer.first_filter, layer.filters) for layer in layers)):
        part = rows[:, filters]
        finite = np.isfinite(part)
        counts = finite.sum(axis=-1)
        if not finite.all():
            part = np.where(finite, part, np.inf)  # behind every finite value
        for count in np.unique(counts[counts > 0]).tolist():
            chosen = counts == count
            found = _of_rows(part[chosen], count, quantile)
            result[places[np.nonzero(chosen)[1]], np.nonzero(chosen)[0]] = found
    return result


def _of_rows(rows: FloatArray, count: int, quantile: float | None) -> FloatArray:
    """Return the median, or a quantile, of the `count` smallest values of each row."""
    rank = count // 2 if quantile is None else max(0, int(np.ceil(quantile * count)) - 1)
    parted = np.partition(rows, rank, axis=1)
    upper: FloatArray = parted[:, rank].astype(np.float64)
    if quantile is not None or count % 2:
        return upper
    below: FloatArray = (upper + parted[:, :rank].max(axis=1)) / 2
    return below


@cache
def _groups(layers: tuple[tuple[int, int], ...]) -> tuple[tuple[IntArray, IntArray], ...]:
    """Return for each number of filters the k layers that have so many, and their rows, shape (k, filters)."""
    sizes = np.array([filters for _, filters in layers])
    groups = []
    for size in np.unique(sizes):
        places = np.flatnonzero(sizes == size)
        begins = np.array([layers[place][0] for place in places])
        groups.append((places, begins[:, None] + np.arange(size)))
    return tuple(groups)
