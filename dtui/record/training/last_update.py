"""Checks at the end of a training whether weights and gradients are still those of the last update.

Owns the rule for when a closing record may be made. At the end people load their best checkpoint, swap in averaged
weights, or convert the model. A device may have failed, or an interrupted update may have changed half of the weights.
Such weights belong to no iteration, and are not recorded.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from dtui.model import every_that_fits
from dtui.patience import Patience
from dtui.record.network.layers import unwrap
from dtui.record.network.own_weights import is_layer
from dtui.record.training.distributed import is_sharded
from dtui.record.writing.warn import warn_once

FEW_ELEMENTS = 8
DEVICE_SECONDS = 5.0
"""How long a device may be busy after a crash before it is taken to hang."""


class LastUpdate:
    """Remembers the first and the last trained parameter after the last update, as a sample of all parameters.

    This runs after each update, so it must be cheap: it keeps versions and a copy of a few elements, without waiting.
    """

    def __init__(self, model: nn.Module) -> None:
        """Prepare; the first update finds the parameters."""
        self._model = weakref.ref(model)
        self._places: list[tuple[dict[str, Any], str]] = []
        self._parameters: list[Any] = []
        self._shown: list[tuple[Any, ...]] = []
        self._elements: list[Tensor] = []
        self._copies: list[Tensor] = []
        self._versions: list[int] = []
        self._gradient: tuple[weakref.ref[Tensor], int] | None = None
        self._thread: threading.Thread | None = None
        self._ident = -1

    def note(self, *, anew: bool = False) -> None:
        """Note an update that has just been made, on the thread that made it.

        Args:
            anew: Whether to find the parameters again, because a training may move them. Once per record is enough.
        """
        if self._ident != threading.get_ident():
            self._ident, self._thread = threading.get_ident(), threading.current_thread()
        try:
            if anew or not self._parameters:
                self._look()
            self._versions = [parameter._version for parameter in self._parameters]
            if self._copies:
                torch._foreach_copy_(self._copies, self._elements)
            gradient = self._parameters[-1].grad if self._parameters else None
            self._gradient = None if gradient is None else (weakref.ref(gradient), gradient._version)
        except Exception:  # noqa: BLE001 - parameters that tell no version: nothing is known of them
            self._versions, self._gradient = [], None

    def forget(self) -> None:
        """Drop all references to the network."""
        self._places, self._parameters, self._elements, self._copies, self._gradient = [], [], [], [], None

    def is_at_rest(self) -> bool:
        """Whether the training's thread is this one, or has ended, so that no weight changes while it is read."""
        return self._thread is not None and not self.is_elsewhere()

    def is_elsewhere(self) -> bool:
        """Whether another thread may still train."""
        return self._thread not in (None, threading.current_thread()) and bool(self._thread and self._thread.is_alive())

    def has_weights(self) -> bool:
        """Whether the weights are still those of the last update; moving them to another device does not matter."""
        with suppress(Exception):
            now = [
                then if is_sharded(then) else parameters[name]  # after an evaluation FSDP2 shows a gathered copy
                for (parameters, name), then in zip(self._places, self._parameters, strict=True)
            ]
            is_same = all(one is other for one, other in zip(now, self._parameters, strict=True))
            versions = [parameter._version for parameter in now]
            if now and is_same and versions == self._versions and all(map(_is_alike, now, self._shown)):
                few = [_few(parameter) for parameter in now]  # written through `.data` they have the same version
                return all(torch.equal(one, other.to(one.device)) for one, other in zip(few, self._copies, strict=True))
        return False

    def has_gradients(self) -> bool:
        """Whether the gradients are still those that the last update used: neither cleared nor changed."""
        with suppress(Exception):
            now: Tensor | None = self._parameters[-1].grad
            seen = self._gradient
            return now is not None and seen is not None and seen[0]() is now and bool(seen[1] == now._version)
        return False

    def is_device_usable(self) -> bool:
        """Whether the devices of the weights still work after a crash; waits a moment for a busy device."""
        with suppress(Exception):
            patience = Patience(DEVICE_SECONDS)
            for device in {parameter.device for parameter in self._parameters}:
                while device.type == "cuda" and not torch.cuda.current_stream(device).query():
                    if patience.is_over:
                        return False
                    time.sleep(0.01)
            return True
        return False

    def _look(self) -> None:
        if not self._places:
            self._places = list(self._find())
        self._parameters = [parameters[name] for parameters, name in self._places]
        shown = [_shown(parameter) for parameter in self._parameters]
        if shown != self._shown:
            self._shown, self._elements = shown, [_few(parameter) for parameter in self._parameters]
            self._copies = [torch.empty_like(few) for few in self._elements]

    def _find(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Yield the places of the first and the last trained parameter; recorded parameters are preferred."""
        model = self._model()
        trained = [
            (module, name)
            for module in (() if model is None else unwrap(model).modules())
            for name, parameter in module._parameters.items()
            if parameter is not None and parameter.requires_grad and parameter.device.type != "meta"
        ]
        recorded = [(module, name) for module, name in trained if name == "weight" and is_layer(module)]
        found = [(module._parameters, name) for module, name in recorded or trained]
        yield from found[:1] + found[1:][-1:]


def _few(parameter: Any) -> Tensor:
    """Return a view of a few elements of a parameter that this process holds."""
    held: Tensor = (parameter.to_local() if is_sharded(parameter) else parameter).detach()
    while held.dim():
        held = held[:FEW_ELEMENTS] if held.dim() == 1 else held.select(0, 0) if len(held) else held.flatten()
        if held.dim() == 1:
            return held[:FEW_ELEMENTS]
    return held


def _shown(parameter: Any) -> tuple[Any, ...]:
    """Return type, device and address of a parameter; a parameter spread over processes has no address."""
    return parameter.dtype, parameter.device, 0 if is_sharded(parameter) else parameter.data_ptr()


def _is_alike(now: Any, then: tuple[Any, ...]) -> bool:
    """Whether a parameter has the same type, and the same address unless it moved to another device."""
    dtype, device, address = _shown(now)
    return bool(dtype == then[0] and device.type != "meta" and (device != then[1] or address == then[2]))


def tell_few_records(first: int, last: int, every: int) -> None:
    """Warn that a training was too short for its records, and suggest a fitting `every`.

    Args:
        first: Iteration of its first update.
        last: Iteration of its last update.
        every: Iterations from one record to the next.
    """
    updates, records = last - first + 1, last // every - (first - 1) // every
    fits = every_that_fits(updates)
    if updates > 1 and records < 2 and fits < every:
        warn_once(
            "few records",
            f"every {every} made {records} record{'s' * (records != 1)} in {updates:,} updates, without that of the "
            f"end; every {fits} would have made {-(-updates // fits):,}",
        )
