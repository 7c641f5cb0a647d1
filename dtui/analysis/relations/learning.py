"""Finds how each image was learned and forgotten, from its right and wrong judgements.

Owns the lists of images: always wrong, never learned, easy, hard, forgotten.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dtui.analysis.correctness import MOST_IN_A_BYTE, PackedLayout, WordArray
from dtui.model import BoolArray, FloatArray, IntArray
from dtui.model.learning import NEVER, ImageLearning

BITS_AT_ONCE = 16_000_000


def find_learning(
    layout: PackedLayout, right: WordArray, lost: WordArray | None, before: ImageLearning | None = None, first: int = 0
) -> ImageLearning:
    """Follow each image through the validations; validations that did not judge it are skipped.

    Args:
        layout: Where each image's bit lies.
        right: Whether an image was judged right, shape (validations, W); 0 where it was not judged.
        lost: Whether an image was not judged, or its label is lost; None if there is no such image.
        before: What was found up to these validations; None if they are the first.
        first: Validations before these.

    Returns:
        One entry per image, in the order of the layout. A forgetting event is a right judgement followed by a wrong
        one.

    Source: Toneva et al. 2019 (An Empirical Study of Example Forgetting), there over the steps of training; packed, and
    passing over what was not judged: dtui.
    """
    validations = len(right)
    unseen = _count_unseen(layout, right)
    first_right = np.where(unseen < validations, first + unseen, NEVER)
    judged = validations - (count_bits(layout, lost) if lost is not None else np.zeros(layout.total_images, np.int64))
    wrong = judged - count_bits(layout, right)
    if before is not None:  # as one more validation, which says how each image was judged last
        right = np.concatenate([layout.pack(before.is_right_at_last[None, :]), right])
        lost = None if lost is None else np.concatenate([np.zeros_like(right[:1]), lost])
    held = held_verdicts(right, lost)
    steps, now, then, then_right = max(0, len(held) - 1), held[:-1], held[1:], right[1:]
    forgotten = count_bits_of(layout, steps, lambda some: now[some] & ~then[some])
    is_learned = count_bits_of(layout, steps, lambda some: now[some] & then_right[some]) > 0
    is_right_at_last = count_bits(layout, held[-1:]) > 0
    if before is None:
        return ImageLearning(judged, wrong, forgotten, first_right, is_learned, is_right_at_last)
    return ImageLearning(
        judged=before.judged + judged,
        wrong=before.wrong + wrong,
        forgotten=before.forgotten + forgotten,
        first_right=np.where(before.first_right == NEVER, first_right, before.first_right),
        is_learned=before.is_learned | is_learned,
        is_right_at_last=is_right_at_last,
    )


def held_verdicts(right: WordArray, lost: WordArray | None) -> WordArray:
    """Return whether the last judgement of each image was right; 0 before the first."""
    if lost is None:
        return right
    held = right.copy()
    for at in np.flatnonzero(lost[1:].any(axis=1)) + 1:
        held[at] |= held[at - 1] & lost[at]
    return held


def _count_unseen(layout: PackedLayout, right: WordArray) -> IntArray:
    """Count the validations up to which each image was never right, shape (images,), int64."""
    seen: WordArray = np.zeros(layout.total_words, np.uint64)

    def unseen(some: slice) -> WordArray:
        block = right[some].copy()
        block[0] |= seen
        np.bitwise_or.accumulate(block, axis=0, out=block)
        seen[:] = block[-1]
        return ~block

    return count_bits_of(layout, len(right), unseen)


def count_bits(layout: PackedLayout, packed: WordArray) -> IntArray:
    """Count the validations in which each image's bit is set, shape (images,), int64."""
    return count_bits_of(layout, len(packed), lambda some: packed[some])


def count_bits_of(layout: PackedLayout, validations: int, words: Callable[[slice], WordArray]) -> IntArray:
    """Count the same in words that are made a block at a time, in order: those of a long run would take much room."""
    bits = layout.total_words * 64
    counts: IntArray = np.zeros(bits, dtype=np.int64)
    rows = min(MOST_IN_A_BYTE, max(1, BITS_AT_ONCE // max(1, bits)))
    for first in range(0, validations if bits else 0, rows):
        block = words(slice(first, min(first + rows, validations)))
        some = np.ascontiguousarray(block, dtype="<u8").view(np.uint8)
        counts += np.unpackbits(some, axis=1, bitorder="little").sum(axis=0, dtype=np.uint8)
    return counts[layout.bit_of_image()]


def images_of_list(name: str, learned: ImageLearning) -> IntArray:
    """Return the images of a list, in its order; equal images by rising index.

    "always-wrong": judged at least once and never right.
    "never-learned": judged at least twice and never right twice in a row, so that one right guess is no learning; by
        the share of wrong judgements, the largest first. It includes the images that are always wrong.
    "easy": learned, that is right twice in a row, and never forgotten; by the first right judgement.
    "hard": wrong at least once; by forgetting events, then by the share of wrong judgements, the most first.
    "forgotten": learned, and wrong at the last judgement; those that were right the most often first.

    Args:
        name: Of IMAGE_LISTS.
        learned: Of all images.

    Returns:
        Indices, shape (n,).

    Raises:
        ValueError: There is no such list.

    Source: Toneva et al. 2019: forgetting events, unforgettable and never learned examples; that a guess is no
    learning, and the orders: dtui.
    """
    share = learned.wrong / np.maximum(learned.judged, 1)
    nothing = np.zeros(len(share))
    is_easy = learned.is_learned & (learned.forgotten == 0)
    is_forgotten = learned.is_learned & ~learned.is_right_at_last
    lists: dict[str, tuple[BoolArray, tuple[FloatArray | IntArray, ...]]] = {
        "always-wrong": ((learned.judged > 0) & (learned.wrong == learned.judged), (nothing,)),
        "never-learned": ((learned.judged > 1) & ~learned.is_learned, (-share,)),
        "easy": (is_easy, (learned.first_right,)),
        "hard": (learned.wrong > 0, (-share, -learned.forgotten)),
        "forgotten": (is_forgotten, (share,)),
    }
    if name not in lists:
        raise ValueError(f"list of images {name!r}: use one of {', '.join(lists)}")
    chosen, keys = lists[name]
    order = np.lexsort(keys)
    result: IntArray = order[chosen[order]]
    return result
