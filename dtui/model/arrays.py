"""Array types by element type, for use in signatures."""

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


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """Make an array read-only and return it: arrays that cross threads are shared, not copied."""
    array.flags.writeable = False
    return array
