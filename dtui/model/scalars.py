"""The scalars that a training logs, and how a NaN among them is told from a name that was not logged."""

from __future__ import annotations

import numpy as np

from dtui.model.arrays import BoolArray, FloatArray

SKIPPED_UPDATES = "skipped_updates"
"""Scalar of our own: updates that a GradScaler has skipped so far, from the first one on."""

_NAN_BITS = np.uint64(0x7FF8_0000_0000_0001)
LOGGED_NAN = float(_NAN_BITS.view(np.float64))
"""The NaN that stands for a NaN that was logged; any other says that nothing was."""


def was_logged(values: FloatArray) -> BoolArray:
    """Return where a scalar was logged, NaN included, shape of `values`.

    Args:
        values: A scalar as it was read, float64, any shape.

    Source: dtui.
    """
    raw = np.ascontiguousarray(values, np.float64)
    logged: BoolArray = ~np.isnan(raw) | (raw.view(np.uint64) == _NAN_BITS)
    return logged
