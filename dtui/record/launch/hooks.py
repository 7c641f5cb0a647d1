"""The places of torch at which a launched training is watched. Each function is patched once, and passes on as before.

Owns these patches. What they see goes to a `Watcher`; whatever that does, torch does what it did without us.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from dtui.record.network.step_hooks import BEFORE_STEP


class Watcher(Protocol):
    """What is told of a training."""

    def called(self, module: nn.Module) -> None:
        """Note that a module is about to be called."""

    def iterated(self, loader: Any) -> Callable[[Iterator[Any]], Iterator[Any]] | None:
        """Note that a loader is about to be iterated; may return what its batches are to pass through."""

    def updating(self, optimizer: Optimizer) -> None:
        """Note that an optimizer is about to make an update."""

    def differentiated(self, tensor: Tensor) -> None:
        """Note what `backward` is called on."""

    def scaled(self, outputs: object) -> None:
        """Note what a GradScaler multiplies."""

    def cleared(self) -> None:
        """Note that gradients are cleared, by an optimizer or a module."""

    def failed(self, error: Exception) -> None:
        """Note that one of these functions has failed."""


class Hooks:
    """The patches of this process, which tell one watcher. A forked child tells nobody."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher: Watcher | None = watcher
        self._process = os.getpid()
        self._call: Callable[..., Any] | None = None
        self._has_losses = False
        self._leave: Callable[[], None] = lambda: None

    def install(self) -> None:
        """Watch loaders and updates."""
        self._patch_loader()
        self._leave = BEFORE_STEP.add(self._updating)

    def stop(self) -> None:
        """Tell nobody any more. The patches stay: a function that torch is just calling cannot be taken away."""
        self._watcher = None
        self._leave()
        self.watch_calls(False)

    def watch_calls(self, wanted: bool) -> None:
        """Watch the calls of modules, or no longer. No hook of torch is used: it would make compilers start anew."""
        if wanted and (self._call is None or nn.Module.__call__ is not self._call):
            original: Callable[..., Any] = nn.Module.__call__

            @functools.wraps(original)
            def call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
                if not torch.compiler.is_compiling() and self._call is call:
                    self._tell("called", module)
                return original(module, *args, **kwargs)

            call.dtui_original = original  # type: ignore[attr-defined]
            self._call = call
            nn.Module.__call__ = call  # type: ignore[method-assign]
        elif not wanted and self._call is not None:
            if nn.Module.__call__ is self._call:  # else somebody else has patched it meanwhile, and takes it back
                nn.Module.__call__ = self._call.dtui_original  # type: ignore[method-assign, attr-defined]
            self._call = None

    def watch_losses(self) -> None:
        """Watch what is differentiated."""
        if self._has_losses:
            return
        self._has_losses = True
        _before(Tensor, "backward", lambda tensor, *_, **__: self._tell("differentiated", tensor))
        _before(GradScaler, "scale", lambda _, outputs=None, *__, **___: self._tell("scaled", outputs))
        for kind in (Optimizer, nn.Module):
            _before(kind, "zero_grad", lambda *_, **__: self._tell("cleared"))

    def _patch_loader(self) -> None:
        original = DataLoader.__iter__

        @functools.wraps(original)
        def iterate(loader: Any) -> Any:
            through = self._tell("iterated", loader)
            batches = original(loader)
            return batches if through is None else through(batches)

        DataLoader.__iter__ = iterate  # type: ignore[method-assign]

    def _updating(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        self._tell("updating", optimizer)

    def _tell(self, name: str, *arguments: Any) -> Any:
        watcher = self._watcher
        if watcher is None or os.getpid() != self._process:
            return None
        try:
            return getattr(watcher, name)(*arguments)
        except Exception as error:  # noqa: BLE001 - the boundary between dtui and somebody's training
            watcher.failed(error)
            return None


def _before(kind: Any, name: str, tell: Callable[..., Any]) -> None:
    """Have a function called before a method; a compiler that traces the method does not see it."""
    original = getattr(kind, name)

    @functools.wraps(original)
    def method(*args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            tell(*args, **kwargs)
        return original(*args, **kwargs)

    setattr(kind, name, method)
