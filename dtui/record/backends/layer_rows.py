"""Defines the input of one record: the weights of a layer, or some of them, as rows of filters.

Owns the interface between finding the weights and summing them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor


@dataclass(slots=True, eq=False)
class LayerRows:
    """Rows of one layer that this process holds.

    Attributes:
        layer: Index of the layer.
        column: Position of the first row on the flat filter axis.
        weight: Shape (filters, elements), contiguous, any floating dtype.
        previous: Same shape, float32: the weight at the record before. It is overwritten with `weight`.
        is_first: Whether `previous` holds nothing yet.
        gradient: The elements in the order of `weight`, without holes, in whatever shape; None if there is none. A
            compiled kernel asks for its address alone, and a view of each layer costs more than that of the rest.
        positions: Flat positions of the samples among these rows, ascending, int64 on the CPU.
        place: Position of the first of these samples among all samples of the layer.
        entry: What a compiled kernel is told of all but the gradient, kept by it; a record of the same rows needs it
            again.
    """

    layer: int
    column: int
    weight: Tensor
    previous: Tensor
    is_first: bool
    gradient: Tensor | None
    positions: Tensor
    place: int
    entry: tuple[int, ...] = field(default=(), init=False, repr=False)

    @property
    def gradient_rows(self) -> Tensor | None:
        """The gradient, shaped like `weight`."""
        gradient, weight = self.gradient, self.weight
        if gradient is None or gradient.shape == weight.shape:
            return gradient
        return gradient.as_strided(weight.shape, weight.stride())

    def cut(self, first: int, last: int) -> LayerRows:
        """Return the rows from `first` to `last` (exclusive)."""
        elements = self.weight.shape[1]
        gradient = self.gradient_rows
        begin, end = np.searchsorted(self.positions.numpy(), (first * elements, last * elements)).tolist()
        return replace(
            self,
            column=self.column + first,
            weight=self.weight[first:last],
            previous=self.previous[first:last],
            gradient=None if gradient is None else gradient[first:last],
            positions=self.positions[begin:end] - first * elements,
            place=self.place + begin,
        )


def is_float32(layer: LayerRows) -> bool:
    """Whether the weights, and the gradients if any, are float32."""
    return layer.weight.dtype == torch.float32 and (layer.gradient is None or layer.gradient.dtype == torch.float32)
