"""Answers histograms of tree nodes over time: of weights, or of the sizes of gradient/weight.

Owns the bins that the records of one node share.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from dtui.analysis.downsample import ColumnRecords
from dtui.analysis.layers.histograms import common_edges, rebin
from dtui.errors import UsageError
from dtui.model import CHANGE_RATIO_EDGES, HISTOGRAM_BINS, FloatArray, IntArray, TimeAxis, TreeNode, read_only
from dtui.model.layers import HISTOGRAM_SOURCES, NodeHistograms
from dtui.query.data import RunData
from dtui.query.tree import node_of, rows_of

AT_ONCE = 1_024
"""Records of a layer that are read together."""
CHANGE_EDGES = (1e-7, *CHANGE_RATIO_EDGES, 10.0)
"""Ends of the bins of |gradient / weight|: the outermost also hold what lies beyond them."""


def node_histograms(data: RunData, nodes: Sequence[int], source: str, axis: TimeAxis, bins: int) -> NodeHistograms:
    """Answer `RunQuery.node_histograms`."""
    if source not in HISTOGRAM_SOURCES:
        raise UsageError(f"histograms of {source}: there are none; use one of {', '.join(HISTOGRAM_SOURCES)}")
    if bins < 1:
        raise UsageError(f"histograms in {bins} bins: use at least 1")
    chosen = [node_of(data, index) for index in nodes]
    held = data.held(axis, is_watched=False)
    edges = [_edges(data, node, source, bins) for node in chosen]
    rows = bins if source == "weights" else len(CHANGE_EDGES) - 1
    shares = np.full((len(chosen), rows, axis.columns), np.nan)
    for row, node in enumerate(chosen):
        shares[row] = _of_node(data, node, source, held, edges[row])
    ends = np.array(edges).reshape(len(chosen), rows + 1)
    return NodeHistograms(axis, source, tuple(nodes), read_only(shares), read_only(ends))


def _edges(data: RunData, node: TreeNode, source: str, bins: int) -> FloatArray:
    if source == "gradients":
        return np.array(CHANGE_EDGES)

    def edges() -> FloatArray:
        low, q1, q3, high = (rows_of(data, [node], "weights", name)[0] for name in ("min", "q1", "q3", "max"))
        return common_edges(low, q1, q3, high, bins)

    return data.remembered(("histogram edges", node.index, bins), edges)


def _of_node(data: RunData, node: TreeNode, source: str, held: ColumnRecords, edges: FloatArray) -> FloatArray:
    """Return the shares of a node, shape (bins, columns): of a module the mean over its layers, by their elements."""
    shown = np.flatnonzero(held.has_value)
    places = held.stops[shown] - 1
    result = np.full((len(edges) - 1, held.columns), np.nan)
    total, weight = np.zeros((len(edges) - 1, len(shown))), np.zeros(len(shown))
    for layer in node.layers:
        elements = math.prod(data.structure.layers[layer].shape)
        shares = _weights(data, layer, places, edges) if source == "weights" else _changes(data, layer, places)
        known = ~np.isnan(shares).any(0)
        total[:, known] += elements * shares[:, known]
        weight[known] += elements
    result[:, shown[weight > 0]] = total[:, weight > 0] / weight[weight > 0]
    return result


def _weights(data: RunData, layer: int, places: IntArray, edges: FloatArray) -> FloatArray:
    counts = _at(places, HISTOGRAM_BINS, lambda records: data.reader.read_histograms(layer, records))
    low, high = (data.layers("weights", name)[layer, places].astype(np.float64) for name in ("min", "max"))
    return rebin(counts.astype(np.int64), low, high, edges)


def _changes(data: RunData, layer: int, places: IntArray) -> FloatArray:
    """Return the share of elements in each decade, from the cumulative shares; NaN where no gradients were there."""
    stored = len(CHANGE_RATIO_EDGES)
    upto = _at(places, stored, lambda records: data.reader.read_change_ratios(layer, records))
    edges = np.concatenate([np.zeros((1, len(places))), upto, np.where(np.isnan(upto[-1:]), np.nan, 1.0)])
    shares: FloatArray = np.clip(np.diff(edges, axis=0), 0.0, 1.0)
    return np.where(np.isnan(upto).any(0), np.nan, shares)


def _at(places: IntArray, rows: int, read: Callable[[slice], FloatArray | IntArray]) -> FloatArray:
    """Return some ascending records of what `read` returns, shape (rows, places), reading no more than needed."""
    result = np.zeros((rows, len(places)))
    for first in range(0, int(places[-1]) + 1 if len(places) else 0, AT_ONCE):
        here = np.flatnonzero((places >= first) & (places < first + AT_ONCE))
        if len(here):
            begin = int(places[here[0]])
            result[:, here] = read(slice(begin, int(places[here[-1]]) + 1))[:, places[here] - begin]
    return result
