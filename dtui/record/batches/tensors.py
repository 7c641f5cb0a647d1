"""Finds the tensors of a batch, or of what a network is called with."""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from torch import Tensor

MOST_TENSORS = 16
"""Tensors that are looked at."""
_MOST_DEEP = 3


def tensors_in(content: Any) -> list[Tensor]:
    """Return the tensors in lists, tuples and mappings, MOST_TENSORS at most."""
    return list(_each_in(content, _MOST_DEEP))[:MOST_TENSORS]


def _each_in(content: Any, deep: int) -> Iterator[Tensor]:
    if isinstance(content, Tensor):
        yield content
    elif deep and isinstance(content, Mapping | list | tuple):
        with suppress(Exception):  # a mapping of somebody's
            parts = content.values() if isinstance(content, Mapping) else content
            for part in list(parts)[:MOST_TENSORS]:
                yield from _each_in(part, deep - 1)


def span_of(tensor: Tensor) -> tuple[int, int]:
    """Return the addresses where the values of a tensor begin and end; twice 0 where it has no memory of its own."""
    try:
        begin = tensor.data_ptr()
        return (begin, begin + tensor.nbytes) if begin else (0, 0)
    except Exception:  # noqa: BLE001 - a sparse one, or a kind of somebody's
        return 0, 0


def home_of(tensor: Tensor) -> int:
    """Return the address of the memory that a tensor shares with its views; 0 where it has none."""
    try:
        return tensor.untyped_storage().data_ptr()
    except Exception:  # noqa: BLE001 - as above
        return 0


class Traces:
    """The tensors of a batch, not kept alive: enough to know them again."""

    __slots__ = ("_known",)

    def __init__(self, content: Any) -> None:
        found = content._living() if isinstance(content, Traces) else tensors_in(content)
        self._known = [(weakref.ref(tensor), *span_of(tensor)) for tensor in found]

    def spans(self) -> list[tuple[Tensor, int, int]]:
        """Return the tensors that still live, with the addresses where their values begin and end."""
        return [(tensor, begin, end) for known, begin, end in self._known if (tensor := known()) is not None]

    @property
    def are_living(self) -> bool:
        """Whether there were tensors, and all of them still live."""
        return bool(self._known) and all(known() is not None for known, _, _ in self._known)

    def _living(self) -> list[Tensor]:
        return [tensor for tensor, _, _ in self.spans()]
