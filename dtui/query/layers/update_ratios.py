"""Answers how fast layers and modules learn: the size of their updates relative to their weights, per update.

Owns the formula. The ratios are not stored: they are computed from norms and iterations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from dtui.analysis.downsample import pool_largest
from dtui.model import FloatArray, NodeSeries, TimeAxis, read_only
from dtui.model.layers import UPDATE_RATIO
from dtui.query.data import RunData
from dtui.query.tree import chosen_rows, node_of


def layer_update_ratios(data: RunData) -> FloatArray:
    """Answer `RunQuery.layer_update_ratios`."""
    return data.remembered("layer update ratios", lambda: _per_update(data, data.layers))


def module_update_ratios(data: RunData) -> FloatArray:
    """Answer `RunQuery.module_update_ratios`."""
    return data.remembered("module update ratios", lambda: _per_update(data, data.modules))


def node_update_ratios(data: RunData, nodes: Sequence[int], axis: TimeAxis) -> NodeSeries:
    """Answer `RunQuery.node_update_ratios`."""
    chosen = [node_of(data, index) for index in nodes]
    data.begin_answer("update ratios")
    rows = chosen_rows(chosen, layer_update_ratios(data), module_update_ratios(data))
    pooled = pool_largest(rows, data.held(axis, is_watched=False))
    return NodeSeries(axis, UPDATE_RATIO, "updates", tuple(nodes), read_only(pooled), 1.0)


def parameter_update_ratios(data: RunData) -> FloatArray:
    """Return the ratios of the parameters outside the layers, shape (parameters, n)."""

    def ratios() -> FloatArray:
        names = {"updates": "update_norm", "weights": "norm"}
        return _per_update(data, lambda source, _: data.parameters(names[source]))

    return data.remembered("parameter update ratios", ratios)


def _per_update(data: RunData, read: Callable[[str, str], FloatArray]) -> FloatArray:
    """Return ‖Δw‖ ⁄ ‖w before‖, divided by the updates from the record before to each record, shape (nodes, n)."""
    regular = np.flatnonzero(~data.is_watch)
    changes, weights = (read(source, "norm2")[:, regular] for source in ("updates", "weights"))
    ratios: FloatArray = np.full((len(changes), len(data.records)), np.nan, np.float32)
    if len(regular) > 1:
        before = np.where(weights[:, :-1] > 0, weights[:, :-1], np.nan)
        ratios[:, regular[1:]] = changes[:, 1:] / before / np.diff(data.records[regular])
    return read_only(ratios)
