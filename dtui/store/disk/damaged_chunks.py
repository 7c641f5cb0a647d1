"""Reads around damaged chunks: a damaged chunk loses its own values, not the rest of its part.

Owns the loop over single chunks, and the values that replace a lost chunk.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.model import LOST_NAN, NO_VALUE

Chunk = tuple[int, ...]
"""Which chunk of an array, counted along each axis."""


def answer_type(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return the element type of answers about stored values: unsigned integers become wider, for NO_VALUE."""
    return stored if stored.kind == "f" else np.dtype(f"<i{2 * stored.itemsize}")


def no_value(answer: np.dtype[Any]) -> float:
    """Return the number that replaces a lost value in an answer of some element type."""
    if answer.kind != "f":
        return NO_VALUE
    return np.nan if answer.itemsize < 8 else LOST_NAN


def read_around(
    read: Callable[[tuple[slice, ...]], NDArray[Any]],
    shape: Sequence[int],
    chunk: Sequence[int],
    index: Sequence[slice],
    target: NDArray[Any],
    damaged: set[Chunk],
) -> None:
    """Read a piece of an array chunk by chunk, and fill unreadable chunks with "no value".

    Args:
        read: Returns a piece within one chunk, or raises RunDamagedError.
        shape: Of the array.
        chunk: Of its chunks.
        index: The piece; steps are positive.
        target: Filled, of the shape of the piece and an `answer_type`.
        damaged: The chunks known to be damaged. They are not read again; newly found ones are added.
    """
    axes = [range(length)[part] for length, part in zip(shape, index, strict=True)]
    for cuts in product(*(list(_cuts(axis, length)) for axis, length in zip(axes, chunk, strict=True))):
        place = tuple(number for number, _, _ in cuts)
        into = tuple(into for _, _, into in cuts)
        if place not in damaged:
            try:
                target[into] = read(tuple(some for _, some, _ in cuts))
                continue
            except RunDamagedError:
                damaged.add(place)
        target[into] = no_value(target.dtype)


def _cuts(wanted: range, length: int) -> Iterator[tuple[int, slice, slice]]:
    """Yield each needed chunk along one axis: its number, the elements wanted in it, and their place in the answer."""
    low = 0
    while low < len(wanted):
        number = wanted[low] // length
        high = bisect_left(wanted, (number + 1) * length)
        yield number, slice(wanted[low], wanted[high - 1] + 1, wanted.step), slice(low, high)
        low = high
