"""The last rows of an array that grows by some rows at a time."""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray

ROOM = 4
"""Rows that are taken in before the last ones are moved to the front again."""


class LastRows:
    """Rows of K numbers each, of which the last are kept; they stay where they are while rows come one by one."""

    def __init__(self, length: int, width: int) -> None:
        """Begin with `length` rows of NaN, K = `width`."""
        self._length, self._end = length, length
        self._rows: FloatArray = np.full((length + ROOM, width), np.nan)

    def extend(self, new: FloatArray) -> FloatArray:
        """Return what was kept and, behind it, what is new, shape (length + n, K): a view, good until the next call.

        Args:
            new: Shape (n, K).
        """
        length = self._length
        if len(new) > ROOM:
            joined = np.concatenate([self._rows[self._end - length : self._end], new])
            self._rows[:length], self._end = joined[len(new) :], length
            return joined
        if self._end + len(new) > len(self._rows):
            self._rows[:length], self._end = self._rows[self._end - length : self._end].copy(), length
        self._rows[self._end : self._end + len(new)] = new
        self._end += len(new)
        return self._rows[self._end - len(new) - length : self._end]
