"""Reads the values of all normalisation layers, with one operation on the training's thread.

Owns the position of each number in the gathered values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from operator import is_

import numpy as np
import torch
from torch import Tensor, nn

from dtui.fork_gate import resting
from dtui.model import FloatArray, IntArray
from dtui.record.network.norm_layers import SHIFT, Kept, NormProbe, find_norms, kept_of, shift_of
from dtui.record.training.distributed import is_sharded, local_rows
from dtui.record.writing.warn import warn_once

_PLAIN = (Tensor, nn.Parameter)


class _Group:
    """The tensors on one device, and the positions of their elements in the flattened values."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.elements = 0
        self._places: list[tuple[int, int]] = []

    def add(self, tensor: Tensor, first: int) -> None:
        self.tensors.append(tensor)
        self.elements += tensor.numel()
        self._places.append((first, first + tensor.numel()))

    @cached_property
    def at(self) -> IntArray:
        """Position of each element, shape (elements,); computed on the writer's thread."""
        return np.concatenate([np.arange(*place) for place in self._places])


class NormValues:
    """Reads the scales, running means and running variances of all normalisation layers, and the shifts if asked."""

    def __init__(self, probes: Sequence[NormProbe], has_shifts: bool = False) -> None:
        """Prepare for normalisation layers, in the order of the run."""
        self._probes = probes
        self._has_shifts = has_shifts
        self._kinds = (*Kept, SHIFT) if has_shifts else tuple(Kept)
        self._starts = [0, *np.cumsum([probe.channels for probe in probes]).tolist()]
        self._seen: list[Tensor | None] = []
        self._groups: list[_Group] = []

    @property
    def is_sharded(self) -> bool:
        """Whether this process holds only a part of the scales."""
        return any(is_sharded(tensor) for tensor in self._tensors())

    @property
    def record_bytes(self) -> int:
        """Bytes that their values take in one record while it waits to be written."""
        return 4 * len(self._kinds) * sum(probe.channels for probe in self._probes)

    def rebind(self, root: nn.Module) -> None:
        """Follow a network whose modules were replaced. A layer that is gone has no value from then on."""
        current = {probe.name: probe for probe in find_norms(root)}
        for probe in self._probes:
            now = current.get(probe.name)
            is_there = now is not None and now.channels == probe.channels
            if not is_there:
                warn_once(f"norm {probe.name}", f"layer {probe.name}: gone or changed; it is left out from here on")
            probe.bind(now.module if now is not None and is_there else None)

    def take(self) -> Callable[[], FloatArray | None]:
        """Read everything. Return a function for another thread that waits for the values on the host.

        It returns shape (len(Kept), channels of all layers), with a row SHIFT where shifts are read; None if there is
        no layer; NaN for values that a layer lacks or another process holds, infinity for values that are NaN.
        """
        if not self._probes:
            return lambda: None
        tensors = self._tensors()
        if len(tensors) != len(self._seen) or not all(map(is_, tensors, self._seen)):
            self._plan(tensors)
        flat = self._gathered()
        if flat is None:
            self._plan(tensors)
            flat = [torch.cat(group.tensors) for group in self._groups]
        waits = [(group, arriving(found)) for group, found in zip(self._groups, flat, strict=True)]
        shape = len(self._kinds), self._starts[-1]

        def arrive() -> FloatArray:
            values: FloatArray = np.full(math.prod(shape), np.nan, np.float32)
            for group, wait in waits:
                found = wait()
                values[group.at] = np.where(np.isnan(found), np.inf, found)
            return values.reshape(shape)

        return arrive

    def _gathered(self) -> list[Tensor] | None:
        """Return the elements of each group; None if the tensors have changed their layout."""
        try:
            flat = [torch.cat(group.tensors) for group in self._groups]
        except RuntimeError:  # some of them moved to another device
            return None
        is_same = all(found.numel() == group.elements for found, group in zip(flat, self._groups, strict=True))
        return flat if is_same else None

    def _tensors(self) -> list[Tensor | None]:
        """Return the present tensors of each layer, in the order of Kept, then its shift if shifts are read."""
        tensors: list[Tensor | None] = []
        nothing = (None,) * len(self._kinds)
        for probe in self._probes:
            module = probe.module
            tensors += nothing if module is None else kept_of(module)
            if self._has_shifts and module is not None:
                tensors.append(shift_of(module))
        return tensors

    def _plan(self, tensors: list[Tensor | None]) -> None:
        """Plan the groups of tensors to gather."""
        groups: dict[torch.device, _Group] = {}
        is_plain = True
        for first, length, tensor in self._pieces(tensors):
            part = local_rows(tensor.detach())
            is_plain &= type(tensor) in _PLAIN and tensor.dim() == 1
            if part is None or tensor.numel() != length or part[0].device.type == "meta":
                continue
            rows, skipped = part
            before = skipped * math.prod(tensor.shape[1:])
            piece = tensor if is_plain else rows.reshape(-1)
            groups.setdefault(piece.device, _Group()).add(piece, first + before)
        self._groups = list(groups.values())
        self._seen = tensors if is_plain else []  # a view of what is no plain vector may not be where it was

    def _pieces(self, tensors: list[Tensor | None]) -> Iterator[tuple[int, int, Tensor]]:
        """Yield the position of each tensor, its required number of elements, and the tensor."""
        for index, probe in enumerate(self._probes):
            for kept in self._kinds:
                tensor = tensors[len(self._kinds) * index + kept]
                if tensor is not None:
                    yield kept * self._starts[-1] + self._starts[index], probe.channels, tensor


def arriving(values: Tensor) -> Callable[[], FloatArray]:
    """Return a function that waits for a vector; training continues while it is copied from a GPU."""
    if values.dtype != torch.float32:
        values = values.float()
    if values.device.type != "cuda":
        host = values.cpu()
        return lambda: host.numpy()
    copy = torch.empty(values.shape, dtype=values.dtype, device="cpu", pin_memory=True)
    copy.copy_(values, non_blocking=True)
    event = torch.cuda.current_stream(values.device).record_event()

    def wait() -> FloatArray:
        with resting():
            event.synchronize()
        found: FloatArray = copy.numpy()
        return found

    return wait
