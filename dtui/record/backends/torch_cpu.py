"""Sums over each filter, taken on the training thread with as few passes over the weights as possible.

Owns which sums are taken and how a NaN is kept out of them. A second copy would let two probes disagree about
the same weight. All statistics follow from these sums (`dtui.record.measure.statistics`), so any sharding of the
filters needs no more than putting the columns side by side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from dtui.model import FloatArray
from dtui.record.backends.layer_rows import LayerRows

CHUNK_ELEMENTS = 1 << 19
"""Rows are read in chunks of so many elements: three chunks stay in the cache between the passes."""

SOURCE_SUMS = 6
"""Sums of each source, in the order of SOURCES; the place of each among them is that of the source's first."""


class Sum(IntEnum):
    """Rows of the sum buffer; each holds one number a filter, over the finite elements only.

    A deviation is the norm of the values less their mean; NaN where sum and norm give it without loss.
    """

    WEIGHT_SUM = 0
    WEIGHT_NORM = 1
    WEIGHT_NORM1 = 2
    WEIGHT_MAX = 3
    WEIGHT_MIN = 4
    WEIGHT_DEVIATION = 5
    GRADIENT_SUM = 6
    GRADIENT_NORM = 7
    GRADIENT_NORM1 = 8
    GRADIENT_MAX = 9
    GRADIENT_MIN = 10
    GRADIENT_DEVIATION = 11
    UPDATE_SUM = 12
    UPDATE_NORM = 13
    UPDATE_NORM1 = 14
    UPDATE_MAX = 15
    UPDATE_MIN = 16
    UPDATE_DEVIATION = 17
    WEIGHT_NEGATIVES = 18
    WEIGHT_NONFINITE = 19
    GRADIENT_NONFINITE = 20
    UPDATE_NONFINITE = 21


WEIGHTS, GRADIENTS, UPDATES = range(3)
TOTAL, NORM, NORM1, LARGEST, SMALLEST, DEVIATION = range(SOURCE_SUMS)

_SMALLEST_NORM = 1e-15
"""Below, squares lose digits in float32."""

_MOST_MEAN = math.sqrt(0.99)
"""Share of the mean in a norm above which the deviation is too small a difference of both."""


