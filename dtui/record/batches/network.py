"""Tells of the calls of a network, and of the gradients that arrive at it."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from dtui.record.network.hooks import QuietHook
from dtui.record.network.layers import unwrap
from dtui.record.validation.output_kind import is_compiled

HOOKED = 3
"""Parameters at which the arrival of gradients is seen: the first, the middle and the last that are trained."""


def at_calls(model: nn.Module, entered: Callable[[Any], None], left: Callable[[Any], None]) -> list[RemovableHandle]:
    """Call methods, without keeping their object alive, with the arguments and the result of each call of the network.

    Of a compiled network only the wrapper is called outside of what is compiled; a hook inside would recompile it, so
    one that was compiled in its place is left alone. TorchScript takes no hook.
    """
    network = model if is_compiled(model) else unwrap(model)
    if isinstance(network, torch.jit.ScriptModule) or getattr(network, "_compiled_call_impl", None) is not None:
        return []
    at_entry, at_exit = weakref.WeakMethod(entered), weakref.WeakMethod(left)

    def enter(_: nn.Module, args: Any, named: Any) -> None:
        if (method := at_entry()) is not None:
            method((args, named))

    def leave_it(_: nn.Module, __: Any, output: Any) -> None:
        if (method := at_exit()) is not None:
            method(output)

    before = network.register_forward_pre_hook(QuietHook(enter), with_kwargs=True)
    return [before, network.register_forward_hook(QuietHook(leave_it))]


def at_gradients(model: nn.Module, arrived: Callable[[Tensor], None]) -> list[RemovableHandle]:
    """Call a method, without keeping its object alive, with each of a few parameters that a gradient arrived at."""
    reached = weakref.WeakMethod(arrived)

    def see(parameter: Tensor) -> None:
        method = reached()
        if method is not None:
            method(parameter)

    trained = [own for own in model.parameters() if own.requires_grad]
    count = min(HOOKED, len(trained))
    places = {round(place * (len(trained) - 1) / max(1, count - 1)) for place in range(count)}
    handles = []
    for place in places:
        with suppress(Exception):  # a kind of parameter that takes no hook; the batches between updates are taken then
            hook = trained[place].register_post_accumulate_grad_hook(QuietHook(see))  # type: ignore[no-untyped-call]
            handles.append(hook)
    return handles
