"""Looks at the gradients just before each update, so that a run says where NaN or Inf began.

Owns what is looked at, and when. After the update it is too late: it has made every weight NaN. On the CPU one small
gradient is looked at, that of the first layer, through which what breaks behind it comes in the backward pass; all is
read only where that one, the clipped norm or the loss is not finite. On a GPU nobody may wait for the answer: there the
gradients of all layers are looked at, and a counter on the device keeps at which update each was first not finite.
"""

from __future__ import annotations

import functools
import math
import weakref
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils import clip_grad
from torch.optim import Optimizer

from dtui.model.findings.nonfinite import LookPlan
from dtui.record.network.layers import LayerProbe
from dtui.record.network.norm_layers import NormProbe
from dtui.record.network.step_hooks import BEFORE_STEP, StepHook
from dtui.record.training.distributed import is_sharded
from dtui.record.training.look_cost import MOST_SHARE, DeviceStopwatch, HostStopwatch, Stopwatch
from dtui.record.training.look_device import DeviceLook
from dtui.record.training.seen import BROKEN, FINITE, UNKNOWN, Of, Seen
from dtui.record.writing.warn import reason_of, warn_once

SELDOM = 64
"""Records from one search for the parameters to the next, where nothing seems to have changed."""
_CLIPPING = "_clip_grads_with_norm_"
_looks: weakref.WeakSet[GradientLook] = weakref.WeakSet()

Reads = Callable[[], list[Seen]]


