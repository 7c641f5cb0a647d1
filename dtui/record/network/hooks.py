"""Makes hooks that a training never notices.

Owns the behaviour of a hook when its model is copied or pickled.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import torch


class QuietHook:
    """A hook that never raises, and allows its model to be copied or pickled; the copy is not watched."""

    def __init__(self, function: Callable[..., None]) -> None:
        """Call `function` with the arguments of the hook."""
        self._function = function

    def __call__(self, *arguments: Any) -> None:
        """Call the function, and drop its exceptions. While a compiler traces the model, do nothing."""
        if torch.compiler.is_compiling():
            return
        with suppress(Exception):
            self._function(*arguments)

    def __deepcopy__(self, memo: object) -> QuietHook:
        """Return a hook that does nothing."""
        return QuietHook(_ignore)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle as a hook that does nothing."""
        return (QuietHook, (_ignore,))


def _ignore(*_: object) -> None:
    """Do nothing."""
