"""Finds what is done with the output of each module in the traced pass: by which function it goes on, or which module.

Owns the words for activation functions. A functional ReLU cannot be hooked, but it is seen here, once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

FUNCTIONS = {
    "relu": "relu",
    "relu6": "relu6",
    "gelu": "gelu",
    "silu": "silu",
    "swish": "silu",
    "leakyrelu": "leaky_relu",
    "prelu": "prelu",
    "elu": "elu",
    "hardswish": "hardswish",
    "mish": "mish",
    "softplus": "softplus",
    "sigmoid": "sigmoid",
    "tanh": "tanh",
}
"""Activation functions: the name of a function or a module in lower case without underscores, to the stored word."""

_VIEWS = ("expand", "flatten", "movedim", "permute", "reshape", "squeeze", "swapaxes", "transpose", "unflatten", "view")
_SAME = frozenset((*_VIEWS, "unsqueeze", "clone", "contiguous", "detach", "to", "type", "float", "half", "bfloat16"))
"""Functions after which every value is still there, at another place or in another type."""
_ASKING = frozenset(("size", "dim", "numel", "stride", "isfloatingpoint", "shape", "get", "set"))
"""What reads no value."""

MODULE = "@"
"""Stands before the name of a module that an output goes into."""


class Followers:
    """The uses of each module's output, in one traced pass."""

    def __init__(self) -> None:
        self._fresh = WeakTensorKeyDictionary()
        self._calls: dict[str, list[list[str]]] = {}

    @classmethod
    def of_all(cls, passes: Iterable[Followers]) -> Followers:
        """Return what was seen in several passes, each of modules of its own."""
        found = cls()
        for one in passes:
            found._calls |= one._calls
        return found

    def used(self, function: str, inputs: Any, result: Any) -> None:
        """Note that a function was called outside of any leaf module."""
        word = function.replace("_", "").lower()
        if word == "hardtanh":
            word = _clamp_word(inputs)
        if word in _ASKING:
            return
        self._use(FUNCTIONS.get(word, function), inputs, result, is_same=word in _SAME or "dropout" in word)

    def passed(self, name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        """Note that a leaf module was called."""
        is_same = isinstance(module, nn.Identity | nn.modules.dropout._DropoutNd | nn.Flatten | nn.Unflatten)
        self._use(_word_of(module) or MODULE + name, inputs, output, is_same=is_same)
        if not is_same:
            uses: list[str] = []
            self._calls.setdefault(name, []).append(uses)
            for leaf in _tensors(output):
                self._fresh[leaf] = uses

    def calls(self, name: str) -> int:
        """Return how often a module was called."""
        return len(self._calls.get(name, ()))

    def after(self, name: str) -> str:
        """Return what follows a module: a word of FUNCTIONS, or MODULE and the name of the next module.

        "" where it is something else, where the output is used several times, or not each call alike.
        """
        calls = self._calls.get(name, [])
        found = {tuple(uses) for uses in calls}
        uses = found.pop() if len(found) == 1 else ()
        is_one = len(uses) == 1 and (uses[0].startswith(MODULE) or uses[0] in FUNCTIONS.values())
        return uses[0] if is_one else ""

    def _use(self, word: str, inputs: Any, result: Any, *, is_same: bool) -> None:
        found: list[list[str]] = []
        for leaf in _tensors(inputs):
            uses = self._fresh.get(leaf)  # type: ignore[no-untyped-call]
            if uses is not None and not any(uses is one for one in found):
                found.append(uses)
        if is_same and len(found) == 1:
            for leaf in _tensors(result):
                self._fresh[leaf] = found[0]
            return
        for uses in found:
            uses.append(word)
        for leaf in _tensors(result):
            self._fresh.pop(leaf, None)  # type: ignore[no-untyped-call]  # changed in its place: no longer what the module returned


def _tensors(values: Any) -> Iterator[Tensor]:
    return (leaf for leaf in tree_leaves(values) if isinstance(leaf, Tensor))


def _word_of(module: nn.Module) -> str:
    """Return the word for a module that is an activation function, "" for any other."""
    for kind in type(module).__mro__:
        name = kind.__name__.lower().removesuffix("activation").replace("_", "")
        if name in FUNCTIONS:
            return FUNCTIONS[name]
        if kind is nn.Module:
            break
    return "gelu" if "GELU" in type(module).__name__ else ""


def _clamp_word(inputs: Any) -> str:
    """Return "relu6" for a hardtanh that begins at zero."""
    numbers = [leaf for leaf in tree_leaves(inputs) if isinstance(leaf, int | float) and not isinstance(leaf, bool)]
    return "relu6" if numbers[:1] in ([0], [0.0]) else "hardtanh"
