"""Arrays that grow with the run, kept so that a new record costs one column.

Owns what the viewer keeps in memory of a run. A second cache would answer from another moment of it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable

import numpy as np

from dtui.model import FloatArray

READ_AT_ONCE = 4_096
WINDOW_STEP = 64
"""Windows begin and end at multiples of this many columns, which are read together anyway."""


class GrowingArrays:
    """Matrices with one column a record, read once and extended; the least recently used go first.

    Attributes:
        budget: Most bytes kept. A matrix that is larger is answered, but not kept.
    """

    def __init__(self, budget: int = 192 * 2**20) -> None:
        """Start empty."""
        self.budget = budget
        self._kept: OrderedDict[Hashable, tuple[FloatArray, int]] = OrderedDict()

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def columns(self, key: Hashable, count: int, read: Callable[[slice], FloatArray]) -> FloatArray:
        """Return the first `count` columns of a matrix, read-only.

        Args:
            key: What the matrix is.
            count: Columns that exist now, >= 0.
            read: Reads a range of columns, shape (rows, columns); called only for those not kept.
        """
        buffer, filled = self._kept.pop(key, (None, 0))
        if buffer is None or filled > count:
            buffer, filled = read(slice(0, min(count, READ_AT_ONCE))), min(count, READ_AT_ONCE)
            buffer = self._widened(buffer, filled, count) if count > filled else buffer
        elif count > buffer.shape[1]:
            # A live run: room for an eighth more, so that not every record copies what is there.
            buffer = self._widened(buffer, filled, count + count // 8 + 8)
        for first in range(filled, count, READ_AT_ONCE):
            part = slice(first, min(first + READ_AT_ONCE, count))
            buffer.flags.writeable = True
            buffer[:, part] = read(part)
        buffer.flags.writeable = False
        self._keep(key, buffer, count)
        return buffer[:, :count]

    @staticmethod
    def _widened(buffer: FloatArray, filled: int, columns: int) -> FloatArray:
        wider = np.empty((buffer.shape[0], columns), dtype=buffer.dtype)
        wider[:, :filled] = buffer[:, :filled]
        return wider

    def _keep(self, key: Hashable, buffer: FloatArray, filled: int) -> None:
        if buffer.nbytes > self.budget:
            return
        self._kept[key] = (buffer, filled)
        total = sum(kept.nbytes for kept, _ in self._kept.values())
        while total > self.budget:
            total -= self._kept.popitem(last=False)[1][0].nbytes


class Windows:
    """Stretches of matrices that are too long to be kept whole: the last one of each; the least recently used go first.

    Attributes:
        budget: Most bytes kept. A stretch that is larger is answered, but not kept.
    """

    def __init__(self, budget: int = 64 * 2**20) -> None:
        """Start empty."""
        self.budget = budget
        self._kept: OrderedDict[Hashable, tuple[FloatArray, int]] = OrderedDict()

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def columns(
        self, key: Hashable, wanted: slice, count: int, read: Callable[[slice], FloatArray]
    ) -> tuple[FloatArray, int]:
        """Return a matrix that holds the wanted columns, read-only, and which column its first one is.

        Args:
            key: What the whole matrix is.
            wanted: Which columns, step 1.
            count: Columns that exist now.
            read: Reads a range of columns, shape (rows, columns).
        """
        matrix, first = self._kept.pop(key, (None, 0))
        if matrix is None or wanted.start < first or wanted.stop > first + matrix.shape[1]:
            first = wanted.start // WINDOW_STEP * WINDOW_STEP
            matrix = read(slice(first, min(count, -(-wanted.stop // WINDOW_STEP) * WINDOW_STEP)))
            matrix.flags.writeable = False
        if matrix.nbytes <= self.budget:
            self._kept[key] = (matrix, first)
            total = sum(kept.nbytes for kept, _ in self._kept.values())
            while total > self.budget:
                total -= self._kept.popitem(last=False)[1][0].nbytes
        return matrix, first
