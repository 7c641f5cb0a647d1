"""The compiled kernel for the CPU: all sums and samples of some layers in one pass over the memory. Imports numba.

Owns the arithmetic of that pass; `sums` defines the sums. `numba_cpu` loads it.

Each layer is a row of a table of addresses, so that one call processes all layers. One call per layer would cost
Python's time for each, and another thread could take the interpreter between two calls.

A filter is read in blocks. Within a block the sums are float32 and run in the lanes of the vector unit. A shift near
the mean is subtracted from the values first, so that a deviation far below the mean keeps its digits. The sums of
blocks are added in float64.

The largest and smallest values are found from the bits. Floats of one sign have the order of their bits as integers,
and a NaN lies beyond infinity. A compiler can compare sixteen integers at once, but must compare floats one by one.

All sums of a filter lie together in memory. If they were ordered by kind of sum, each filter would write to twenty
pages, which took a third of the time of reading.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba import carray, types
from numba.extending import intrinsic

BLOCK = 4096
"""Elements that are summed in float32 before they go to the float64 sums."""

SOURCE_SUMS, NEGATIVES, NONFINITE = 6, 18, 19
"""Of a filter: so many sums a source, then the count of negative weights, then three counts of what is not finite."""

_SAFE_LARGEST, _SAFE_SMALLEST = np.float32(1e17), np.float32(1e-15)
"""Between these a sum of squares of a block neither overflows nor loses digits in float32."""

_INFINITY, _MINUS_INFINITY, _SIGN = 0x7F800000, 0xFF800000, 0x80000000

_single, _double, _signed, _unsigned = np.float32, np.float64, np.int32, np.uint32
_SIGNATURE = "void(int64[:, ::1], float32[:, ::1], float32[:, ::1])"
_options: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy"}
_fast: Any = numba.njit(fastmath={"reassoc", "contract", "nsz"}, **_options)
_exact: Any = numba.njit(**_options)
_entry: Any = numba.njit(_SIGNATURE, fastmath={"reassoc", "contract", "nsz"}, **_options)
_intrinsic: Any = intrinsic


@_intrinsic
def _floats_at(context: Any, address: Any) -> Any:
    """Turn an address into a pointer to float32."""
    pointer = types.CPointer(types.float32)

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], target.get_value_type(pointer))

    return pointer(address), generate


@_intrinsic
def _integers_at(context: Any, address: Any) -> Any:
    """Turn an address into a pointer to int64."""
    pointer = types.CPointer(types.int64)

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], target.get_value_type(pointer))

    return pointer(address), generate


@_fast
def _add_block(w: Any, p: Any, g: Any, w_shift: Any, d_shift: Any, g_shift: Any, sums: Any, bits: Any) -> None:
    """Add the sums of a block of weights, of updates (weights less previous ones) and of gradients.

    Args:
        w: Weights; p: weights at the record before; g: gradients; each float32, (elements,).
        w_shift: A number near the mean of the weights; d_shift, g_shift: the same for updates and gradients.
        sums: Shape (10,), float64: for each source (weights, gradients, updates) the sum of the shifted values, the sum
            of their squares, and the sum of magnitudes of the unshifted values; then the count of negative weights.
        bits: Shape (9,), uint32: for each source the largest bits as signed integer, and the largest and the smallest
            bits as unsigned integers.
    """
    w_sum = d_sum = g_sum = w_square = d_square = g_square = w_size = d_size = g_size = negatives = _single(0)
    w_top = d_top = g_top = _signed(-(2**31))
    w_high = d_high = g_high = _unsigned(0)
    w_low = d_low = g_low = _unsigned(2**32 - 1)
    for index in range(w.shape[0]):
        weight, gradient = _single(w[index]), _single(g[index])
        update = _single(weight - p[index])
        w_size += abs(weight)
        d_size += abs(update)
        g_size += abs(gradient)
        negatives += _single(weight < _single(0))
        w_bits, d_bits, g_bits = weight.view(np.int32), update.view(np.int32), gradient.view(np.int32)
        w_top, d_top, g_top = max(w_top, w_bits), max(d_top, d_bits), max(g_top, g_bits)
        w_raw, d_raw, g_raw = _unsigned(w_bits), _unsigned(d_bits), _unsigned(g_bits)
        w_high, d_high, g_high = max(w_high, w_raw), max(d_high, d_raw), max(g_high, g_raw)
        w_low, d_low, g_low = min(w_low, w_raw), min(d_low, d_raw), min(g_low, g_raw)
        weight -= w_shift
        update -= d_shift
        gradient -= g_shift
        w_sum += weight
        d_sum += update
        g_sum += gradient
        w_square += weight * weight
        d_square += update * update
        g_square += gradient * gradient
    sums[0] += _double(w_sum)
    sums[1] += _double(w_square)
    sums[2] += _double(w_size)
    sums[3] += _double(g_sum)
    sums[4] += _double(g_square)
    sums[5] += _double(g_size)
    sums[6] += _double(d_sum)
    sums[7] += _double(d_square)
    sums[8] += _double(d_size)
    sums[9] += _double(negatives)
    bits[0] = _unsigned(max(_signed(bits[0]), w_top))
    bits[1], bits[2] = max(bits[1], w_high), min(bits[2], w_low)
    bits[3] = _unsigned(max(_signed(bits[3]), g_top))
    bits[4], bits[5] = max(bits[4], g_high), min(bits[5], g_low)
    bits[6] = _unsigned(max(_signed(bits[6]), d_top))
    bits[7], bits[8] = max(bits[7], d_high), min(bits[8], d_low)


@_fast
def _start_filter(sums: Any, bits: Any) -> None:
    for index in range(10):
        sums[index] = 0.0
    for source in range(3):
        bits[3 * source] = _unsigned(_SIGN)
        bits[3 * source + 1] = _unsigned(0)
        bits[3 * source + 2] = _unsigned(2**32 - 1)


@_exact
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
    out[first], out[first + 1], out[first + 2] = total, np.sqrt(square), size
    out[first + 3], out[first + 4], out[first + 5] = largest, smallest, np.sqrt(scatter)
    out[NONFINITE + source] = values.shape[0] - count
    if source == 0:
        out[NEGATIVES] = negatives


@_fast
def _as_float(bits: Any) -> Any:
    return _unsigned(bits).view(np.float32)


@_fast
def _finish_source(source: int, elements: int, shift: Any, sums: Any, bits: Any, out: Any) -> bool:
    """Fill the sums of one source of a filter from its blocks; False if `_take_carefully` is needed."""
    top, high, low = _signed(bits[3 * source]), bits[3 * source + 1], bits[3 * source + 2]
    if top >= _signed(_INFINITY) or high >= _unsigned(_MINUS_INFINITY):
        return False
    # Signed bits are below zero only for negative floats, whose magnitude grows with their unsigned bits.
    largest = _as_float(_unsigned(top)) if top >= 0 else _as_float(low)
    smallest = _as_float(high) if high >= _unsigned(_SIGN) else _as_float(low)
    size = max(abs(largest), abs(smallest))
    if size > _SAFE_LARGEST or _single(0) < size < _SAFE_SMALLEST:
        return False
    # The blocks summed the values less the shift: add it back for sum and norm. The deviation needs no correction.
    total, square, middle = sums[3 * source], sums[3 * source + 1], _double(shift)
    first = SOURCE_SUMS * source
    out[first] = total + elements * middle
    out[first + 1] = np.sqrt(max(square + 2 * middle * total + elements * middle * middle, 0.0))
    out[first + 2] = sums[3 * source + 2]
    out[first + 3], out[first + 4] = largest, smallest
    out[first + 5] = np.sqrt(max(square - total * total / elements, 0.0))
    out[NONFINITE + source] = 0
    if source == 0:
        out[NEGATIVES] = sums[9]
    return True


@_fast
def _copy(source: Any, target: Any) -> None:
    """Copy element by element: numba does not vectorise a slice assignment."""
    for index in range(source.shape[0]):
        target[index] = source[index]


@_fast
def _near_mean(values: Any) -> Any:
    """Return the mean of the first four elements. They are in one cache line; others would cost a wait for memory."""
    near = 1 if values.shape[0] >= 4 else 0
    return (values[0] + values[near] + values[near + near] + values[near + near + near]) * _single(0.25)


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
    parts, bits = np.empty(10, np.float64), np.empty(9, np.uint32)
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
            w_shift, g_shift = _near_mean(w), _near_mean(g)
            d_shift = w_shift - _near_mean(p)
            _start_filter(parts, bits)
            for start in range(0, elements, BLOCK):
                stop = min(elements, start + BLOCK)
                _add_block(w[start:stop], p[start:stop], g[start:stop], w_shift, d_shift, g_shift, parts, bits)
            if not _finish_source(0, elements, w_shift, parts, bits, out):
                _take_carefully(w, p, 0, out)
            if has_gradient and not _finish_source(1, elements, g_shift, parts, bits, out):
                _take_carefully(g, p, 1, out)
            if not is_first and not _finish_source(2, elements, d_shift, parts, bits, out):
                _take_carefully(w, p, 2, out)
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
