"""Computes the sums on a GPU with few launches, without waiting for the device.

Owns the grouping of layers for that. Rows of equal length, from any layers, are copied into one array with the three
sources, by operations on lists of tensors. Each reduction is then one launch for all of them. The operations depend on
shapes only, never on a value, because reading a value means waiting for the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from dtui.record.backends.layer_rows import LayerRows
from dtui.record.backends.sums import GRADIENTS, SOURCE_SUMS, UPDATES, Buffers, sum_carefully

GROUP_ELEMENTS = 1 << 22
"""Elements of one source that are taken together: 16 MiB each, and some times that for the operations between."""


@dataclass(frozen=True, eq=False, slots=True)
class _Group:
    """Rows that are reduced together.

    Attributes:
        parts: Index of the layer among those of the record, first row and row after the last.
        has_gradient: Whether all of them have a gradient.
        is_first: Whether none of them has previous weights.
        values: Shape (3, filters, elements), float32, shared between groups.
        weights: Views of `values`, one per part.
        gradients: The same.
        updates: The same.
        columns: Position of each filter on the flat filter axis.
        positions: Positions of the samples among the flattened rows.
        places: Positions of the samples among all samples.
    """

    parts: tuple[tuple[int, int, int], ...]
    has_gradient: bool
    is_first: bool
    values: Tensor
    weights: list[Tensor]
    gradients: list[Tensor]
    updates: list[Tensor]
    columns: Tensor
    positions: Tensor
    places: Tensor


class DeviceSums:
    """Computes the sums of all layers on one device."""

    def __init__(self) -> None:
        self._plan: list[_Group] = []
        self._planned_for: tuple[tuple[object, ...], ...] = ()

    def take(self, layers: list[LayerRows], buffers: Buffers) -> None:
        """Fill the sums and samples of some layers, and replace `previous` by `weight`."""
        shapes = tuple(
            (layer.column, layer.weight.shape, layer.gradient is None, layer.is_first, id(layer.positions))
            for layer in layers
        )
        if shapes != self._planned_for:
            self._plan, self._planned_for = self._make_plan(layers, buffers), shapes
        for group in self._plan:
            self._take(group, layers, buffers)

    def _take(self, group: _Group, layers: list[LayerRows], buffers: Buffers) -> None:
        previous = [layers[index].previous[first:last] for index, first, last in group.parts]
        torch._foreach_copy_(group.weights, [layers[index].weight[first:last] for index, first, last in group.parts])
        if group.has_gradient:
            found = [(layers[index].gradient_rows, first, last) for index, first, last in group.parts]
            torch._foreach_copy_(group.gradients, [all_[first:last] for all_, first, last in found if all_ is not None])
        if not group.is_first:
            torch._foreach_copy_(group.updates, group.weights)
            torch._foreach_sub_(group.updates, previous)
        torch._foreach_copy_(previous, group.weights)
        sums = sum_carefully(group.values)
        by_source, negatives, nonfinite = (
            sums[:SOURCE_SUMS].transpose(0, 1),
            sums[SOURCE_SUMS, :1],
            sums[SOURCE_SUMS + 1],
        )
        samples = group.values.flatten(1).index_select(1, group.positions)
        for source, is_taken in ((GRADIENTS, group.has_gradient), (UPDATES, not group.is_first)):
            if not is_taken:
                by_source[source].fill_(torch.nan)
                nonfinite[source].zero_()
                samples[source].fill_(torch.nan)
        together = torch.cat([by_source.flatten(0, 1), negatives, nonfinite])
        buffers.by_filter.index_copy_(0, group.columns, together.t())
        buffers.samples.view(3, -1).index_copy_(1, group.places, samples)

    def _make_plan(self, layers: list[LayerRows], buffers: Buffers) -> list[_Group]:
        """Return the groups; runs at the first two records and when shapes change."""
        alike: dict[tuple[int, bool, bool], list[list[tuple[int, int, int]]]] = {}
        for index, layer in enumerate(layers):
            filters, elements = layer.weight.shape
            groups = alike.setdefault((elements, layer.gradient is not None, layer.is_first), [[]])
            most = max(1, GROUP_ELEMENTS // elements)
            first = 0
            while first < filters:
                room = most - sum(last - start for _, start, last in groups[-1])
                if room <= 0:
                    groups.append([])
                    continue
                last = min(filters, first + room)
                groups[-1].append((index, first, last))
                first = last
        largest = max(
            (
                key[0] * sum(last - first for _, first, last in group)
                for key, groups in alike.items()
                for group in groups
            ),
            default=0,
        )
        scratch = torch.zeros(3 * largest, dtype=torch.float32, device=buffers.memory.device)
        return [
            _make_group(layers, tuple(group), key[1], key[2], scratch, buffers.samples.shape[2])
            for key, groups in alike.items()
            for group in groups
        ]


def _make_group(
    layers: list[LayerRows],
    parts: tuple[tuple[int, int, int], ...],
    has_gradient: bool,
    is_first: bool,
    scratch: Tensor,
    each: int,
) -> _Group:
    elements = layers[parts[0][0]].weight.shape[1]
    filters = [last - first for _, first, last in parts]
    values = scratch[: 3 * sum(filters) * elements].view(3, sum(filters), elements)
    columns, positions, places = [], [], []
    row = 0
    for index, first, last in parts:
        part = layers[index].cut(first, last)
        columns.append(torch.arange(part.column, part.column + last - first, device="cpu"))
        positions.append(part.positions + row * elements)
        place = part.layer * each + part.place
        places.append(torch.arange(place, place + len(part.positions), device="cpu"))
        row += last - first
    weights, gradients, updates = (list(torch.split(values[source], filters)) for source in range(3))
    return _Group(
        parts,
        has_gradient,
        is_first,
        values,
        weights,
        gradients,
        updates,
        torch.cat(columns).to(scratch.device),
        torch.cat(positions).to(scratch.device),
        torch.cat(places).to(scratch.device),
    )
