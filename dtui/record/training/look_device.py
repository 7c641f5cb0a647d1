"""Looks at all gradients on a GPU in a dozen operations, without waiting for it.

Owns two vectors on the device with one entry for each tensor: a poison that becomes NaN with the first value that is
not finite and stays it, and an age, how many updates ago that was. A record copies the ages beside the training and
begins anew, so the writer learns at which update each tensor was first not finite.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dtui.fork_gate import resting
from dtui.model import IntArray
from dtui.record.training.distributed import is_sharded
from dtui.record.training.look_cost import Stopwatch
from dtui.record.training.seen import BROKEN, FINITE, UNKNOWN, Of, Seen


class DeviceLook:
    """The gradients of all layers on one GPU; nothing here waits, except what `take` returns."""

    def __init__(self, owned: Sequence[Sequence[Tensor]], statistics: Sequence[Tensor | None]) -> None:
        """Prepare.

        Args:
            owned: Of each layer, then of each normalisation layer, the parameters that are trained.
            statistics: Of each normalisation layer its running means, None for none.
        """
        self._nodes = len(owned)
        entries = [(Of.GRADIENT, at, one) for at, own in enumerate(owned) for one in own]
        first = len(owned) - len(statistics)
        entries += [(Of.STATISTIC, first + at, one) for at, one in enumerate(statistics) if one is not None]
        entries.sort(key=lambda entry: str(entry[2].dtype))
        self._tensors = [one for _, _, one in entries]
        self._is_gradient = [row is Of.GRADIENT for row, _, _ in entries]
        self._rows = np.array([int(row) for row, _, _ in entries], dtype=np.int64)
        self._places = np.array([at for _, at, _ in entries], dtype=np.int64)
        types = [one.dtype for one in self._tensors]
        begins = [at for at in range(len(types)) if at == 0 or types[at] != types[at - 1]]
        self._groups = list(zip(begins, [*begins[1:], len(types)], strict=True))
        device = self._tensors[0].device
        self._zero = {kind: torch.zeros((), dtype=kind, device=device) for kind in set(types)}
        self._poison = torch.zeros(len(entries) + 1, dtype=torch.float32, device=device)
        self._age = torch.zeros_like(self._poison)
        self._seen: list[bool] = [False] * len(entries)
        self._has_loss = False
        self._last = -1

    def is_of(self, owned: Sequence[Sequence[Tensor]], statistics: Sequence[Tensor | None]) -> bool:
        """Whether these are the tensors that are looked at."""
        wanted = {id(one) for own in owned for one in own} | {id(one) for one in statistics if one is not None}
        return wanted == set(map(id, self._tensors))

    @torch.no_grad()
    def measure(self, watch: Stopwatch | None, loss: float | Tensor | None) -> Tensor:
        """Return the largest sizes of all tensors, and the loss, shape (entries + 1,), float32: NaN or Inf stay so."""
        if watch is not None:
            watch.begin()
        found = []
        for first, stop in self._groups:
            held = [
                _local(one.grad if is_gradient else one)
                for one, is_gradient in zip(self._tensors[first:stop], self._is_gradient[first:stop], strict=True)
            ]
            self._seen[first:stop] = [one is not None for one in held]
            present = [one for one in held if one is not None]
            sizes = iter(torch._foreach_norm(present, torch.inf) if present else ())
            zero = self._zero[self._tensors[first].dtype]
            found.append(torch.stack([zero if one is None else next(sizes) for one in held]).float())
        at_hand = isinstance(loss, Tensor) and loss.device == self._poison.device and loss.is_floating_point()
        self._has_loss = at_hand
        found.append(loss.reshape(1).float() if isinstance(loss, Tensor) and at_hand else self._poison.new_zeros(1))
        measured = torch.cat(found)
        if watch is not None:
            watch.end()
        return measured

    @torch.no_grad()
    def keep(self, measured: Tensor, iteration: int, found_inf: Tensor | None) -> None:
        """Keep what was measured before an update, unless the update is left out because of `found_inf`."""
        broken = measured - measured  # 0, and NaN for NaN and Inf
        if found_inf is not None:
            broken = torch.where(found_inf.to(broken.device).reshape(()) > 0, 0.0, broken)
        self._poison.add_(broken)
        self._age.add_(self._poison.isnan())
        self._last = iteration

    def take(self) -> Callable[[], list[Seen]] | None:
        """Return a function for another thread that gives what broke since the last call; None for no update."""
        if self._last < 0:
            return None
        ages, event = self._copy()
        last, seen, has_loss = self._last, list(self._seen), self._has_loss
        self._last = -1
        self._poison.zero_()
        self._age.zero_()

        def read() -> list[Seen]:
            if event is not None:
                with resting():
                    event.synchronize()
            return self._read(ages.numpy(), last, np.array(seen, dtype=np.bool_), has_loss)

        return read

    def _copy(self) -> tuple[Tensor, torch.cuda.Event | None]:
        if self._age.device.type == "cpu":
            return self._age.clone(), None
        copy = torch.empty(self._age.shape, dtype=self._age.dtype, device="cpu", pin_memory=True)
        copy.copy_(self._age, non_blocking=True)
        event = torch.cuda.Event()  # type: ignore[no-untyped-call]
        event.record()
        return copy, event

    def _read(self, ages: np.ndarray, last: int, seen: np.ndarray, has_loss: bool) -> list[Seen]:
        return first_broken(ages, self._rows, self._places, seen, self._nodes, last, has_loss=has_loss)


def first_broken(
    ages: np.ndarray,
    rows: IntArray,
    places: IntArray,
    present: np.ndarray,
    nodes: int,
    last: int,
    *,
    has_loss: bool,
) -> list[Seen]:
    """Return what was broken at the first update at which a gradient was; nothing where none was.

    Args:
        ages: Updates since each tensor was first not finite, that one included, 0 for never; the last is the loss.
            Shape (entries + 1,).
        rows: Row of Of, shape (entries,).
        places: Of the layer or normalisation layer, shape (entries,).
        present: Whether there was such a tensor, shape (entries,).
        nodes: Layers and normalisation layers.
        last: Iteration of the last update.
        has_loss: Whether the loss was among the tensors.
    """
    gradients = ages[:-1][rows == Of.GRADIENT]
    oldest = float(gradients.max(initial=0.0))
    if not oldest:
        return []
    codes = np.zeros((len(Of), nodes), np.int64)
    np.maximum.at(codes, (rows[present], places[present]), np.where(ages[:-1][present] >= oldest, BROKEN, FINITE))
    loss = UNKNOWN if not has_loss else BROKEN if ages[-1] >= oldest else FINITE
    return [Seen(last - int(oldest) + 1, codes, loss)]


def _local(tensor: Any) -> Tensor | None:
    """Return the values that this process holds; None for none."""
    held: Tensor | None = tensor.to_local() if is_sharded(tensor) else tensor
    return held if held is not None and held.numel() and held.layout is torch.strided else None
