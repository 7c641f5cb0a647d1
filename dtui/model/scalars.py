"""The scalars that a training logs: how a NaN among them is told from a name that was not logged, and from damage."""

from __future__ import annotations

import numpy as np

from dtui.model.arrays import BoolArray, FloatArray

SKIPPED_UPDATES = "skipped_updates"
"""Scalar of our own: updates that a GradScaler has skipped so far, from the first one on."""

_NAN_BITS = np.uint64(0x7FF8_0000_0000_0001)
LOGGED_NAN = float(_NAN_BITS.view(np.float64))
"""The NaN that stands for a NaN that was logged; any other says that nothing was, or that it is lost."""
_LOST_BITS = np.uint64(0x7FF8_0000_0000_0002)
LOST_NAN = float(_LOST_BITS.view(np.float64))
"""The NaN that is read where damage took what may have been logged; it is never in a file."""


def was_logged(values: FloatArray) -> BoolArray:
    """Return where a scalar was logged, NaN included, shape of `values`.

    Args:
        values: A scalar as it was read, float64, any shape.

    Source: dtui.
    """
    raw = np.ascontiguousarray(values, np.float64)
    logged: BoolArray = ~np.isnan(raw) | (raw.view(np.uint64) == _NAN_BITS)
    return logged


def was_lost(values: FloatArray) -> BoolArray:
    """Return where damage took a scalar, shape of `values`.

    Args:
        values: A scalar as it was read, float64, any shape.

    Source: dtui.
    """
    lost: BoolArray = np.ascontiguousarray(values, np.float64).view(np.uint64) == _LOST_BITS
    return lost
