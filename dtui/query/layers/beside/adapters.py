"""Answers how large a change adapters make to their weights: at every record, over an axis, and at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.errors import UsageError
from dtui.model import ADAPTER_STATISTICS, FloatArray, TimeAxis, read_only
from dtui.model.findings.adapters import AdapterState
from dtui.model.layers import ADAPTER_RATIO, NormSeries
from dtui.query.data import RunData
from dtui.query.layers.beside.norm_series import series_of

SIZE = ADAPTER_STATISTICS[0]


def adapters(data: RunData, statistic: str) -> FloatArray:
    """Answer `RunQuery.adapters`."""
    if statistic != ADAPTER_RATIO:
        return data.adapters(statistic)

    def ratios() -> FloatArray:
        sizes, rows = data.adapters(SIZE), data.structure.adapters
        index = {layer.name: layer.index for layer in data.structure.layers}
        if not data.records_layers("weights", "norm2"):
            return read_only(np.full_like(sizes, np.nan))
        norms = data.layers("weights", "norm2")
        below = np.full_like(sizes, np.nan)
        for row, one in enumerate(rows):
            if one.base in index:
                below[row] = norms[index[one.base]]
        return read_only((sizes / np.where(below > 0, below, np.nan)).astype(np.float32))

    return data.remembered("adapter ratios", ratios)


def adapter_series(data: RunData, places: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
    """Answer `RunQuery.adapter_series`."""
    known = len(data.structure.adapters)
    for place in places:
        if not 0 <= place < known:
            raise UsageError(f"adapter {place}: the run has {known}, counted from 0")
    data.begin_answer(f"adapter series {statistic}")
    return series_of(data, places, statistic, axis, adapters(data, statistic))


def adapter_states(data: RunData) -> tuple[AdapterState, ...]:
    """Return the adapters as they are at the last record that has a value of each."""
    rows = data.structure.adapters
    if not rows:
        return ()
    values = [_last(adapters(data, statistic)) for statistic in (SIZE, ADAPTER_RATIO)]
    return tuple(
        AdapterState(one.name, one.adapter, one.kind, one.rank, one.base, size, share)
        for one, size, share in zip(rows, *values, strict=True)
    )


def _last(values: FloatArray) -> list[float | None]:
    """Return the last value of each row, None where it has none."""
    return [float(row[known[-1]]) if len(known := np.flatnonzero(~np.isnan(row))) else None for row in values]
