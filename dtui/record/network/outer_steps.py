"""The end of an update that is made by an optimizer around another one, where torch has no hook for that end.

Owns these ends. torch hooks the `step` of an optimizer that calls `super().__init__()`. The Lookahead of many
repositories does not: it takes over the `param_groups` of the optimizer inside, calls its `step`, and rewrites weights
after it. Such a `step` is surrounded here, in its class, as torch does it with those that it hooks.
"""

from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from dtui.record.writing.warn import reason_of, warn_once

CALLS = 20
"""Calls up the stack in which an outer step is looked for: four to the hook, and a few from one step to the other."""


class _Within(threading.local):
    """What waits for the end of the outermost step that this thread is in, None where it is in none of ours."""

    waiting: dict[int, Callable[[], None]] | None = None


_within = _Within()

_others: weakref.WeakSet[CodeType] = weakref.WeakSet()
"""Functions that are called `step` and are of no optimizer. Once looked at, their frames are left alone: a look at
what a frame holds keeps that alive until the function returns."""


def at_end_of_step(owner: object, function: Callable[[], None]) -> bool:
    """Have a function called at the end of the outer step that this thread is in, once an owner; False without one.

    Where that step raises, nothing is called: its update was not done.
    """
    if _within.waiting is None:
        return False
    _within.waiting.setdefault(id(owner), function)
    return True


def watch_step(outer: Any) -> bool:
    """Surround the `step` of an optimizer, or of what is used as one; False where that cannot be.

    Nothing is done where torch has a hook there. The class is changed and not the object, which may be pickled or
    copied; but for a `step` that a scheduler has put into the object.
    """
    with suppress(Exception):
        kind = type(outer)
        if not _is_watched(kind.step):
            kind.step = _surrounded(kind.step)
        if not _is_watched(outer.step):
            outer.step = _surrounded(outer.step)
        return _is_watched(outer.step)
    return False


def watch_around(optimizer: Optimizer, frame: FrameType | None) -> None:
    """Surround the steps that are being made around that of an optimizer, from the next one on.

    Args:
        optimizer: What has just made an update.
        frame: Where that is known.
    """
    for _ in range(CALLS):
        if frame is None or _within.waiting is not None:
            return
        code = frame.f_code
        if code.co_name == "step" and code.co_argcount and code not in _others:
            outer = frame.f_locals.get(code.co_varnames[0])
            if not is_optimizer(outer):
                _others.add(code)
            elif outer is not optimizer and not watch_step(outer):
                warn_once(
                    "outer step",
                    f"updates: a {type(outer).__name__} is around the {type(optimizer).__name__}, and the end of its "
                    "step cannot be seen: records hold the weights before what it changes after that; make the "
                    "recorder without optimizer= and call recorder.step() after each update",
                )
        frame = frame.f_back


def is_optimizer(thing: Any) -> bool:
    """Whether something is an optimizer, or is used as one: it has groups of parameters and clears gradients."""
    if isinstance(thing, Optimizer):
        return True
    kind = type(thing)
    has_groups = "param_groups" in getattr(thing, "__dict__", ()) or hasattr(kind, "param_groups")
    return has_groups and hasattr(kind, "zero_grad") and hasattr(kind, "step") and not isinstance(thing, nn.Module)


def _is_watched(step: Any) -> bool:
    """Whether torch's hooks are called around a step, or ours; what a scheduler puts around it says it, too."""
    return bool(getattr(step, "hooked", False) or getattr(step, "dtui_watched", False))


def _surrounded(step: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(step)
    def watched(*args: Any, **kwargs: Any) -> Any:
        if _within.waiting is not None or torch.compiler.is_compiling():
            return step(*args, **kwargs)
        waiting: dict[int, Callable[[], None]] = {}
        _within.waiting = waiting
        try:
            result = step(*args, **kwargs)
        finally:
            _within.waiting = None
        for function in waiting.values():
            try:
                function()
            except Exception as error:  # noqa: BLE001 - the boundary between the recorder and somebody's training
                warn_once("updates", f"updates: one could not be counted: {reason_of(error)}")
        return result

    watched.dtui_watched = True  # type: ignore[attr-defined]
    return watched
