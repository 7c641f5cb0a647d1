"""Sees whether the gradients that batches left at a network were cleared before the next ones arrived.

Owns what that means for the samples of an update: a batch whose gradients were cleared is none of them, unless no other
came after it, as in the second pass of SAM. Gradients that are set to None are gone for sure. Those that were written
to may have been filled with zeros, or clipped: their values tell, and are read by whoever may wait for a device.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

_Part = TypeVar("_Part")


@dataclass(frozen=True, eq=False, slots=True)
class Cleared:
    """Between two batches of one update: whether the gradients of those before were cleared.

    Attributes:
        is_so: Whether they were, if that is known already; None if not.
        rest: Whether they hold anything but zeros, one number; None where nobody can know any more.
    """

    is_so: bool | None
    rest: Tensor | None = None

    def read(self) -> bool | None:
        """Return whether they were cleared; None if nobody knows. May wait for a device."""
        return self.is_so if self.rest is None else not bool(self.rest)


def standing(parts: Iterable[_Part | Cleared]) -> list[_Part]:
    """Return the batches whose gradients went into an update; none where that cannot be told."""
    former: list[_Part] = []
    now: list[_Part] = []
    is_doubted = is_unclear = False
    for part in parts:
        if not isinstance(part, Cleared):
            is_unclear |= is_doubted and any(one is not part for one in now)
            if all(one is not part for one in now):  # a second pass over one batch names it once
                now.append(part)
            continue
        is_cleared = part.read()
        if is_cleared:
            former, now, is_doubted, is_unclear = now or former, [], False, False
        elif is_cleared is None and now:
            is_doubted = True
    return [] if is_unclear else now or former


class LeftGradients:
    """The gradients of a few parameters, as they were when they arrived."""

    def __init__(self) -> None:
        self._parameters: dict[int, weakref.ref[Tensor]] = {}
        self._states: dict[int, tuple[weakref.ref[Tensor], int]] = {}
        self._has_looked = False

    def forget(self) -> None:
        """Forget all: an update was made of them."""
        self._parameters, self._states, self._has_looked = {}, {}, False

    def arrived(self, parameter: Tensor) -> None:
        """Note the gradients of a parameter that arrive now."""
        self._has_looked = False
        self._parameters[id(parameter)] = weakref.ref(parameter)
        self._note(parameter)

    def look(self) -> Cleared | None:
        """Return whether those that arrived were cleared since; None if nothing has touched them. It never waits."""
        known = [parameter for one in self._parameters.values() if (parameter := one()) is not None]
        if not known:
            return None
        gradients = [parameter.grad for parameter in known]
        left = [gradient for gradient in gradients if gradient is not None]
        if not left:
            self.forget()
            return Cleared(is_so=True)
        is_touched = not all(map(self._is_as_noted, known))
        for parameter in known:
            self._note(parameter)
        self._has_looked = True
        if not is_touched or not all(type(gradient) is Tensor and not gradient.is_sparse for gradient in left):
            return None
        with torch.no_grad():
            return Cleared(is_so=None, rest=torch.stack([gradient.any().to(left[0].device) for gradient in left]).any())

    def look_behind(self, parameter: Tensor) -> Cleared | None:
        """Return the same of a parameter that more has just arrived at, after a look: what happened between the two."""
        found, self._has_looked = self._states.get(id(parameter)) if self._has_looked else None, False
        gradient = parameter.grad
        if found is None or gradient is None:
            return None
        noted, version = found
        if noted() is gradient:
            return None if gradient._version <= version + 1 else Cleared(is_so=None)
        is_sum = torch.is_grad_enabled() or gradient.is_sparse  # with create_graph a sum is a tensor of its own, too
        return None if is_sum or type(gradient) is not Tensor else Cleared(is_so=True)

    def _is_as_noted(self, parameter: Tensor) -> bool:
        found, gradient = self._states.get(id(parameter)), parameter.grad
        return found is not None and gradient is not None and found[0]() is gradient and gradient._version == found[1]

    def _note(self, parameter: Tensor) -> None:
        gradient = parameter.grad
        if gradient is None:
            self._states.pop(id(parameter), None)
        else:
            self._states[id(parameter)] = weakref.ref(gradient), gradient._version
