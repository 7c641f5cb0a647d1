"""Keeps arrays that grow with the run, so that a new record costs only one column.

Owns what the viewer keeps of a run in memory. There is only one cache, so all answers are from the same moment.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.model import FloatArray

READ_AT_ONCE = 4_096
WINDOW_STEP = 64
"""Windows begin and end at multiples of this many columns, which are read together anyway; some have a step of their
own."""


class RecentArrays:
    """A cache of arrays, each with a number: those of the last two answers of each kind, and others while they fit."""

    def __init__(self, budget: int, most: int) -> None:
        """Start empty.

        Args:
            budget: Bytes kept; more where the last answers used more.
            most: Bytes kept at most.
        """
        self._budget = budget
        self._most = most
        self._kept: OrderedDict[Hashable, tuple[FloatArray, int]] = OrderedDict()
        self._bytes = 0  # of all that is kept: a run may have a hundred thousand scalars
        self._now: set[Hashable] = set()
        self._answers: dict[str, tuple[set[Hashable], set[Hashable]]] = {}

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0

    def begin_answer(self, kind: str) -> None:
        """Begin an answer of a kind: arrays that only the answer before the last one used may be dropped."""
        self._now = set()
        self._answers[kind] = (self._now, self._answers.get(kind, (set(), set()))[0])

    def take(self, key: Hashable) -> tuple[FloatArray | None, int]:
        """Remove and return an array and its number; None and 0 if it is not kept."""
        array, number = self._kept.pop(key, (None, 0))
        self._bytes -= 0 if array is None else array.nbytes
        return array, number

    def size_of(self, key: Hashable) -> int:
        """Return the bytes of an array; 0 if it is not kept."""
        return self._kept[key][0].nbytes if key in self._kept else 0

    def keep(self, key: Hashable, array: FloatArray, number: int) -> None:
        """Keep an array, unless it is too large. The least recently used arrays are dropped first."""
        self.take(key)
        if array.nbytes > self._most:
            return
        self._kept[key] = (array, number)
        self._bytes += array.nbytes
        self._now.add(key)
        while self._bytes > (self._most if self._is_in_use(next(iter(self._kept))) else self._budget):
            self._bytes -= self._kept.popitem(last=False)[1][0].nbytes

    def _is_in_use(self, key: Hashable) -> bool:
        return key in self._now or any(key in used for last in self._answers.values() for used in last)


class GrowingArrays(RecentArrays):
    """Matrices with one column per record, read once and extended."""

    def __init__(self, budget: int = 64 << 20, most: int = 192 << 20, at_once: int = READ_AT_ONCE) -> None:
        """Start empty; a matrix that is larger than `most` bytes is answered, but not kept.

        Args:
            budget: Bytes kept.
            most: Bytes kept at most.
            at_once: Columns that are read at once.
        """
        super().__init__(budget, most)
        self._at_once = at_once

    def columns(self, key: Hashable, count: int, read: Callable[[slice], FloatArray]) -> FloatArray:
        """Return the first `count` columns of a matrix, read-only.

        Args:
            key: Key of the matrix.
            count: Columns that exist now, >= 0.
            read: Reads a range of columns, shape (rows, columns); called only for those not kept.
        """
        buffer, filled = self.take(key)
        if buffer is None or filled > count:
            filled = min(count, self._at_once)
            buffer = read(slice(0, filled))
            buffer = self._widened(buffer, filled, count) if count > filled else buffer
        elif count > buffer.shape[1]:
            # A live run: room for an eighth more, so that not every record copies what is there.
            buffer = self._widened(buffer, filled, count + count // 8 + 8)
        for first in range(filled, count, self._at_once):
            part = slice(first, min(first + self._at_once, count))
            buffer.flags.writeable = True
            buffer[:, part] = read(part)
        buffer.flags.writeable = False
        self.keep(key, buffer, count)
        return buffer[:, :count]

    @staticmethod
    def _widened(buffer: FloatArray, filled: int, columns: int) -> FloatArray:
        wider = np.empty((buffer.shape[0], columns), dtype=buffer.dtype)
        wider[:, :filled] = buffer[:, :filled]
        return wider


class Windows(RecentArrays):
    """The last used stretch of each matrix that is too long to be kept whole."""

    def __init__(self, budget: int = 32 << 20, most: int = 64 << 20, step: int | None = None) -> None:
        """Start empty; a stretch that is larger than `most` bytes is answered, but not kept.

        Args:
            budget: Bytes kept.
            most: Bytes kept at most.
            step: Columns, at multiples of which a stretch begins and ends; WINDOW_STEP if None.
        """
        super().__init__(budget, most)
        self._step = WINDOW_STEP if step is None else step

    def columns(
        self, key: Hashable, wanted: slice, count: int, read: Callable[[slice], NDArray[Any]]
    ) -> tuple[NDArray[Any], int]:
        """Return a read-only matrix that holds the wanted columns, and the position of its first column.

        Args:
            key: Key of the whole matrix.
            wanted: Which columns, step 1.
            count: Columns that exist now.
            read: Reads a range of columns, shape (rows, columns).
        """
        matrix, first = self.take(key)
        if matrix is None or wanted.start < first or wanted.stop > first + matrix.shape[1]:
            matrix = None  # it is not held beside the new one
            first = wanted.start // self._step * self._step
            matrix = read(slice(first, min(count, -(-wanted.stop // self._step) * self._step)))
            matrix.flags.writeable = False
        self.keep(key, matrix, first)
        return matrix, first
