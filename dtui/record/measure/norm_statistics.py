"""Computes the statistics of normalisation layers from their values, in float64, on the writer's thread.

Owns the formulas. Running statistics describe the inputs of a layer, so changed data or a broken earlier layer show
there before they show in a loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.model import NORM_STATISTICS, FloatArray, IntArray
from dtui.record.network.norm_layers import Kept

NEAR_ZERO = 1e-3
"""A scale below this share of what was usual at the first record counts as zero. Source: dtui (FINDINGS §2)."""

_Float64 = NDArray[np.float64]


class NormDeriver:
    """Computes record after record; keeps the values of the last record, and the usual size of the scales."""

    def __init__(self, channels: Sequence[int], kernel: ModuleType | None = None) -> None:
        """Prepare for layers with these numbers of channels, each > 0; `kernel` is `norm_kernel`, None for NumPy."""
        self._kernel = kernel
        self._starts = np.cumsum([0, *channels[:-1]]) if channels else np.zeros(0, np.int64)
        self._groups: list[tuple[IntArray, IntArray]] = []
        """Layers of equally many channels together: which layers, (k,), and where their values are, (k, channels)."""
        sizes = np.array(channels, np.int64)
        for size in np.unique(sizes):
            rows = np.flatnonzero(sizes == size)
            self._groups.append((rows, self._starts[rows][:, None] + np.arange(size)))
        self._channels = sizes
        self._before: _Float64 | None = None
        self._usual: _Float64 | None = None
        self._size: _Float64 = np.full(len(sizes), np.nan)
        self._edges = np.append(self._starts, self._channels.sum())
        self._places = np.array([] if kernel is None else list(map(NORM_STATISTICS.index, kernel.COLUMNS)))

    def derive(self, values: FloatArray) -> FloatArray:
        """Return the statistics of one record.

        Args:
            values: Shape (len(Kept), channels of all layers); NaN for values that a layer lacks, infinity for NaN in
                the layer itself.

        Returns:
            Shape (len(NORM_STATISTICS), layers), float32, over the finite channels; NaN if there are none, and at the
            first record in statistics that compare two records.
        """
        if self._kernel is not None:
            return self._compiled(self._kernel, values)
        now = values.astype(np.float64)
        taken, broken = ~np.isnan(now), np.isinf(now)
        now[broken] = np.nan
        before = np.full_like(now, np.nan) if self._before is None else self._before
        self._before = now
        with np.errstate(all="ignore"):
            spread = _positive(before[Kept.VARIANCE])
            size_before, self._size = self._size, self._medians(np.abs(now[Kept.SCALE]))
            if self._usual is None:
                self._usual = self._size
            columns = {
                "mean_shift": np.sqrt(self._medians((now[Kept.MEAN] - before[Kept.MEAN]) ** 2 / spread)),
                "variance_shift": self._medians(np.abs(np.log(_positive(now[Kept.VARIANCE]) / spread))),
                "scale_shift": self._medians(np.abs(now[Kept.SCALE] - before[Kept.SCALE])) / _positive(size_before),
                "zero_scales": self._share_near_zero(now[Kept.SCALE], self._usual),
                "nonfinite": np.where(self._sums(taken) > 0, self._sums(broken), np.nan),
            }
            return np.stack([columns[name] for name in NORM_STATISTICS]).astype(np.float32)

    def _compiled(self, kernel: ModuleType, values: FloatArray) -> FloatArray:
        """Return the same, computed in one call that frees the interpreter."""
        is_first = self._before is None
        if self._before is None or self._usual is None:
            self._before, self._usual = np.full(values.shape, np.nan), self._size.copy()
        statistics = np.full((len(NORM_STATISTICS), len(self._channels)), np.nan, np.float32)
        values = np.require(values, np.float32, ["C", "W"])
        kernel.derive(
            values, self._before, self._usual, self._size, self._edges, self._places, NEAR_ZERO, is_first, statistics
        )
        return statistics

    def _share_near_zero(self, scale: _Float64, usual: _Float64) -> _Float64:
        """Return the share of each layer's scales that are small compared with their usual size at the first record."""
        limit = np.repeat(NEAR_ZERO * _positive(usual), self._channels)
        judged = ~np.isnan(scale) & ~np.isnan(limit)
        share: _Float64 = self._sums(judged & (np.abs(scale) < limit)) / _positive(self._sums(judged))
        return share

    def _sums(self, values: NDArray[Any]) -> _Float64:
        """Return the sum over each layer's channels, for all kinds together if there are several."""
        flat = values.astype(np.float64).reshape(-1, int(self._channels.sum())).sum(axis=0)
        total: _Float64 = np.add.reduceat(flat, self._starts)
        return total

    def _medians(self, values: _Float64) -> _Float64:
        """Return the median of each layer's channels, ignoring NaN; NaN if nothing is left."""
        medians = np.empty(len(self._channels))
        for rows, at in self._groups:
            ordered = np.sort(values[at], axis=1)  # NaN last; a partition takes longer
            count = np.count_nonzero(~np.isnan(ordered), axis=1)
            middle = np.stack([np.maximum(count - 1, 0) // 2, np.minimum(count // 2, at.shape[1] - 1)], axis=1)
            medians[rows] = np.take_along_axis(ordered, middle, axis=1).mean(axis=1)
        return medians


def _positive(values: _Float64) -> _Float64:
    """Return the values, with NaN for those that are not above zero."""
    kept: _Float64 = np.where(values > 0, values, np.nan)
    return kept
