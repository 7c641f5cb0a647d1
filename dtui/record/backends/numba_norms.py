"""Computes the norms of a watch on the CPU with a compiled kernel, in one pass over the memory; needs numba (optional).

Owns the kernel. It computes exactly what `dtui.record.flight.norm_meter` computes with torch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from torch import Tensor

from dtui.errors import MissingExtraError
from dtui.model import FloatArray
from dtui.record.backends.layer_rows import LayerRows, is_float32

WatchKernel = Callable[[FloatArray, FloatArray, FloatArray, FloatArray, int], None]


@cache
def load_watch_kernel() -> WatchKernel:
    """Return the kernel. The first call on a machine compiles it, which takes some seconds.

    Raises:
        MissingExtraError: numba is not installed.
    """
    try:
        import numba
    except ImportError as error:
        raise MissingExtraError(
            "Recorder(fused=True): numba is not installed; pip install '.[fast]' in dtui's folder"
        ) from error
    compiled: Any = numba.njit(nogil=True, cache=True, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy")
    kernel: WatchKernel = compiled(watch_rows)
    rows = np.ones((1, 4), np.float32)
    kernel(rows, rows.copy(), rows, np.ones((3, 1), np.float32), 0)
    return kernel


class KernelNorms:
    """Computes the norms of a watch for all layers."""

    def __init__(self) -> None:
        """Compile the kernel.

        Raises:
            MissingExtraError: numba is not installed.
        """
        self._kernel = load_watch_kernel()

    def take(self, layers: list[LayerRows], norms: Tensor) -> bool:
        """Fill the norms of updates, weights and gradients, and replace `previous` by `weight`.

        Args:
            layers: The layers, without samples.
            norms: Shape (3, F).

        Returns:
            False if a layer is not float32; then nothing is done.
        """
        if not all(map(is_float32, layers)):
            return False
        table: FloatArray = norms.numpy()
        for layer in layers:
            weight = layer.weight.numpy()
            rows = layer.gradient_rows
            gradient = weight if rows is None else rows.numpy()
            self._kernel(weight, layer.previous.numpy(), gradient, table, layer.column)
        return True


def watch_rows(weights: FloatArray, before: FloatArray, gradients: FloatArray, norms: FloatArray, first: int) -> None:
    """Fill the norms of the updates, the weights and the gradients of each row, and replace `before` by `weights`.

    Args:
        weights: Shape (rows, elements).
        before: Same shape.
        gradients: Same shape.
        norms: Shape (3, F), in the order of `dtui.record.flight.norm_meter.Norm`.
        first: Column of row 0.
    """
    for row in range(weights.shape[0]):
        update = size = slope = np.float32(0)
        for column in range(weights.shape[1]):
            value = weights[row, column]
            change = value - before[row, column]
            gradient = gradients[row, column]
            update += change * change
            size += value * value
            slope += gradient * gradient
            before[row, column] = value
        norms[0, first + row] = np.sqrt(update)
        norms[1, first + row] = np.sqrt(size)
        norms[2, first + row] = np.sqrt(slope)
