"""Answers filters over time: one pixel row per filter, or the mean of several.

Owns sorting, normalising and pooling of filters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dtui.analysis.downsample import ColumnRecords, mean_rows, pool_farthest, pool_largest, row_edges
from dtui.analysis.filters import standing_out
from dtui.analysis.ordering import by_largest_first, by_similarity, by_smallest_first
from dtui.analysis.quantiles import column_quantiles, finite_above, magnitude_quantile, thin
from dtui.errors import UsageError
from dtui.model import (
    BoolArray,
    FilterCourses,
    FloatArray,
    Heatmap,
    HeatmapRequest,
    IntArray,
    TimeAxis,
    TreeNode,
    read_only,
)
from dtui.model.statistics import Drawn
from dtui.query.data import Arrays, RunData
from dtui.query.layers.beside.channels import channel_heatmap
from dtui.query.layers.courses import are_courses
from dtui.query.layers.filter_learning import FilterLearning
from dtui.query.layers.filter_values import values_of
from dtui.query.layers.shading import ROWS_AT_ONCE, by_blocks, magnitudes_of, mean_shades, usable
from dtui.query.tree import check_layer, node_of, tree_of

NORMALISATIONS = ("layer", "filter", "iteration")
SORTS = ("index", "activity", "peak", "similarity", "lead")
FEATURES = 128
SCALE_QUANTILE = 0.995
LOG_QUANTILE = 0.05
LOG_DECADES = (1.0, 9.0)
"""A logarithmic scale reaches down to the 5th percentile, over at least one and at most nine decades."""
MOST_FOR_SCALE = 1_000_000


class HeatmapQuery:
    """Answers `RunQuery.heatmap` and `RunQuery.filter_courses`."""

    def __init__(self, data: RunData, learning: FilterLearning) -> None:
        """Answer from a run's data, and what is known of its filters."""
        self._data = data
        self._learning = learning

    def heatmap(self, request: HeatmapRequest) -> Heatmap:
        """Answer `RunQuery.heatmap`."""
        _check(request)
        if request.norm is not None:
            return channel_heatmap(self._data, request)
        source = values_of(self._data, request.statistic)
        self._data.begin_answer("heatmap")
        node = node_of(self._data, request.node)
        order = _part_of(self._order(node, request), request.within)
        first = max(0, min(request.first, len(order) - 1))
        count = max(1, min(request.count, len(order) - first))
        rows = order[first : first + count]
        held = source.held(request.axis)
        decades = self._decades(node, request.statistic) if source.drawn is Drawn.LOG else 0.0
        scale = self._scale(node, request.statistic) if request.normalise == "layer" else float("nan")
        pooled = self._pooled(node, request.statistic, held, None if request.normalise == "iteration" else rows)
        if request.normalise == "iteration":
            divisor = usable(column_quantiles(np.abs(pooled), SCALE_QUANTILE))[None, :]
            pooled = pooled[rows]
        elif request.normalise == "filter":
            divisor = usable(self._row_peaks(node, request.statistic)[rows])[:, None]
        else:
            divisor = np.full((1, 1), scale)
        pixels = max(1, request.pixels)
        marks = self._data.remembered(("marks", node.index), lambda: self._marks(node))
        return Heatmap(
            request=replace(request, first=first, count=count),
            values=read_only(mean_rows(pooled, pixels)),
            shades=read_only(mean_shades(pooled, divisor.astype(np.float32), decades, pixels)),
            scale=scale,
            order=order,
            filters=len(order),
            dead=read_only(marks[0][order]),
            late=read_only(marks[1][order]),
            labels=read_only(marks[2][order]),
            nonfinite=self._nonfinite(node, held, rows, pixels) if source.is_of_records else None,
            decades=decades,
        )

    def courses(
        self, layer: int, statistic: str, axis: TimeAxis, count: int, first: Sequence[int] = ()
    ) -> FilterCourses:
        """Answer `RunQuery.filter_courses`."""
        source = values_of(self._data, statistic)
        self._data.begin_answer("heatmap")
        check_layer(self._data, layer)
        node = next(node for node in tree_of(self._data) if node.layer == layer)
        filters, times, values, filter_scales, column_scales, scale = self._data.pictured(
            ("courses", layer, statistic, axis, count, tuple(first)),
            lambda: self._courses(node, statistic, source.held(axis), count, first),
            lambda found: are_courses(found, node.filters, min(count, node.filters), axis.columns),
        )
        return FilterCourses(
            *(axis, layer, statistic),
            filters=read_only(filters),
            times=read_only(times),
            values=read_only(values),
            layer_scale=float(scale),
            filter_scales=read_only(filter_scales),
            column_scales=read_only(column_scales),
        )

    def _courses(self, node: TreeNode, statistic: str, held: ColumnRecords, count: int, first: Sequence[int]) -> Arrays:
        """Return the arrays of `FilterCourses`, the scale of the layer last."""
        matrix = values_of(self._data, statistic).overview(node.layers[0])
        times = standing_out(magnitudes_of(matrix, np.nan))
        wanted = [one for one in dict.fromkeys(first) if 0 <= one < node.filters]
        strongest = by_largest_first(np.nan_to_num(times, nan=-1.0))
        filters = np.array([*wanted, *(one for one in strongest.tolist() if one not in wanted)][:count], dtype=np.int64)
        pooled = self._pooled(node, statistic, held, None)
        return (
            filters,
            times[filters],
            pooled[filters],
            usable(self._row_peaks(node, statistic)[filters]),
            usable(column_quantiles(np.abs(pooled), SCALE_QUANTILE)),
            usable(np.array([self._scale(node, statistic)]))[0],
        )

    # --- rows
    def _order(self, node: TreeNode, request: HeatmapRequest) -> IntArray:
        """Return row on screen to filter within the node, shape (n,)."""
        if request.sort != "lead":
            return self._data.remembered(
                ("order", node.index, request.statistic, request.sort),
                lambda: read_only(self._sorted(node, request.statistic, request.sort)),
            )
        lead = [filter for filter in dict.fromkeys(request.lead) if 0 <= filter < node.filters]
        return read_only(np.array([*lead, *sorted(set(range(node.filters)) - set(lead))], dtype=np.int64))

    def _sorted(self, node: TreeNode, statistic: str, sort: str) -> IntArray:
        """Return row on screen to filter within the node, over all records of the run, shape (n,)."""
        if sort == "activity":
            return by_largest_first(np.concatenate([self._activity(layer, statistic) for layer in node.layers]))
        if sort == "peak":
            return by_smallest_first(np.concatenate([self._peak_position(layer, statistic) for layer in node.layers]))
        if sort == "similarity":
            return by_similarity(np.concatenate([self._course(layer, statistic) for layer in node.layers]))
        return np.arange(node.filters)

    def _course(self, layer: int, statistic: str) -> FloatArray:
        """Return the mean magnitude of each filter over equal stretches of time, shape (filters, at most 128)."""
        matrix = values_of(self._data, statistic).overview(layer)
        edges = row_edges(matrix.shape[1], FEATURES)
        if not len(edges):
            return np.zeros((len(matrix), 0))
        lengths = np.diff(np.append(edges, matrix.shape[1]))
        return by_blocks(
            matrix,
            lambda values: np.add.reduceat(magnitudes_of(values, 0), edges, axis=1, dtype=np.float64) / lengths,
        )

    def _activity(self, layer: int, statistic: str) -> FloatArray:
        """Return the sum of magnitudes of each filter over the records, or the bins of a long run."""
        return by_blocks(
            values_of(self._data, statistic).overview(layer),
            lambda values: magnitudes_of(values, 0).sum(axis=1, dtype=np.float64),
        )

    def _peak_position(self, layer: int, statistic: str) -> IntArray:
        """Return the record, or bin of a long run, in which each filter's magnitude is largest."""
        matrix = values_of(self._data, statistic).overview(layer)
        if not matrix.shape[1]:
            return np.zeros(len(matrix), dtype=np.int64)
        return by_blocks(matrix, lambda values: magnitudes_of(values, -1).argmax(axis=1))

    def _row_peaks(self, node: TreeNode, statistic: str) -> FloatArray:
        """Return the largest finite magnitude of each filter of the node over the run, shape (n,)."""

        def peaks() -> FloatArray:
            matrices = (values_of(self._data, statistic).overview(layer) for layer in node.layers)
            return np.concatenate(
                [
                    by_blocks(matrix, lambda values: magnitudes_of(values, 0).max(axis=1, initial=0))
                    for matrix in matrices
                ]
            )

        return self._data.remembered(("row peaks", node.index, statistic), peaks)

    def _scale(self, node: TreeNode, statistic: str) -> float:
        """Return the 99.5th percentile of magnitudes over the node's filters and records, > 0; a sample of many."""

        def scale() -> float:
            return magnitude_quantile(self._sample(node, statistic), SCALE_QUANTILE, overwrite_input=True)

        return self._data.remembered(("scale", node.index, statistic), scale)

    def _decades(self, node: TreeNode, statistic: str) -> float:
        """Return the decades of a logarithmic scale from a sample of the node's positive values."""

        def decades() -> float:
            scale = self._scale(node, statistic)
            positive = finite_above(0.0, self._sample(node, statistic))
            if not len(positive):
                return LOG_DECADES[0]
            lowest = float(np.quantile(positive, LOG_QUANTILE, overwrite_input=True))
            return float(np.clip(np.log10(scale / lowest), *LOG_DECADES))

        return self._data.remembered(("decades", node.index, statistic), decades)

    def _sample(self, node: TreeNode, statistic: str) -> FloatArray:
        """Return magnitudes of the node's filters and records: all, or about as many as are enough for a scale."""
        return thin([values_of(self._data, statistic).sample(layer) for layer in node.layers], MOST_FOR_SCALE)

    def _pooled(self, node: TreeNode, statistic: str, held: ColumnRecords, rows: IntArray | None) -> FloatArray:
        """Return some filters of a node by column, in the order of `rows` (all of them if None), raw."""
        source = values_of(self._data, statistic)
        pool = pool_farthest if source.drawn is Drawn.SIGNED else pool_largest
        wanted = np.arange(node.filters) if rows is None else rows
        result = np.full((len(wanted), held.columns), np.nan, dtype=np.float32)
        first = 0
        for layer in node.layers:
            filters = self._data.structure.layers[layer].filters
            here = np.flatnonzero((wanted >= first) & (wanted < first + filters))
            if len(here):
                matrix, shown = source.within(layer, held)
                for at in range(0, len(here), ROWS_AT_ONCE):
                    some = here[at : at + ROWS_AT_ONCE]
                    result[some] = pool(matrix[wanted[some] - first], shown)
            first += filters
        return result

    # --- marks
    def _nonfinite(self, node: TreeNode, held: ColumnRecords, rows: IntArray, pixels: int) -> BoolArray | None:
        """Return where NaN or Inf was counted, shape (P, columns). If no layer has any: None, and no filter is read."""
        layers, counting = list(node.layers), ("weights", "gradients")
        sources = [source for source in counting if self._data.records_layers(source, "nonfinite")]
        if not self._data.records_filters("nonfinite"):
            return None
        if not any((self._data.layers(source, "nonfinite")[layers] > 0).any() for source in sources):
            return None
        counted: BoolArray = mean_rows(self._pooled(node, "nonfinite", held, rows), pixels) > 0
        counted.flags.writeable = False
        return counted

    def _marks(self, node: TreeNode) -> tuple[BoolArray, BoolArray, IntArray]:
        """Return dead, late starter and the layer of each filter of a node, by filter, each shape (n,)."""
        sizes = [self._data.structure.layers[layer].filters for layer in node.layers]
        return (
            np.concatenate([self._learning.dead(layer) for layer in node.layers]),
            np.concatenate([self._learning.late_starters(layer) for layer in node.layers]),
            np.repeat(np.array(node.layers, dtype=np.int64), sizes),
        )


def _part_of(order: IntArray, within: tuple[int, int] | None) -> IntArray:
    """Return the rows of a part of a node, in the same order; all of them where it has none."""
    if within is None:
        return order
    part = order[(order >= within[0]) & (order < within[1])]
    return read_only(part) if len(part) else order


def _check(request: HeatmapRequest) -> None:
    """Refuse names that are not known."""
    for what, name, known in (
        ("normalisation", request.normalise, NORMALISATIONS),
        ("filter order", request.sort, SORTS),
    ):
        if name not in known:
            raise UsageError(f"{what} {name!r} is unknown; use one of {', '.join(known)}")
