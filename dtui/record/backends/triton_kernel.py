"""The compiled kernels for a GPU: all sums, samples or norms in one pass over its memory. Imports triton.

Owns the arithmetic of that pass; `sums` defines the sums. `triton_gpu` loads it.

Each layer is a row of a table of addresses, so that one launch processes the filters of all layers, with one program
per filter. A program is one warp. It holds few values at once, because more would spill from registers to slow memory.

The mean of a filter's first block is computed first and subtracted from all values, so that a deviation far below the
mean keeps its digits. If a value is not finite, or its square is not, the program sums its filter again with care:
scaled by a power of two, which is exact. The previous weights are replaced only after the last read.
"""

from __future__ import annotations

import triton
import triton.language as tl

from dtui.record.backends import sums as shared

_INFINITY = tl.constexpr(float("inf"))
_SOURCE_SUMS = tl.constexpr(shared.SOURCE_SUMS)
_TOTAL, _NORM, _NORM1 = tl.constexpr(shared.TOTAL), tl.constexpr(shared.NORM), tl.constexpr(shared.NORM1)
_LARGEST, _SMALLEST = tl.constexpr(shared.LARGEST), tl.constexpr(shared.SMALLEST)
_DEVIATION = tl.constexpr(shared.DEVIATION)
_NEGATIVES = tl.constexpr(int(shared.Sum.WEIGHT_NEGATIVES))
_NONFINITE = tl.constexpr(int(shared.Sum.WEIGHT_NONFINITE))
_SAFE_SMALLEST = tl.constexpr(1e-15)
"""Below, a square loses digits in float32; above, one that is too large is not finite."""


@triton.jit
def take_rows(
    addresses,
    layers,
    layer_of,
    by_filter,
    weight_type: tl.constexpr,
    gradient_type: tl.constexpr,
    sums_each: tl.constexpr,
    block: tl.constexpr,
    is_aligned: tl.constexpr,
):
    """Fill the sums of one filter, and replace its previous weights by the present ones.

    Args:
        addresses: Shape (layers, 4), int64: the addresses of weights, of previous weights and of gradients (0 for
            none), and 1 if the previous weights are unknown.
        layers: Shape (launched layers, 4), int32: row in `addresses`, elements of a filter, first program, and column
            of the first filter.
        layer_of: Row in `layers` of each program, int32.
        by_filter: Shape (filters, sums_each), float32: six sums of the weights, of the gradients and of the updates,
            then the counts of negative weights and of non-finite elements, as in `sums.Sum`.
        weight_type: Element type of the weights.
        gradient_type: Element type of the gradients.
        sums_each: Number of sums per filter.
        block: Elements that are loaded together.
        is_aligned: Whether all rows begin at multiples of 16 bytes and hold multiples of 4 elements.
    """
    w, p, g, elements, column, has_gradient, is_first = _find_row(
        addresses, layers, layer_of, weight_type, gradient_type, is_aligned
    )
    out = by_filter + column.to(tl.int64) * sums_each
    lanes = tl.arange(0, block)
    mask = lanes < elements
    weights, updates, gradients = _load_all(w, p, g, lanes, mask)
    count = tl.minimum(elements, block)
    w_shift, d_shift, g_shift = tl.sum(weights) / count, tl.sum(updates) / count, tl.sum(gradients) / count
    zeros = tl.zeros((block,), tl.float32)
    nothing = (zeros, zeros, zeros, zeros, zeros - _INFINITY, zeros + _INFINITY)
    w_sums = _add(nothing, weights, mask, w_shift)
    d_sums = _add(nothing, updates, mask, d_shift)
    g_sums = _add(nothing, gradients, mask, g_shift)
    negatives = tl.where(weights < 0, 1.0, 0.0)
    for start in range(block, elements, block):
        places = start + lanes
        rest = places < elements
        more_weights, more_updates, more_gradients = _load_all(w, p, g, places, rest)
        w_sums = _add(w_sums, more_weights, rest, w_shift)
        d_sums = _add(d_sums, more_updates, rest, d_shift)
        g_sums = _add(g_sums, more_gradients, rest, g_shift)
        negatives += tl.where(more_weights < 0, 1.0, 0.0)
    tl.store(out + _NEGATIVES, tl.sum(negatives))
    _finish(w, p, g, elements, out, w_shift, w_sums, 0, block)
    if has_gradient:
        _finish(w, p, g, elements, out, g_shift, g_sums, 1, block)
    else:
        _forget(out, 1)
    if is_first:
        _forget(out, 2)
    else:
        _finish(w, p, g, elements, out, d_shift, d_sums, 2, block)
    tl.debug_barrier()
    tl.store(p + lanes, weights, mask=mask)
    for start in range(block, elements, block):
        places = start + lanes
        rest = places < elements
        tl.store(p + places, _load(w, places, rest), mask=rest)


