"""Counts the activations of one layer's filters during one validation, on the device and without waiting for it.

Owns the numbers: how many activations are not above zero, their sum, and which images excite each filter most.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dtui.record.training.activation_places import Reading

CANDIDATES = 16
"""Images kept of each filter: nine are stored, and some may turn out to be none of the tracked ones."""
ROW_BITS = 32
"""A candidate is the number of its pass, shifted by so many bits, and its row there; -1 for none."""


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """What was counted of a layer, on the host; F filters.

    Attributes:
        zeros: Activations that are not above zero, shape (F,), int64.
        sums: Sum of the activations, shape (F,), float64; after the ReLU where one follows.
        total: Activations of each filter.
        peaks: Largest value in an image, shape (CANDIDATES, F), float32, descending; -inf for none.
        images: The images, shape (CANDIDATES, F), int64.
    """

    zeros: Tensor
    sums: Tensor
    total: int
    peaks: Tensor
    images: Tensor


class Tally:
    """The running numbers of one layer."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.total = 0
        self._zeros: Tensor | None = None
        self._sums: Tensor | None = None
        self._peaks: Tensor | None = None
        self._best: tuple[Tensor, Tensor] | None = None

    def see(self, output: Tensor) -> None:
        """Take what the module returned in one call; several calls in a pass add up.

        Raises:
            ValueError: The output does not have one channel for each filter.
        """
        values = self._as_batch(output.detach())
        channel = values.dim() + self.reading.channels
        inner = tuple(axis for axis in range(1, values.dim()) if axis != channel)
        if not values.numel():
            return
        exact = torch.float64 if values.device.type in ("cpu", "cuda") else torch.float32
        small = values.dtype if values.dtype == torch.float64 else torch.float32
        is_zero = torch.le(values, 0, out=torch.empty_like(values, dtype=small))  # four times as fast as a bool
        active = _after(self.reading.then, values)
        zeros = _sum(is_zero, inner, small).long().sum(0)
        sums = _sum(active, inner, small).to(exact).sum(0)
        peaks = (values.amax(inner) if inner else values).float()
        peaks = torch.nan_to_num(peaks, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        self.total += values.numel() // self.reading.filters
        self._zeros = zeros if self._zeros is None else self._zeros + zeros
        self._sums = sums if self._sums is None else self._sums + sums
        self._peaks = peaks if self._peaks is None else _larger(self._peaks, peaks)

    def take_peaks(self) -> Tensor | None:
        """Return the largest value of each image and filter since the last call, shape (images, F); None for none."""
        peaks, self._peaks = self._peaks, None
        return peaks

    def merge(self, peaks: Tensor, number: int) -> None:
        """Let the images of a pass compete with the best so far.

        Args:
            peaks: Shape (images, F).
            number: Of the pass.
        """
        rows = torch.arange(len(peaks), device=peaks.device) + (number << ROW_BITS)
        images = rows[:, None].expand(-1, peaks.shape[1])
        if self._best is not None:
            peaks, images = torch.cat([self._best[0], peaks]), torch.cat([self._best[1], images])
        best, places = peaks.topk(min(CANDIDATES, len(peaks)), dim=0)
        self._best = best, images.gather(0, places)

    def counted(self) -> Counted | None:
        """Return everything, copied to the host; None if the layer was never called."""
        if self._zeros is None or self._sums is None:
            return None
        peaks = torch.full((CANDIDATES, self.reading.filters), -torch.inf)
        images = torch.full(peaks.shape, -1, dtype=torch.int64)
        if self._best is not None:
            found = len(self._best[0])
            peaks[:found], images[:found] = (part.cpu() for part in self._best)
        return Counted(self._zeros.cpu(), self._sums.cpu().double(), self.total, peaks, images)

    def _as_batch(self, output: Tensor) -> Tensor:
        """Return the output with images as its first axis: a single image, as a layer may be given it, becomes one."""
        if output.dim() == -self.reading.channels:
            output = output.unsqueeze(0)
        if output.dim() < 1 - self.reading.channels or output.shape[self.reading.channels] != self.reading.filters:
            raise ValueError(f"an output of shape {tuple(output.shape)} for {self.reading.filters} filters")
        return output


def _after(then: str, values: Tensor) -> Tensor:
    if then == "relu":
        return values.relu()
    return values.clamp(0, 6) if then == "relu6" else values


def _sum(values: Tensor, inner: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    return values.sum(inner, dtype=dtype) if inner else values.to(dtype)


def _larger(one: Tensor, other: Tensor) -> Tensor:
    """Return the larger of two calls' peaks; of calls with different rows, such as patches, the last."""
    return torch.maximum(one, other) if one.shape == other.shape else other