class Buffers:
    """The sums and samples of one record on one device."""

    def __init__(self, filters: int, layers: int, samples: int, device: torch.device) -> None:
        """Allocate them, in one piece of memory.

        Args:
            filters: On the flat filter axis.
            layers: Number of layers.
            samples: Elements that stand for each layer.
            device: Where the weights are.
        """
        self._shape = (filters, layers, samples)
        self.memory = torch.empty(filters * len(Sum) + 3 * layers * samples, device=device)
        self.by_filter, self.samples = self._split(self.memory)
        self._filled_with: tuple[object, ...] | None = None

    def _split(self, memory: Any) -> tuple[Any, Any]:
        filters, layers, samples = self._shape
        cut = filters * len(Sum)
        return memory[:cut].reshape(filters, len(Sum)), memory[cut:].reshape(3, layers, samples)

    def prepare(self, layers: list[LayerRows]) -> None:
        """Mark what these layers will not fill as not taken: NaN, and no element that is not finite.

        What the same layers filled before, they will fill again.
        """
        filling = tuple(
            (layer.column, layer.weight.shape[0], layer.gradient is None, layer.is_first, id(layer.positions))
            for layer in layers
        )
        if filling != self._filled_with:
            self.memory.fill_(math.nan)
            self.by_filter[:, Sum.WEIGHT_NONFINITE :].zero_()
            self._filled_with = filling

    def as_arrays(self, memory: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the sums, shape (len(Sum), filters), and the samples, shape (3, layers, samples), in copied memory."""
        by_filter, samples = self._split(memory)
        return by_filter.T, samples


class Summing(Protocol):
    """A way of reading the rows of one device."""

    def take(self, layers: list[LayerRows], buffers: Buffers) -> None:
        """Fill the sums and samples of some layers, and replace `previous` by `weight`."""


def sum_carefully(values: Tensor) -> Tensor:
    """Return the sums over the finite elements of rows; without a branch on the values.

    Rows are divided by a power of two near their largest magnitude on the way, which loses nothing, so that no square
    overflows or underflows.

    Args:
        values: Shape (..., filters, elements), float32 or float64.

    Returns:
        Shape (SOURCE_SUMS + 2, ..., filters): the sums in their order, how many are negative, how many are not finite.
    """
    finite = torch.isfinite(values)
    kept = torch.where(finite, values, 0.0)
    largest = torch.where(finite, values, -math.inf).amax(-1)
    smallest = torch.where(finite, values, math.inf).amin(-1)
    size = torch.maximum(kept.amax(-1), -kept.amin(-1))
    exponent = torch.frexp(size).exponent.clamp(min=-120) - 1
    size = torch.ldexp(torch.ones_like(size), exponent)
    scaled = kept / size[..., None]
    count = finite.sum(-1)
    total = scaled.sum(-1)
    centred = torch.where(finite, scaled - (total / count.clamp(min=1))[..., None], 0.0)
    norm, deviation = (torch.linalg.vector_norm(part, dim=-1) for part in (scaled, centred))
    sums = [total * size, norm * size, scaled.abs().sum(-1) * size, largest, smallest, deviation * size]
    counts = [(kept < 0).sum(-1), values.shape[-1] - count]
    return torch.stack([*sums, *(number.to(values.dtype) for number in counts)])


@dataclass(frozen=True, eq=False, slots=True)
class _Chunk:
    """What is needed for some rows at every record, kept: a view costs as much to make as a small sum.

    Attributes:
        first: Of the rows in the layer.
        last: Row after the last.
        columns: Of the sums.
        rows: Each row of the sums, in these columns.
        scratch: Shape (3, filters, elements).
        positions: Of the samples among the flattened rows.
        samples: Where they go, by source.
    """

    first: int
    last: int
    columns: slice
    rows: tuple[Tensor, ...]
    scratch: Tensor
    positions: Tensor
    samples: tuple[Tensor, ...]


class TorchSums:
    """Takes the sums on the CPU with one torch operation each, chunk by chunk while it is in the cache.

    The updates are made where the previous weights are, and the latter replaced at last: in place an operation
    takes half the time, for it fills no further cache lines.
    """

    def __init__(self, like: Buffers) -> None:
        """Allocate buffers of our own, so that the views of them can be kept."""
        self._samples = torch.empty_like(like.samples)
        self._sums = torch.empty(len(Sum), len(like.by_filter))
        self._by_source: FloatArray = self._sums.numpy()[: Sum.WEIGHT_NEGATIVES].reshape(3, SOURCE_SUMS, -1)
        self._scratch = torch.empty(3, CHUNK_ELEMENTS)
        self._chunks: dict[tuple[int, int, int], list[_Chunk]] = {}
        self._careful: list[tuple[int, _Chunk, Tensor, Tensor]] = []

    def take(self, layers: list[LayerRows], buffers: Buffers) -> None:
        """Fill the sums and samples of some layers, and replace `previous` by `weight`."""
        self._samples.fill_(math.nan)
        self._sums.fill_(math.nan)
        self._sums[Sum.WEIGHT_NONFINITE :].zero_()
        for layer in layers:
            for chunk in self._chunks_of(layer):
                self._take(layer, chunk)
        self._sums[Sum.WEIGHT_NORM1].mul_(-2).add_(self._sums[Sum.WEIGHT_SUM])
        self._sums[Sum.WEIGHT_NEGATIVES].neg_()
        self._take_again(layers)
        buffers.by_filter.copy_(self._sums.t())
        buffers.samples.copy_(self._samples)

    def _take(self, layer: LayerRows, chunk: _Chunk) -> None:
        scratch = chunk.scratch[0]
        weight = _as_float32(layer.weight[chunk.first : chunk.last], chunk.scratch[1])
        previous = layer.previous[chunk.first : chunk.last]
        gradient = layer.gradient
        if gradient is not None:
            gradient = _as_float32(gradient[chunk.first : chunk.last], chunk.scratch[2])
            _take_source(gradient, chunk, GRADIENTS)
            torch.sum(torch.abs(gradient, out=scratch), 1, out=chunk.rows[Sum.GRADIENT_NORM1])
        if not layer.is_first:
            torch.sub(weight, previous, out=previous)
            _take_source(previous, chunk, UPDATES)
            self._look_again(UPDATES, chunk, previous)
            torch.sum(previous.abs_(), 1, out=chunk.rows[Sum.UPDATE_NORM1])
        _take_source(weight, chunk, WEIGHTS)
        # The sum of negative weights, and minus their number; the last step makes of them what the rows are for.
        torch.sum(torch.clamp_max(weight, 0, out=previous), 1, out=chunk.rows[Sum.WEIGHT_NORM1])
        torch.sum(previous.sign_(), 1, out=chunk.rows[Sum.WEIGHT_NEGATIVES])
        previous.copy_(weight)

    def _take_again(self, layers: list[LayerRows]) -> None:
        """Sum again the rows whose sums are no numbers, or hold too few digits."""
        for layer in layers:
            for source, values in ((WEIGHTS, layer.weight), (GRADIENTS, layer.gradient)):
                if values is None:
                    continue
                for chunk in self._chunks_of(layer):
                    self._look_again(source, chunk, values[chunk.first : chunk.last])
        for source, chunk, chosen, sums in self._careful:
            self._fill(source, chunk, chosen, sums)
        self._careful.clear()

    def _look_again(self, source: int, chunk: _Chunk, values: Tensor) -> None:
        """Take the deviation of nearly constant rows now; what is summed in float64 is filled in at the end."""
        total, norm = self._by_source[source, TOTAL : NORM + 1, chunk.columns]
        chosen = _choose_again(total, norm, values.shape[1])
        if chosen is None:
            return
        careful, constant = chosen
        if len(constant):
            first = SOURCE_SUMS * source
            deviations = _deviations(values[constant].float(), chunk.rows[first + TOTAL][constant])
            chunk.rows[first + DEVIATION][constant] = deviations
        if len(careful):
            self._careful.append((source, chunk, careful, sum_carefully(values[careful].double())))

    def _fill(self, source: int, chunk: _Chunk, chosen: Tensor, sums: Tensor) -> None:
        first = SOURCE_SUMS * source
        self._sums[first : first + SOURCE_SUMS, chunk.columns][:, chosen] = sums[:SOURCE_SUMS].float()
        chunk.rows[Sum.WEIGHT_NONFINITE + source][chosen] = sums[SOURCE_SUMS + 1].float()
        if source == WEIGHTS:
            chunk.rows[Sum.WEIGHT_NEGATIVES][chosen] = sums[SOURCE_SUMS].float()

    def _chunks_of(self, layer: LayerRows) -> list[_Chunk]:
        filters, elements = layer.weight.shape
        key = (layer.column, filters, elements)
        if elements > self._scratch.shape[1]:
            self._scratch = torch.empty(3, elements)
            self._chunks.clear()
        if key not in self._chunks:
            step = self._scratch.shape[1] // elements
            spans = [(first, min(filters, first + step)) for first in range(0, filters, step)]
            self._chunks[key] = [self._chunk(layer, first, last) for first, last in spans]
        return self._chunks[key]

    def _chunk(self, layer: LayerRows, first: int, last: int) -> _Chunk:
        part, elements = layer.cut(first, last), layer.weight.shape[1]
        columns = slice(part.column, part.column + last - first)
        places = slice(part.place, part.place + len(part.positions))
        return _Chunk(
            first,
            last,
            columns,
            self._sums[:, columns].unbind(),
            self._scratch[:, : (last - first) * elements].view(3, last - first, elements),
            part.positions,
            self._samples[:, layer.layer, places].unbind(),
        )


def _take_source(values: Tensor, chunk: _Chunk, source: int) -> None:
    """Fill what is taken alike of each source; their samples, too, while they are in the cache."""
    total, norm, _, largest, smallest, _ = chunk.rows[SOURCE_SUMS * source : SOURCE_SUMS * (source + 1)]
    torch.sum(values, 1, out=total)
    torch.linalg.vector_norm(values, dim=1, out=norm)
    torch.amax(values, 1, out=largest)
    torch.amin(values, 1, out=smallest)
    torch.index_select(values.view(-1), 0, chunk.positions, out=chunk.samples[source])


def _choose_again(total: FloatArray, norm: FloatArray, elements: int) -> tuple[Tensor, Tensor] | None:
    """Return the rows that must be looked at again; None where there are none.

    Args:
        total: Sum of each row, shape (filters,).
        norm: Of each row, shape (filters,).
        elements: In a row.

    Returns:
        Indices of rows that are not finite, or too small to be squared (one of zeros is as it should be); and of rows
        that are nearly constant, as gradients of a last layer often are.
    """
    with np.errstate(invalid="ignore"):
        is_number = (norm < np.inf) & ((norm >= _SMALLEST_NORM) | (total == 0))
        is_spread = np.abs(total) <= np.float32(_MOST_MEAN * math.sqrt(elements)) * norm
    if is_number.all() and is_spread.all():
        return None
    return torch.from_numpy(np.flatnonzero(~is_number)), torch.from_numpy(np.flatnonzero(is_number & ~is_spread))


def _deviations(values: Tensor, total: Tensor) -> Tensor:
    """Return the deviation of nearly constant rows: less their mean they lose no digit."""
    elements = values.shape[1]
    centred = values - (total / elements)[:, None]
    scatter: Tensor = torch.linalg.vector_norm(centred, dim=1).square() - centred.sum(1).square() / elements
    return scatter.clamp(min=0).sqrt()


def _as_float32(values: Tensor, scratch: Tensor) -> Tensor:
    return values if values.dtype == torch.float32 else scratch.copy_(values)
