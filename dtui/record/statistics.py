"""Sums over each filter, taken on the training thread with as few passes over the weights as possible.

Owns which sums are taken and how a NaN is kept out of them. A second copy would let two probes disagree about
the same weight. All statistics follow from these sums (`dtui.record.derive`), so any sharding of the filters
needs no more than putting the columns side by side.
"""

from __future__ import annotations

import math
from enum import IntEnum

import torch
from torch import Tensor

from dtui.model import FloatArray
from dtui.record.fused import load_kernels

CHUNK_ELEMENTS = 1 << 19
"""Rows are read in chunks of so many elements: three chunks stay in the cache between the passes."""


class Sum(IntEnum):
    """Rows of the sum buffer; each holds one number a filter, over the finite elements only."""

    WEIGHT_SUM = 0
    WEIGHT_NORM = 1
    WEIGHT_NORM1 = 2
    WEIGHT_MAX = 3
    WEIGHT_MIN = 4
    UPDATE_SUM = 5
    UPDATE_NORM = 6
    UPDATE_NORM1 = 7
    UPDATE_MAX = 8
    UPDATE_MIN = 9
    GRADIENT_SUM = 10
    GRADIENT_NORM = 11
    GRADIENT_NORM1 = 12
    GRADIENT_MAX = 13
    GRADIENT_MIN = 14
    WEIGHT_NEGATIVES = 15
    WEIGHT_NONFINITE = 16
    UPDATE_NONFINITE = 17
    GRADIENT_NONFINITE = 18


_SOURCES = (
    (Sum.WEIGHT_SUM, Sum.WEIGHT_NONFINITE),
    (Sum.UPDATE_SUM, Sum.UPDATE_NONFINITE),
    (Sum.GRADIENT_SUM, Sum.GRADIENT_NONFINITE),
)