class GradientLook:
    """The looks of one run, on the training's thread. It never raises, and waits for no device."""

    def __init__(self) -> None:
        """Look at nothing before `bind` and `listen`."""
        self.names: list[str] = []
        """Of the layers, then of the normalisation layers."""
        self._probes: list[LayerProbe] = []
        self._norms: list[NormProbe] = []
        self._owned: list[list[Tensor]] = []
        self._statistics: list[Tensor | None] = []
        self._first: Tensor | None = None
        self._ids: frozenset[int] = frozenset()
        self._device: DeviceLook | None = None
        self._watch: Stopwatch | None = None
        self._pending: Any = None
        self._found: list[Seen] = []
        self._records = 0
        self._is_resting = self._is_late = False
        self._is_on = self._is_bound = False
        self._leave: Callable[[], None] | None = None
        self._next: Callable[[Optimizer | None], int | None] = _nobody
        self._loss: float | Tensor | None = None
        self._is_loss_next = False
        self._used: weakref.ref[Tensor] | None = None
        self.plan: LookPlan | None = None
        """Whether every update is looked at, once that is decided; whoever writes it down takes it away."""

    def listen(self, next_of: Callable[[Optimizer | None], int | None]) -> None:
        """Look before each update.

        Args:
            next_of: Returns the iteration of the update that an optimizer is about to make, None where it does not
                count.
        """
        self._next = next_of
        self._leave = BEFORE_STEP.add(_weakly(self))
        weakref.finalize(self, self._leave).atexit = False
        _looks.add(self)
        _watch_clipping()

    def bind(self, probes: Sequence[LayerProbe], norms: Sequence[NormProbe]) -> None:
        """Look at these layers and normalisation layers from now on."""
        self._probes, self._norms = list(probes), list(norms)
        self.names = [one.name for one in probes] + [one.name for one in norms]
        self.refresh()

    def refresh(self, *, is_changed: bool = True) -> None:
        """Find the parameters again at a record, where the network has changed, and at times in any case.

        That takes as long as the rest of a record, and a training that thaws layers changes no module.
        """
        self._records += 1
        is_time = self._records & (self._records - 1) == 0 or self._records % SELDOM == 0
        try:
            if is_changed or is_time:
                self._refresh()
        except Exception as error:  # noqa: BLE001 - the training goes on, and everything else is recorded
            self._fail(error)

    def forget(self) -> None:
        """Drop all references to the network, and look no more."""
        if self._leave is not None:
            self._leave()
        _looks.discard(self)
        _leave_clipping()
        self._probes, self._norms, self._owned, self._statistics = [], [], [], []
        self._first = self._pending = self._device = None
        self._ids, self._is_bound = frozenset(), False

    def drop(self) -> None:
        """Forget what was seen of an update that was then left out."""
        self._pending = None

    def saw_loss(self, value: float | Tensor) -> None:
        """Note a logged loss. It is that of the coming update where its gradients are there, and not known else."""
        gradient = None if self._first is None else self._first.grad
        used = None if self._used is None else self._used()
        self._loss, self._is_loss_next = value, gradient is not None and gradient is not used

    def after_step(self) -> None:
        """Note that an update has been made, with the gradients that are there."""
        gradient = None if self._first is None else self._first.grad
        self._used = None if gradient is None else weakref.ref(gradient)
        self._loss, self._is_loss_next = None, False

    @property
    def has_news(self) -> bool:
        """Whether `take` would give something that is known on the host."""
        return bool(self._found) or self.plan is not None

    def take(self) -> Reads | None:
        """Return a function for another thread that gives what was seen since the last call; None for nothing."""
        found, self._found = self._found, []
        read = None if self._device is None else self._device.take()
        if read is None:
            return (lambda: found) if found else None
        return lambda: found + read()

    # --- when
    def before_step(self, optimizer: Optimizer | None, *, is_closed: bool = False) -> None:
        """Look, just before an optimizer makes an update.

        Where it computes its gradients itself, within the update (`is_closed`), they are not there yet:
        `after_late_step` looks at them.
        """
        self._is_late = is_closed
        if not is_closed:
            found_inf = getattr(optimizer, "found_inf", None)
            self._look_safely(optimizer, found_inf if isinstance(found_inf, Tensor) else None)

    def after_late_step(self, *, is_stated: bool) -> None:
        """Look just after an update where that was not possible before it: the weights say nothing then."""
        if self._is_late or is_stated:
            self._is_late = False
            self._look_safely(None, None, is_late=True)

    def _look_safely(self, optimizer: Optimizer | None, found_inf: Tensor | None, *, is_late: bool = False) -> None:
        try:
            iteration = self._next(optimizer) if self._is_bound else None
            if iteration is not None and not _is_captured():
                self._look(iteration, found_inf, is_late)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    def before_clipping(self, parameters: Any, norm: Any) -> None:
        """Look before gradients are multiplied with a norm that may be NaN, which makes all of them NaN."""
        if not self._is_bound or not self._ids or not isinstance(norm, Tensor):
            return
        try:
            first = parameters if isinstance(parameters, Tensor) else next(iter(parameters), None)
            if id(first) not in self._ids or _is_captured():
                return
            self._pending = None
            if self._device is not None:
                self._pending = self._device.measure(self._watch, self._known_loss()) if self._is_on else None
            elif not self._is_resting and self._is_spoilt(norm):
                self._pending = self._read(0)
        except Exception as error:  # noqa: BLE001 - as above
            self._fail(error)

    def _look(self, iteration: int, found_inf: Tensor | None, is_late: bool) -> None:
        pending, self._pending = self._pending, None
        if self._device is not None:
            if self._is_on:
                measured = self._device.measure(self._watch, self._known_loss()) if pending is None else pending
                self._device.keep(measured, iteration, found_inf)
                self._decide(iteration)
            return
        if found_inf is not None and found_inf.device.type == "cpu" and bool(found_inf.sum() > 0):
            return
        is_odd = pending is not None or self._is_loss_broken() or self._is_first_broken(iteration)
        if not is_odd:
            self._is_resting = False
        elif not self._is_resting:
            self._is_resting = True
            seen = self._read(iteration, is_late) if pending is None else Seen(iteration, pending.codes, pending.loss)
            if seen.is_broken:
                self._found.append(seen)

    def _is_spoilt(self, norm: Tensor) -> bool:
        """Whether gradients with this norm are to be read, before it spoils them all."""
        if type(norm) is Tensor and norm.device.type == "cpu":
            return not math.isfinite(float(norm))
        return self._is_sum_broken()  # of weights that are spread: nobody may ask the other processes

    def _is_sum_broken(self) -> bool:
        gradient = None if self._first is None else self._first.grad
        return gradient is not None and not math.isfinite(float(_held(gradient).sum()))

    def _is_loss_broken(self) -> bool:
        return isinstance(self._loss, float) and not math.isfinite(self._loss)

    def _known_loss(self) -> float | Tensor | None:
        """Return the loss that is known to be that of the coming update."""
        return self._loss if self._is_loss_next or self._is_loss_broken() else None

    def _is_first_broken(self, iteration: int) -> bool:
        """Whether the gradient of the first layer is NaN or Inf; not looked at where that costs too much."""
        if not (self._is_on or self._is_resting):
            return False
        if self._watch is not None:
            self._watch.begin()
        is_broken = self._is_sum_broken()
        if self._watch is not None:
            self._watch.end()
            self._decide(iteration)
        return is_broken

    def _decide(self, iteration: int) -> None:
        share = None if self._watch is None else self._watch.share()
        if share is not None:
            self._watch = None
            self._is_on = share <= MOST_SHARE
            self.plan = LookPlan(iteration, len(self.names) if self._is_on else 0, share)

    # --- what
    def _refresh(self) -> None:
        owned = [[] if probe.is_gone else list(_owned_by(probe)) for probe in self._probes]
        modules = [norm.module for norm in self._norms]
        owned += [[] if module is None else list(_held_of(module._parameters.values())) for module in modules]
        self._statistics = [None if module is None else module._buffers.get("running_mean") for module in modules]
        self._owned = owned
        every = [parameter for own in owned for parameter in own]
        trained = ([one for one in own if one.requires_grad] for own in owned)
        self._first = min(next((own for own in trained if own), []), key=lambda one: one.numel(), default=None)
        self._ids = frozenset(map(id, every))
        devices = {parameter.device for parameter in every}
        if _is_one_gpu(devices):
            if self._device is None or not self._device.is_of(owned, self._statistics):
                self._device = DeviceLook(owned, self._statistics)
        elif devices != {torch.device("cpu")}:
            self._first = self._device = None
        if not self._is_bound and every:
            self._is_bound, self._is_on = True, self._first is not None or self._device is not None
            self._watch = DeviceStopwatch() if every[0].device.type == "cuda" else HostStopwatch()

    def _read(self, iteration: int, is_late: bool = False) -> Seen:
        """Read all gradients and, before the update, all weights; this takes as long as it takes, once."""
        codes = np.zeros((len(Of), len(self.names)), np.int64)
        with torch.no_grad():
            for at, own in enumerate(self._owned):
                codes[Of.GRADIENT, at] = _code([one.grad for one in own if one.grad is not None])
                codes[Of.WEIGHT, at] = UNKNOWN if is_late else _code([one.detach() for one in own])
            for at, mean in enumerate(self._statistics, len(self._probes)):
                codes[Of.STATISTIC, at] = UNKNOWN if mean is None else _code([mean])
        loss = self._known_loss()
        known = loss if isinstance(loss, float) else None
        return Seen(iteration, codes, UNKNOWN if known is None else FINITE if math.isfinite(known) else BROKEN)

    def _fail(self, error: Exception) -> None:
        self._is_bound = False
        warn_once("gradient look", f"gradients are not looked at between records from here on: {reason_of(error)}")


