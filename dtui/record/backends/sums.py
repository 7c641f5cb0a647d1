"""Defines the sums over each filter, and keeps NaN out of them. Every backend computes these sums.

All statistics are computed from these sums (`dtui.record.measure.statistics`). If filters are sharded over processes,
it is enough to put the columns of the sums side by side.
"""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any, Protocol

import torch
from torch import Tensor

from dtui.model import FloatArray
from dtui.record.backends.layer_rows import LayerRows

CHUNK_ELEMENTS = 1 << 19
"""Rows are read in chunks of so many elements: three chunks stay in the cache between the passes."""

SOURCE_SUMS = 6
"""Sums of each source, in the order of SOURCES; the place of each among them is that of the source's first."""


class Sum(IntEnum):
    """Rows of the sum buffer. Each row has one number per filter, over the finite elements only.

    The kernels take their places from here. numba knows by a kernel's own file alone that its cache is out of date, so
    whoever changes this list changes those files too.

    A deviation is the norm of the values minus their mean. It is NaN where sum and norm give it without loss of digits.
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


class Buffers:
    """The sums and samples of one record on one device."""

    def __init__(self, filters: int, layers: int, samples: int, device: torch.device) -> None:
        """Allocate them, in one piece of memory.

        Args:
            filters: Number of filters on the flat filter axis.
            layers: Number of layers.
            samples: Number of sampled elements per layer.
            device: Device of the weights.
        """
        self._shape = (filters, layers, samples)
        self.memory = torch.empty(filters * len(Sum) + 3 * layers * samples, dtype=torch.float32, device=device)
        self.by_filter, self.samples = self._split(self.memory)
        self._filled_with: tuple[object, ...] | None = None

    def _split(self, memory: Any) -> tuple[Any, Any]:
        filters, layers, samples = self._shape
        cut = filters * len(Sum)
        return memory[:cut].reshape(filters, len(Sum)), memory[cut:].reshape(3, layers, samples)

    def prepare(self, layers: list[LayerRows]) -> None:
        """Mark the entries that these layers will not fill as absent: NaN, and a count of 0 non-finite elements.

        Entries that the same layers filled before are skipped: they will be filled again.
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
        """Split a copy of the memory into sums, shape (len(Sum), filters), and samples, shape (3, layers, samples)."""
        by_filter, samples = self._split(memory)
        return by_filter.T, samples


class Summing(Protocol):
    """A backend that reads the rows on one device."""

    def take(self, layers: list[LayerRows], buffers: Buffers) -> None:
        """Fill the sums and samples of some layers, and replace `previous` by `weight`."""


def sum_carefully(values: Tensor) -> Tensor:
    """Return the sums over the finite elements of rows, without a branch on the values.

    Rows are first divided by a power of two near their largest magnitude, so that no square overflows or underflows.
    This division is exact.

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
