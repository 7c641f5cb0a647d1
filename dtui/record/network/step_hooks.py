"""One hook of torch before each update and one after it, for all in this process that wants to know of updates.

Owns both. torch walks through its tables of hooks while it calls them, and raises into the training where one comes or
goes meanwhile. A run ends within an update, too: its network is freed, or another one has been trained for long. So our
hooks call what wants to know, and leave torch's tables when no update is being made.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import partial
from types import CodeType, FrameType
from typing import Any

import torch
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.hooks import RemovableHandle

StepHook = Callable[[Optimizer, Any, Any], None]


class StepHooks:
    """A hook of torch, and the functions that it calls in the order in which they came. None of them may raise."""

    def __init__(self, register: Callable[..., RemovableHandle]) -> None:
        """Begin without a hook.

        Args:
            register: Puts a function into torch's table of hooks.
        """
        self._register = register
        self._functions: tuple[StepHook, ...] = ()
        self._handle: RemovableHandle | None = None

    def add(self, function: StepHook) -> Callable[[], None]:
        """Have a function called at each update; returns what takes it away again, which may be called anywhere."""
        self._functions = (*self._functions, function)
        if self._handle is None:
            self._handle = self._register(_never_compiled(self._call))
        return partial(self._remove, function)

    def _remove(self, function: StepHook) -> None:
        self._functions = tuple(one for one in self._functions if one is not function)
        if not self._functions and self._handle is not None and not _is_any_in_step():
            self._handle.remove()
            self._handle = None

    def _call(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        for function in self._functions:
            function(optimizer, args, kwargs)


def _never_compiled(function: StepHook) -> StepHook:
    """Return a function that torch's compilers pass over.

    The public `torch.compiler.disable` imports the compiler at once, which takes seconds. The decorator that torch has
    for its own optimizers does so at the first call: until then an optimizer has been made, which imports it anyway.
    """
    mark = getattr(torch, "_disable_dynamo", torch.compiler.disable)
    marked: StepHook = mark(lambda *arguments: function(*arguments))
    return marked


def _is_any_in_step() -> bool:
    """Whether any thread of this process is making an update, and may be walking through torch's tables."""
    tops = sys._current_frames()
    tops[threading.get_ident()] = sys._getframe(1)  # one that holds its own frame keeps alive what its callers hold
    return any(_is_in_step(top) for top in tops.values())


def _is_in_step(top: FrameType) -> bool:
    frame: FrameType | None = top
    while frame is not None:
        if frame.f_code is STEP:
            return True
        frame = frame.f_back
    return False


def _step_code() -> CodeType | None:
    surrounded: Any = Optimizer.profile_hook_step(_is_any_in_step)
    code = getattr(surrounded, "__code__", None)
    return code if isinstance(code, CodeType) else None


STEP = _step_code()
"""The code of torch's wrapper around every optimizer's step, which calls the hooks; None where it has none."""
BEFORE_STEP = StepHooks(register_optimizer_step_pre_hook)
AFTER_STEP = StepHooks(register_optimizer_step_post_hook)
