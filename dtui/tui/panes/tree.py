"""The tree pane: the network's modules and layers, each with a chart of one statistic over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from dtui.model import SOURCES, NodeSeries, TimeAxis, TreeNode
from dtui.model.review import Entry
from dtui.model.statistics import title_of
from dtui.query import RunQuery
from dtui.safe_text import safe
from dtui.tui.panes.rows import ListPane
from dtui.tui.renderables.panes.tree import TITLE, ChartKind, TreeLook, TreePicture, TreeRow
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.key_steps import cycling, starting_on
from dtui.tui.state.navigate import select_row
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene, Shows, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.search import find_matches
from dtui.tui.state.selection import Selection

LEAST_FOLDED_ROWS = 8
"""So many rows are left open at first, however low the screen is."""


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """The choices of this pane.

    Attributes:
        statistic: One of the statistics of layers; a box plot shows the quartiles instead.
        source: Of SOURCES.
        chart: Kind of chart in a row.
        two_rows: Whether a row is two cells high.
        folded: Nodes whose children are hidden.
    """

    statistic: str = "mean"
    source: str = "weights"
    chart: ChartKind = ChartKind.HORIZON
    two_rows: bool = False
    folded: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class SeriesQuestion(Question[tuple[NodeSeries, ...]]):
    """Series of tree nodes: one statistic, or median, q1 and q3 for box plots."""

    nodes: tuple[int, ...]
    statistics: tuple[str, ...]
    source: str
    axis: TimeAxis
    about = "series"

    def ask(self, query: RunQuery) -> tuple[NodeSeries, ...]:
        """Return a series of all nodes for each statistic."""
        return tuple(query.node_series(self.nodes, name, self.source, self.axis) for name in self.statistics)


class Tree(ListPane):
    """Modules that fold, with their layers below them; `Selection.node` is the selected one."""

    name = "tree"
    title = TITLE
    is_searchable = True
    shows = Shows.LAYERS
    actions = (
        Action("source", ("t",), "weights, gradients", "Show statistics of weights, gradients or updates.", SHOWN),
    )
    bar = ((("statistic",), "statistic"), (("source",), "source"))

    @property
    def steps(self) -> Mapping[str, Step]:
        """Step through what is shown."""
        return {
            "statistic": cycling(TreeOptions, "statistic", _recorded),
            "statistic_back": cycling(TreeOptions, "statistic", _recorded, -1),
            "source": cycling(TreeOptions, "source", SOURCES),
            "other_view": cycling(TreeOptions, "two_rows", (False, True)),
            "chart": cycling(TreeOptions, "chart", tuple(ChartKind)),
        }

    # --- what it shows

    def needed(self, scene: Scene) -> int:
        """Return the rows of the whole tree."""
        return 1 + len(scene.view.tree) * self.tall(scene)

    def tall(self, scene: Scene) -> int:
        """Return 2, or 1."""
        return 2 if scene.selection.get(TreeOptions).two_rows else 1

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the series of its rows."""
        if self.height(scene):
            options = scene.selection.get(TreeOptions)
            statistics = ("median", "q1", "q3") if options.chart is ChartKind.BOX else (options.statistic,)
            nodes = tuple(node.index for node in self.asked_for(scene))
            yield SeriesQuestion(nodes, statistics, options.source, scene.axis)

    def picture(self, scene: Scene) -> Picture:
        """Return the rows with the series at hand, in the kind of chart that these were asked for."""
        options, search = scene.selection.get(TreeOptions), scene.selection.search_of(self.name)
        rows = tuple(
            TreeRow(node, node.layer is None and (bool(search) or node.index not in options.folded), node.layer is None)
            for node in self.items(scene)
        )
        answer = scene.answers.get(SeriesQuestion) or ()
        series = answer[0] if answer else None
        quartiles = (answer[1], answer[2]) if len(answer) == 3 else None
        chart: ChartKind = ChartKind.HORIZON if options.chart is ChartKind.BOX else options.chart
        title = f"{title_of(series.statistic)} of {series.source}" if series else ""
        if quartiles and series:
            chart, title = ChartKind.BOX, f"median and quartiles of {series.source}"
        if search:
            title += f" · /{safe(search, 24)}"
        window = self.window(scene.selection)
        selected = window.row if rows and rows[window.row].node.index == scene.selection.node else -1
        look = TreeLook(title, chart, two_row=options.two_rows)
        return TreePicture(rows, window.first, selected, series, look, quartiles, scene.view.stages)

    # --- its rows

    def items(self, scene: Scene) -> tuple[TreeNode, ...]:
        """Return the nodes that are visible."""
        selection = scene.selection
        return visible_nodes(scene.view.tree, selection.get(TreeOptions).folded, selection.search_of(self.name))

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a node."""
        nodes = self.items(scene)
        return scene.selection.changed(node=nodes[row].index) if nodes else scene.selection

    def place(self, scene: Scene, items: Sequence[TreeNode]) -> int:
        """Return the row of the selected node."""
        return next((row for row, node in enumerate(items) if node.index == scene.selection.node), 0)

    def is_foldable(self, scene: Scene) -> bool:
        """Whether the selected node is a module."""
        return bool(scene.view.tree) and scene.view.tree[scene.selection.node].layer is None

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Open or close a module; opening a layer goes to its filters in the next pane."""
        selection, tree, options = scene.selection, scene.view.tree, scene.selection.get(TreeOptions)
        if not tree:
            return selection
        node = tree[selection.node]
        is_module, is_open = node.layer is None, node.index not in options.folded
        if open_ is False and (not is_module or not is_open):
            return selection.changed(node=node.parent) if node.parent >= 0 else selection
        if not is_module:
            return scene.next_pane()
        if open_ is True and is_open:
            return select_row(scene, self.row(scene) + 1)
        return selection.put(replace(options, folded=options.folded ^ {node.index}))

    # --- what changes around it

    def begin(self, scene: Scene) -> Selection:
        """Select the first layer, fold modules until all rows fit, and choose a statistic that the run has."""
        tree = scene.view.tree
        layer = next((node.index for node in tree if node.layer is not None), 0)
        folded = initial_folds(tree, self.shown(scene)) - parents_of(tree, layer)
        options = replace(scene.selection.get(TreeOptions), folded=folded)
        scene = scene.at(scene.selection.changed(node=layer).put(options))
        return starting_on(TreeOptions, "statistic", _recorded(scene))(scene)

    def show(self, scene: Scene, entry: Entry) -> Selection:
        """Select the layer that an entry names first."""
        nodes = (node for node in scene.view.tree if node.layer is not None and node.name == entry.layer)
        node = next(nodes, None) if entry.layer is not None else None
        return scene.selection if node is None else self.with_node(scene, node.index)

    def settle(self, scene: Scene) -> Selection:
        """If the selected node is hidden, select the folded module that holds it, or a node that the search finds."""
        tree, items = scene.view.tree, self.items(scene)
        if not tree:
            return scene.selection
        visible = {node.index for node in items}
        index = min(scene.selection.node, len(tree) - 1)
        while index >= 0 and index not in visible:
            index = tree[index].parent
        if index < 0:
            layers = (node.index for node in items if node.layer is not None)
            index = next(layers, items[0].index if items else scene.selection.node)
        return super().settle(scene.at(scene.selection.changed(node=index)))

    def with_node(self, scene: Scene, node: int) -> Selection:
        """Return the selection on a node, with its parents opened, and without a search that hides it."""
        options = scene.selection.get(TreeOptions)
        options = replace(options, folded=options.folded - parents_of(scene.view.tree, node))
        return scene.selection.changed(node=node).put(options).with_search(self.name, "")

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the statistic of each row."""
        answer = scene.answers.get(SeriesQuestion)
        if not answer:
            return None
        series, tree = answer[0], scene.view.tree
        names = [tree[node].name for node in series.nodes]
        return over_time(f"{title_of(series.statistic)} of {series.source}", series.axis, names, list(series.values))

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer statistics, sources and nodes."""
        for statistic in scene.view.layer_statistics:
            step = cycling(TreeOptions, "statistic", (statistic,))
            yield f"layers: {statistic}", "Show this statistic in the tree.", step
        for source in SOURCES:
            step = cycling(TreeOptions, "source", (source,))
            yield f"layers: of {source}", "Show statistics of these in the tree.", step
        for node in scene.view.tree:
            step = partial(self.with_node, node=node.index)
            yield safe(node.name), f"Select this {safe(node.kind)}.", step


def parents_of(tree: Sequence[TreeNode], node: int) -> set[int]:
    """Return the parents of a node, at all levels."""
    parents: set[int] = set()
    parent = tree[node].parent if tree else -1
    while parent >= 0:
        parents.add(parent)
        parent = tree[parent].parent
    return parents


def initial_folds(tree: tuple[TreeNode, ...], rows: int) -> frozenset[int]:
    """Return the nodes to fold at the start: the deepest modules, until the rest fits into about `rows` rows."""
    folded: set[int] = set()
    modules = [node for node in tree if node.layer is None]
    for depth in sorted({node.depth for node in modules}, reverse=True):
        if len(visible_nodes(tree, frozenset(folded), "")) <= max(rows, LEAST_FOLDED_ROWS):
            break
        for node in reversed([node for node in modules if node.depth == depth]):
            folded.add(node.index)
            if len(visible_nodes(tree, frozenset(folded), "")) <= max(rows, LEAST_FOLDED_ROWS):
                break
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


def _recorded(scene: Scene) -> tuple[str, ...]:
    """Return the statistics that the run has."""
    return scene.view.layer_statistics
