"""Answers the network as a tree of modules and layers, and one statistic of its nodes over time.

Owns the order and the numbers of tree nodes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.downsample import pool_farthest, pool_largest
from dtui.analysis.quantiles import column_quantiles, magnitude_quantile
from dtui.errors import UsageError
from dtui.model import (
    BoolArray,
    FloatArray,
    Layer,
    Module,
    NodeSeries,
    Structure,
    TimeAxis,
    TreeNode,
    read_only,
)
from dtui.query.data import Arrays, RunData, have

SCALE_QUANTILE = 0.99
SCALE_LAYERS = 0.9
"""One layer that explodes must not flatten all others: the largest tenth of layers and modules may saturate."""
MOST_FOR_SCALE = 1_000_000


def check_layer(data: RunData, layer: int) -> Layer:
    """Return a layer.

    Raises:
        UsageError: There is no such layer.
    """
    layers = data.structure.layers
    if not 0 <= layer < len(layers):
        raise UsageError(f"layer {layer}: the run has layers 0–{len(layers) - 1}")
    return layers[layer]


def check_filter(data: RunData, layer: int, filter: int) -> Layer:
    """Return the layer of a filter.

    Raises:
        UsageError: There is no such layer or filter.
    """
    own = check_layer(data, layer)
    if not 0 <= filter < own.filters:
        raise UsageError(f"layer {own.name} filter {filter}: the layer has filters 0–{own.filters - 1}")
    return own


def build_tree(structure: Structure) -> tuple[TreeNode, ...]:
    """Return the modules and layers below the root, depth-first in layer order.

    Each layer occurs once, below the module in its name. Modules without any layer at or below them are left out.
    """
    holder = _holders(structure)
    below = _layers_below(structure, holder)
    children: dict[int, list[Module | Layer]] = {module.index: [] for module in structure.modules}
    for module in structure.modules[1:]:
        if below[module.index]:
            children[module.parent].append(module)
    for layer in structure.layers:
        children[holder[layer.index]].append(layer)
    nodes: list[TreeNode] = []

    def add(item: Module | Layer, depth: int, parent: int) -> None:
        layers = below[item.index] if isinstance(item, Module) else (item.index,)
        held = [structure.layers[index] for index in layers]
        nodes.append(
            TreeNode(
                index=len(nodes),
                name=item.name,
                label=item.name.rpartition(".")[2] or item.kind,
                depth=depth,
                parent=parent,
                layer=item.index if isinstance(item, Layer) else None,
                module=item.index if isinstance(item, Module) else None,
                layers=layers,
                kind=item.kind,
                detail="×".join(str(size) for size in item.shape[2:]) if isinstance(item, Layer) else "",
                filters=sum(layer.filters for layer in held),
                first_filter=held[0].first_filter,
            )
        )
        if isinstance(item, Module):
            own = len(nodes) - 1
            for child in sorted(children[item.index], key=lambda child: _first_layer(child, below)):
                add(child, depth + 1, own)

    for item in sorted(children.get(0, []), key=lambda child: _first_layer(child, below)):
        add(item, 0, -1)
    return tuple(nodes)


def _first_layer(item: Module | Layer, below: dict[int, tuple[int, ...]]) -> int:
    return below[item.index][0] if isinstance(item, Module) else item.index


def _holders(structure: Structure) -> dict[int, int]:
    """Return the parent module of each layer: the deepest one whose name is a prefix of the layer's name."""
    by_name = {module.name: module.index for module in structure.modules}
    holders: dict[int, int] = {}
    for layer in structure.layers:
        name = layer.name.rpartition(".")[0]
        while name and name not in by_name:
            name = name.rpartition(".")[0]
        holders[layer.index] = by_name.get(name, 0)
    return holders


