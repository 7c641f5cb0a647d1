"""Counts the activations of filters during one validation, on the device and without waiting for it.

Owns the numbers: how many activations are not above zero, their sum, and which images excite each filter most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dtui.record.validation.activations.places import Reading

CANDIDATES = 16
"""Images kept of each filter: nine are stored, and some may turn out to be none of the tracked ones."""
ROW_BITS = 32
"""A candidate is the number of its pass, shifted by so many bits, and its row there; -1 for none."""


BLOCK = 1 << 17
"""Values that are read at once on the host: they stay in the cache of a core, which takes a quarter of the time."""


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """What was counted of a layer, on the host; F filters.

    Attributes:
        zeros: Activations that are not above zero, shape (F,), int64.
        sums: Sum of the activations, shape (F,), float64; after the ReLU where one follows.
        total: Activations of each filter.
    """

    zeros: Tensor
    sums: Tensor
    total: int


class Tally:
    """The running numbers of one layer."""

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.total = 0
        self._sums: Tensor | None = None
        """Zeros, and activations, shape (2, F)."""
        self._peaks: Tensor | None = None

    @property
    def has_zeros(self) -> bool:
        """Whether what is not above zero does not get through, so that it excites nothing."""
        return self.reading.then in ("relu", "relu6")

    def see(self, output: Tensor) -> None:
        """Take what the module returned in one call; several calls in a pass add up.

        Raises:
            ValueError: The output does not have one channel for each filter.
        """
        values = self._as_batch(output.detach())
        if not values.numel():
            return
        sums, peaks = self._reduced(values)
        self.total += values.numel() // self.reading.filters
        self._sums = sums if self._sums is None else self._sums + sums
        self._peaks = peaks if self._peaks is None else _larger(self._peaks, peaks)

    def _reduced(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return zeros and sums over everything, shape (2, F), and the largest value of each image, (images, F)."""
        channel = values.dim() + self.reading.channels
        inner = tuple(axis for axis in range(1, values.dim()) if axis != channel)
        on_host = values.device.type == "cpu"
        exact = torch.float64 if on_host or values.device.type == "cuda" else torch.float32
        small = values.dtype if values.dtype == torch.float64 else torch.float32
        images = max(1, BLOCK * len(values) // values.numel()) if on_host else len(values)
        room = torch.empty_like(values[:images])
        parts = []
        for block in torch.split(values, images):
            out = room[: len(block)]
            zeros = _sum(torch.le(block, 0, out=out), inner, small)  # four times as fast as a bool
            active = _sum(_after(self.reading.then, block, out), inner, small)
            parts.append((zeros, active, block.amax(inner) if inner else block.clone()))
        joined = [torch.cat(part) for part in zip(*parts, strict=True)] if len(parts) > 1 else parts[0]
        return torch.stack(list(joined[:2])).to(exact).sum(1), joined[2]

    def take_peaks(self) -> Tensor | None:
        """Return the largest value of each image and filter since the last call, shape (images, F); None for none."""
        peaks, self._peaks = self._peaks, None
        return peaks

    def counted(self) -> Counted | None:
        """Return everything, copied to the host; None if the layer was never called."""
        if self._sums is None:
            return None
        zeros, sums = self._sums.cpu().double()
        return Counted(zeros.round().long(), sums, self.total)

    def _as_batch(self, output: Tensor) -> Tensor:
        """Return the output with images as its first axis: a single image, as a layer may be given it, becomes one."""
        reading = self.reading
        dims = reading.dims or 1 - reading.channels
        if output.dim() == dims - 1:
            output = output.unsqueeze(0)
        elif output.dim() >= dims and reading.images:
            output = output.transpose(0, reading.images)
        first, units = reading.units or (0, reading.filters)
        has_all = output.dim() >= dims and output.shape[reading.channels] >= first + units
        if not has_all or (reading.units is None and output.shape[reading.channels] != units):
            raise ValueError(f"an output of shape {tuple(output.shape)} for {reading.filters} filters")
        if reading.units is None:
            return output
        return torch.cat(reading.filters // units * [output.narrow(reading.channels, first, units)], reading.channels)


class Ranking:
    """The images with the largest values, of many filters at once: all layers that a pass has on one device."""

    def __init__(self) -> None:
        self._best: tuple[Tensor, Tensor] | None = None
        """Peaks and images, shape (F, candidates): rows that lie together are searched in a third of the time."""

    def merge(self, parts: Sequence[Tensor], number: int) -> None:
        """Let the images of a pass compete with the best so far.

        Args:
            parts: Peaks of some layers, each of shape (images, its filters), the same ones in each pass.
            number: Of the pass.
        """
        joined = torch.cat([part.float() for part in parts], 1).t()
        peaks = torch.nan_to_num(joined, nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
        rows = torch.arange(peaks.shape[1], device=peaks.device) + (number << ROW_BITS)
        images = rows.expand(len(peaks), -1)
        if self._best is not None:
            peaks, images = torch.cat([self._best[0], peaks], 1), torch.cat([self._best[1], images], 1)
        best, places = peaks.topk(min(CANDIDATES, peaks.shape[1]), dim=1)
        self._best = best, images.gather(1, places)

    def best(self) -> tuple[Tensor, Tensor]:
        """Return peaks and images, copied to the host, shape (candidates, F), descending; -inf for none."""
        if self._best is None:
            raise RuntimeError("no pass was merged")
        peaks, images = (part.cpu().t() for part in self._best)
        return peaks, images


def _after(then: str, values: Tensor, room: Tensor) -> Tensor:
    """Return what is behind the activation function, where that is a ReLU, in memory that is there already."""
    if then == "relu":
        return torch.clamp_min(values, 0, out=room)
    return torch.clamp(values, 0, 6, out=room) if then == "relu6" else values


def _sum(values: Tensor, inner: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """Return the sums over some axes; a copy where there is none, for the memory of `values` is used again."""
    return values.sum(inner, dtype=dtype) if inner else values.to(dtype, copy=True)


def _larger(one: Tensor, other: Tensor) -> Tensor:
    """Return the larger of two calls' peaks; of calls with different rows, such as patches, the last."""
    return torch.maximum(one, other) if one.shape == other.shape else other
