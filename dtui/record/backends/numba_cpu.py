"""Computes sums and norms on the CPU with compiled kernels, each in one pass over the memory; needs numba.

Owns its table of addresses (`dtui.record.backends.numba_kernel` says what each column means).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib.util import find_spec
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from dtui.errors import MissingExtraError
from dtui.model import FloatArray, IntArray
from dtui.record.backends.layer_rows import LayerRows, is_float32
from dtui.record.backends.sums import CHUNK_ELEMENTS, Buffers
from dtui.record.writing.kernel_folder import kept_kernels

MOST_THREADS = 8
"""More than these wait for the same memory."""


def load_kernels() -> ModuleType:
    """Return the module of the kernels. Its first import on a machine compiles them in some seconds.

    Raises:
        MissingExtraError: numba is not installed.
        NoKernelFolderError: They cannot be kept on disk.
    """
    if find_spec("numba") is None:
        raise MissingExtraError("Recorder(fused=True): numba is not installed; pip install numba")
    with kept_kernels(__file__):
        from dtui.record.backends import numba_kernel

    return numba_kernel


class KernelSums:
    """Computes the sums of all layers in one call, or in one call per thread if the training uses several threads."""

    def __init__(self) -> None:
        """Load the kernels.

        Raises:
            MissingExtraError: numba is not installed.
        """
        self._take: Callable[[IntArray, FloatArray, FloatArray], None] = load_kernels().take_layers
        self._pool: ThreadPoolExecutor | None = None

    def take(self, layers: list[LayerRows], buffers: Buffers) -> None:
        """Fill the sums and samples of some layers, and replace `previous` by `weight`."""
        ready = [layer for layer in layers if is_float32(layer)]
        self._run(ready, buffers)
        for layer in layers if len(ready) < len(layers) else ():
            if not is_float32(layer):
                self._take_converted(layer, buffers)

    def _run(self, layers: list[LayerRows], buffers: Buffers) -> None:
        filled = buffers.by_filter.numpy(), buffers.samples.view(3, -1).numpy()
        each = buffers.samples.shape[2]
        threads = min(MOST_THREADS, torch.get_num_threads())
        if threads == 1:
            self._take(_table(layers, each), *filled)
            return
        parts = deque(share_out(layers, threads))

        def take_parts() -> None:
            with suppress(IndexError):  # of an empty deque: who takes a part is the only one that has it
                while True:
                    part = parts.popleft()
                    self._take(_table(part, each), *filled)

        helpers = self._helped(take_parts, threads - 1)
        take_parts()
        for helper in helpers:
            helper.result()

    def _helped(self, work: Callable[[], None], helpers: int) -> list[Future[None]]:
        """Have other threads work, too: as many as can be had, none where Python exits or no thread can be made."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(MOST_THREADS - 1, "dtui-sums")
        begun: list[Future[None]] = []
        with suppress(RuntimeError):
            for _ in range(helpers):
                begun.append(self._pool.submit(work))  # noqa: PERF401 - what was begun before a failure is kept
        return begun

    def _take_converted(self, layer: LayerRows, buffers: Buffers) -> None:
        """Sum a layer of another dtype: convert it in chunks that fit the cache."""
        filters, elements = layer.weight.shape
        step = max(1, CHUNK_ELEMENTS // elements)
        for start in range(0, filters, step):
            part = layer.cut(start, min(filters, start + step))
            gradient = None if part.gradient is None else part.gradient.float()
            self._run([replace(part, weight=part.weight.float(), gradient=gradient)], buffers)


class KernelNorms:
    """Computes the norms of a watch for all layers."""

    def __init__(self) -> None:
        """Load the kernels.

        Raises:
            MissingExtraError: numba is not installed.
        """
        self._take: Callable[[FloatArray, FloatArray, FloatArray, FloatArray, int], None] = load_kernels().watch_rows

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
            weight, rows = layer.weight.numpy(), layer.gradient_rows
            gradient = weight if rows is None else rows.numpy()
            self._take(weight, layer.previous.numpy(), gradient, table, layer.column)
        return True


def _table(layers: list[LayerRows], each: int) -> IntArray:
    """Return the table of layers. The layers must stay alive until the kernel returns: it holds only addresses.

    Args:
        layers: The layers, all float32.
        each: Number of samples per layer.
    """
    rows = []
    for layer in layers:
        entry, gradient = layer.entry, layer.gradient
        if not entry:
            entry = layer.entry = (
                layer.weight.data_ptr(),
                layer.previous.data_ptr(),
                layer.positions.data_ptr(),
                *layer.weight.shape,
                layer.column,
                layer.is_first,
                len(layer.positions),
                layer.layer * each + layer.place,
            )
        rows.append((*entry[:2], 0 if gradient is None else gradient.data_ptr(), *entry[2:]))
    return np.array(rows, dtype=np.int64).reshape(-1, 10)


def share_out(layers: list[LayerRows], shares: int) -> list[list[LayerRows]]:
    """Divide the rows into shares of about equal numbers of elements; a filter is never cut."""
    total = sum(layer.weight.numel() for layer in layers)
    parts: list[list[LayerRows]] = [[] for _ in range(shares)]
    share = given = 0
    for layer in layers:
        filters, elements = layer.weight.shape
        first = 0
        while first < filters:
            wanted = total * (share + 1) / shares - given
            fit = filters - first if share == shares - 1 else min(filters - first, round(wanted / elements))
            if fit <= 0:
                share += 1
                continue
            parts[share].append(layer if fit == filters else layer.cut(first, first + fit))
            first += fit
            given += fit * elements
    return parts
