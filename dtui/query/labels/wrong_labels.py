"""Holds every wrong label of a run in little room, so that labels that were read once are never decoded again.

Owns their order. With the bits of the judgements they say all that the labels say: a right label is the true one.
"""

from __future__ import annotations

from dataclasses import field
from itertools import pairwise

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, IntArray, LabelArray

IMAGES_A_BLOCK = 1_024
"""Images whose labels are read and held together."""
Block = tuple[IntArray, LabelArray]
"""Where each validation's wrong labels begin, with the end behind the last, and the labels."""
Stretch = tuple[int, list[Block]]
"""The first validation, and the blocks of all images, in order."""


@dataclass(eq=False, slots=True)
class WrongLabels:
    """The wrong labels of all images, until they are more than `most`.

    Attributes:
        most: Labels held, two bytes each; with more of them, none is held any more.
        is_whole: Whether all that was given is still held.
    """

    most: int
    is_whole: bool = True
    _held: int = 0
    _stretches: list[Stretch] = field(default_factory=list)

    def add(self, first: int, blocks: list[Block]) -> None:
        """Add the blocks of all images at the validations from `first` on, behind those that are held."""
        self._held += sum(len(labels) for _, labels in blocks)
        if self._held > self.most:
            self.is_whole = False
            self._stretches.clear()
        if self.is_whole:
            self._stretches.append((first, blocks))

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
        for (begin, blocks), end in zip(self._stretches, stops, strict=False):  # none before the first validation
            low, high = max(begin, validations.start), min(end, validations.stop)
            rows = slice(low - validations.start, high - validations.start)
            for first, stop in pairwise(edges) if low < high and labels.size else ():
                columns = slice(first - first_image, stop - first_image)
                begins, wrong = blocks[first // IMAGES_A_BLOCK]
                starts = begins[low - begin : high - begin] + (before[rows] if first == first_image else 0)
                here = is_wrong[rows, columns]
                labels[rows, columns][here] = wrong[_runs(starts, np.count_nonzero(here, axis=1))]


def held_block(labels: LabelArray, is_wrong: BoolArray) -> Block:
    """Return what is held of some images.

    Args:
        labels: Shape (validations, images).
        is_wrong: Same shape; not where a label is lost, or the image was not judged.
    """
    counts = np.bitwise_count(np.packbits(is_wrong, axis=1)).sum(axis=1, dtype=np.int64)
    kept = labels.ravel().compress(is_wrong.ravel())  # four times as fast as labels[is_wrong]
    return np.concatenate([[0], np.cumsum(counts)]), kept


def _runs(starts: IntArray, counts: IntArray) -> IntArray:
    """Return positions: from each start on as many as its count."""
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - ends + counts, counts)
