"""The compiled kernels for the CPU: sums and samples, or the norms of a watch, in one pass. Imports numba.

Owns the arithmetic of these passes; `sums` defines the sums. `numba_cpu` loads them.

Each layer is a row of a table of addresses, so that one call processes all layers. One call per layer would cost
Python's time for each, and another thread could take the interpreter between two calls.

A filter is read in blocks. Within a block the sums are float32 and run in the lanes of the vector unit; the sums of
blocks are added in float64. Where the values of a filter are nearly alike, so that a deviation would lose its digits,
the filter is read again, less its mean, while it is in the cache.

The largest and smallest values are compared as if there were no NaN, for else a compiler compares them one by one. A
filter with a NaN is known by its sum of squares, before they are looked at.

All sums of a filter lie together in memory. If they were ordered by kind of sum, each filter would write to twenty
pages, which took a third of the time of reading.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import carray, types
from numba.extending import intrinsic

from dtui.record.backends.sums import DEVIATION, LARGEST, NORM, NORM1, SMALLEST, SOURCE_SUMS, TOTAL, Sum

BLOCK = 4608
"""Elements that are summed in float32 before they go to the float64 sums: 3 × 3 of 512 channels at once."""

NEGATIVES, NONFINITE = int(Sum.WEIGHT_NEGATIVES), int(Sum.WEIGHT_NONFINITE)

_SAFE_LARGEST, _SAFE_SMALLEST = np.float32(1e17), np.float32(1e-15)
"""Between these a sum of squares of a block neither overflows nor loses digits in float32."""

_MOST_MEAN = 0.9
"""Share of the mean in the sum of squares above which the filter is read again."""

_single, _double = np.float32, np.float64
_NOTHING = 0.0, 0.0, 0.0, _single(-np.inf), _single(np.inf)
"""The sums of one source of no elements."""

_SIGNATURE = "void(int64[:, ::1], float32[:, ::1], float32[:, ::1])"
_WATCH_SIGNATURE = "void(float32[:, ::1], float32[:, ::1], float32[:, ::1], float32[:, ::1], int64)"
_RELAXED = {"reassoc", "contract", "nsz"}
_options: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
_ROW = "float32[::1]"
_apart: Any = numba.njit(f"UniTuple(float64, 2)({_ROW}, {_ROW}, int64, float32)", fastmath=_RELAXED, **_options)
_inlined: Any = numba.njit(fastmath=_RELAXED, inline="always", **_options)
_careful: Any = numba.njit(f"void({_ROW}, {_ROW}, int64, {_ROW})", **_options)
_entry: Any = numba.njit(_SIGNATURE, fastmath=_RELAXED, **_options)
_watch_entry: Any = numba.njit(_WATCH_SIGNATURE, fastmath=_RELAXED, **_options)
_intrinsic: Any = intrinsic


def _pointer_to(element: Any) -> Any:
    """Return a function that turns an address into a pointer to elements of this type."""
    pointer = types.CPointer(element)

    def convert(context: Any, address: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], target.get_value_type(pointer))

        return pointer(address), generate

    return _intrinsic(convert)


_floats_at, _integers_at = _pointer_to(types.float32), _pointer_to(types.int64)


def _chosen(comparison: str) -> Any:
    """Return a function of two float32 that gives the larger (">") or the smaller ("<"), of which none may be NaN."""

    def choose(context: Any, one: Any, other: Any) -> Any:
        def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            flags = ["nnan", "nsz"]
            return builder.select(builder.fcmp_ordered(comparison, *arguments, flags=flags), *arguments, flags=flags)

        return types.float32(types.float32, types.float32), generate

    return _intrinsic(choose)


_larger, _smaller = _chosen(">"), _chosen("<")


@_inlined
def _sum_block(w: Any, p: Any, g: Any) -> Any:
    """Return the sums of a block of weights, of gradients, and of updates (weights less previous ones).

    Args:
        w: Weights; p: weights at the record before; g: gradients; each float32, (elements,).

    Returns:
        For each source the sum of the values, of their squares and of their magnitudes, the largest and the smallest;
        then the count of negative weights.
    """
    w_sum = d_sum = g_sum = w_square = d_square = g_square = w_size = d_size = g_size = negatives = _single(0)
    w_top = d_top = g_top = _single(-np.inf)
    w_low = d_low = g_low = _single(np.inf)
    for index in range(w.shape[0]):
        weight, gradient = w[index], g[index]
        update = weight - p[index]
        w_size += abs(weight)
        d_size += abs(update)
        g_size += abs(gradient)
        negatives += _single(weight < _single(0))
        w_top, d_top, g_top = _larger(weight, w_top), _larger(update, d_top), _larger(gradient, g_top)
        w_low, d_low, g_low = _smaller(weight, w_low), _smaller(update, d_low), _smaller(gradient, g_low)
        w_sum += weight
        d_sum += update
        g_sum += gradient
        w_square += weight * weight
        d_square += update * update
        g_square += gradient * gradient
    weights = (_double(w_sum), _double(w_square), _double(w_size), w_top, w_low)
    gradients = (_double(g_sum), _double(g_square), _double(g_size), g_top, g_low)
    updates = (_double(d_sum), _double(d_square), _double(d_size), d_top, d_low)
    return weights, gradients, updates, _double(negatives)


@_inlined
def _added(one: Any, other: Any) -> Any:
    """Return the sums of one source of two blocks."""
    return (
        one[0] + other[0],
        one[1] + other[1],
        one[2] + other[2],
        _larger(one[3], other[3]),
        _smaller(one[4], other[4]),
    )


@_apart
def _sum_apart(values: Any, before: Any, source: int, middle: Any) -> Any:
    """Return the sum of the values of one source less `middle`, and of the squares of that; updates need `before`."""
    total = square = 0.0
    for start in range(0, values.shape[0], BLOCK):
        block_total = block_square = _single(0)
        for index in range(start, min(values.shape[0], start + BLOCK)):
            value = (values[index] - before[index] if source == 2 else values[index]) - middle
            block_total += value
            block_square += value * value
        total += _double(block_total)
        square += _double(block_square)
    return total, square


@_careful
def _take_carefully(values: Any, before: Any, source: int, out: Any) -> None:
    """Fill the sums of one source of a filter in float64, over its finite elements; updates need `before`."""
    total = size = square = scatter = 0.0
    largest, smallest = -np.inf, np.inf
    count = negatives = 0
    for index in range(values.shape[0]):
        value = _double(values[index] - before[index]) if source == 2 else _double(values[index])
        if np.isfinite(value):
            count += 1
            total += value
            size += abs(value)
            square += value * value
            largest, smallest = max(largest, value), min(smallest, value)
            negatives += value < 0
    mean = total / max(count, 1)
    for index in range(values.shape[0]):
        value = _double(values[index] - before[index]) if source == 2 else _double(values[index])
        if np.isfinite(value):
            scatter += (value - mean) ** 2
    first = SOURCE_SUMS * source
    out[first + TOTAL], out[first + NORM], out[first + NORM1] = total, np.sqrt(square), size
    out[first + LARGEST], out[first + SMALLEST] = largest, smallest
    out[first + DEVIATION] = np.sqrt(scatter)
    out[NONFINITE + source] = values.shape[0] - count
    if source == 0:
        out[NEGATIVES] = negatives


@_inlined
def _finish_source(source: int, values: Any, before: Any, sums: Any, out: Any) -> bool:
    """Fill the sums of one source of a filter from its blocks; False if `_take_carefully` is needed."""
    elements, first = values.shape[0], SOURCE_SUMS * source
    total, square, magnitude, largest, smallest = sums
    if not square < np.inf:
        return False
    size = max(abs(largest), abs(smallest))
    if size > _SAFE_LARGEST or _single(0) < size < _SAFE_SMALLEST:
        return False
    scatter = square - total * total / elements
    if scatter < (1 - _MOST_MEAN) * square:
        middle = _single(total / elements)
        apart, scatter = _sum_apart(values, before, source, middle)
        total = _double(middle) * elements + apart
        scatter -= apart * apart / elements
        square = scatter + total * total / elements
    out[first + TOTAL], out[first + NORM], out[first + NORM1] = total, np.sqrt(square), magnitude
    out[first + LARGEST], out[first + SMALLEST] = largest, smallest
    out[first + DEVIATION] = np.sqrt(max(scatter, 0.0))
    out[NONFINITE + source] = 0
    return True


@_inlined
def _copy(source: Any, target: Any) -> None:
    """Copy element by element: numba does not vectorise a slice assignment."""
    for index in range(source.shape[0]):
        target[index] = source[index]


@_entry
def take_layers(table: Any, sums: Any, samples: Any) -> None:
    """Fill the sums and samples of layers, and replace their previous weights by the present ones.

    Args:
        table: Shape (layers, 10), int64: the addresses of weights, previous weights, gradients (0 for none) and of the
            flat positions of samples, ascending; then rows, elements per row, first row in `sums`, 1 if the previous
            weights are unknown, number of samples, and position of the first one in `samples`.
        sums: Shape (filters, len(Sum)), float32.
        samples: Shape (3, layers * samples), float32: weights, gradients, updates.
    """
    for layer in range(table.shape[0]):
        rows, elements, column, is_first = table[layer, 4], table[layer, 5], table[layer, 6], table[layer, 7] != 0
        has_gradient = table[layer, 2] != 0
        weights = carray(_floats_at(table[layer, 0]), (rows, elements))
        before = carray(_floats_at(table[layer, 1]), (rows, elements))
        gradients = carray(_floats_at(table[layer, 2] if has_gradient else table[layer, 0]), (rows, elements))
        chosen, place, at = table[layer, 8], table[layer, 9], 0
        positions = carray(_integers_at(table[layer, 3]), chosen)
        for row in range(rows):
            w, p, g, out = weights[row], before[row], gradients[row], sums[column + row]
            of_w = of_g = of_d = _NOTHING
            negatives = 0.0
            for start in range(0, elements, BLOCK):
                stop = min(elements, start + BLOCK)
                more = _sum_block(w[start:stop], p[start:stop], g[start:stop])
                of_w, of_g, of_d = _added(of_w, more[0]), _added(of_g, more[1]), _added(of_d, more[2])
                negatives += more[3]
            out[NEGATIVES] = negatives
            of_all = of_w, of_g, of_d
            for source in range(3):
                if (source == 1 and not has_gradient) or (source == 2 and is_first):
                    continue
                values = g if source == 1 else w
                if not _finish_source(source, values, p, of_all[source], out):
                    _take_carefully(values, p, source, out)
            while at < chosen and positions[at] < (row + 1) * elements:
                index = positions[at] - row * elements
                samples[0, place + at] = w[index]
                if has_gradient:
                    samples[1, place + at] = g[index]
                if not is_first:
                    samples[2, place + at] = w[index] - p[index]
                at += 1
            # Last: the sums and samples of the updates read the previous weights.
            _copy(w, p)


@_watch_entry
def watch_rows(weights: Any, before: Any, gradients: Any, norms: Any, first: Any) -> None:
    """Fill the norms of the updates, the weights and the gradients of each row, and replace `before` by `weights`.

    Args:
        weights: Shape (rows, elements).
        before: Same shape.
        gradients: Same shape.
        norms: Shape (3, F), in the order of `dtui.record.flight.norm_meter.Norm`.
        first: Column of row 0.
    """
    for row in range(weights.shape[0]):
        update = size = slope = _single(0)
        for column in range(weights.shape[1]):
            value = weights[row, column]
            change = value - before[row, column]
            gradient = gradients[row, column]
            update += change * change
            size += value * value
            slope += gradient * gradient
            before[row, column] = value
        norms[0, first + row] = np.sqrt(update)
        norms[1, first + row] = np.sqrt(size)
        norms[2, first + row] = np.sqrt(slope)
