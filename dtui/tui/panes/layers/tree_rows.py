"""Finds the rows of the tree: which nodes are visible, in which order, and what each is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dtui.dataclass_on_use import dataclass
from dtui.model import NodeSeries, RunState, TreeNode
from dtui.model.findings.review import Entry
from dtui.model.findings.state import Standing
from dtui.tui.state.places.search import find_matches
from dtui.tui.state.run_view import Beside

LEAST_FOLDED_ROWS = 8
"""So many rows are left open at first, however low the screen is."""
ORDERS = ("depth", "incident", "statistic")


@dataclass(frozen=True, slots=True)
class TreeItem:
    """A row of the tree: a node, or what stands behind it, such as a normalisation layer or an attention head.

    Attributes:
        node: The node; of what stands behind a layer that layer.
        norm: Place in `RunView.beside`; None for a node.
    """

    node: TreeNode
    norm: int | None = None


def own_name(name: str) -> str:
    """Return the end of a dotted name that tells it from others below the same module: "downsample.0", not "0"."""
    parts = name.split(".")
    telling = next((place for place in range(len(parts) - 1, 0, -1) if not parts[place].isdecimal()), 0)
    return ".".join(parts[telling:])


def parents_of(tree: Sequence[TreeNode], node: int) -> set[int]:
    """Return the parents of a node, at all levels."""
    parents: set[int] = set()
    parent = tree[node].parent if tree else -1
    while parent >= 0:
        parents.add(parent)
        parent = tree[parent].parent
    return parents


def initial_folds(
    tree: tuple[TreeNode, ...],
    rows: int,
    open_: frozenset[int] | set[int] = frozenset(),
    frozen: Sequence[str] = (),
) -> frozenset[int]:
    """Return the nodes to fold: the deepest modules, until the rest fits into about `rows` rows.

    Those in which nothing is trained come first, so that what is trained stays open.

    Args:
        tree: All nodes.
        rows: Rows of the tree that there is room for.
        open_: Nodes that stay open, whatever the room.
        frozen: Names of layers that are not trained.
    """
    folded: set[int] = set()
    still = {node.layer for node in tree if node.layer is not None and node.name in set(frozen)}
    modules = [node for node in tree if node.layer is None and node.index not in open_]
    modules.sort(key=lambda node: (not still.issuperset(node.layers), -node.depth, -node.index))
    for node in modules:
        if len(visible_nodes(tree, frozenset(folded), "")) <= max(rows, LEAST_FOLDED_ROWS):
            break
        folded.add(node.index)
    return frozenset(folded)


def visible_nodes(tree: tuple[TreeNode, ...], folded: frozenset[int], search: str) -> tuple[TreeNode, ...]:
    """Return the visible nodes: those not below a folded node; in a search, the matches and their parents."""
    if search:
        matches = find_matches(search, [node.name for node in tree])
        shown = matches.union(*(parents_of(tree, node) for node in matches))
        return tuple(node for node in tree if node.index in shown)
    hidden: set[int] = set()
    rows = []
    for node in tree:
        if node.parent >= 0 and (node.parent in hidden or node.parent in folded):
            hidden.add(node.index)
        else:
            rows.append(node)
    return tuple(rows)


def with_rows_beside(
    nodes: Sequence[TreeNode], beside: Sequence[Beside], places: Sequence[int]
) -> tuple[TreeItem, ...]:
    """Return the rows of nodes, and behind each layer what belongs to it or follows it; what has none comes first.

    Args:
        nodes: In order.
        beside: What there is.
        places: Places of what is shown, in the order of the rows behind a layer.
    """
    behind: dict[str, list[int]] = {}
    for place in places:
        behind.setdefault(beside[place].layer, []).append(place)
    layers = {node.name for node in nodes if node.layer is not None}
    first = next((node for node in nodes if node.layer is not None), None)
    items = []
    for node in nodes:
        items.append(TreeItem(node))
        if node.layer is not None:
            own = behind.get(node.name, [])
            if node is first:
                own = [*own, *(behind.get("", ()) if "" not in layers else ())]
            items += [TreeItem(node, place) for place in own]
    return tuple(items)


def ordered_layers(
    nodes: Sequence[TreeNode], order: str, entries: Sequence[Entry], entry: Entry | None, values: Mapping[int, float]
) -> tuple[TreeNode, ...]:
    """Return the layers among some nodes in an order that is not that of the tree.

    Args:
        nodes: In order of depth.
        order: "incident": those that the selected entry names, then those that others name, the strongest first; or
            "statistic": by falling magnitude of their values, those without one last.
        entries: What is reviewed.
        entry: The selected one.
        values: By node.
    """
    layers = [node for node in nodes if node.layer is not None]
    if order == "statistic":
        return tuple(sorted(layers, key=lambda node: -abs(values.get(node.index, 0.0))))
    named: dict[str, int] = {}
    ranked = sorted(entries, key=lambda one: (entry is None or one.id != entry.id, -one.score))
    for name in (name for one in ranked for name in one.layers):
        named.setdefault(name, len(named))
    return tuple(sorted(layers, key=lambda node: named.get(node.name, len(named))))


def values_at(series: NodeSeries | None, iteration: int) -> dict[int, float]:
    """Return the values of nodes at an iteration; nodes without one are left out."""
    if series is None or not series.values.size:
        return {}
    column = series.axis.column_of(iteration)
    if not 0 <= column < series.axis.columns:
        return {}
    at = series.values[:, column].tolist()
    return {node: value for node, value in zip(series.nodes, at, strict=True) if value == value}


def counts_of(state: RunState | None, tree: Sequence[TreeNode], standing: Standing) -> dict[int, int]:
    """Return how many filters at or below each node are in a state, by node; nodes with none are left out."""
    if state is None:
        return {}
    by_name = {entry.layer: len(entry.filters) for entry in state.entries if entry.standing is standing}
    return _summed(tree, by_name)


def frozen_nodes(state: RunState | None, tree: Sequence[TreeNode]) -> frozenset[int]:
    """Return the nodes of which no layer was set to be trained."""
    entries = () if state is None else state.entries
    layers = _summed(tree, {entry.layer: 1 for entry in entries if entry.standing is Standing.UNTRAINED})
    return frozenset(index for index, count in layers.items() if count == len(tree[index].layers))


def _summed(tree: Sequence[TreeNode], by_name: Mapping[str, int]) -> dict[int, int]:
    found: dict[int, int] = {}
    for node in tree:
        if node.layer is not None and by_name.get(node.name):
            for index in (node.index, *parents_of(tree, node.index)):
                found[index] = found.get(index, 0) + by_name[node.name]
    return found


def incidents_of(entries: Sequence[Entry], tree: Sequence[TreeNode]) -> dict[int, tuple[int, ...]]:
    """Return the iterations of the entries that name a layer at or below each node, by node."""
    by_name: dict[str, list[int]] = {}
    for entry in entries:
        for name in entry.layers:
            by_name.setdefault(name, []).append(entry.iteration)
    found: dict[int, tuple[int, ...]] = {}
    for node in tree:
        if node.layer is not None and node.name in by_name:
            for index in (node.index, *parents_of(tree, node.index)):
                found[index] = (*found.get(index, ()), *by_name[node.name])
    return found


def first_found(items: Sequence[TreeItem], search: str, otherwise: int) -> int:
    """Return the first node that a search finds, a layer if it finds any; without a search the first layer."""
    nodes = [item.node for item in items if item.norm is None]
    matches = find_matches(search, [node.name for node in nodes]) if search else range(len(nodes))
    found = [nodes[place] for place in sorted(matches)] or nodes
    layers = (node.index for node in found if node.layer is not None)
    return next(layers, found[0].index if found else otherwise)
