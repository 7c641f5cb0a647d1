"""Computes the statistics of a record from sums and samples, in float64, on the writer thread.

Owns the formulas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.model import (
    CHANGE_RATIO_EDGES,
    FILTER_STATISTICS,
    HISTOGRAM_BINS,
    LAYER_STATISTICS,
    SKIPPED_UPDATES,
    SOURCES,
    BoolArray,
    FloatArray,
    IntArray,
    Record,
    Structure,
)
from dtui.record.backends.sums import SOURCE_SUMS, Sum
from dtui.record.measure.adapter_values import adapter_statistics
from dtui.record.measure.channel_values import ChannelPlaces
from dtui.record.measure.compiled import CompiledStatistics, load_kernels
from dtui.record.measure.norm_statistics import NormDeriver
from dtui.record.measure.parameter_values import READ, joined, parameter_statistics
from dtui.record.measure.samples import plan_modules
from dtui.record.network.norm_layers import SHIFT, Kept
from dtui.record.training.seen import joined_seen
from dtui.record.training.skipped_updates import Skips

_Float64 = NDArray[np.float64]


@dataclass(frozen=True, eq=False, slots=True)
class RawRecord:
    """The values that the training thread measured for one record.

    Attributes:
        iteration: Iteration of the record.
        sums: Shape (len(Sum), F), float32; NaN where nothing was measured.
        samples: Shape (3, L, samples), float32, sources as in SOURCES; NaN where nothing was measured. A watch has
            none.
        scalars: The values that the loop logged.
        norms: Values of the normalisation layers, shape (len(Kept), channels of all) or one row more, see
            `NormValues.take`; None if there are none, or they were not read.
        parameters: Norms of the parameters outside the layers, see `ParameterValues.take`; None as of norms.
        spread: Which of these are spread over processes, shape (parameters,); None as of norms.
        adapters: Sizes of the adapters, see `AdapterValues.take`; None as of norms.
    """

    iteration: int
    sums: FloatArray
    samples: FloatArray
    scalars: Mapping[str, float]
    norms: FloatArray | None = None
    parameters: FloatArray | None = None
    spread: BoolArray | None = None
    adapters: FloatArray | None = None
    seen: IntArray | None = None

    def parts(self) -> dict[str, NDArray[Any]]:
        """Return the parts of this record that another process needs, by the names of `with_part`."""
        own: dict[str, NDArray[Any]] = {"sums": self.sums, "samples": self.samples}
        if self.seen is not None:
            own["seen"] = self.seen
        if self.norms is not None:
            own["scales"] = self.norms[_spread_rows(self.norms)]
        if self.parameters is not None and self.spread is not None:
            own["parameters"] = np.where(self.spread, self.parameters, np.float32(np.nan))
        return own

    def with_part(
        self,
        sums: FloatArray,
        samples: FloatArray,
        scales: FloatArray | None = None,
        parameters: FloatArray | None = None,
        seen: IntArray | None = None,
    ) -> RawRecord:
        """Return the record merged with a part from another device or process, which is NaN except at its own filters.

        Of the normalisation layers only scales and shifts can be spread over processes; the other values are always
        this process's. The squares of the norms of parameters that are spread are added.
        """
        merged = np.where(np.isnan(self.sums), sums, self.sums)
        nonfinite = slice(Sum.WEIGHT_NONFINITE, None)  # 0 where nothing was taken; a gathered filter is in both
        merged[nonfinite] = np.maximum(self.sums[nonfinite], sums[nonfinite])
        values = np.where(np.isnan(self.samples), samples, self.samples)
        norms = self.norms
        if norms is not None and scales is not None and norms[_spread_rows(norms)].shape == scales.shape:
            norms, rows = norms.copy(), _spread_rows(norms)
            norms[rows] = np.where(np.isnan(norms[rows]), scales, norms[rows])
        own = self.parameters
        if own is not None and parameters is not None and own.shape == parameters.shape:
            own = joined(own, parameters)
        looked = joined_seen(self.seen, seen)
        return replace(self, sums=merged, samples=values, norms=norms, parameters=own, seen=looked)

    def with_skips(self, skips: Skips) -> RawRecord:
        """Return the record with the number of updates that a GradScaler has skipped so far, if there are any.

        If its own update was skipped, its gradients are still scaled, and NaN or Inf among them is no trouble: it has
        none of them.
        """
        if not skips.count:
            return self
        raw = replace(self, scalars={**self.scalars, SKIPPED_UPDATES: float(skips.count)})
        if not skips.is_last:
            return raw
        sums, samples = raw.sums.copy(), raw.samples.copy()
        sums[Sum.GRADIENT_SUM : Sum.GRADIENT_DEVIATION + 1] = np.nan
        sums[Sum.GRADIENT_NONFINITE] = 0
        samples[SOURCES.index("gradients")] = np.nan
        parameters = None if raw.parameters is None else raw.parameters.copy()
        if parameters is not None:
            parameters[READ.index("gradient_norm")] = np.nan
        return replace(raw, sums=sums, samples=samples, parameters=parameters)


def _spread_rows(norms: FloatArray) -> list[int]:
    """Return the rows of the values of normalisation layers that can be spread over processes."""
    return [row for row in (Kept.SCALE, SHIFT) if row < len(norms)]


class Deriver:
    """Computes record after record; keeps the norms of the last record."""

    def __init__(self, structure: Structure, has_kernel: bool = False) -> None:
        """Prepare the index arrays for a structure.

        Args:
            structure: The network.
            has_kernel: Whether to compute with compiled kernels where they are available.
        """
        self._starts = np.array([layer.first_filter for layer in structure.layers])
        self._filters = np.array([layer.filters for layer in structure.layers])
        self._layer_elements = np.array([int(np.prod(layer.shape)) for layer in structure.layers], dtype=np.float64)
        self._filter_elements = np.repeat(self._layer_elements / self._filters, self._filters)
        self._members = [np.array(module.layers) for module in structure.modules]
        self._member_starts = np.cumsum([0, *(len(own) for own in self._members[:-1])])
        elements = [int(count) for count in self._layer_elements]
        self._plan = plan_modules(elements, [module.layers for module in structure.modules])
        self._norm_before: _Float64 | None = None
        kernels = load_kernels() if has_kernel else None
        self._compiled = None if kernels is None else CompiledStatistics(structure, self._plan)
        self._norms = NormDeriver(
            [norm.channels for norm in structure.norms], None if kernels is None else kernels.norms
        )
        self._channels = ChannelPlaces(structure)

    def derive(self, raw: RawRecord) -> Record:
        """Return the record; NaN where a statistic has no value."""
        return replace(
            self._derive(raw),
            norms=None if raw.norms is None else self._norms.derive(raw.norms[: len(Kept)]),
            channels=None if raw.norms is None else self._channels.values(raw.norms),
            parameters=None if raw.parameters is None else parameter_statistics(raw.parameters),
            adapters=None if raw.adapters is None else adapter_statistics(raw.adapters),
        )

    def _derive(self, raw: RawRecord) -> Record:
        """Return the record of filters, layers and modules."""
        if self._compiled is not None:
            arrays = self._compiled.derive(raw.sums, raw.samples)
            return Record(raw.iteration, *arrays, dict(raw.scalars))
        sums = raw.sums.astype(np.float64)
        samples = np.where(np.isfinite(raw.samples), raw.samples, np.float32(np.nan))
        with np.errstate(all="ignore"):
            filters = self._filter_statistics(sums)
            self._norm_before = sums[Sum.WEIGHT_NORM].copy()
            layers, modules = self._layer_statistics(sums, samples)
            histograms = self._histograms(samples[0], layers[0])
            shares = _change_ratio_shares(samples[0], samples[SOURCES.index("gradients")])
        return Record(raw.iteration, filters, layers, modules, histograms, shares, dict(raw.scalars))

    def _filter_statistics(self, sums: _Float64) -> FloatArray:
        nonfinite = np.nan_to_num(sums[Sum.WEIGHT_NONFINITE :])
        count = _positive(self._filter_elements - nonfinite[0])
        gradient_count = _positive(self._filter_elements - nonfinite[1])
        norm, total, norm1 = sums[Sum.WEIGHT_NORM], sums[Sum.WEIGHT_SUM], sums[Sum.WEIGHT_NORM1]
        change, before = sums[Sum.UPDATE_NORM], self._norm_before
        if before is None:
            before = np.full_like(norm, np.nan)
        whole = np.where(nonfinite[2] > 0, np.nan, 1.0)
        weight_scatter = _scatter(sums[Sum.WEIGHT_SUM : Sum.WEIGHT_DEVIATION + 1], count)
        gradient_scatter = _scatter(sums[Sum.GRADIENT_SUM : Sum.GRADIENT_DEVIATION + 1], gradient_count)
        columns = {
            "mean": total / count,
            "std": np.sqrt(weight_scatter / count),
            "norm": np.where(np.isnan(count), np.nan, norm),
            "share_negative": sums[Sum.WEIGHT_NEGATIVES] / count,
            "sum_positive": (norm1 + total) / 2,
            "sum_negative": (total - norm1) / 2,
            "update_norm": change * whole,
            "update_ratio": change / _positive(before) * whole,
            "cosine_distance": np.clip((change**2 - (norm - before) ** 2) / _positive(2 * norm * before), 0, 2) * whole,
            "gradient_mean": sums[Sum.GRADIENT_SUM] / gradient_count,
            "gradient_std": np.sqrt(gradient_scatter / gradient_count),
            "gradient_norm": np.where(np.isnan(gradient_count), np.nan, sums[Sum.GRADIENT_NORM]),
            "nonfinite": nonfinite[0] + nonfinite[1],
        }
        return np.stack([columns[name] for name in FILTER_STATISTICS]).astype(np.float32)

    def _layer_statistics(self, sums: _Float64, samples: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the statistics of layers and of modules, each (sources, statistics, nodes)."""
        layer_quartiles, module_quartiles = self._quartiles(samples)
        by_source = sums[: Sum.WEIGHT_NEGATIVES].reshape(len(SOURCES), SOURCE_SUMS, -1)
        total, norm, norm1, largest, smallest, _ = by_source.swapaxes(0, 1)
        taken = ~np.isnan(norm)  # a watch takes the norms alone
        nonfinite = np.nan_to_num(sums[Sum.WEIGHT_NONFINITE :])
        count = np.where(taken, self._filter_elements - nonfinite, 0)
        added = np.stack([total, norm**2, norm1, count])
        added[:, ~taken] = 0
        added = np.add.reduceat(added, self._starts, axis=-1)
        nodes = {
            **dict(zip(("sum", "square", "norm1", "count"), added, strict=True)),
            "max": np.maximum.reduceat(np.where(taken, largest, -np.inf), self._starts, axis=-1),
            "min": np.minimum.reduceat(np.where(taken, smallest, np.inf), self._starts, axis=-1),
            "nonfinite": np.add.reduceat(nonfinite, self._starts, axis=-1),
            "taken": np.logical_or.reduceat(taken, self._starts, axis=-1),
        }
        apart = count * (total / _positive(count) - np.repeat(_mean(nodes), self._filters, axis=-1)) ** 2
        scatter = np.where(count > 0, _scatter(by_source.swapaxes(0, 1), count) + apart, 0)
        nodes["scatter"] = np.add.reduceat(scatter, self._starts, axis=-1)
        return _describe(nodes, layer_quartiles), _describe(self._merge(nodes), module_quartiles)

    def _quartiles(self, samples: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the quartiles of layers and of modules, each (sources, 3, nodes); NaN where nothing was sampled."""
        sources, layers, taken = samples.shape
        if not taken:
            return np.full((sources, 3, layers), np.nan), np.full((sources, 3, len(self._members)), np.nan)
        flat = np.concatenate([samples.reshape(sources, -1), np.full((sources, 1), np.nan, np.float32)], axis=1)
        return _quartiles(samples), _quartiles(flat[:, self._plan])

    def _merge(self, nodes: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Return the sums of modules from the sums of their layers."""
        joins = {"max": np.maximum, "min": np.minimum, "taken": np.logical_or}
        members, starts = np.concatenate(self._members), self._member_starts
        count, mean = nodes["count"][:, members], _mean(nodes)[:, members]
        merged = {
            name: joins.get(name, np.add).reduceat(values[:, members], starts, axis=-1)
            for name, values in nodes.items()
        }
        apart = count * (mean - np.repeat(_mean(merged), [len(own) for own in self._members], axis=-1)) ** 2
        merged["scatter"] = merged["scatter"] + np.add.reduceat(np.where(count > 0, apart, 0), starts, axis=-1)
        return merged

    def _histograms(self, weights: FloatArray, statistics: FloatArray) -> IntArray:
        """Count the sampled weights of each layer in equal bins from its smallest to its largest weight."""
        low = statistics[LAYER_STATISTICS.index("min")].astype(np.float64)[:, None]
        high = statistics[LAYER_STATISTICS.index("max")].astype(np.float64)[:, None]
        share = (weights - low) / np.where(high > low, high - low, 1.0)
        kept = ~np.isnan(share)
        bins = np.clip(np.where(kept, share, 0) * HISTOGRAM_BINS, 0, HISTOGRAM_BINS - 1).astype(np.int64)
        flat = bins + np.arange(len(weights))[:, None] * HISTOGRAM_BINS
        counts = np.bincount(flat[kept], minlength=len(weights) * HISTOGRAM_BINS)
        return counts.reshape(-1, HISTOGRAM_BINS).astype(np.uint32)


def _describe(nodes: Mapping[str, NDArray[Any]], quartiles: FloatArray) -> FloatArray:
    """Return the statistics of nodes from their sums, float32, shape (sources, statistics, nodes).

    Args:
        nodes: Sums by name, each of shape (sources, nodes).
        quartiles: q1, median and q3, shape (sources, 3, nodes).
    """
    taken: BoolArray = np.asarray(nodes["taken"], dtype=np.bool_)
    values = {name: np.asarray(column, dtype=np.float64) for name, column in nodes.items()}
    count = _positive(values["count"])
    mean = values["sum"] / count
    variance = values["scatter"] / count
    columns = {
        "max": values["max"],
        "min": values["min"],
        "mean": mean,
        "sum": values["sum"],
        "var": variance,
        "std": np.sqrt(variance),
        "norm1": values["norm1"],
        "norm2": np.sqrt(values["square"]),
        "median": quartiles[:, 1],
        "q1": quartiles[:, 0],
        "q3": quartiles[:, 2],
    }
    gaps = np.where(taken & ~np.isnan(count), 0.0, np.nan)
    described = {name: column + gaps for name, column in columns.items()}
    described["nonfinite"] = np.where(taken | (values["nonfinite"] > 0), values["nonfinite"], np.nan)
    return np.stack([described[name] for name in LAYER_STATISTICS], axis=1).astype(np.float32)


def _quartiles(samples: FloatArray) -> FloatArray:
    """Return q1, median and q3 along the last axis, linear between elements, shape (..., 3, nodes); NaN ignored."""
    ordered = np.sort(samples, axis=-1)
    count = np.sum(~np.isnan(ordered), axis=-1)
    columns = []
    for quantile in (0.25, 0.5, 0.75):
        place = quantile * np.maximum(count - 1, 0)
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(count - 1, 0))
        low = np.take_along_axis(ordered, below[..., None], -1)[..., 0].astype(np.float64)
        high = np.take_along_axis(ordered, above[..., None], -1)[..., 0]
        columns.append(low + (high - low) * (place - below))
    return np.stack(columns, axis=-2)


