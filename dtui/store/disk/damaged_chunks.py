"""Reads around damaged chunks: what one of them costs is its own values, not those of its part.

Owns the walk over single chunks, and what stands where one is lost.
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
    """Return what stands in an answer of some element type where the value is lost."""
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
    """Read a piece of an array chunk by chunk, and put no value where one cannot be read.

    Args:
        read: Returns a piece that is within one chunk, or raises RunDamagedError.
        shape: Of the array.
        chunk: Of its chunks.
        index: The piece; steps are positive.
        target: Filled, of the shape of the piece and an `answer_type`.
        damaged: The chunks that are known to be damaged, which are not tried again; those that are found are added.
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
    """Yield, for each chunk along one axis with something wanted, its number, what is wanted of it and its place."""
    low = 0
    while low < len(wanted):
        number = wanted[low] // length
        high = bisect_left(wanted, (number + 1) * length)
        yield number, slice(wanted[low], wanted[high - 1] + 1, wanted.step), slice(low, high)
        low = high