@triton.jit
def take_samples(
    addresses,
    layer_of,
    positions,
    places,
    samples,
    count,
    room,
    weight_type: tl.constexpr,
    gradient_type: tl.constexpr,
    block: tl.constexpr,
):
    """Fill some samples of all sources. Launch it before the previous weights are replaced.

    Args:
        addresses: As in `take_rows`.
        layer_of: Row in `addresses` of each sample, shape (count,), int32.
        positions: Position of each sample among the flattened rows, int64.
        places: Position of each sample among the samples of a source, int32.
        samples: Shape (3, room), float32.
        count: Number of samples.
        room: Length of the sample buffer of one source.
        weight_type: Element type of the weights.
        gradient_type: Element type of the gradients.
        block: Samples per program.
    """
    some = tl.program_id(0) * block + tl.arange(0, block)
    mask = some < count
    address = addresses + 4 * tl.load(layer_of + some, mask=mask, other=0)
    position = tl.load(positions + some, mask=mask, other=0)
    w_address, p_address, g_address = tl.load(address), tl.load(address + 1), tl.load(address + 2)
    w = tl.load(w_address.to(tl.pointer_type(weight_type)) + position, mask=mask, other=0.0).to(tl.float32)
    p = tl.load(p_address.to(tl.pointer_type(tl.float32)) + position, mask=mask, other=0.0)
    has_gradient = mask & (g_address != 0)
    g = tl.load(g_address.to(tl.pointer_type(gradient_type)) + position, mask=has_gradient, other=float("nan"))
    target = samples + tl.load(places + some, mask=mask, other=0)
    tl.store(target, w, mask=mask)
    tl.store(target + room, g.to(tl.float32), mask=mask)
    tl.store(target + 2 * room, tl.where(tl.load(address + 3) == 0, w - p, float("nan")), mask=mask)


@triton.jit
def take_norms(
    addresses,
    layers,
    layer_of,
    norms,
    filters,
    weight_type: tl.constexpr,
    gradient_type: tl.constexpr,
    block: tl.constexpr,
    is_aligned: tl.constexpr,
):
    """Fill the norms of one filter's updates, weights and gradients, and replace its previous weights.

    Args:
        addresses: As in `take_rows`.
        layers: As in `take_rows`.
        layer_of: As in `take_rows`.
        norms: Shape (3, filters), float32.
        filters: Number of all filters.
        weight_type: Element type of the weights.
        gradient_type: Element type of the gradients.
        block: Elements that are loaded together.
        is_aligned: As in `take_rows`.
    """
    w, p, g, elements, column, _, _ = _find_row(addresses, layers, layer_of, weight_type, gradient_type, is_aligned)
    lanes = tl.arange(0, block)
    w_square = tl.zeros((block,), tl.float32)
    d_square = tl.zeros((block,), tl.float32)
    g_square = tl.zeros((block,), tl.float32)
    for start in range(0, elements, block):
        places = start + lanes
        mask = places < elements
        weights, updates, gradients = _load_all(w, p, g, places, mask)
        w_square += weights * weights
        d_square += updates * updates
        g_square += gradients * gradients
        tl.store(p + places, weights, mask=mask)
    tl.store(norms + column, tl.sqrt(tl.sum(d_square)))
    tl.store(norms + filters + column, tl.sqrt(tl.sum(w_square)))
    tl.store(norms + 2 * filters + column, tl.sqrt(tl.sum(g_square)))


# --- what is read


@triton.jit
def _find_row(
    addresses, layers, layer_of, weight_type: tl.constexpr, gradient_type: tl.constexpr, is_aligned: tl.constexpr
):
    """Return the pointers of this program's row, its elements and column, and which sources it has.

    Returns:
        Pointers to weights, previous weights and gradients (to the weights if there are no gradients); elements;
        column; whether there are gradients; whether the previous weights are unknown.
    """
    program = tl.program_id(0)
    layer = layers + 4 * tl.load(layer_of + program)
    row, elements = program - tl.load(layer + 2), tl.load(layer + 1)
    address = addresses + 4 * tl.load(layer)
    w_address, g_address = tl.load(address), tl.load(address + 2)
    has_gradient = g_address != 0
    begin = row.to(tl.int64) * elements
    w = w_address.to(tl.pointer_type(weight_type)) + begin
    p = tl.load(address + 1).to(tl.pointer_type(tl.float32)) + begin
    g = tl.where(has_gradient, g_address, w_address).to(tl.pointer_type(gradient_type)) + begin
    if is_aligned:
        w, p, g, elements = (
            tl.multiple_of(w, 16),
            tl.multiple_of(p, 16),
            tl.multiple_of(g, 16),
            tl.multiple_of(elements, 4),
        )
    return w, p, g, elements, tl.load(layer + 3) + row, has_gradient, tl.load(address + 3) != 0


@triton.jit
def _load(row, places, mask):
    """Return elements of a row in float32, 0 where they are past its end."""
    return tl.load(row + places, mask=mask, other=0.0).to(tl.float32)


@triton.jit
def _load_all(w, p, g, places, mask):
    """Return elements of the weights, of the updates and of the gradients of a row."""
    weights = _load(w, places, mask)
    return weights, weights - _load(p, places, mask), _load(g, places, mask)


