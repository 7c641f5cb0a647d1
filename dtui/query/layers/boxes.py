"""Answers box plots of tree nodes: five numbers a column, on one scale for the whole network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.downsample import pool_largest, pool_mean, pool_smallest
from dtui.analysis.quantiles import column_quantiles
from dtui.model import FloatArray, TimeAxis, read_only
from dtui.model.layers import BOX_STATISTICS, NodeBoxes
from dtui.query.data import Arrays, RunData, have
from dtui.query.tree import node_of, rows_of

DECADES = 3.0
"""From here on a linear scale hides the layers with the smallest spread."""
MOST_DECADES = 6.0
USUAL = 0.99
MOST_LAYERS = 0.9
"""The scale holds 99 % of the records' extremes of each layer, and 90 % of the layers: one that explodes must not
flatten all others."""
POOLS = (pool_smallest, pool_mean, pool_mean, pool_mean, pool_largest)


def node_boxes(data: RunData, nodes: Sequence[int], source: str, axis: TimeAxis) -> NodeBoxes:
    """Answer `RunQuery.node_boxes`."""
    for name in BOX_STATISTICS:
        data.reader.contents.layer_statistic(name, source, data.reader.path)
    chosen = [node_of(data, index) for index in nodes]

    def find() -> Arrays:
        data.begin_answer("series")
        held = data.held(axis, is_watched=False)
        pairs = zip(BOX_STATISTICS, POOLS, strict=True)
        values = np.stack([pool(rows_of(data, chosen, source, name), held) for name, pool in pairs])
        return values, np.array(data.remembered(("box scale", source), lambda: _scale(data, source)))

    def is_possible(found: Arrays) -> bool:
        if not have(found, ("f", (len(POOLS), len(chosen), axis.columns)), ("f", (3,))):
            return False
        low, high, linear = found[1].tolist()
        return bool(np.isfinite(found[1]).all() and low < high and linear >= 0)

    values, scale = data.pictured(("boxes", tuple(nodes), source, axis), find, is_possible)
    low, high, linear = scale.tolist()
    return NodeBoxes(axis, source, tuple(nodes), read_only(values), low, high, linear)


def _scale(data: RunData, source: str) -> tuple[float, float, float]:
    """Return bottom, top and linear part of the scale of all layers over the run."""
    every = {name: _finite(data.layers(source, name)) for name in BOX_STATISTICS}
    tops = _usual(column_quantiles(every["max"].T, USUAL))
    bottoms = -_usual(column_quantiles(-every["min"].T, USUAL))
    if not (np.isfinite(tops) and np.isfinite(bottoms)):
        return -1.0, 1.0, 0.0
    low, high = min(bottoms, tops), max(bottoms, tops)
    spread = every["q3"] - every["q1"]
    spread = spread[np.isfinite(spread) & (spread > 0)]
    size = max(abs(low), abs(high))
    if spread.size and size >= 10**DECADES * (smallest := float(np.quantile(spread, 0.05)) / 2):
        return min(low, 0.0), max(high, 0.0), max(smallest, size / 10**MOST_DECADES)
    return (low, high, 0.0) if high > low else (low - 0.5, low + 0.5, 0.0)


def _usual(of_layers: FloatArray) -> float:
    """Return what is not exceeded by nine tenths of the layers, NaN without any."""
    known = np.sort(of_layers[np.isfinite(of_layers)])
    return float(known[max(0, int(np.ceil(MOST_LAYERS * len(known))) - 1)]) if len(known) else float("nan")


def _finite(values: FloatArray) -> FloatArray:
    result: FloatArray = np.where(np.isfinite(values), values, np.nan)
    return result
