"""Holds right or wrong for every image at every validation, as bits; read once and extended while the run grows.

Owns what counts as judged: a label that is lost to damage is neither right nor wrong.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from dtui.analysis.correctness import PackedLayout, WordArray
from dtui.model import IntArray, LabelArray

LABELS_AT_ONCE = 8_000_000


class Judgements:
    """W words a validation; see `PackedLayout` for where each image's bit lies.

    Attributes:
        layout: Where each image's bit lies.
        right: Shape (validations, W): whether an image was judged right; 0 where its label is lost.
        lost: Same shape: whether an image's label is lost, or it was not judged; None if there is no such image.
        times_right: Number of right judgements of each image, shape (images,).
        times_judged: Validations in which the label of each image is known, shape (images,).
    """

    def __init__(self, layout: PackedLayout) -> None:
        self.layout = layout
        self.right: WordArray = np.zeros((0, layout.total_words), dtype=np.uint64)
        self.lost: WordArray | None = None
        self.times_right: IntArray = np.zeros(layout.total_images, dtype=np.int64)
        self.times_judged: IntArray = np.zeros(layout.total_images, dtype=np.int64)

    def extend(
        self, validations: int, targets: LabelArray, read: Callable[[slice], IntArray], seconds: float = math.inf
    ) -> None:
        """Add the new validations, a few at a time.

        Args:
            validations: Number of validations now.
            targets: True labels, shape (images,).
            read: Returns the labels at some validations, shape (images, validations); negative where one is lost or
                the image was not judged.
            seconds: After so many no more are read; the next call goes on.
        """
        until = time.monotonic() + seconds
        at_once = max(1, LABELS_AT_ONCE // max(1, len(targets)))
        right, lost = [self.right], {}
        for first in range(len(self.right), validations, at_once):
            labels = read(slice(first, min(first + at_once, validations)))
            is_right = labels == targets.astype(labels.dtype)[:, None]
            right.append(self.layout.pack(np.ascontiguousarray(is_right.T)))
            self.times_right += np.count_nonzero(is_right, axis=1)
            self.times_judged += labels.shape[1]
            if labels.min(initial=0) < 0:
                is_lost = labels < 0
                lost[first] = self.layout.pack(np.ascontiguousarray(is_lost.T))
                self.times_judged -= np.count_nonzero(is_lost, axis=1)
            if time.monotonic() >= until:
                break
        self.right = np.concatenate(right)
        if self.lost is not None or lost:
            known = np.zeros((0, self.right.shape[1]), np.uint64) if self.lost is None else self.lost
            self.lost = np.zeros_like(self.right)
            for first, words in ((0, known), *lost.items()):
                self.lost[first : first + len(words)] = words
