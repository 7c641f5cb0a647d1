"""Puts stored histograms, whose bins change from record to record, on common bins."""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray, IntArray

COARSEST = 0.25
"""A stored bin may be this share of the common range: a wider one says nothing about what lies within it."""


def rebin(counts: IntArray, low: FloatArray, high: FloatArray, edges: FloatArray) -> FloatArray:
    """Return the share of the elements in each of some common bins, at several records.

    Within a stored bin, elements count as evenly spread. The outermost common bins also hold what lies beyond them.

    Args:
        counts: Elements in equal bins from `low` to `high`, shape (bins, records), negative where unknown.
        low: Smallest element at each record, shape (records,).
        high: Largest, same shape.
        edges: Ends of the common bins, ascending, shape (n + 1,).

    Returns:
        Shape (n, records), in [0, 1]. NaN where nothing is known, and where the stored bins are wider than a quarter
        of the common range.

    Source: dtui.
    """
    bins, records = counts.shape
    shares = np.full((len(edges) - 1, records), np.nan)
    totals = counts.sum(0)
    span = float(edges[-1] - edges[0])
    known = (counts >= 0).all(0) & (totals > 0) & np.isfinite(low) & np.isfinite(high) & (high >= low)
    known &= (high - low) / bins <= COARSEST * span
    at = np.flatnonzero(known)
    if not len(at):
        return shares
    width = np.where(high[at] > low[at], high[at] - low[at], np.finfo(np.float64).tiny)
    place = np.clip((edges[:, None] - low[at]) / width * bins, 0, bins)
    place[0], place[-1] = 0, bins
    whole = np.minimum(place.astype(np.int64), bins - 1)
    below = np.concatenate([np.zeros((1, len(at))), np.cumsum(counts[:, at], axis=0)]) / totals[at]
    columns = np.arange(len(at))
    begun = below[whole, columns] + (place - whole) * (below[whole + 1, columns] - below[whole, columns])
    shares[:, at] = np.diff(begun, axis=0)
    return shares


def common_edges(low: FloatArray, q1: FloatArray, q3: FloatArray, high: FloatArray, bins: int) -> FloatArray:
    """Return equal bins for the histograms of a layer over the run, shape (bins + 1,).

    They reach from three times the quartiles' distance below the lowest first quartile to as far above the highest
    third one, and no farther than the elements do: a single far weight makes no bin wider.

    Args:
        low: Smallest element at each record, shape (records,); NaN where unknown.
        q1: First quartile.
        q3: Third quartile.
        high: Largest element.
        bins: >= 1.

    Source: dtui, after Tukey's outer fences.
    """
    known = np.isfinite(low) & np.isfinite(high) & np.isfinite(q1) & np.isfinite(q3)
    if not known.any():
        return np.linspace(-1.0, 1.0, bins + 1)
    reach = 3 * np.median((q3 - q1)[known])
    begin = max(float(low[known].min()), float(np.quantile(q1[known], 0.05)) - reach)
    end = min(float(high[known].max()), float(np.quantile(q3[known], 0.95)) + reach)
    if not end > begin:
        margin = max(abs(begin) / 100, 1e-6)
        begin, end = begin - margin, begin + margin
    return np.linspace(begin, end, bins + 1)
