"""Makes hooks that a training never notices.

Owns the behaviour of a hook when its model is copied, pickled, or compiled by TorchScript.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.utils.hooks import RemovableHandle

_is_jit_tracing: Callable[[], bool] = torch.jit.is_tracing  # type: ignore[attr-defined]


class QuietHook:
    """A hook that never raises, and allows its model to be copied or pickled; the copy is not watched."""

    def __init__(self, function: Callable[..., None]) -> None:
        """Call `function` with the arguments of the hook."""
        self._function = function

    def __call__(self, *arguments: Any) -> None:
        """Call the function, and drop its exceptions. While a compiler or an export traces the model, do nothing."""
        if torch.compiler.is_compiling() or _is_jit_tracing():
            return
        with suppress(Exception):
            self._function(*arguments)

    def __deepcopy__(self, memo: object) -> QuietHook:
        """Return a hook that does nothing."""
        return QuietHook(_ignore)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a function of Python's own that does nothing: who loads the model may not have dtui."""
        return (getattr, (nullcontext(), "__exit__"))


def _ignore(*_: object) -> None:
    """Do nothing."""


def is_exported() -> bool:
    """Whether the model is called to be exported, by `torch.jit.trace` or `torch.export`: what we do would be in it."""
    return bool(_is_jit_tracing() or getattr(torch.compiler, "is_exporting", bool)())


def after_calls(module: nn.Module, see: Callable[[nn.Module, Any, Any, Any], None]) -> RemovableHandle:
    """Call a function after each call of a module: with it, its arguments, those by name, and what it returned.

    A module of TorchScript takes no hook of its own; all modules of the process share one then, until it is removed.
    """
    if not isinstance(module, torch.jit.ScriptModule):
        return module.register_forward_hook(see, with_kwargs=True)

    def see_script(called: nn.Module, args: Any, output: Any) -> None:
        if called is module:
            see(called, args, {}, output)

    return register_module_forward_hook(see_script)


def hide_from_torchscript() -> None:
    """Have `torch.jit.script` compile a model as if it had none of our hooks: it would refuse it. Done once."""
    compiler: Any = getattr(torch.jit, "_recursive", None)
    original = getattr(compiler, "create_script_module", None)
    if original is None or hasattr(original, "dtui_original"):
        return

    @functools.wraps(original)
    def create_script_module(module: Any, *args: Any, **kwargs: Any) -> Any:
        with _without_ours(module):
            return original(module, *args, **kwargs)

    create_script_module.dtui_original = original  # type: ignore[attr-defined]
    compiler.create_script_module = create_script_module


@contextmanager
def _without_ours(root: nn.Module) -> Iterator[None]:
    """Take our hooks away from a network, and put them back in their places."""
    kept = []
    for part in root.modules():
        for name in ("_forward_hooks", "_forward_pre_hooks"):
            hooks = part.__dict__.get(name) or {}
            theirs = {key: hook for key, hook in hooks.items() if not _is_ours(hook)}
            if len(theirs) < len(hooks):
                kept.append((hooks, dict(hooks)))
                hooks.clear()
                hooks.update(theirs)
    try:
        yield
    finally:
        for hooks, before in kept:
            hooks.clear()
            hooks.update(before)


def _is_ours(hook: object) -> bool:
    return str(getattr(hook, "__module__", "")).startswith("dtui.record.")
