"""Answers what one filter did over the run, beside the other filters of its layer."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.analysis.downsample import pool_largest
from dtui.analysis.layers.initial_std import initial_std
from dtui.errors import UsageError
from dtui.model import RECORDS_A_BIN, FloatArray, TimeAxis
from dtui.model.layers import INSPECTED, FilterCourse, FilterHistory, InitialStd
from dtui.query.data import RunData
from dtui.query.layers.activations import activation_courses, has_activations
from dtui.query.layers.courses import course_of
from dtui.query.tree import check_filter

LEAST_BINS_A_COLUMN = 3


def filter_history(data: RunData, layer: int, filter: int, axis: TimeAxis) -> FilterHistory:
    """Answer `RunQuery.filter_history`."""
    own = check_filter(data, layer, filter)
    data.begin_answer("filter history")
    courses = tuple(
        course_of(statistic, filter, _pooled(data, statistic, layer, axis))
        for statistic in INSPECTED
        if data.records_filters(statistic)
    )
    courses += activation_courses(data, layer, filter, axis)
    places = data.structure.activations
    read = places[layer] if layer < len(places) and has_activations(data) else None
    std = _pooled(data, "std", layer, axis)[filter] if data.records_filters("std") else None
    return FilterHistory(axis, layer, filter, own.filters, courses, read, std, starts_of(data, layer))


def courses_of(
    data: RunData, statistic: str, layer: int, filters: Sequence[int], axis: TimeAxis
) -> tuple[FilterCourse, ...]:
    """Return one statistic of some filters of a layer over time, each beside all filters of the layer."""
    pooled = _pooled(data, statistic, layer, axis)
    return tuple(course_of(statistic, one, pooled) for one in filters)


def starts_of(data: RunData, layer: int) -> InitialStd | None:
    """Answer `RunQuery.initial_std`."""
    structure = data.structure
    if not 0 <= layer < len(structure.layers):
        raise UsageError(f"layer {layer}: the run has layers 0–{len(structure.layers) - 1}")
    of = structure.layers[layer]
    return initial_std(of.kind, of.shape, structure.groups[layer] if structure.groups else None)


def _pooled(data: RunData, statistic: str, layer: int, axis: TimeAxis) -> FloatArray:
    """Return a statistic of a layer's filters by column, the largest in each; of a long run from its bins."""
    stored = data.reader.contents.filter_statistic(statistic, data.reader.path)
    held = data.held(axis, stored.is_watched)
    if data.is_long and held.is_wide(LEAST_BINS_A_COLUMN * RECORDS_A_BIN):
        return pool_largest(data.filter_bins(statistic, layer), held.in_bins(RECORDS_A_BIN))
    matrix, start = data.filters_within(statistic, layer, held.needed)
    return pool_largest(matrix, held.shifted(start))
