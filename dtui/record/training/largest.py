"""Finds the largest of the values at every update since the last record, which a record alone would miss.

Owns the way to find it without waiting for a device.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

MOST_WAITING = 256
"""Tensors of one element that are kept before the largest of them takes their place."""


class Largest:
    """The largest of some numbers, NaN if one of them is NaN. Some may still be on a device."""

    def __init__(self) -> None:
        self._number, self._tensors, self._count = -math.inf, list[Tensor](), 0

    def add(self, value: float | Tensor) -> None:
        """Add a number, or a tensor of one element that no longer changes."""
        self._count += 1
        if isinstance(value, Tensor):
            self._tensors.append(value)
            if len(self._tensors) >= MOST_WAITING:
                self._tensors = _largest_of_each_kind(self._tensors)
        elif not (math.isnan(self._number) or value <= self._number):
            self._number = value

    def take(self) -> Callable[[], float] | None:
        """Return a function for another thread that gives the largest, and start again; None for less than two."""
        number, tensors, count = self._number, self._tensors, self._count
        self._number, self._tensors, self._count = -math.inf, [], 0
        if count < 2:  # the record holds the only one itself
            return None
        tensors = _largest_of_each_kind(tensors)
        return lambda: float(np.max([number, *map(float, tensors)]))


def _largest_of_each_kind(tensors: list[Tensor]) -> list[Tensor]:
    """Return the largest of the tensors on each device and of each type, as tensors of one element."""
    kinds: dict[tuple[torch.device, torch.dtype], list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault((tensor.device, tensor.dtype), []).append(tensor.reshape(()))
    return [torch.stack(same).amax() for same in kinds.values()]
