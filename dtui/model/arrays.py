"""Array types by element type, for use in signatures, and sets of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]
ByteArray = NDArray[np.uint8]
LabelArray = NDArray[np.uint16]

NO_VALUE = -1
"""In an array of integers that was read: no value, as NaN is in one of floats. None that is stored is negative."""
NOT_JUDGED = -2
"""In labels that were read: the image was not judged in this validation, or its outputs were NaN."""
NOT_JUDGED_STORED = 65_535
"""What is stored of such a label; no class has it in a run of at most as many classes."""
MOST_CLASSES = NOT_JUDGED_STORED
"""That a recorder takes: the label of a class is below it."""


def distinct(numbers: NDArray[Any]) -> NDArray[Any]:
    """Return the different ones of some numbers, in order; without NaN.

    `np.unique` imports NumPy's masked arrays, which takes half as long as all of NumPy; so do `np.isin`,
    `np.union1d` and `np.median`. What the first screen waits for uses this, `is_among` and `median_of`.
    """
    ordered = np.sort(numbers, axis=None)
    is_new = np.ones(len(ordered), np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_new]


def is_among(numbers: NDArray[Any], some: NDArray[Any]) -> BoolArray:
    """Return where numbers are among some others, in the shape of `numbers`; without NaN. See `distinct`."""
    if not some.size:
        return np.zeros(numbers.shape, np.bool_)
    ordered = np.sort(some, axis=None)
    found: BoolArray = ordered[np.minimum(np.searchsorted(ordered, numbers), len(ordered) - 1)] == numbers
    return found


def median_of(numbers: NDArray[Any]) -> float:
    """Return the median of at least one number; without NaN. See `distinct`."""
    ordered, middle = np.sort(numbers, axis=None), numbers.size // 2
    return float(np.mean(ordered[middle - 1 + numbers.size % 2 : middle + 1]))


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Make an array read-only and return it: arrays that cross threads are shared, not copied."""
    array.flags.writeable = False
    return array
