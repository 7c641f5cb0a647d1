"""Answers what one filter did over the run, beside the other filters of its layer."""

from __future__ import annotations

import numpy as np

from dtui.analysis.downsample import pool_largest
from dtui.analysis.quantiles import column_medians, column_quantiles
from dtui.errors import UsageError
from dtui.model import RECORDS_A_BIN, FloatArray, TimeAxis, read_only
from dtui.model.layers import INSPECTED, FilterCourse, FilterHistory
from dtui.query.data import RunData

BAND = (0.05, 0.95)
LEAST_BINS_A_COLUMN = 4


def filter_history(data: RunData, layer: int, filter: int, axis: TimeAxis) -> FilterHistory:
    """Answer `RunQuery.filter_history`."""
    layers = data.structure.layers
    if not 0 <= layer < len(layers):
        raise UsageError(f"layer {layer}: the run has layers 0–{len(layers) - 1}")
    own = layers[layer]
    if not 0 <= filter < own.filters:
        raise UsageError(f"layer {own.name} filter {filter}: the layer has filters 0–{own.filters - 1}")
    data.begin_answer("filter history")
    courses = tuple(
        _course(statistic, filter, _pooled(data, statistic, layer, axis))
        for statistic in INSPECTED
        if data.records_filters(statistic)
    )
    return FilterHistory(axis, layer, filter, own.filters, courses)


def _course(statistic: str, filter: int, pooled: FloatArray) -> FilterCourse:
    """Return the course of one filter among those of its layer, shape (filters, columns)."""
    values = pooled[filter].astype(np.float64)
    larger = np.count_nonzero(pooled > pooled[filter], axis=0)
    low, high = (column_quantiles(pooled, share) for share in BAND)
    return FilterCourse(
        statistic=statistic,
        values=read_only(values),
        median=read_only(column_medians(pooled)),
        low=read_only(low),
        high=read_only(high),
        ranks=read_only(np.where(np.isnan(values), 0, 1 + larger).astype(np.int64)),
    )


def _pooled(data: RunData, statistic: str, layer: int, axis: TimeAxis) -> FloatArray:
    """Return a statistic of a layer's filters by column, the largest in each; of a long run from its bins."""
    stored = data.reader.contents.filter_statistic(statistic, data.reader.path)
    held = data.held(axis, stored.is_watched)
    if data.is_long and held.is_wide(LEAST_BINS_A_COLUMN * RECORDS_A_BIN):
        return pool_largest(data.filter_bins(statistic, layer), held.in_bins(RECORDS_A_BIN))
    matrix, start = data.filters_within(statistic, layer, held.needed)
    return pool_largest(matrix, held.shifted(start))
