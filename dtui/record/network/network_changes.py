"""Detects that modules or weights of a live network were replaced."""

from __future__ import annotations

import weakref
from typing import TypeVar

from torch import Tensor, nn

from dtui.record.network.own_weights import weight_names

T = TypeVar("T", nn.Module, Tensor)


class NetworkWatch:
    """Tells whether modules or weights of a network were replaced, without a walk through the network.

    It keeps none of them alive, and compares object identity: a freed object equals no existing one.
    """

    def __init__(self, root: nn.Module) -> None:
        """Look at the network as it is."""
        self._root = weakref.ref(root)
        self._look(root)

    def _look(self, root: nn.Module) -> None:
        modules = list(root.modules())
        self._children = [
            (weakref.ref(module), [_ref(child) for child in module._modules.values()])
            for module in modules
            if module._modules
        ]
        self._weights = [
            (weakref.ref(module), name, _ref(module._parameters.get(name)))
            for module in modules
            for name in weight_names(module)
        ]

    def has_changed(self) -> bool:
        """Whether anything was replaced since the last call; parts that no longer exist are not checked."""
        root = self._root()
        if root is None:
            return False
        is_same = all(_has_children(found(), children) for found, children in self._children) and all(
            (layer := found()) is not None and _is(layer._parameters.get(name), weight)
            for found, name, weight in self._weights
        )
        if not is_same:
            self._look(root)
        return not is_same


def _ref(thing: T | None) -> weakref.ref[T] | None:
    return None if thing is None else weakref.ref(thing)


def _is(thing: T | None, known: weakref.ref[T] | None) -> bool:
    return known is None if thing is None else known is not None and known() is thing


def _has_children(module: nn.Module | None, known: list[weakref.ref[nn.Module] | None]) -> bool:
    if module is None or len(module._modules) != len(known):
        return False
    return all(map(_is, module._modules.values(), known))
