"""What the training loop logs between two records.

Owns the rule that logging never waits for a device. A second copy would put a host synchronisation into
somebody's loop.
"""

from __future__ import annotations

import numbers
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from dtui.record.warn import warn_once

MOST_NAMES = 256


class ScalarLog:
    """The last value of each name since the record before, and since the watch before."""

    def __init__(self) -> None:
        """Begin with nothing logged."""
        self._values: dict[str, float | Tensor] = {}
        self._fresh: dict[str, float | Tensor] = {}

    def add(self, values: Mapping[str, Any]) -> None:
        """Keep values; what is no single number is left out and told once a name."""
        for name, value in values.items():
            kept = _as_scalar(value)
            if kept is None:
                warn_once(f"log {name}", f"log: {name} is no single number ({type(value).__name__}); it is left out")
            elif name in self._values or len(self._values) < MOST_NAMES:
                self._values[name] = self._fresh[name] = kept

    def take(self) -> Callable[[], dict[str, float]]:
        """Return what gives the values as numbers on another thread, and begin anew."""
        values, self._values = self._values, {}
        return lambda: {name: float(value) for name, value in values.items()}

    def fresh(self) -> Callable[[], dict[str, float]]:
        """Return what gives the values since the call before; what `take` returns does not depend on it."""
        values, self._fresh = self._fresh, {}
        return lambda: {name: float(value) for name, value in values.items()}


def learning_rate(optimizer: Optimizer | None) -> dict[str, Any]:
    """Return the learning rate of an optimizer's first group, as a loggable mapping."""
    if optimizer is None or "lr" not in optimizer.param_groups[0]:
        return {}
    return {"learning_rate": optimizer.param_groups[0]["lr"]}


def _as_scalar(value: Any) -> float | Tensor | None:
    """Return a number, or a copy of a tensor on a device; None for anything else."""
    if isinstance(value, Tensor):
        if value.numel() != 1 or value.is_complex():
            return None
        value = value.detach()
        return float(value) if value.device.type == "cpu" else value.clone()
    if isinstance(value, numbers.Real):
        return float(value)
    item = getattr(value, "item", None)
    number = item() if item is not None and getattr(value, "size", 0) == 1 else None
    return float(number) if isinstance(number, numbers.Real) else None
