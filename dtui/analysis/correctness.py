"""Stores right or wrong as one bit per image and validation.

Owns the packed layout: images sorted by class, each class padded to whole 64-bit words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, IntArray, LabelArray

WordArray = NDArray[np.uint64]
WORD = 64
MOST_IN_A_BYTE = 255
PACKED_AT_ONCE = 1 << 20
"""Bits that are laid out at once, a byte each."""


def count_true(flags: BoolArray) -> IntArray:
    """Count the True of each column of shape (rows, columns), shape (columns,), int64; in bytes while they suffice."""
    counts: IntArray = np.zeros(flags.shape[1], dtype=np.int64)
    for first in range(0, len(flags), MOST_IN_A_BYTE):
        counts += flags[first : first + MOST_IN_A_BYTE].view(np.uint8).sum(axis=0, dtype=np.uint8)
    return counts


@dataclass(frozen=True, eq=False, slots=True)
class PackedLayout:
    """Where each image's bit lies. There are C classes and W words per validation.

    Attributes:
        images: Images of each class, shape (C,), int64.
        first_image: Index of each class's first image, shape (C,).
        first_word: Each class's first word, shape (C,).
        words: Words of each class, shape (C,).
    """

    images: IntArray
    first_image: IntArray
    first_word: IntArray
    words: IntArray

    @staticmethod
    def of(targets: LabelArray, classes: int) -> PackedLayout:
        """Lay out images by their true labels.

        Args:
            targets: Shape (images,), ascending.
            classes: Number of classes, > max(targets).

        Raises:
            ValueError: The targets do not ascend, or a label is not below `classes`.
        """
        if len(targets) and (np.any(np.diff(targets.astype(np.int64)) < 0) or int(targets[-1]) >= classes):
            raise ValueError("packed correctness: images must be sorted by class, labels below the number of classes")
        return PackedLayout.of_sizes(np.bincount(targets, minlength=classes).astype(np.int64))

    @staticmethod
    def of_sizes(images: IntArray) -> PackedLayout:
        """Lay out images of classes of these sizes, shape (C,), int64."""
        words = -(-images // WORD)
        return PackedLayout(images, np.cumsum(images) - images, np.cumsum(words) - words, words)

    @property
    def total_words(self) -> int:
        """W, the words of one validation."""
        return int(self.words.sum())

    @property
    def total_images(self) -> int:
        """Number of images in all classes."""
        return int(self.images.sum())

    def bit_of_image(self) -> IntArray:
        """Return the position of each image's bit within a validation, shape (images,)."""
        shift = np.repeat(self.first_word * WORD - self.first_image, self.images)
        result: IntArray = np.arange(self.total_images, dtype=np.int64) + shift
        return result

    def pack(self, correct: BoolArray) -> WordArray:
        """Pack judgements into words.

        Args:
            correct: Shape (validations, images).

        Returns:
            Shape (validations, W); padding bits are zero.

        Source: dtui.
        """
        validations = len(correct)
        present = np.flatnonzero(self.images)
        size = int(self.images[present[0]]) if len(present) else 0
        is_grid, places = bool(size and np.all(self.images[present] == size)), self.bit_of_image()
        packed: WordArray = np.zeros((validations, self.total_words), np.uint64)
        rows = max(1, PACKED_AT_ONCE // max(1, self.total_words * WORD))
        room: BoolArray = np.zeros((min(rows, validations), self.total_words * WORD), dtype=np.bool_)
        for first in range(0, validations if size else 0, rows):
            some = correct[first : first + rows]
            bits = room[: len(some)]
            if is_grid:
                # Classes of one size fill a regular grid: one strided copy instead of a scatter.
                wide = bits.reshape(len(some), len(present), int(self.words[present[0]]) * WORD)
                wide[:, :, :size] = some.reshape(len(some), len(present), size)
            else:
                bits[:, places] = some
            packed[first : first + rows] = np.packbits(bits, axis=1, bitorder="little").view("<u8")
        return packed

    def unpack(self, packed: WordArray, label: int) -> BoolArray:
        """Return the judgements of one class, shape (validations, images of the class)."""
        first, words = int(self.first_word[label]), int(self.words[label])
        chosen = np.ascontiguousarray(packed[:, first : first + words], dtype="<u8").view(np.uint8)
        bits = np.unpackbits(chosen, axis=1, count=int(self.images[label]), bitorder="little")
        return bits.view(np.bool_)

    def count(self, packed: WordArray) -> IntArray:
        """Count the set bits of each class, shape (validations, C), of an unsigned type that is wide enough."""
        counts: IntArray = np.bitwise_count(packed)
        if np.all(self.words == 1):
            return counts
        present = np.flatnonzero(self.words)
        result = np.zeros((len(packed), len(self.images)), dtype=np.uint32)
        if len(present) and len(packed):
            result[:, present] = np.add.reduceat(counts, self.first_word[present], axis=1, dtype=np.uint32)
        return result