class FilterSums:
    """A buffer of sums for all filters on one device, filled layer by layer."""

    def __init__(self, filters: int, device: torch.device, fused: bool = False) -> None:
        """Allocate the buffer, shape (len(Sum), filters), float32, and the scratch space.

        Args:
            filters: On the flat filter axis.
            device: Where the weights are.
            fused: Use the compiled kernels, on the CPU.
        """
        self._kernels = load_kernels() if fused and device.type == "cpu" else None
        self.buffer = torch.zeros(len(Sum), filters, device=device)
        self._scratch = torch.empty(3, CHUNK_ELEMENTS, device=device)
        self._device = device
        self._rows: dict[tuple[int, int], tuple[Tensor, ...]] = {}
        self._slots: dict[tuple[int, torch.Size], Tensor] = {}

    def clear(self) -> None:
        """Mark every sum as not taken (NaN), every count of non-finite elements as zero."""
        self.buffer.fill_(math.nan)
        self.buffer[Sum.WEIGHT_NONFINITE :].zero_()

    def add(self, first: int, weight: Tensor, previous: Tensor | None, gradient: Tensor | None) -> None:
        """Take the sums of one layer and replace `previous` by `weight`.

        Args:
            first: Row of its first filter on the flat filter axis.
            weight: Shape (filters, elements), any floating dtype.
            previous: The weight at the record before, same shape, float32; None at the first record.
            gradient: Same shape; None where there is none, and its sums stay NaN.
        """
        filters, elements = weight.shape
        if elements > self._scratch.shape[1]:
            self._scratch = torch.empty(3, elements, device=self._device)
            self._slots.clear()
        step = max(1, self._scratch.shape[1] // max(elements, 1))
        for start in range(0, filters, step):
            stop = min(filters, start + step)
            columns = slice(first + start, first + stop)
            values = self._as_float32(weight[start:stop], 1)
            self._reduce_weights(values, columns)
            if previous is not None:
                before = previous[start:stop]
                self._reduce_differences(values, before, columns)
                before.copy_(values)
            if gradient is not None:
                self._reduce(2, self._as_float32(gradient[start:stop], 1), columns)

    def _slot(self, index: int, like: Tensor) -> Tensor:
        """Return scratch space of a shape; kept, for making a view costs as much as a small sum."""
        key = (index, like.shape)
        if key not in self._slots:
            self._slots[key] = self._scratch[index, : like.numel()].view(like.shape)
        return self._slots[key]

    def _rows_of(self, columns: slice) -> tuple[Tensor, ...]:
        """Return some columns of every row of the buffer; kept, as the slots are."""
        key = (columns.start, columns.stop)
        if key not in self._rows:
            self._rows[key] = tuple(self.buffer[row, columns] for row in range(len(Sum)))
        return self._rows[key]

    def _as_float32(self, values: Tensor, slot: int) -> Tensor:
        return values if values.dtype == torch.float32 else self._slot(slot, values).copy_(values)

    def _first_three(self, first: int, columns: slice) -> FloatArray:
        """Return the first three sums of a source as the kernels fill them, shape (3, filters)."""
        rows: FloatArray = self.buffer[first : first + 3, columns].numpy()
        return rows

    def _reduce_weights(self, values: Tensor, columns: slice) -> None:
        if self._kernels is not None:
            sums, negatives = self._first_three(Sum.WEIGHT_SUM, columns), self._rows_of(columns)[Sum.WEIGHT_NEGATIVES]
            self._kernels[1](values.numpy(), sums, negatives.numpy())
        else:
            mask = self._slot(0, values)
            torch.lt(values, 0, out=mask)
            torch.sum(mask, 1, out=self._rows_of(columns)[Sum.WEIGHT_NEGATIVES])
        self._reduce(0, values, columns, is_summed=self._kernels is not None)

    def _reduce_differences(self, values: Tensor, before: Tensor, columns: slice) -> None:
        difference = self._slot(2, values)
        if self._kernels is not None:
            sums = self._first_three(Sum.UPDATE_SUM, columns)
            self._kernels[2](values.numpy(), before.numpy(), difference.numpy(), sums)
        else:
            torch.sub(values, before, out=difference)
        self._reduce(1, difference, columns, is_summed=self._kernels is not None)

    def _reduce(self, source: int, values: Tensor, columns: slice, is_summed: bool = False) -> None:
        """Fill the five sums of one source; rows with a non-finite element are taken again with care.

        Args:
            source: Index in `_SOURCES`.
            values: Shape (filters, elements), float32.
            columns: Of the buffer.
            is_summed: A kernel has filled the first three.
        """
        first, nonfinite = _SOURCES[source]
        total, norm, norm1, largest, smallest = self._rows_of(columns)[first : first + 5]
        if self._device.type != "cpu":
            self._reduce_carefully(values, first, nonfinite, columns)
            return
        if self._kernels is not None and not is_summed:
            self._kernels[0](values.numpy(), self._first_three(first, columns))
        elif not is_summed:
            torch.sum(values, 1, out=total)
            torch.linalg.vector_norm(values, dim=1, out=norm)
            magnitude = self._slot(0, values)
            torch.abs(values, out=magnitude)
            torch.sum(magnitude, 1, out=norm1)
        torch.amax(values, 1, out=largest)
        torch.amin(values, 1, out=smallest)
        if not math.isfinite(float(norm.sum())):
            for row in (~torch.isfinite(norm)).nonzero().flatten().tolist():
                one = slice(columns.start + row, columns.start + row + 1)
                self._reduce_carefully(values[row : row + 1].double(), first, nonfinite, one)

    def _reduce_carefully(self, values: Tensor, first: Sum, nonfinite: Sum, columns: slice) -> None:
        """Take the sums over the finite elements; without a branch on the values, so without waiting for a device."""
        finite = torch.isfinite(values)
        kept = torch.where(finite, values, 0.0)
        size = torch.where(finite, values, -math.inf).amax(1), torch.where(finite, values, math.inf).amin(1)
        self.buffer[first, columns] = kept.sum(1).to(self.buffer.dtype)
        self.buffer[first + 1, columns] = torch.linalg.vector_norm(kept, dim=1).to(self.buffer.dtype)
        self.buffer[first + 2, columns] = kept.abs().sum(1).to(self.buffer.dtype)
        self.buffer[first + 3, columns] = size[0].to(self.buffer.dtype)
        self.buffer[first + 4, columns] = size[1].to(self.buffer.dtype)
        self.buffer[nonfinite, columns] = (~finite).sum(1).to(self.buffer.dtype)
        if first is Sum.WEIGHT_SUM:
            self.buffer[Sum.WEIGHT_NEGATIVES, columns] = (kept < 0).sum(1).to(self.buffer.dtype)
