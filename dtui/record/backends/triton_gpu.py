"""Reads the weights on a GPU with a few launches of compiled kernels, without waiting for the device.

Owns the choice of layers for a launch, and the table of addresses (`triton_kernel` defines its columns). If the kernels
cannot be compiled, as on a machine without a C compiler, torch is used instead.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dtui.errors import MissingExtraError
from dtui.record.backends.layer_rows import LayerRows
from dtui.record.backends.sums import Buffers, Sum
from dtui.record.backends.torch_gpu import DeviceSums
from dtui.record.writing.warn import reason_of, warn_once

BLOCK = 256
"""Elements of a filter that a program, one warp, takes together; with more their sums do not fit its registers."""

SAMPLES_TOGETHER = 1024

MOST_PLANS = 8
"""Where the layers that have gradients alternate, so do the plans."""

_Addresses = tuple[int, int, int, int]


def load_triton_kernels() -> ModuleType:
    """Return the module of the kernels. They are compiled at their first launch, and kept on disk.

    Raises:
        MissingExtraError: triton is not installed.
    """
    if find_spec("triton") is None:
        raise MissingExtraError("Recorder(fused=True): triton is not installed; pip install triton")
    from dtui.record.backends import triton_kernel

    return triton_kernel


@dataclass(frozen=True, eq=False, slots=True)
class _Launch:
    """Layers that share one launch.

    Attributes:
        options: Options of the kernels: element types, and whether rows are aligned.
        layers: Shape (layers, 4), int32, see the kernel.
        layer_of: Row in `layers` of each filter, int32.
        samples: For each sample: row in the table of addresses, position and place.
    """

    options: dict[str, Any]
    layers: Tensor
    layer_of: Tensor
    samples: tuple[Tensor, Tensor, Tensor]


class _Launches:
    """The arguments of the launches; made again only if layers change."""

    def __init__(self) -> None:
        self._plans: dict[tuple[object, ...], list[_Launch]] = {}
        self._addresses: list[_Addresses] = []
        self._last: tuple[list[LayerRows], list[torch.dtype | None]] = [], []
        self._plan: list[_Launch] = []
        self._table = torch.empty(0, dtype=torch.float32, device="cpu")

    def of(self, layers: list[LayerRows], each: int, device: torch.device) -> tuple[Tensor, list[_Launch]]:
        """Return the table of addresses, and the launches for some layers.

        Args:
            layers: The layers, each with at least one element.
            each: Room for the samples of one layer.
            device: Their device.
        """
        addresses = [_addresses(layer) for layer in layers]
        types = [None if layer.gradient is None else layer.gradient.dtype for layer in layers]
        if addresses == self._addresses and (layers, types) == self._last:  # as at most records
            return self._table, self._plan
        kinds = [_kind(layer, some) for layer, some in zip(layers, addresses, strict=True)]
        key = tuple(
            (layer.column, layer.weight.shape, id(layer.positions), *kind)
            for layer, kind in zip(layers, kinds, strict=True)
        )
        if key not in self._plans:
            if len(self._plans) == MOST_PLANS:
                self._plans.clear()
            alike = {kind: [at for at, other in enumerate(kinds) if other == kind] for kind in dict.fromkeys(kinds)}
            self._plans[key] = [_plan(layers, some, kind, each, device) for kind, some in alike.items()]
        if addresses != self._addresses:
            self._table, self._addresses = _on_device(np.array(addresses, np.int64), device), addresses
        self._last, self._plan = (list(layers), types), self._plans[key]
        return self._table, self._plan


class _Compiled:
    """Runs a function with the kernels; after a failed compilation it never tries again."""

    def __init__(self) -> None:
        """Load the kernels.

        Raises:
            MissingExtraError: triton is not installed.
        """
        self._kernels: ModuleType | None = load_triton_kernels()
        self._launches = _Launches()

    def _try(self, run: Callable[[ModuleType], None], device: torch.device) -> bool:
        """Run a function on a device; False if the kernels are not available."""
        if self._kernels is None:
            return False
        try:
            with torch.cuda.device(device if device.type == "cuda" else -1):
                run(self._kernels)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a compiler, and what it needs of the machine
            self._kernels = None
            warn_once("triton", f"the GPU's kernels cannot be used, so torch is: {reason_of(error)}")
        return self._kernels is not None


class TritonSums(_Compiled):
    """Computes the sums of all layers on one device."""

    def __init__(self) -> None:
        """Load the kernels.

        Raises:
            MissingExtraError: triton is not installed.
        """
        super().__init__()
        self._instead = DeviceSums()

    def take(self, layers: list[LayerRows], buffers: Buffers) -> None:
        """Fill the sums and samples of some layers, and replace `previous` by `weight`."""

        def run(kernels: ModuleType) -> None:
            samples = buffers.samples
            table, launches = self._launches.of(layers, samples.shape[2], samples.device)
            for launch in launches:
                types = {name: launch.options[name] for name in ("weight_type", "gradient_type")}
                count = len(launch.samples[0])
                kernels.take_samples[(-(-count // SAMPLES_TOGETHER),)](
                    table, *launch.samples, samples, count, samples[0].numel(), block=SAMPLES_TOGETHER, **types
                )
                kernels.take_rows[(len(launch.layer_of),)](
                    table,
                    launch.layers,
                    launch.layer_of,
                    buffers.by_filter,
                    sums_each=len(Sum),
                    block=BLOCK,
                    num_warps=1,
                    **launch.options,
                )

        if layers and not self._try(run, buffers.memory.device):
            self._instead.take(layers, buffers)


class TritonNorms(_Compiled):
    """Computes the norms of a watch for all layers on one device."""

    def take(self, layers: list[LayerRows], norms: Tensor) -> bool:
        """Fill the norms of updates, weights and gradients, and replace `previous` by `weight`.

        Args:
            layers: The layers, without samples.
            norms: Shape (3, F).

        Returns:
            False if the kernels are not available; then nothing is done.
        """

        def run(kernels: ModuleType) -> None:
            table, launches = self._launches.of(layers, 0, norms.device)
            for launch in launches:
                kernels.take_norms[(len(launch.layer_of),)](
                    table,
                    launch.layers,
                    launch.layer_of,
                    norms,
                    norms.shape[1],
                    block=BLOCK,
                    num_warps=1,
                    **launch.options,
                )

        return self._try(run, norms.device)


def _addresses(layer: LayerRows) -> _Addresses:
    gradient = layer.gradient
    return (
        layer.weight.data_ptr(),
        layer.previous.data_ptr(),
        0 if gradient is None else gradient.data_ptr(),
        layer.is_first,
    )


def _kind(layer: LayerRows, addresses: _Addresses) -> tuple[torch.dtype, torch.dtype, bool]:
    """Return the properties that all layers of one launch share.

    Returns:
        Element types of weights and gradients, and whether all rows begin at multiples of 16 bytes and 4 elements.
    """
    weight = layer.weight
    is_aligned = weight.shape[1] % 4 == 0 and not (addresses[0] | addresses[1] | addresses[2]) % 16
    return weight.dtype, weight.dtype if layer.gradient is None else layer.gradient.dtype, is_aligned


def _plan(
    layers: list[LayerRows],
    some: list[int],
    kind: tuple[torch.dtype, torch.dtype, bool],
    each: int,
    device: torch.device,
) -> _Launch:
    """Return the launch of some of the layers, given by index."""
    rows, program = [], 0
    for index in some:
        filters, elements = layers[index].weight.shape
        rows.append((index, elements, program, layers[index].column))
        program += filters
    chosen = [layers[index] for index in some]
    numbers = np.arange(len(some), dtype=np.int32)
    samples = [len(layer.positions) for layer in chosen]
    places = [layer.layer * each + layer.place + np.arange(len(layer.positions)) for layer in chosen]
    return _Launch(
        {"weight_type": _triton_type(kind[0]), "gradient_type": _triton_type(kind[1]), "is_aligned": kind[2]},
        _on_device(np.array(rows, np.int32), device),
        _on_device(numbers.repeat([len(layer.weight) for layer in chosen]), device),
        (
            _on_device(np.array(some, np.int32).repeat(samples), device),
            _on_device(np.concatenate([layer.positions.numpy() for layer in chosen]), device),
            _on_device(np.concatenate(places).astype(np.int32), device),
        ),
    )


def _on_device(values: Any, device: torch.device) -> Tensor:
    """Return a copy on a device, without waiting for it."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def _triton_type(dtype: torch.dtype) -> Any:
    import triton.language as tl

    return getattr(tl, str(dtype).removeprefix("torch."))
