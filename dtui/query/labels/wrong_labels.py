"""Holds every wrong label of a run in little room, so that labels that were read once are never decoded again.

Owns their order. With the bits of the judgements they say all that the labels say: a right label is the true one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from dtui.model import BoolArray, IntArray, LabelArray

IMAGES_A_BLOCK = 1_024
"""Images whose labels are read and held together."""
Stretch = tuple[int, list[tuple[IntArray, LabelArray]]]
"""The first validation; and for each block of images where each validation's wrong labels begin, and the labels."""


@dataclass(eq=False, slots=True)
class WrongLabels:
    """The wrong labels of all images, until they are more than `most`.

    Attributes:
        images: Number of images.
        most: Labels held, two bytes each; with more of them, none is held any more.
        is_whole: Whether all that was given is still held.
    """

    images: int
    most: int
    is_whole: bool = True
    _held: int = 0
    _stretches: list[Stretch] = field(default_factory=list)

    def begin(self, validation: int) -> None:
        """Begin the stretch of validations that starts at `validation`; blocks of all images follow, in order."""
        if self.is_whole:
            self._stretches.append((validation, []))

    def add(self, labels: LabelArray, is_wrong: BoolArray) -> None:
        """Add the next block of a stretch.

        Args:
            labels: Shape (validations, images of the block); what it says where nothing is wrong is not kept.
            is_wrong: Same shape; not where a label is lost, or the image was not judged.
        """
        if not self.is_whole:
            return
        counts = np.bitwise_count(np.packbits(is_wrong, axis=1)).sum(axis=1, dtype=np.int64)
        self._held += int(counts.sum())
        if self._held > self.most:
            self.is_whole = False
            self._stretches.clear()
            return
        begins: IntArray = np.concatenate([[0], np.cumsum(counts)])
        kept = labels.ravel().compress(is_wrong.ravel())  # four times as fast as labels[is_wrong]
        self._stretches[-1][1].append((begins, kept))

    def fill(
        self, labels: IntArray, is_wrong: BoolArray, first_image: int, validations: slice, before: IntArray
    ) -> None:
        """Set the wrong labels of some images at some validations.

        Args:
            labels: To fill, shape (validations, images).
            is_wrong: Same shape, as it was given.
            first_image: The first of the images.
            validations: Step 1.
            before: Wrong labels in the block of that image that stand before it, shape (validations,).
        """
        stops = [first for first, _ in self._stretches[1:]] + [validations.stop]
        stop = first_image + labels.shape[1]
        after = first_image - first_image % IMAGES_A_BLOCK + IMAGES_A_BLOCK
        edges = [first_image, *range(after, stop, IMAGES_A_BLOCK), stop]
        for (begin, blocks), end in zip(self._stretches, stops, strict=True):
            low, high = max(begin, validations.start), min(end, validations.stop)
            rows = slice(low - validations.start, high - validations.start)
            for first, stop in pairwise(edges) if low < high and labels.size else ():
                columns = slice(first - first_image, stop - first_image)
                begins, wrong = blocks[first // IMAGES_A_BLOCK]
                starts = begins[low - begin : high - begin] + (before[rows] if first == first_image else 0)
                here = is_wrong[rows, columns]
                labels[rows, columns][here] = wrong[_runs(starts, np.count_nonzero(here, axis=1))]


def _runs(starts: IntArray, counts: IntArray) -> IntArray:
    """Return positions: from each start on as many as its count."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - ends + counts, counts)
