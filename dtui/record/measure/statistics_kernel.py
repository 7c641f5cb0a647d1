"""The compiled form of `dtui.record.measure.statistics`: the same formulas in two calls that free the interpreter.

Owns nothing but speed. NumPy computes a record in more than a thousand calls, and between two of them the writer's
thread and the training take turns at the interpreter. Here there are three pieces: the first call, the sort of the
samples, which NumPy does with the widest instructions of the machine, and the second call. Imports numba; `compiled`
loads it. `tests/record/measure/test_kernels.py` compares the two forms.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from dtui.model import SOURCES
from dtui.record.backends.sums import (
    DEVIATION,
    GRADIENTS,
    LARGEST,
    NORM,
    NORM1,
    SMALLEST,
    SOURCE_SUMS,
    TOTAL,
    UPDATES,
    Sum,
)

FILTER_COLUMNS = (
    *("mean", "std", "norm", "share_negative", "sum_positive", "sum_negative"),
    *("update_norm", "update_ratio", "cosine_distance", "gradient_mean", "gradient_std", "gradient_norm", "nonfinite"),
)
"""The statistics of a filter in the order in which `take_sums` computes them; `places` says where each is stored."""

NODE_COLUMNS = (
    *("max", "min", "mean", "sum", "var", "std", "norm1", "norm2"),
    *("median", "q1", "q3", "nonfinite"),
)
"""The same of a layer or module and `describe`."""

NODE_SUMS = 9
"""What is added up over the filters of a layer, for each source, in the order below."""
_SUM, _SQUARE, _NORM1, _COUNT, _MAX, _MIN, _NONFINITE, _TAKEN, _SCATTER = range(NODE_SUMS)

_SOURCES = len(SOURCES)
_NEGATIVES, _NONFINITE_SUMS = int(Sum.WEIGHT_NEGATIVES), int(Sum.WEIGHT_NONFINITE)
_GRADIENTS, _UPDATES = SOURCE_SUMS * GRADIENTS, SOURCE_SUMS * UPDATES

OPTIONS: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
_INNER: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cpython_wrapper": True}
"""Of what Python does not call itself: it is kept with its callers, without a file or a wrapper of its own."""
inner: Any = numba.njit(**_INNER)
_take_signature = (
    "void(float32[:, ::1], float32[:, :, ::1], float64[::1], int64[::1], float64[::1], int64[:, ::1], float32[::1],"
    " int64[::1], float32[:, ::1], float64[:, :, ::1], uint32[:, ::1], float32[:, ::1], float32[:, :, ::1],"
    " float32[:, :, ::1])"
)
_describe_signature = (
    "void(float64[:, :, ::1], float32[:, :, ::1], float32[:, :, ::1], int64[::1], int64[::1], int64[::1], int64[::1],"
    " float32[:, :, ::1], float32[:, :, ::1])"
)


@inner
def positive(value: Any) -> Any:
    """Return a number if it is above zero, else NaN, because it cannot be a divisor."""
    return value if value > 0 else np.nan


@inner
def _number(value: Any) -> Any:
    return 0.0 if np.isnan(value) else np.float64(value)


@inner
def _larger(one: Any, other: Any) -> Any:
    """Return the larger of two numbers, NaN if one of them is NaN."""
    return other if other > one or np.isnan(other) else one


@inner
def _scatter(total: Any, norm: Any, deviation: Any, count: Any) -> Any:
    """Return the sum of squared differences from the mean of one filter."""
    if not np.isnan(deviation):
        return deviation * deviation
    scatter = norm * norm - total * total / positive(count)
    return 0.0 if scatter < 0 else scatter


@inner
def _take_filter(s: Any, elements: Any, before: Any, out: Any, places: Any, column: Any) -> None:
    """Fill the statistics of one filter from its sums `s`; `before` is its norm at the record before."""
    weights_broken, gradients_broken = _number(s[_NONFINITE_SUMS]), _number(s[_NONFINITE_SUMS + 1])
    count, gradient_count = positive(elements - weights_broken), positive(elements - gradients_broken)
    total, norm, norm1 = np.float64(s[TOTAL]), np.float64(s[NORM]), np.float64(s[NORM1])
    change = np.float64(s[_UPDATES + NORM]) * (np.nan if _number(s[_NONFINITE_SUMS + 2]) > 0 else 1.0)
    slope_total, slope = np.float64(s[_GRADIENTS + TOTAL]), np.float64(s[_GRADIENTS + NORM])
    turn = (change * change - (norm - before) * (norm - before)) / positive(2 * norm * before)
    out[places[0], column] = total / count
    out[places[1], column] = np.sqrt(_scatter(total, norm, np.float64(s[DEVIATION]), count) / count)
    out[places[2], column] = np.nan if np.isnan(count) else norm
    out[places[3], column] = np.float64(s[_NEGATIVES]) / count
    out[places[4], column] = (norm1 + total) / 2
    out[places[5], column] = (total - norm1) / 2
    out[places[6], column] = change
    out[places[7], column] = change / positive(before)
    out[places[8], column] = 0.0 if turn < 0 else 2.0 if turn > 2 else turn
    out[places[9], column] = slope_total / gradient_count
    slope_scatter = _scatter(slope_total, slope, np.float64(s[_GRADIENTS + DEVIATION]), gradient_count)
    out[places[10], column] = np.sqrt(slope_scatter / gradient_count)
    out[places[11], column] = np.nan if np.isnan(gradient_count) else slope
    out[places[12], column] = weights_broken + gradients_broken


@inner
def _take_layer(sums: Any, first: Any, last: Any, elements: Any, source: int, nodes: Any) -> None:
    """Add up one source of the filters of a layer into `nodes`, shape (NODE_SUMS,)."""
    begin, nonfinite = SOURCE_SUMS * source, _NONFINITE_SUMS + source
    total = square = norm1 = count = broken = scatter = taken = 0.0
    largest, smallest = -np.inf, np.inf
    for row in range(first, last):
        s = sums[row]
        own_broken, norm = _number(s[nonfinite]), np.float64(s[begin + NORM])
        broken += own_broken
        if np.isnan(norm):  # not taken; a watch takes the norms alone
            continue
        taken = 1.0
        count += elements - own_broken
        total += s[begin + TOTAL]
        square += norm * norm
        norm1 += s[begin + NORM1]
        largest = _larger(largest, np.float64(s[begin + LARGEST]))
        smallest = -_larger(-smallest, -np.float64(s[begin + SMALLEST]))
    mean = total / positive(count)
    for row in range(first, last):
        s = sums[row]
        own, norm = elements - _number(s[nonfinite]), np.float64(s[begin + NORM])
        if own > 0 and not np.isnan(norm):
            apart = s[begin + TOTAL] / own - mean
            own_scatter = _scatter(np.float64(s[begin + TOTAL]), norm, np.float64(s[begin + DEVIATION]), own)
            scatter += own_scatter + own * (apart * apart)
    nodes[_SUM], nodes[_SQUARE], nodes[_NORM1], nodes[_COUNT] = total, square, norm1, count
    nodes[_MAX], nodes[_MIN], nodes[_NONFINITE], nodes[_TAKEN], nodes[_SCATTER] = (
        largest,
        smallest,
        broken,
        taken,
        scatter,
    )


@inner
def _take_samples(weights: Any, gradients: Any, low: Any, high: Any, edges: Any, bins: Any, shares: Any) -> None:
    """Fill the histogram of a layer's sampled weights, and the shares of its change ratios; NaN is passed over."""
    bins[:] = 0
    span = high - low if high > low else 1.0
    last = bins.shape[0] - 1
    for index in range(weights.shape[0]):
        share = (weights[index] - low) / span
        if not np.isnan(share):
            bins[min(max(np.int64(share * bins.shape[0]), 0), last)] += 1
    count = 0
    for index in range(weights.shape[0]):
        count += abs(weights[index]) + abs(gradients[index]) >= 0
    for edge in range(edges.shape[0]):
        limit, unchanged = edges[edge], 0
        for index in range(weights.shape[0]):
            unchanged += abs(gradients[index]) <= limit * abs(weights[index])
        shares[edge] = unchanged / positive(np.float64(count))


