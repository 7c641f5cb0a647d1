"""The sums of a chunk in one pass over the memory, by compiled kernels; optional (numba).

Owns the kernels. They compute what `dtui.record.statistics` computes with one torch operation a sum, in the same
order of rows, and nothing else. Largest and smallest elements stay with torch, which is faster at them (0.07 ns an
element, the kernel 0.18); rows with a non-finite element are found and taken again there too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from dtui.errors import MissingExtraError
from dtui.model import FloatArray

SumKernel = Callable[[FloatArray, FloatArray], None]
WeightKernel = Callable[[FloatArray, FloatArray, FloatArray], None]
DifferenceKernel = Callable[[FloatArray, FloatArray, FloatArray, FloatArray], None]


@cache
def load_kernels() -> tuple[SumKernel, WeightKernel, DifferenceKernel]:
    """Compile the kernels, some seconds the first time on a machine, and return them.

    Raises:
        MissingExtraError: numba is not installed.
    """
    try:
        import numba
    except ImportError as error:
        raise MissingExtraError(
            "Recorder(fused=True): numba is not here; pip install '.[fast]' in dtui's folder"
        ) from error
    compiled: Any = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
    kernels = compiled(sum_rows), compiled(sum_weights), compiled(sum_differences)
    values = np.ones((1, 4), np.float32)
    kernels[0](values, np.empty((3, 1), np.float32))
    kernels[1](values, np.empty((3, 1), np.float32), np.empty(1, np.float32))
    kernels[2](values, values, values.copy(), np.empty((3, 1), np.float32))
    return kernels


def sum_rows(values: FloatArray, sums: FloatArray) -> None:
    """Fill the sum, the norm and the sum of magnitudes of each row, shape (3, rows), float32."""
    for row in range(values.shape[0]):
        total = square = magnitude = np.float32(0)
        for column in range(values.shape[1]):
            value = values[row, column]
            total += value
            square += value * value
            magnitude += abs(value)
        sums[0, row] = total
        sums[1, row] = np.sqrt(square)
        sums[2, row] = magnitude


def sum_weights(values: FloatArray, sums: FloatArray, negatives: FloatArray) -> None:
    """Do as `sum_rows`, and count the negative values of each row, shape (rows,), float32."""
    for row in range(values.shape[0]):
        total = square = magnitude = below = np.float32(0)
        for column in range(values.shape[1]):
            value = values[row, column]
            total += value
            square += value * value
            magnitude += abs(value)
            below += np.float32(value < 0)
        sums[0, row] = total
        sums[1, row] = np.sqrt(square)
        sums[2, row] = magnitude
        negatives[row] = below


def sum_differences(values: FloatArray, before: FloatArray, difference: FloatArray, sums: FloatArray) -> None:
    """Fill values minus before, and of it what `sum_rows` fills."""
    for row in range(values.shape[0]):
        total = square = magnitude = np.float32(0)
        for column in range(values.shape[1]):
            value = values[row, column] - before[row, column]
            difference[row, column] = value
            total += value
            square += value * value
            magnitude += abs(value)
        sums[0, row] = total
        sums[1, row] = np.sqrt(square)
        sums[2, row] = magnitude
