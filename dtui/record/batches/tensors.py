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


class Traces:
    """The tensors of a batch, not kept alive: enough to know them again."""

    __slots__ = ("_known",)

    def __init__(self, content: Any) -> None:
        found = content._living() if isinstance(content, Traces) else tensors_in(content)
        self._known = [weakref.ref(tensor) for tensor in found]

    def has(self, called: Tensor) -> bool:
        """Whether a tensor is one of the batch, or a view of one."""
        place = called.data_ptr()
        return any(
            tensor is called or (place and tensor.data_ptr() <= place < tensor.data_ptr() + tensor.nbytes)
            for tensor in self._living()
        )

    def _living(self) -> list[Tensor]:
        return [tensor for known in self._known if (tensor := known()) is not None]
