"""The fixed random elements from which quantiles, histograms and change ratios are taken.

Owns which elements stand for a layer and for a module. A second copy would draw other elements, and the
quartiles of one record could not be compared with those of the next. Draws from a generator of its own.
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
    """Return how many elements stand for the largest of some layers."""
    return min(SAMPLES, max(elements, default=1))


class LayerSampler:
    """Picks the same elements of each layer at every record."""

    def __init__(self, elements: Sequence[int]) -> None:
        """Draw the positions; `elements` is the number of weights of each layer, length L."""
        self.samples = samples = sample_size(elements)
        generator = torch.Generator().manual_seed(_SEED)
        self._positions: list[Tensor | None] = [
            torch.randint(0, count, (samples,), generator=generator) if count > samples else None for count in elements
        ]
        self._elements = tuple(elements)

    def empty(self) -> Tensor:
        """Return a buffer for one record, shape (3, L, samples), float32, all NaN: sources as in SOURCES."""
        return torch.full((3, len(self._elements), self.samples), torch.nan)

    def places(self, layer: int, rows: Tensor, first_row: int = 0) -> tuple[slice | Tensor, Tensor | None]:
        """Return where the chosen elements of some rows belong in the buffer, and where they are in the rows.

        Args:
            layer: Index of the layer.
            rows: Shape (filters, elements), contiguous: all filters, or those that this process holds.
            first_row: Index of the first of them in the layer.

        Returns:
            Positions on the last axis of the buffer, and positions among the flattened rows; None for all.
        """
        start = first_row * rows.shape[1]
        positions = self._positions[layer]
        if positions is None:
            return slice(start, start + rows.numel()), None
        if positions.device != rows.device:
            positions = self._positions[layer] = positions.to(rows.device)
        if first_row == 0 and rows.numel() == self._elements[layer]:
            return slice(0, len(positions)), positions
        inside = ((positions >= start) & (positions < start + rows.numel())).nonzero().flatten()
        return inside, positions[inside] - start


def pick(rows: Tensor, positions: Tensor | None) -> Tensor:
    """Return elements of rows as float32, a copy: those at flat positions, or all."""
    flat = rows.reshape(-1)
    return flat.to(torch.float32, copy=True) if positions is None else flat.index_select(0, positions).float()


def plan_modules(elements: Sequence[int], modules: Sequence[Sequence[int]]) -> IntArray:
    """Choose which samples of its layers stand for each module, each layer with its share of the elements.

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
