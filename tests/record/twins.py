"""Slow twins of every statistic, float64, one filter at a time; and the ways of measuring that must equal them."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dtui.model import Record, Structure
from dtui.record.backends.sums import Buffers, Summing
from dtui.record.backends.torch_gpu import DeviceSums
from dtui.record.backends.triton_gpu import TritonSums
from dtui.record.measure.measurer import Measurer, _Device
from dtui.record.measure.statistics import Deriver
from dtui.record.network.layers import LayerProbe, describe, find_layers, place

needs_numba = pytest.mark.skipif(find_spec("numba") is None, reason="numba is not installed")
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="triton is not installed")
WAYS = [
    "torch",
    pytest.param("kernel", marks=needs_numba),
    "device",
    pytest.param("triton", marks=needs_triton),
]
"""On the CPU one torch operation a sum, and the compiled kernel; on a GPU operations on lists of tensors, and the
compiled kernels. Where there is no GPU the CPU stands for it, and triton interprets its kernels."""

GPU = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")

KINDS: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: nn.Conv2d(3, 8, 3),
    "one by one": lambda: nn.Conv2d(6, 5, 1),
    "grouped": lambda: nn.Conv2d(6, 9, 3, groups=3),
    "depthwise": lambda: nn.Conv2d(6, 6, 3, groups=6),
    "dilated 1d": lambda: nn.Conv1d(4, 7, 5, dilation=2),
    "3d": lambda: nn.Conv3d(2, 3, 2),
    "transposed": lambda: nn.ConvTranspose2d(4, 6, 3),
    "transposed grouped": lambda: nn.ConvTranspose2d(8, 12, 2, groups=2),
    "channels last": lambda: nn.Conv2d(8, 6, 3).to(memory_format=torch.channels_last),
    "linear": lambda: nn.Linear(33, 10),
}


def filters_of(module: nn.Module, tensor: Tensor) -> list[np.ndarray]:
    """The elements of each filter, in no particular order: the weights that make one output channel."""
    values = tensor.detach().double().cpu().numpy()
    if not isinstance(module, nn.ConvTranspose2d):
        return [values[row].ravel() for row in range(values.shape[0])]
    inputs, outputs, groups = values.shape[0], values.shape[1], module.groups
    share = inputs // groups
    columns = [(group, column) for group in range(groups) for column in range(outputs)]
    return [values[group * share : (group + 1) * share, column].ravel() for group, column in columns]


def slow_filter(weight: np.ndarray, before: np.ndarray, gradient: np.ndarray) -> dict[str, float]:
    update = weight - before
    norms = np.linalg.norm(weight), np.linalg.norm(before)
    return {
        "mean": weight.mean(),
        "std": weight.std(),
        "norm": norms[0],
        "share_negative": (weight < 0).mean(),
        "sum_positive": weight[weight > 0].sum(),
        "sum_negative": weight[weight < 0].sum(),
        "update_norm": np.linalg.norm(update),
        "update_ratio": np.linalg.norm(update) / norms[1],
        "cosine_distance": 1 - weight @ before / (norms[0] * norms[1]),
        "gradient_mean": gradient.mean(),
        "gradient_std": gradient.std(),
        "gradient_norm": np.linalg.norm(gradient),
        "nonfinite": 0.0,
    }


def slow_layer(values: np.ndarray) -> dict[str, float]:
    q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
    return {
        "max": values.max(),
        "min": values.min(),
        "mean": values.mean(),
        "sum": values.sum(),
        "var": values.var(),
        "std": values.std(),
        "norm1": np.abs(values).sum(),
        "norm2": np.linalg.norm(values),
        "median": median,
        "q1": q1,
        "q3": q3,
        "nonfinite": 0.0,
    }


def change(model: nn.Module, seed: int, size: float = 1e-3) -> None:
    """Give every layer a gradient and move its weights a little."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose2d | nn.Linear):
                weight = module.weight
                weight.add_((torch.randn(weight.shape, generator=generator) * size).to(weight))
                weight.grad = (torch.randn(weight.shape, generator=generator) * 0.01).to(weight)


def measurer_of(model: nn.Module, way: str) -> tuple[Measurer, list[LayerProbe]]:
    """Return what measures a model in one of the ways; the model is moved to the device of that way."""
    on_gpu: dict[str, Callable[[], Summing]] = {"device": DeviceSums, "triton": nothing_but_triton}
    if way in on_gpu:
        model.to(GPU)
    probes = place(find_layers(model))
    measurer = Measurer(model, probes, way == "kernel")
    if way in on_gpu:
        shape = (measurer._filters, len(probes), measurer._sampler.samples)
        measurer._devices[GPU] = _Device(lambda: Buffers(*shape, GPU), on_gpu[way]())
    return measurer, probes


def nothing_but_triton() -> TritonSums:
    """Return what takes the sums with the compiled kernels, and fails where torch would take their place."""
    sums = TritonSums()
    sums._instead = None  # type: ignore[assignment]
    return sums


def measure_twice(model: nn.Module, size: float = 1e-3, way: str = "torch") -> tuple[Record, Structure, nn.Module]:
    """Return the second of two records, the structure, and the model at the first."""
    measurer, probes = measurer_of(model, way)
    structure = describe(model, probes)
    deriver = Deriver(structure, way in ("kernel", "triton"))
    change(model, 1)
    before = copy.deepcopy(model)
    deriver.derive(measurer.measure()(0, {}))
    change(model, 2, size)
    return deriver.derive(measurer.measure()(1, {})), structure, before


def assert_close(found: float, wanted: float, relative: float, absolute: float, what: str) -> None:
    assert math.isclose(found, wanted, rel_tol=relative, abs_tol=absolute), f"{what}: {found} is not {wanted}"