@triton.jit
def _load_source(w, p, g, places, mask, source: tl.constexpr):
    """Return elements of the weights (0), of the gradients (1) or of the updates (2)."""
    if source == 1:
        values = _load(g, places, mask)
    else:
        values = _load(w, places, mask)
        if source == 2:
            values = values - _load(p, places, mask)
    return values


# --- what is summed


@triton.jit
def _add(sums, values, mask, shift):
    """Add values to the sums of their lanes: shifted, shifted squared, squared, magnitude, largest, smallest."""
    shifted = tl.where(mask, values - shift, 0.0)
    return (
        sums[0] + shifted,
        sums[1] + shifted * shifted,
        sums[2] + values * values,
        sums[3] + tl.abs(values),
        tl.maximum(sums[4], tl.where(mask, values, -_INFINITY)),
        tl.minimum(sums[5], tl.where(mask, values, _INFINITY)),
    )


@triton.jit
def _finish(w, p, g, elements, out, shift, sums, source: tl.constexpr, block: tl.constexpr):
    """Fill the sums of one source of a filter from its lanes, or call `_take_carefully` if needed."""
    square, top, bottom = tl.sum(sums[2]), tl.max(sums[4]), tl.min(sums[5])
    most = tl.maximum(tl.abs(top), tl.abs(bottom))
    is_plain = (square < _INFINITY) & ((most > _SAFE_SMALLEST) | (most == 0))
    if is_plain:
        shifted = tl.sum(sums[0])
        first = out + _SOURCE_SUMS * source
        tl.store(first + _TOTAL, shifted + shift * elements)
        tl.store(first + _NORM, tl.sqrt(square))
        tl.store(first + _NORM1, tl.sum(sums[3]))
        tl.store(first + _LARGEST, top)
        tl.store(first + _SMALLEST, bottom)
        tl.store(first + _DEVIATION, tl.sqrt(tl.maximum(tl.sum(sums[1]) - shifted * shifted / elements, 0.0)))
        tl.store(out + _NONFINITE + source, 0.0)
    else:
        _take_carefully(w, p, g, elements, out, source, block)


@triton.jit
def _take_carefully(w, p, g, elements, out, source: tl.constexpr, block: tl.constexpr):
    """Fill the sums of one source of a filter over its finite elements."""
    lanes = tl.arange(0, block)
    zeros = tl.zeros((block,), tl.float32)
    largest, smallest, count, negatives = zeros - _INFINITY, zeros + _INFINITY, zeros, zeros
    for start in range(0, elements, block):
        places = start + lanes
        mask = places < elements
        values = _load_source(w, p, g, places, mask, source)
        finite = mask & (tl.abs(values) < _INFINITY)
        count += tl.where(finite, 1.0, 0.0)
        negatives += tl.where(finite & (values < 0), 1.0, 0.0)
        largest = tl.maximum(largest, tl.where(finite, values, -_INFINITY))
        smallest = tl.minimum(smallest, tl.where(finite, values, _INFINITY))
    top, bottom, number = tl.max(largest), tl.min(smallest), tl.sum(count)
    # A power of two near the largest magnitude, and its inverse, from the bits of the exponent.
    size = tl.where(number > 0, tl.maximum(tl.abs(top), tl.abs(bottom)), 0.0)
    exponent = tl.minimum(tl.maximum((size.to(tl.int32, bitcast=True) >> 23) & 255, 7), 247)
    scale = (exponent << 23).to(tl.float32, bitcast=True)
    inverse = ((254 - exponent) << 23).to(tl.float32, bitcast=True)
    total, square, magnitude, scatter = zeros, zeros, zeros, zeros
    for start in range(0, elements, block):
        places = start + lanes
        mask = places < elements
        values = _load_source(w, p, g, places, mask, source)
        scaled = tl.where(mask & (tl.abs(values) < _INFINITY), values * inverse, 0.0)
        total += scaled
        square += scaled * scaled
        magnitude += tl.abs(scaled)
    mean = tl.sum(total) / tl.maximum(number, 1.0)
    for start in range(0, elements, block):
        places = start + lanes
        mask = places < elements
        values = _load_source(w, p, g, places, mask, source)
        centred = tl.where(mask & (tl.abs(values) < _INFINITY), values * inverse - mean, 0.0)
        scatter += centred * centred
    first = out + _SOURCE_SUMS * source
    tl.store(first + _TOTAL, tl.sum(total) * scale)
    tl.store(first + _NORM, tl.sqrt(tl.sum(square)) * scale)
    tl.store(first + _NORM1, tl.sum(magnitude) * scale)
    tl.store(first + _LARGEST, top)
    tl.store(first + _SMALLEST, bottom)
    tl.store(first + _DEVIATION, tl.sqrt(tl.sum(scatter)) * scale)
    tl.store(out + _NONFINITE + source, elements - number)
    if source == 0:
        tl.store(out + _NEGATIVES, tl.sum(negatives))


@triton.jit
def _forget(out, source: tl.constexpr):
    """Mark a source as absent."""
    for index in tl.static_range(_SOURCE_SUMS):
        tl.store(out + _SOURCE_SUMS * source + index, float("nan"))
    tl.store(out + _NONFINITE + source, 0.0)
