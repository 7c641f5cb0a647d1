"""Finds the images that turn right and wrong together with one image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dtui.analysis.correctness import WORD, PackedLayout, WordArray
from dtui.analysis.relations.learning import count_bits, count_bits_of, held_verdicts
from dtui.model import IntArray

Steps = slice | IntArray
Words = slice | int
_ALL = slice(None)


class Flipping:
    """Every flip of every image: right and then wrong, or wrong and then right, when it was judged next."""

    def __init__(self, layout: PackedLayout, right: WordArray, lost: WordArray | None) -> None:
        """Find the flips.

        Args:
            layout: Where each image's bit lies.
            right: Whether an image was judged right, shape (validations, W); 0 where it was not judged.
            lost: Whether an image was not judged, or its label is lost; None if there is no such image.
        """
        self._layout, held = layout, held_verdicts(right, lost)
        self._before, self._after = held[:-1], held[1:]  # views: flips of their own would take twice the room
        self._has_before = None if lost is None or not len(lost) else np.bitwise_or.accumulate(~lost, axis=0)[:-1]
        steps = len(self._before)
        self.counts: IntArray = count_bits_of(layout, steps, self._gained) + count_bits_of(layout, steps, self._lost)
        """Flips of each image, shape (images,)."""

    def _gained(self, steps: Steps, words: Words = _ALL) -> WordArray:
        flips: WordArray = self._after[steps, words] & ~self._before[steps, words]
        return flips if self._has_before is None else flips & self._has_before[steps, words]

    def _lost(self, steps: Steps, words: Words = _ALL) -> WordArray:
        flips: WordArray = self._before[steps, words] & ~self._after[steps, words]
        return flips

    def shared_with(self, image: int) -> IntArray:
        """Return the flips of each image at the same validation and in the same direction, shape (images,)."""
        word, shift = divmod(int(self._layout.bit_of_image()[image]), WORD)

        def shared(flips: Callable[[Steps, Words], WordArray]) -> IntArray:
            own = np.flatnonzero(flips(_ALL, word) >> np.uint64(shift) & np.uint64(1))
            return count_bits(self._layout, flips(own, _ALL))

        return shared(self._gained) + shared(self._lost)

    def partners(self, image: int, most: int) -> tuple[IntArray, IntArray]:
        """Return the images whose flips are most alike, without itself, the likest first.

        Alike is the number of shared flips as a share of the flips of either image (Jaccard).

        Args:
            image: Index in the ImageSet.
            most: Most of them, >= 0.

        Returns:
            Indices and shared flips, shape (at most `most`,); images that share no flip are not among them.

        Source: dtui.
        """
        shared = self.shared_with(image)
        either = self.counts + self.counts[image] - shared
        alike = shared / np.maximum(either, 1)
        alike[image] = 0.0
        order = np.argsort(-alike, kind="stable")[:most]
        found = order[alike[order] > 0]
        return found, shared[found]
