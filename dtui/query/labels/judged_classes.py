"""Holds right or wrong of the images of some classes, whose labels alone are read.

Owns of how many classes it is kept.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from dtui.analysis.correctness import PackedLayout
from dtui.model import IntArray, LabelArray
from dtui.query.labels.judgements import Judgements, ReadLabels

CLASSES_ALONE, CLASSES_KEPT = 16, 64
"""Classes up to which each is read by itself, and classes of which right or wrong is kept so."""


class JudgedClasses:
    """Right or wrong of a few classes each by itself, and of the last many classes that were asked for together."""

    def __init__(self, layout: PackedLayout, targets: LabelArray, read: ReadLabels) -> None:
        """Start empty.

        Args:
            layout: Of all images.
            targets: True labels, shape (images,).
            read: Reads labels.
        """
        self._layout, self._targets, self._read = layout, targets, read
        self._alone: OrderedDict[int, Judgements] = OrderedDict()
        self._many: tuple[tuple[int, ...], Judgements] = ((), Judgements(PackedLayout.of_sizes(layout.images[:0])))

    def of(self, classes: Sequence[int], validations: int) -> list[Judgements]:
        """Return right or wrong of the images of each class at all validations."""
        self.prepare(classes, validations, math.inf)
        if len(classes) <= CLASSES_ALONE:
            return [self._alone[label] for label in classes]
        order, many = self._many
        place = {label: at for at, label in enumerate(order)}
        return [many.of_class(place[label]) for label in classes]

    def prepare(self, classes: Sequence[int], validations: int, seconds: float) -> bool:
        """Read for about so long; return whether `of` needs no more."""
        until = time.monotonic() + seconds
        if len(classes) > CLASSES_ALONE:
            return self._extend(self._together(classes), self._images(sorted(classes)), validations, seconds)
        for label in classes:
            judged = self._alone.pop(label, None) or Judgements(PackedLayout.of_sizes(self._sizes([label])))
            self._alone[label] = judged
            left = max(0.0, until - time.monotonic())
            if not self._extend(judged, self._images([label]), validations, left):
                return False
        while len(self._alone) > CLASSES_KEPT:
            self._alone.popitem(last=False)
        return True

    def _together(self, classes: Sequence[int]) -> Judgements:
        order = tuple(sorted(classes))
        if self._many[0] != order:
            self._many = (order, Judgements(PackedLayout.of_sizes(self._sizes(order))))
        return self._many[1]

    def _sizes(self, classes: Sequence[int]) -> IntArray:
        sizes: IntArray = self._layout.images[list(classes)]
        return sizes

    def _images(self, classes: Sequence[int]) -> IntArray:
        """Return the images of some ascending classes, ascending."""
        first, count = self._layout.first_image, self._layout.images
        images: IntArray = np.concatenate([np.arange(first[one], first[one] + count[one]) for one in classes])
        return images

    def _extend(self, judged: Judgements, images: IntArray, validations: int, seconds: float) -> bool:
        def read(some: slice, part: slice) -> IntArray:
            wanted = images[some]
            if not len(wanted):
                return np.zeros((0, part.stop - part.start), np.int32)
            labels: IntArray = self._read(slice(int(wanted[0]), int(wanted[-1]) + 1), part)[wanted - wanted[0]]
            return labels

        if len(judged.right) < validations:
            judged.extend(validations, self._targets[images], read, seconds)
        return len(judged.right) == validations