def _code(tensors: Sequence[Tensor]) -> int:
    if not tensors:
        return UNKNOWN
    return FINITE if all(bool(torch.isfinite(_held(one)).all()) for one in tensors) else BROKEN


def _held(tensor: Any) -> Tensor:
    """Return the values that this process holds."""
    held: Tensor = tensor.to_local() if is_sharded(tensor) else tensor
    return held.coalesce().values() if held.layout is torch.sparse_coo else held


def _is_one_gpu(devices: Collection[torch.device]) -> bool:
    return len(devices) == 1 and next(iter(devices)).type == "cuda"


def _owned_by(probe: LayerProbe) -> Any:
    return _held_of([*probe.made_from, probe.module._parameters.get("bias")])


def _held_of(parameters: Any) -> Any:
    return (one for one in parameters if one is not None and one.numel())


def _nobody(_: Optimizer | None) -> int | None:
    return None


def _is_captured() -> bool:
    return torch.cuda.is_initialized() and torch.cuda.is_current_stream_capturing()  # type: ignore[no-untyped-call]


def _weakly(look: GradientLook) -> StepHook:
    """Return a hook that keeps nothing alive."""
    reference = weakref.ref(look)

    def before_step(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        found = reference()
        if found is not None:
            found.before_step(optimizer, is_closed=args[1:2] not in ((), (None,)) or bool(kwargs.get("closure")))

    return before_step


def _watch_clipping() -> None:
    """Look before torch clips gradients by their norm, until the last look is forgotten."""
    original = getattr(clip_grad, _CLIPPING, None)
    if original is None or hasattr(original, "dtui_original"):
        return

    @functools.wraps(original)
    def clip(parameters: Any, max_norm: Any, total_norm: Any, *args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            with suppress(Exception):
                for look in list(_looks):
                    look.before_clipping(parameters, total_norm)
        return original(parameters, max_norm, total_norm, *args, **kwargs)

    clip.dtui_original = original  # type: ignore[attr-defined]
    setattr(clip_grad, _CLIPPING, clip)


def _leave_clipping() -> None:
    original = getattr(getattr(clip_grad, _CLIPPING, None), "dtui_original", None)
    if original is not None and not _looks:
        setattr(clip_grad, _CLIPPING, original)