def _layers_below(structure: Structure, holders: dict[int, int]) -> dict[int, tuple[int, ...]]:
    """Return the layers that stand at any depth below each module, ascending."""
    below: dict[int, list[int]] = {module.index: [] for module in structure.modules}
    for layer in structure.layers:
        module = holders[layer.index]
        while module >= 0:
            below[module].append(layer.index)
            module = structure.modules[module].parent
    return {module: tuple(layers) for module, layers in below.items()}


def tree_of(data: RunData) -> tuple[TreeNode, ...]:
    """Return the run's tree; it is built once per refresh."""
    return data.remembered("tree", lambda: build_tree(data.structure))


def node_of(data: RunData, index: int) -> TreeNode:
    """Return a node.

    Raises:
        UsageError: There is no such node.
    """
    tree = tree_of(data)
    if not 0 <= index < len(tree):
        raise UsageError(f"tree node {index}: the run has nodes 0–{len(tree) - 1}")
    return tree[index]


def node_series(data: RunData, nodes: Sequence[int], statistic: str, source: str, axis: TimeAxis) -> NodeSeries:
    """Answer `RunQuery.node_series`."""
    _, stored = data.reader.contents.layer_statistic(statistic, source, data.reader.path)
    chosen = [node_of(data, index) for index in nodes]

    def find() -> Arrays:
        data.begin_answer("series")
        rows = rows_of(data, chosen, source, statistic)
        counted = _counted(data, chosen, source)
        held = data.held(axis, stored.is_watched)
        nonfinite = () if counted is None else (pool_largest(counted.astype(np.float32), held) > 0,)
        return pool_farthest(rows, held), np.array(data.remembered(("scale", source, statistic), scale)), *nonfinite

    def scale() -> float:
        every = (data.layers(source, statistic), data.modules(source, statistic)[1:])
        stride = -(-sum(values.size for values in every) // MOST_FOR_SCALE) or 1
        some = np.concatenate([values[:, ::stride] for values in every])
        largest = column_quantiles(np.abs(some).T, SCALE_QUANTILE)
        return magnitude_quantile(largest, SCALE_LAYERS)

    def is_possible(found: Arrays) -> bool:
        wanted = (len(chosen), axis.columns)
        marks = () if len(found) < 3 else (("b", wanted),)
        return have(found, ("f", wanted), ("f", ()), *marks) and 0 < float(found[1]) < np.inf

    asked = ("series", tuple(nodes), statistic, source, axis)
    values, largest, *nonfinite = data.pictured(asked, find, is_possible)
    return NodeSeries(
        axis=axis,
        statistic=statistic,
        source=source,
        nodes=tuple(nodes),
        values=read_only(values),
        scale=float(largest),
        nonfinite=read_only(nonfinite[0]) if nonfinite else None,
    )


def _counted(data: RunData, nodes: Sequence[TreeNode], source: str) -> BoolArray | None:
    """Return where NaN or Inf was counted in some nodes, shape (nodes, n); None if it was nowhere."""

    def find() -> BoolArray | None:
        if not data.records_layers(source, "nonfinite"):
            return None
        counted: BoolArray = rows_of(data, nodes, source, "nonfinite") > 0
        return counted if counted.any() else None

    return data.remembered(("counted", source, tuple(node.index for node in nodes)), find)


def rows_of(data: RunData, nodes: Sequence[TreeNode], source: str, statistic: str) -> FloatArray:
    """Return a statistic of some nodes, shape (nodes, n)."""
    return chosen_rows(nodes, data.layers(source, statistic), data.modules(source, statistic))


def chosen_rows(nodes: Sequence[TreeNode], layers: FloatArray, modules: FloatArray) -> FloatArray:
    """Return the rows of some nodes, shape (nodes, n), from those of all layers and modules; NaN for neither."""
    rows: FloatArray = np.full((len(nodes), layers.shape[1]), np.nan, dtype=layers.dtype)
    for row, node in enumerate(nodes):
        if node.layer is not None:
            rows[row] = layers[node.layer]
        elif node.module is not None:
            rows[row] = modules[node.module]
    return rows
