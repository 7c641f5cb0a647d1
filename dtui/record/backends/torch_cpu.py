"""Computes the sums on the training's thread with torch, in as few passes over the weights as possible."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dtui.model import FloatArray
from dtui.record.backends.layer_rows import LayerRows
from dtui.record.backends.sums import (
    CHUNK_ELEMENTS,
    DEVIATION,
    GRADIENTS,
    NORM,
    SOURCE_SUMS,
    TOTAL,
    UPDATES,
    WEIGHTS,
    Buffers,
    Sum,
    sum_carefully,
)

_SMALLEST_NORM = 1e-15
"""Below, squares lose digits in float32."""

_MOST_MEAN = math.sqrt(0.99)
"""Share of the mean in a norm above which the deviation is too small a difference of both."""


@dataclass(frozen=True, eq=False, slots=True)
class _Chunk:
    """Views for some rows, kept for every record, because making a view costs as much as a small sum.

    Attributes:
        first: First row in the layer.
        last: Row after the last.
        columns: Columns of the sums.
        rows: Each row of the sums, in these columns.
        scratch: Shape (3, filters, elements).
        positions: Positions of the samples among the flattened rows.
        samples: Views of the sample buffer, by source.
    """

    first: int
    last: int
    columns: slice
    rows: tuple[Tensor, ...]
    scratch: Tensor
    positions: Tensor
    samples: tuple[Tensor, ...]


class TorchSums:
    """Computes each sum on the CPU with one torch operation, for one chunk after the other while it is in the cache.

    The updates are computed in the memory of the previous weights, which are replaced last. An operation in place takes
    half the time, because it fills no further cache lines.
    """

    def __init__(self, like: Buffers) -> None:
        """Allocate our own buffers, so that views of them can be kept."""
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
        gradient = layer.gradient_rows
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
        """Sum again the rows whose sums are not finite, or have too few digits."""
        for layer in layers:
            for source, values in ((WEIGHTS, layer.weight), (GRADIENTS, layer.gradient_rows)):
                if values is None:
                    continue
                for chunk in self._chunks_of(layer):
                    self._look_again(source, chunk, values[chunk.first : chunk.last])
        for source, chunk, chosen, sums in self._careful:
            self._fill(source, chunk, chosen, sums)
        self._careful.clear()

    def _look_again(self, source: int, chunk: _Chunk, values: Tensor) -> None:
        """Compute the deviation of nearly constant rows now; sums in float64 are filled in at the end."""
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
    """Fill the sums that are the same for each source, and the samples while the rows are in the cache."""
    total, norm, _, largest, smallest, _ = chunk.rows[SOURCE_SUMS * source : SOURCE_SUMS * (source + 1)]
    torch.sum(values, 1, out=total)
    torch.linalg.vector_norm(values, dim=1, out=norm)
    torch.amax(values, 1, out=largest)
    torch.amin(values, 1, out=smallest)
    torch.index_select(values.view(-1), 0, chunk.positions, out=chunk.samples[source])


def _choose_again(total: FloatArray, norm: FloatArray, elements: int) -> tuple[Tensor, Tensor] | None:
    """Return the rows that must be summed again; None if there are none.

    Args:
        total: Sum of each row, shape (filters,).
        norm: Norm of each row, shape (filters,).
        elements: Number of elements per row.

    Returns:
        Indices of rows that are not finite or too small to be squared, except rows of zeros; and of rows that are
        nearly constant, as gradients of a last layer often are.
    """
    with np.errstate(invalid="ignore"):
        is_number = (norm < np.inf) & ((norm >= _SMALLEST_NORM) | (total == 0))
        is_spread = np.abs(total) <= np.float32(_MOST_MEAN * math.sqrt(elements)) * norm
    if is_number.all() and is_spread.all():
        return None
    return torch.from_numpy(np.flatnonzero(~is_number)), torch.from_numpy(np.flatnonzero(is_number & ~is_spread))


def _deviations(values: Tensor, total: Tensor) -> Tensor:
    """Return the deviation of nearly constant rows. The mean is subtracted first, so that no digit is lost."""
    elements = values.shape[1]
    centred = values - (total / elements)[:, None]
    scatter: Tensor = torch.linalg.vector_norm(centred, dim=1).square() - centred.sum(1).square() / elements
    return scatter.clamp(min=0).sqrt()


def _as_float32(values: Tensor, scratch: Tensor) -> Tensor:
    return values if values.dtype == torch.float32 else scratch.copy_(values)
