"""Counts the updates that a GradScaler skips because a gradient is NaN or Inf.

Owns the hooks on torch's GradScaler. A fused optimizer is called even for a skipped update, because its kernel decides;
so its step hooks run. Any other optimizer is not called at all, and only the scaler knows of the skip.
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
    """The state after waiting for a device.

    Attributes:
        count: Updates skipped so far.
        is_last: Whether the last reported update was skipped. Its gradients are still multiplied by the scale then.
    """

    count: int
    is_last: bool


class SkippedUpdates:
    """Counts the skipped updates of one optimizer at a time; on a GPU without waiting for it."""

    def __init__(self, optimizer: Optimizer | None) -> None:
        """Begin to watch an optimizer; None for none yet."""
        self._optimizer: weakref.ref[Optimizer] | None = None
        self.told = 0
        self.on_skip: Callable[[], None] = _nothing
        """Called when a scaler has left an update out, of which the optimizer does not tell."""
        self._known = 0
        self._on_device: Tensor | None = None
        self._last: Tensor | None = None
        if optimizer is not None:
            self.follow(optimizer)

    def follow(self, optimizer: Optimizer) -> None:
        """Watch the updates of an optimizer from now on, without keeping it alive."""
        if self._optimizer is None:
            _watches.add(self)
            _watch_scalers()
        self._optimizer = weakref.ref(optimizer)

    def is_of(self, optimizer: Optimizer) -> bool:
        """Whether this optimizer is being watched."""
        return self._optimizer is not None and self._optimizer() is optimizer

    def remove(self) -> None:
        """Stop watching."""
        if self in _watches:
            _watches.discard(self)
            _leave_scalers()

    def is_known_skipped(self, optimizer: Optimizer) -> bool:
        """Note an update that an optimizer reports; True if it is known at once to be skipped.

        On a GPU the answer would need waiting, so the update is taken as a real one and counted on the device.
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
        """Count an update that a scaler made, unless the optimizer has reported one since the count was `told`."""
        if self.told == told:
            self._known += 1
            self.on_skip()

    def take(self) -> Callable[[], Skips]:
        """Return a function for another thread that waits for the device and gives the count."""
        known, counted, last = self._known, self._on_device, self._last

        def read() -> Skips:
            count = known + (0 if counted is None else int(counted.sum()))
            return Skips(count, last is not None and bool(last.sum() > 0))

        return read


def _nothing() -> None:
    """Do nothing."""


def _is_at_hand(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu"


def _watch_scalers() -> None:
    """Make every GradScaler report its steps, until the last watch is removed."""
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
