"""Computes the sums on the CPU with torch alone, for hosts without numba. The tests compare the kernel with it."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from dtui.record.backends.layer_rows import LayerRows
from dtui.record.backends.sums import (
    CHUNK_ELEMENTS,
    GRADIENTS,
    SOURCE_SUMS,
    UPDATES,
    WEIGHTS,
    Buffers,
    Sum,
    sum_carefully,
)

_SMALLEST_NORM = 1e-15
"""Below, squares lose digits in float32."""


class TorchSums:
    """Computes the sums of one chunk after the other, each while it is in the cache."""

    def take(self, layers: list[LayerRows], buffers: Buffers) -> None:
        """Fill the sums and samples of some layers, and replace `previous` by `weight`."""
        for layer in layers:
            filters, elements = layer.weight.shape
            step = max(1, CHUNK_ELEMENTS // elements)
            for first in range(0, filters, step):
                _take(layer.cut(first, min(filters, first + step)), buffers)


def _take(part: LayerRows, buffers: Buffers) -> None:
    weight, gradient = part.weight.float(), part.gradient_rows
    found = {WEIGHTS: weight}
    if gradient is not None:
        found[GRADIENTS] = gradient.float()
    if not part.is_first:
        found[UPDATES] = weight - part.previous
    out = buffers.by_filter[part.column : part.column + len(weight)].t()
    samples = buffers.samples[:, part.layer, part.place : part.place + len(part.positions)]
    for source, values in found.items():
        sums = _sum_rows(values)
        out[SOURCE_SUMS * source : SOURCE_SUMS * (source + 1)] = sums[:SOURCE_SUMS]
        out[Sum.WEIGHT_NONFINITE + source] = sums[SOURCE_SUMS + 1]
        if source == WEIGHTS:
            out[Sum.WEIGHT_NEGATIVES] = sums[SOURCE_SUMS]
        samples[source] = values.flatten()[part.positions]
    part.previous.copy_(weight)


def _sum_rows(values: Tensor) -> Tensor:
    """Return what `sum_carefully` does, which sums again, in float64, the rows whose squares would lose digits."""
    total, norm = values.sum(1), torch.linalg.vector_norm(values, dim=1)
    largest, smallest = values.amax(1), values.amin(1)
    deviation = torch.linalg.vector_norm(values - (total / values.shape[1])[:, None], dim=1)
    negatives = -values.clamp(max=0).sign_().sum(1)  # comparing takes four times as long
    sums = torch.stack([total, norm, values.abs().sum(1), largest, smallest, deviation, negatives, norm * 0])
    is_plain = (norm < math.inf) & ((norm >= _SMALLEST_NORM) | ((largest == 0) & (smallest == 0)))
    if not is_plain.all():
        sums[:, ~is_plain] = sum_carefully(values[~is_plain].double()).float()
    return sums
