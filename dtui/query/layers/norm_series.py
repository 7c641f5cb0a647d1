"""Answers one statistic of normalisation layers over time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.downsample import pool_largest
from dtui.analysis.quantiles import column_quantiles, magnitude_quantile
from dtui.errors import UsageError
from dtui.model import TimeAxis, read_only
from dtui.model.layers import NormSeries
from dtui.query.data import RunData
from dtui.query.tree import SCALE_LAYERS, SCALE_QUANTILE


def norm_series(data: RunData, norms: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
    """Answer `RunQuery.norm_series`."""
    data.reader.contents.norm_statistic(statistic, data.reader.path)
    known = len(data.structure.norms)
    for index in norms:
        if not 0 <= index < known:
            raise UsageError(f"normalisation layer {index}: the run has {known}, counted from 0")
    data.begin_answer("norm series")
    every = data.norms(statistic)
    pooled = pool_largest(every[list(norms)], data.held(axis, is_watched=False))

    def scale() -> float:
        return magnitude_quantile(column_quantiles(np.abs(every).T, SCALE_QUANTILE), SCALE_LAYERS)

    return NormSeries(
        axis, statistic, tuple(norms), read_only(pooled), data.remembered(("norm scale", statistic), scale)
    )