@numba.njit(_take_signature, **OPTIONS)
def take_sums(
    sums: Any,
    samples: Any,
    before: Any,
    starts: Any,
    elements: Any,
    plan: Any,
    edges: Any,
    places: Any,
    filters: Any,
    nodes: Any,
    histograms: Any,
    shares: Any,
    layer_rows: Any,
    module_rows: Any,
) -> None:
    """Compute all that needs no order among the samples, and lay out the samples for the sort.

    Args:
        sums: Shape (F, len(Sum)), float32.
        samples: Shape (3, L, samples), float32.
        before: Shape (F,): norms at the record before, NaN for none; replaced by those of now.
        starts: Shape (L + 1,): first filter of each layer, and F.
        elements: Shape (L,): elements of a filter of each layer.
        plan: Shape (modules of several layers, k): positions of their samples among those of a source, or one past.
        edges: Upper edges of the change ratios.
        places: Row of each of FILTER_COLUMNS in `filters`.
        filters: Filled, shape (len(FILTER_COLUMNS), F).
        nodes: Filled, shape (L, 3, NODE_SUMS).
        histograms: Filled, shape (L, bins).
        shares: Filled, shape (L, edges).
        layer_rows: Filled with the samples, NaN for infinities.
        module_rows: Filled, shape (3, modules of several layers, k).
    """
    layers, each = samples.shape[1], samples.shape[2]
    for source in range(_SOURCES):
        for layer in range(layers):
            for index in range(each):
                value = samples[source, layer, index]
                layer_rows[source, layer, index] = value if np.isfinite(value) else np.float32(np.nan)
        flat = layer_rows[source].reshape(layers * each)
        for row in range(plan.shape[0]):
            for index in range(plan.shape[1]):
                at = plan[row, index]
                module_rows[source, row, index] = flat[at] if at < flat.shape[0] else np.float32(np.nan)
    for layer in range(layers):
        for row in range(starts[layer], starts[layer + 1]):
            _take_filter(sums[row], elements[layer], before[row], filters, places, row)
            before[row] = sums[row, NORM]
        for source in range(_SOURCES):
            _take_layer(sums, starts[layer], starts[layer + 1], elements[layer], source, nodes[layer, source])
        low = high = np.float64(np.nan)
        if nodes[layer, 0, _TAKEN] > 0 and nodes[layer, 0, _COUNT] > 0:
            low = np.float64(np.float32(nodes[layer, 0, _MIN]))
            high = np.float64(np.float32(nodes[layer, 0, _MAX]))
        _take_samples(layer_rows[0, layer], layer_rows[1, layer], low, high, edges, histograms[layer], shares[layer])


