"""Holds right or wrong for every image at every validation, as bits; read once and extended while the run grows.

Owns what counts as judged: a label that is lost to damage is neither right nor wrong.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np

from dtui.analysis.correctness import WORD, PackedLayout, WordArray, count_true
from dtui.model import NO_VALUE, BoolArray, IntArray, LabelArray
from dtui.query.labels.wrong_labels import IMAGES_A_BLOCK, Block, WrongLabels, held_block

LABELS_AT_ONCE = 16_000_000
TOGETHER = 256
"""Validations that the store keeps together: other stretches would decode some of them twice."""
LONGEST = 16 * TOGETHER
"""Validations read at once of few images."""
ReadLabels = Callable[[slice, slice], IntArray]
"""Returns the labels of some images at some validations, shape (images, validations); negative where one is lost or the
image was not judged."""


class Judgements:
    """W words a validation; see `PackedLayout` for where each image's bit lies.

    Attributes:
        layout: Where each image's bit lies.
        right: Shape (validations, W): whether an image was judged right; 0 where its label is lost.
        lost: Same shape: whether an image's label is lost, or it was not judged; None if there is no such image.
        times_right: Number of right judgements of each image, shape (images,).
        times_judged: Validations in which the label of each image is known, shape (images,).
        wrong: The wrong labels; None where they are not kept.
    """

    def __init__(self, layout: PackedLayout, most_labels: int = 0) -> None:
        """Start without validations.

        Args:
            layout: Where each image's bit lies.
            most_labels: Wrong labels that are kept, so that `labels` can answer; none if they are more.
        """
        self.layout = layout
        self._bit_of_image = layout.bit_of_image()
        self.right: WordArray = np.zeros((0, layout.total_words), dtype=np.uint64)
        self.lost: WordArray | None = None
        self._right_room: WordArray = self.right
        self._lost_room: WordArray | None = None
        self.times_right: IntArray = np.zeros(layout.total_images, dtype=np.int64)
        self.times_judged: IntArray = np.zeros(layout.total_images, dtype=np.int64)
        self.wrong = WrongLabels(most_labels) if most_labels else None

    def extend(self, validations: int, targets: LabelArray, read: ReadLabels, seconds: float = math.inf) -> None:
        """Add the new validations, a few at a time.

        Args:
            validations: Number of validations now.
            targets: True labels, shape (images,).
            read: Reads labels.
            seconds: After so many no more are read; the next call goes on.
        """
        until = time.monotonic() + seconds
        at_once = max(1, min(LONGEST, LABELS_AT_ONCE // max(1, len(targets))))
        at_once -= at_once % TOGETHER if at_once > TOGETHER else 0
        at_once = min(at_once, TOGETHER) if seconds < math.inf else at_once  # others wait
        first = len(self.right)
        if len(self._right_room) != validations:  # of a long run, two of them are much: it is made once, and filled
            self._right_room = _widened(self.right, validations)
            self._lost_room = None if self.lost is None else _widened(self.lost, validations)
        right = self._right_room
        try:
            while first < validations:
                stop = min((first // at_once + 1) * at_once, validations)
                is_right, is_lost = self._judge(slice(first, stop), targets, read)
                right[first:stop] = self.layout.pack(is_right)
                if is_lost is not None:
                    self._lost_room = np.zeros_like(right) if self._lost_room is None else self._lost_room
                    self._lost_room[first:stop] = self.layout.pack(is_lost)
                first = stop
                if time.monotonic() >= until:
                    break
        finally:  # what was read before a file was lost stays
            self.right = right[:first]
            self.lost = None if self._lost_room is None else self._lost_room[:first]

    def _judge(self, part: slice, targets: LabelArray, read: ReadLabels) -> tuple[BoolArray, BoolArray | None]:
        """Return which labels are right, shape (validations, images), and which are lost; None if none is."""
        shape = (part.stop - part.start, len(targets))
        is_right: BoolArray = np.empty(shape, np.bool_)
        is_lost: BoolArray | None = None
        blocks: list[Block] = []
        for first in range(0, len(targets), IMAGES_A_BLOCK):  # so few that they stay in the processor's cache
            some = slice(first, min(first + IMAGES_A_BLOCK, len(targets)))
            read_labels = read(some, part)
            labels: LabelArray = np.empty(read_labels.shape[::-1], np.uint16)
            labels[...] = read_labels.T
            right = np.equal(labels, targets[some], out=is_right[:, some])
            is_wrong = ~right
            if read_labels.min(initial=0) < 0:
                is_lost = np.zeros(shape, np.bool_) if is_lost is None else is_lost
                lost = np.less(read_labels.T, 0, out=is_lost[:, some])
                right &= ~lost
                is_wrong &= ~lost
            if self.wrong is not None and self.wrong.is_whole:
                blocks.append(held_block(labels, is_wrong))
        if self.wrong is not None:
            self.wrong.add(part.start, blocks)
        self.times_right += count_true(is_right)
        self.times_judged += shape[0] if is_lost is None else shape[0] - count_true(is_lost)
        return is_right, is_lost

    @classmethod
    def beside(cls, some: Sequence[Judgements], validations: int) -> Judgements:
        """Return the judgements of some groups of images one beside the other, their classes one after the other."""
        images = np.concatenate([np.zeros(0, np.int64), *(one.layout.images for one in some)])
        both = cls(PackedLayout.of_sizes(images))
        no_words: WordArray = np.zeros((validations, 0), np.uint64)
        both.right = np.concatenate([no_words, *(one.right for one in some)], axis=1)
        if any(one.lost is not None for one in some):
            lost = [np.zeros_like(one.right) if one.lost is None else one.lost for one in some]
            both.lost = np.concatenate([no_words, *lost], axis=1)
        none: IntArray = np.zeros(0, np.int64)
        both.times_right = np.concatenate([none, *(one.times_right for one in some)])
        both.times_judged = np.concatenate([none, *(one.times_judged for one in some)])
        return both

    def of_class(self, label: int) -> Judgements:
        """Return those of the images of one class."""
        layout = self.layout
        words = slice(int(layout.first_word[label]), int(layout.first_word[label] + layout.words[label]))
        images = slice(int(layout.first_image[label]), int(layout.first_image[label] + layout.images[label]))
        one = Judgements(PackedLayout.of_sizes(layout.images[label : label + 1]))
        one.right, one.lost = self.right[:, words], None if self.lost is None else self.lost[:, words]
        one.times_right, one.times_judged = self.times_right[images], self.times_judged[images]
        return one

    def from_validation(self, first: int) -> Judgements:
        """Return the same without the first validations; of the counts of images it says nothing."""
        some = Judgements(self.layout)
        some.right, some.lost = self.right[first:], None if self.lost is None else self.lost[first:]
        return some

    def labels(self, images: slice, validations: slice, targets: LabelArray) -> IntArray | None:
        """Return labels without reading them again; None where they are not kept, or not read yet.

        Args:
            images: Step 1.
            validations: Step 1.
            targets: True labels, shape (images,).

        Returns:
            Shape (images, validations), int32; NO_VALUE where one is lost or the image was not judged.
        """
        if self.wrong is None or not self.wrong.is_whole or validations.stop > len(self.right):
            return None
        right, lost = self.right[validations], None if self.lost is None else self.lost[validations]
        is_right = self._bits(right, images)
        is_wrong = ~is_right
        labels = np.where(is_right, targets[images].astype(np.int32), np.int32(NO_VALUE))
        ahead = slice(images.start - images.start % IMAGES_A_BLOCK, images.start)  # of its block
        before = ahead.stop - ahead.start - self._bits(right, ahead).sum(axis=1)
        if lost is not None:
            is_wrong &= ~self._bits(lost, images)
            before -= self._bits(lost, ahead).sum(axis=1)
        self.wrong.fill(labels, is_wrong, images.start, validations, before)
        result: IntArray = np.ascontiguousarray(labels.T)
        return result

    def _bits(self, packed: WordArray, images: slice) -> BoolArray:
        """Return the bits of some images, shape (validations, images)."""
        bits = self._bit_of_image[images]
        if not len(bits):
            return np.zeros((len(packed), 0), np.bool_)
        begin, end = int(bits[0]) // WORD, int(bits[-1]) // WORD + 1
        words = np.ascontiguousarray(packed[:, begin:end], dtype="<u8").view(np.uint8)
        unpacked = np.unpackbits(words, axis=1, bitorder="little").view(np.bool_)
        result: BoolArray = unpacked[:, bits - begin * WORD]
        return result


def _widened(words: WordArray, validations: int) -> WordArray:
    """Return an array with room for so many validations; it begins with the words that are there."""
    wider: WordArray = np.zeros((validations, words.shape[1]), np.uint64)
    wider[: len(words)] = words
    return wider
