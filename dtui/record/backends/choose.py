"""Chooses how the weights are read: with a compiled kernel if one is available, else with torch.

Owns that choice, by device.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Protocol

import torch
from torch import Tensor, nn

from dtui.errors import DtuiError, MissingExtraError
from dtui.record.backends.layer_rows import LayerRows
from dtui.record.backends.numba_cpu import KernelNorms, KernelSums, load_kernels
from dtui.record.backends.sums import Summing
from dtui.record.backends.torch_cpu import TorchSums
from dtui.record.backends.torch_gpu import DeviceSums
from dtui.record.backends.triton_gpu import TritonNorms, TritonSums, load_triton_kernels
from dtui.record.training.distributed import is_sharded
from dtui.record.writing.kernel_folder import COMPILING
from dtui.record.writing.warn import hush, reason_of, warn_once


class Norming(Protocol):
    """Computes the norms of a watch in one pass."""

    def take(self, layers: list[LayerRows], norms: Tensor) -> bool:
        """Fill the norms, shape (3, F), and replace `previous` by `weight`; False, doing nothing, if it cannot."""


def find_kernels(fused: bool | None, model: nn.Module, *, is_first: bool = True) -> bool:
    """Load the kernels for a model's device, and return whether to use them.

    Args:
        fused: Whether to use them; None uses them if they are available.
        model: The model, with its weights on the device of the training.
        is_first: Whether this process writes the run; any other measures its shards, if it has some.

    Raises:
        MissingExtraError: `fused` is True, and numba (CPU) or triton (GPU) is not installed.
    """
    if fused is False or not (fused or is_first or any(map(is_sharded, model.parameters()))):
        return False
    if not is_first:
        hush(COMPILING)
    types = {parameter.device.type for parameter in model.parameters()}
    try:
        if "cuda" in types:
            load_triton_kernels()
        if "cpu" in types:
            load_kernels()
    except Exception as error:
        if fused:
            raise
        if not isinstance(error, MissingExtraError):
            why = str(error) if isinstance(error, DtuiError) else reason_of(error)
            warn_once("fused", f"the compiled kernel cannot be used, so torch is: {why}")
        return False
    return bool(types)


def summing_on(device: torch.device, *, fused: bool) -> Summing:
    """Return the backend that sums layers on a device, with a compiled kernel if wanted and available."""
    with suppress(MissingExtraError):
        if fused and device.type == "cuda":
            return TritonSums()
        if fused and device.type == "cpu":
            return KernelSums()
    return TorchSums() if device.type == "cpu" else DeviceSums()


def norming_on(device: torch.device, *, fused: bool) -> Norming | None:
    """Return the backend for the norms of a watch on a device, None for torch."""
    with suppress(MissingExtraError):
        if fused and device.type == "cuda":
            return TritonNorms()
        if fused and device.type == "cpu":
            return KernelNorms()
    return None
