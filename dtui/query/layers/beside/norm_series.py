"""Answers one statistic of normalisation layers, or of parameters outside the layers, over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.downsample import pool_largest
from dtui.analysis.quantiles import column_quantiles, magnitude_quantile
from dtui.errors import UsageError
from dtui.model import FloatArray, TimeAxis, read_only
from dtui.model.layers import UPDATE_RATIO, NormSeries
from dtui.model.statistics import Rows
from dtui.query.data import RunData
from dtui.query.layers.update_ratios import parameter_update_ratios
from dtui.query.tree import SCALE_LAYERS, SCALE_QUANTILE


def norm_series(data: RunData, norms: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
    """Answer `RunQuery.norm_series`."""
    data.reader.contents.row_statistic(Rows.NORMS, statistic, data.reader.path)
    _check(norms, len(data.structure.norms), "normalisation layer")
    data.begin_answer("norm series")
    return series_of(data, norms, statistic, axis, data.norms(statistic))


def parameter_series(data: RunData, places: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
    """Answer `RunQuery.parameter_series`."""
    stored = ("norm", "update_norm") if statistic == UPDATE_RATIO else (statistic,)
    for name in stored:
        data.reader.contents.row_statistic(Rows.PARAMETERS, name, data.reader.path)
    _check(places, len(data.structure.parameters), "parameter")
    data.begin_answer(f"parameter series {statistic}")
    every = parameter_update_ratios(data) if statistic == UPDATE_RATIO else data.parameters(statistic)
    return series_of(data, places, statistic, axis, every)


def _check(places: Sequence[int], known: int, what: str) -> None:
    for index in places:
        if not 0 <= index < known:
            raise UsageError(f"{what} {index}: the run has {known}, counted from 0")


def series_of(data: RunData, rows: Sequence[int], statistic: str, axis: TimeAxis, every: FloatArray) -> NormSeries:
    """Return some rows of a statistic, of which `every` has all."""
    pooled = pool_largest(every[list(rows)], data.held(axis, is_watched=False))
    remembered = data.remembered(("norm scale", statistic, len(every)), lambda: scale_of(every))
    return NormSeries(axis, statistic, tuple(rows), read_only(pooled), remembered)


def scale_of(every: FloatArray) -> float:
    """Return the full height of horizon graphs of rows, shape (rows, n)."""
    return magnitude_quantile(column_quantiles(np.abs(every).T, SCALE_QUANTILE), SCALE_LAYERS)
