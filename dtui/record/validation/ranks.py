"""What is kept behind the first label: the rank of the true class, and the second label with its confidence.

Asked for by `Recorder(…, top=5)`, which also logs the share of images whose true class is not among the first five.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RecorderError
from dtui.model import FloatArray, IntArray

BEHIND, MISSING = 254, 255
"""Ranks: behind all that were kept; not known."""
MOST = 100


def check_top(top: int) -> None:
    """Refuse a number of class scores to look at.

    Raises:
        RecorderError: It makes no sense.
    """
    if isinstance(top, bool) or not isinstance(top, int) or not (top == 0 or 2 <= top <= MOST):
        raise RecorderError(f"top={top!r}: class scores to look at; give 2 to {MOST}, or 0 for the first alone")


def ranked(targets: IntArray, tops: IntArray, seconds: FloatArray) -> dict[str, NDArray[Any]]:
    """Return the columns of n images.

    Args:
        targets: True labels, shape (n,).
        tops: The labels with the largest scores, shape (n, k), k >= 2, the largest first.
        seconds: Probability of the second of them, shape (n,).

    Returns:
        rank, shape (n,), uint8: the place of the true class, 0 for the first, BEHIND where it is not among the k;
        second_label, uint16; second_confidence, uint8, 255 is one.
    """
    is_true = tops == targets[:, None]
    rank = np.where(is_true.any(axis=1), is_true.argmax(axis=1), BEHIND)
    sure = np.clip(np.rint(np.nan_to_num(seconds.astype(np.float64)) * 255), 0, 254)
    return {
        "rank": rank.astype(np.uint8),
        "second_label": tops[:, 1].astype(np.uint16),
        "second_confidence": sure.astype(np.uint8),
    }


def top_error(ranks: IntArray, top: int) -> dict[str, float]:
    """Return what is logged of a validation, given the ranks of all images, MISSING for those not judged."""
    known = ranks[ranks != MISSING]
    return {f"top_{top}_error": float(np.mean(known >= top))} if len(known) else {}
