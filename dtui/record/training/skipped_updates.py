"""The updates that a GradScaler skips because a gradient is NaN or Inf.

Owns the one place in which torch's GradScaler is watched. An optimizer that leaves the decision to its kernel (fused)
is called nevertheless and tells of the update; any other is not called at all, and only the scaler knows.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

_watches: weakref.WeakSet[SkippedUpdates] = weakref.WeakSet()


@dataclass(frozen=True, slots=True)
class Skips:
    """What is known once a device has been waited for.

    Attributes:
        count: Updates skipped so far.
        is_last: Whether the update that was told of last was skipped: its gradients are still multiplied by the scale.
    """

    count: int
    is_last: bool


class SkippedUpdates:
    """Counts the skipped updates of one optimizer at a time; on a GPU without waiting for it."""

    def __init__(self, optimizer: Optimizer | None) -> None:
        """Begin to watch; None watches nothing yet."""
        self._optimizer: weakref.ref[Optimizer] | None = None
        self.told = 0
        self._known = 0
        self._on_device: Tensor | None = None
        self._last: Tensor | None = None
        if optimizer is not None:
            self.follow(optimizer)

    def follow(self, optimizer: Optimizer) -> None:
        """Watch the updates of an optimizer, which is not kept alive, from now on."""
        if self._optimizer is None:
            _watches.add(self)
            _watch_scalers()
        self._optimizer = weakref.ref(optimizer)

    def is_of(self, optimizer: Optimizer) -> bool:
        """Whether an optimizer is the one that is watched."""
        return self._optimizer is not None and self._optimizer() is optimizer

    def remove(self) -> None:
        """Watch no longer."""
        if self in _watches:
            _watches.discard(self)
            _leave_scalers()

    def is_known_skipped(self, optimizer: Optimizer) -> bool:
        """Take note of an update that an optimizer tells of; True where it is known at once to be a skipped one.

        A GPU is not asked, for that would wait for it: the update is taken for a real one, and counted on the device.
        """
        self.told += 1
        self._last = None
        found = getattr(optimizer, "found_inf", None)
        if not isinstance(found, Tensor):
            return False
        if _is_at_hand(found):
            is_skipped = bool(found.sum() > 0)
            self._known += is_skipped
            return is_skipped
        self._last = found.detach().clamp(max=1)
        self._on_device = self._last if self._on_device is None else self._on_device + self._last
        return False

    def note_untold(self, told: int) -> None:
        """Count an update that a scaler made, unless the optimizer has told of one since `told` were."""
        self._known += self.told == told

    def take(self) -> Callable[[], Skips]:
        """Return what gives the count on another thread, once the device has arrived there."""
        known, counted, last = self._known, self._on_device, self._last

        def read() -> Skips:
            count = known + (0 if counted is None else int(counted.sum()))
            return Skips(count, last is not None and bool(last.sum() > 0))

        return read


def _is_at_hand(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


def _watch_scalers() -> None:
    """Have every GradScaler tell of the steps that it made, until the last watch is removed."""
    original: Callable[..., Any] = GradScaler.step
    if hasattr(original, "dtui_original"):
        return

    @functools.wraps(original)
    def step(self: GradScaler, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return original(self, optimizer, *args, **kwargs)
        watched = [(watch, watch.told) for watch in list(_watches) if watch.is_of(optimizer)]
        result = original(self, optimizer, *args, **kwargs)
        with suppress(Exception):
            for watch, told in watched:
                watch.note_untold(told)
        return result

    step.dtui_original = original  # type: ignore[attr-defined]
    GradScaler.step = step  # type: ignore[method-assign]


def _leave_scalers() -> None:
    original = getattr(GradScaler.step, "dtui_original", None)
    if original is not None and not _watches:
        GradScaler.step = original  # type: ignore[method-assign]
