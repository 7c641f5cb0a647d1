"""Reads the learning rates of a training: of each optimizer, and of each group of parameters that has one of its own.

Owns their names, and which of them are kept.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from dtui.model.scalars import rate_name

MOST_OPTIMIZERS = 16
"""Optimizers of which something is kept, where several are given."""
MOST_RATES = 16
"""Rates of groups that are kept beside those of their optimizers."""


def learning_rate(optimizer: Optimizer | None) -> dict[str, Any]:
    """Return the learning rate of an optimizer's first group, as a loggable mapping."""
    rates = _rates(optimizer)
    return {rate_name(): rates[1]} if 1 in rates else {}


def named(optimizers: Sequence[Optimizer]) -> Iterator[tuple[Optimizer, str]]:
    """Yield each of several optimizers with the ending of the names of what is kept of it: "", "_2", "_3" and so on."""
    for number, optimizer in enumerate(optimizers, start=1):
        yield optimizer, "" if number == 1 else f"_{number}"


class FurtherRates:
    """The learning rates beside the first: of further optimizers, where several were given, and of groups.

    That of a group is kept from the first record on at which it is not that of the first group of its optimizer. It
    keeps no optimizer alive.
    """

    def __init__(self, optimizers: Sequence[Optimizer]) -> None:
        self._optimizers = [weakref.ref(optimizer) for optimizer in optimizers[1:MOST_OPTIMIZERS]]
        self._of_groups: set[str] = set()

    def read(self, leader: Optimizer | None) -> dict[str, Any]:
        """Return the present rates, as a loggable mapping: learning_rate_2, learning_rate_group_2 and so on.

        Args:
            leader: The optimizer that counts, in place of the first.
        """
        found: dict[str, Any] = {}
        for number, optimizer in enumerate((leader, *(one() for one in self._optimizers)), start=1):
            rates = _rates(optimizer)
            if number > 1 and 1 in rates:
                found[rate_name(number)] = rates[1]
            for group, rate in rates.items():
                if group > 1 and self._is_kept(rate_name(number, group), rate, rates.get(1)):
                    found[rate_name(number, group)] = rate
        return found

    def _is_kept(self, name: str, rate: Any, first: Any) -> bool:
        """Whether the rate of a group is kept; one on a device always, since comparing it would wait."""
        if name not in self._of_groups:
            is_on_device = any(isinstance(one, Tensor) and one.device.type != "cpu" for one in (rate, first))
            if len(self._of_groups) == MOST_RATES or not (is_on_device or rate != first):
                return False
            self._of_groups.add(name)
        return True


def _rates(optimizer: Optimizer | None) -> Mapping[int, Any]:
    """Return the learning rate of each group that has one, by the number of the group, from 1 on."""
    groups = [] if optimizer is None else optimizer.param_groups
    return {number: group["lr"] for number, group in enumerate(groups, start=1) if "lr" in group}