@inner
def _count_numbers(ordered: Any) -> Any:
    """Return how many of sorted values are no NaN, which come last."""
    low, high = 0, ordered.shape[0]
    while low < high:
        middle = (low + high) // 2
        if np.isnan(ordered[middle]):
            high = middle
        else:
            low = middle + 1
    return low


@inner
def _quantile(ordered: Any, count: Any, quantile: Any) -> Any:
    place = quantile * max(count - 1, 0)
    below = np.int64(np.floor(place))
    low = np.float64(ordered[below])
    high = np.float64(ordered[min(below + 1, max(count - 1, 0))])
    return low + (high - low) * (place - below)


@inner
def _describe_node(node: Any, ordered: Any, places: Any, source: Any, index: Any, out: Any) -> None:
    """Fill the statistics of one source of a layer or module from its sums and its sorted samples."""
    taken, count = node[_TAKEN] > 0, positive(node[_COUNT])
    gap = 0.0 if taken and not np.isnan(count) else np.nan
    variance = node[_SCATTER] / count
    out[source, places[0], index] = node[_MAX] + gap
    out[source, places[1], index] = node[_MIN] + gap
    out[source, places[2], index] = node[_SUM] / count + gap
    out[source, places[3], index] = node[_SUM] + gap
    out[source, places[4], index] = variance + gap
    out[source, places[5], index] = np.sqrt(variance) + gap
    out[source, places[6], index] = node[_NORM1] + gap
    out[source, places[7], index] = np.sqrt(node[_SQUARE]) + gap
    out[source, places[8], index] = out[source, places[9], index] = out[source, places[10], index] = np.nan
    if ordered.shape[0] and gap == 0:
        count_kept = _count_numbers(ordered)
        if count_kept:
            out[source, places[8], index] = _quantile(ordered, count_kept, 0.5)
            out[source, places[9], index] = _quantile(ordered, count_kept, 0.25)
            out[source, places[10], index] = _quantile(ordered, count_kept, 0.75)
    out[source, places[11], index] = node[_NONFINITE] if taken or node[_NONFINITE] > 0 else np.nan


