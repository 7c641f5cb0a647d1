"""Detects that modules or weights of a live network were replaced."""

from __future__ import annotations

import weakref

from torch import Tensor, nn

from dtui.record.network.own_weights import weight_names


class NetworkWatch:
    """Tells whether modules or weights of a network were replaced, without a walk through the network.

    It keeps none of them alive. Containers are compared by the identity of their children. A freed child may pass it
    on, so all modules must live, too.
    """

    def __init__(self, root: nn.Module) -> None:
        """Look at the network as it is."""
        self._root = weakref.ref(root)
        self._look(root)

    def _look(self, root: nn.Module) -> None:
        modules = list(root.modules())
        self._children = [
            (weakref.ref(module), list(map(id, module._modules.values()))) for module in modules if module._modules
        ]
        self._leaves = [weakref.ref(module) for module in modules if not module._modules]
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
        is_same = self._is_same()
        if not is_same:
            self._look(root)
        return not is_same

    def _is_same(self) -> bool:
        """Plain loops: this is asked at every record, of hundreds of modules."""
        for found, children in self._children:
            module = found()
            if module is None or list(map(id, module._modules.values())) != children:
                return False
        for found in self._leaves:
            if found() is None:
                return False
        for found, name, known in self._weights:
            module = found()
            if module is None:
                return False
            weight = module._parameters.get(name)
            if (weight is not None) if known is None else (weight is None or known() is not weight):
                return False
        return True


def _ref(thing: Tensor | None) -> weakref.ref[Tensor] | None:
    return None if thing is None else weakref.ref(thing)
