"""Picks the fixed random elements from which quantiles, histograms and change ratios are computed.

Owns the choice of elements for a layer and for a module. It uses its own random generator, not torch's global one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from dtui.model import IntArray

SAMPLES = 4096
"""Elements that stand for a layer or a module; all of them where there are no more."""

_SEED = 20180


def sample_size(elements: Sequence[int]) -> int:
    """Return the number of sampled elements per layer, from the layers' sizes."""
    return min(SAMPLES, max(elements, default=1))


class LayerSampler:
    """Picks the same elements of each layer at every record."""

    def __init__(self, elements: Sequence[int]) -> None:
        """Draw the positions; `elements` is the number of weights of each layer, length L."""
        self.samples = samples = sample_size(elements)
        generator = torch.Generator("cpu").manual_seed(_SEED)
        self._positions = [
            torch.randint(0, count, (samples,), generator=generator, device="cpu").sort().values
            if count > samples
            else torch.arange(count, device="cpu")
            for count in elements
        ]
        self._parts: dict[tuple[int, int, int], tuple[Tensor, int]] = {}

    def positions(self, layer: int, start: int, stop: int) -> tuple[Tensor, int]:
        """Return the chosen elements that lie in a part of a layer.

        Args:
            layer: Index of the layer.
            start: First element of the part in the flattened layer.
            stop: Element after the last.

        Returns:
            Their positions in the part, ascending, on the CPU, the same tensor at every call; and how many lie before.
        """
        key = (layer, start, stop)
        if key not in self._parts:
            begin, end = np.searchsorted(self._positions[layer].numpy(), (start, stop)).tolist()
            self._parts[key] = self._positions[layer][begin:end] - start, begin
        return self._parts[key]


def plan_modules(elements: Sequence[int], modules: Sequence[Sequence[int]]) -> IntArray:
    """Choose the samples of each module from its layers; each layer has its share of the elements.

    Args:
        elements: Number of weights of each layer, length L.
        modules: Indices of the layers of each module, length M.

    Returns:
        Shape (M, SAMPLES), positions in a buffer (L * samples,) followed by one element that is always NaN,
        which fills the rows of modules with fewer elements.
    """
    generator = np.random.default_rng(_SEED)
    samples = sample_size(elements)
    nothing = len(elements) * samples
    plan = np.full((len(modules), SAMPLES), nothing, dtype=np.int64)
    for row, layers in enumerate(modules):
        sizes = np.array([elements[layer] for layer in layers], dtype=np.float64)
        available = np.minimum(sizes, samples).astype(np.int64)
        if sizes.sum() <= SAMPLES or len(layers) == 1:
            quotas = available
        else:
            edges = np.floor(np.cumsum(sizes) / sizes.sum() * SAMPLES + 0.5).astype(np.int64)
            quotas = np.minimum(np.diff(edges, prepend=0), available)
        chosen = [
            layer * samples + generator.permutation(count)[:quota]
            for layer, count, quota in zip(layers, available, quotas, strict=True)
        ]
        positions = np.concatenate(chosen)
        plan[row, : len(positions)] = positions
    return plan