@inner
def _merge(nodes: Any, source: int, members: Any, merged: Any) -> None:
    """Add up the sums of a module's layers into `merged`, shape (NODE_SUMS,)."""
    merged[:] = 0.0
    merged[_MAX], merged[_MIN] = -np.inf, np.inf
    for layer in members:
        node = nodes[layer, source]
        for name in (_SUM, _SQUARE, _NORM1, _COUNT, _NONFINITE, _SCATTER):
            merged[name] += node[name]
        merged[_TAKEN] = max(merged[_TAKEN], node[_TAKEN])
        merged[_MAX] = _larger(merged[_MAX], node[_MAX])
        merged[_MIN] = -_larger(-merged[_MIN], -node[_MIN])
    mean = merged[_SUM] / positive(merged[_COUNT])
    for layer in members:
        node = nodes[layer, source]
        if node[_COUNT] > 0:
            apart = node[_SUM] / node[_COUNT] - mean
            merged[_SCATTER] += node[_COUNT] * (apart * apart)


@numba.njit(_describe_signature, **OPTIONS)
def describe(
    nodes: Any,
    layer_rows: Any,
    module_rows: Any,
    members: Any,
    member_starts: Any,
    module_row: Any,
    places: Any,
    layers: Any,
    modules: Any,
) -> None:
    """Compute the statistics of layers and modules, when the samples are sorted.

    Args:
        nodes: As `take_sums` filled them.
        layer_rows: The same, sorted along the last axis.
        module_rows: The same, sorted along the last axis.
        members: Layers of all modules, one after the other.
        member_starts: Shape (M + 1,): first of each module in `members`.
        module_row: Row of each module in `module_rows`; -1 for one of a single layer, whose samples are that layer's.
        places: Row of each of NODE_COLUMNS in `layers` and `modules`.
        layers: Filled, shape (3, len(NODE_COLUMNS), L).
        modules: Filled, shape (3, len(NODE_COLUMNS), M).
    """
    merged = np.empty(NODE_SUMS, np.float64)
    for source in range(_SOURCES):
        for layer in range(nodes.shape[0]):
            _describe_node(nodes[layer, source], layer_rows[source, layer], places, source, layer, layers)
        for module in range(modules.shape[2]):
            own = members[member_starts[module] : member_starts[module + 1]]
            _merge(nodes, source, own, merged)
            at = module_row[module]
            ordered = layer_rows[source, own[0]] if at < 0 else module_rows[source, at]
            _describe_node(merged, ordered, places, source, module, modules)