def _change_ratio_shares(weights: FloatArray, gradients: FloatArray) -> FloatArray:
    """Return the cumulative shares of |gradient / weight| <= edge, shape (L, edges); without a gradient, NaN.

    If weight and gradient are both zero, the weight counts as unchanged.
    """
    size, change = np.abs(weights), np.abs(gradients)
    count = _positive(np.count_nonzero(size + change >= 0, axis=1).astype(np.float64))
    edges = np.array(CHANGE_RATIO_EDGES, dtype=np.float32)[:, None, None]
    unchanged = np.count_nonzero(change <= edges * size, axis=2)  # not where one of them is NaN
    shares: FloatArray = (unchanged / count).T.astype(np.float32)
    return shares


def _scatter(sums: _Float64, count: _Float64) -> _Float64:
    """Return the sum of squared differences from the mean of each filter, from its sums along the first axis."""
    total, norm, *_, deviation = sums
    taken: _Float64 = np.where(np.isnan(deviation), np.maximum(norm**2 - total**2 / _positive(count), 0), deviation**2)
    return taken


def _mean(nodes: Mapping[str, NDArray[Any]]) -> _Float64:
    mean: _Float64 = nodes["sum"] / _positive(nodes["count"])
    return mean


def _positive(values: _Float64) -> _Float64:
    """Return the values, with NaN for those that are not above zero, because they cannot be divisors."""
    kept: _Float64 = np.where(values > 0, values, np.nan)
    return kept
