"""Finds the filters that let nothing through: zero for every image of a validation."""

from __future__ import annotations

import numpy as np

from dtui.model import FloatArray, IntArray

NEVER = -1


def silent_since(zeros: FloatArray, iterations: IntArray) -> IntArray:
    """Return for each filter the validation since which it has been silent.

    Args:
        zeros: Share of its activations that are zero, shape (filters, n), in [0, 1]; NaN where a validation has none,
            which is passed over.
        iterations: Of the validations, shape (n,), ascending.

    Returns:
        Shape (filters,), int64: the first iteration of the unbroken last stretch at which the share was 1; NEVER for a
        filter that let something through at its last validation, or has no validation.

    Source: dtui.
    """
    filters, validations = zeros.shape
    if not validations:
        return np.full(filters, NEVER, dtype=np.int64)
    known, is_silent = ~np.isnan(zeros), zeros == 1.0
    speaks = known & ~is_silent
    behind = np.where(speaks.any(axis=1), validations - speaks[:, ::-1].argmax(axis=1), 0)
    counts = is_silent & (np.arange(validations) >= behind[:, None])
    return np.where(counts.any(axis=1), iterations[counts.argmax(axis=1)], NEVER).astype(np.int64)
