"""Keeps predicted labels around the last validations that were asked for, so that a step of the crosshair reads none.

Owns how many validations are read together.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import IntArray

TOGETHER = 256
"""Validations that the store keeps together: decoding them takes as long as decoding one of them."""
IMAGES_TOGETHER = 2_048
"""Images that are read at once: of those that lie between, the labels are thrown away."""
ReadLabels = Callable[[slice, slice], IntArray]
"""Returns the labels of some images at some validations, shape (images, validations); negative where there is none."""


@dataclass(frozen=True, eq=False, slots=True)
class _Stretch:
    """Labels of some images from a validation on, shape (images, validations)."""

    images: IntArray
    first: int
    labels: IntArray

    def holds(self, images: IntArray, position: int) -> bool:
        is_within = self.first <= position < self.first + self.labels.shape[1]
        return is_within and np.array_equal(self.images, images)


class LabelsAround:
    """The labels of the last few questions, each with those of the validations beside it."""

    def __init__(self, room: int) -> None:
        """Start empty; `room` is in bytes."""
        self._room = room
        self._kept: list[_Stretch] = []

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()

    def at(self, images: IntArray, position: int, count: int, read: ReadLabels) -> IntArray:
        """Return the labels of some images at a validation, shape (images,), int32.

        Args:
            images: Not empty.
            position: Of the validation.
            count: Validations that there are.
            read: Reads labels.
        """
        found = next((one for one in self._kept if one.holds(images, position)), None)
        if found is None:
            found = self._read(images, position, count, read)
        self._kept = [found, *(one for one in self._kept if one is not found)]
        while len(self._kept) > 1 and sum(one.labels.nbytes for one in self._kept) > self._room:
            self._kept.pop()
        column: IntArray = found.labels[:, position - found.first].astype(np.int32)
        return column

    def _read(self, images: IntArray, position: int, count: int, read: ReadLabels) -> _Stretch:
        """Read as many validations together as there is room for, the smaller the more images there are."""
        together = TOGETHER
        while together > 1 and 2 * 2 * len(images) * together > self._room:
            together //= 2
        first = position // together * together
        validations = slice(first, min(first + together, count))
        labels: IntArray = np.empty((len(images), validations.stop - first), np.int16)
        order = np.argsort(images, kind="stable")
        ascending = images[order]
        for rows in np.split(order, np.flatnonzero(np.diff(ascending // IMAGES_TOGETHER)) + 1):
            some = images[rows]
            block = read(slice(int(some[0]), int(some[-1]) + 1), validations)[some - some[0]]
            if block.max(initial=0) > np.iinfo(labels.dtype).max:
                labels = labels.astype(np.int32)
            labels[rows] = block
        return _Stretch(images, first, labels)
