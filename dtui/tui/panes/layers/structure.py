"""The network as a graph, an inner screen: its selection is that of the tree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from dtui.model import TreeNode
from dtui.model.findings.state import Standing
from dtui.model.layers import GraphRow
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.panes.layers.questions import GraphQuestion, StateQuestion
from dtui.tui.panes.layers.tree_rows import counts_of
from dtui.tui.panes.rows import ListPane
from dtui.tui.renderables.panes.layers.structure import TITLE, StructurePicture, StructureRow
from dtui.tui.renderables.panes.message import MessagePicture
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.pane import Scene, Shows
from dtui.tui.state.places.search import find_matches
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

SCREEN = "structure"
ENDS = ("input", "output")


class StructurePane(ListPane):
    """Nodes of the graph; those that are layers or modules select the node of the tree."""

    name = "network"
    title = TITLE
    is_searchable = True
    has_time = False
    needs_records = False
    bar = ((("fold_toggle",), "to its filters"),)

    # --- what it shows

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the graph, and for what stands out."""
        if self.height(scene):
            yield GraphQuestion()
            yield StateQuestion()

    def picture(self, scene: Scene) -> Picture:
        """Return the rows on the screen."""
        graph = scene.answers.get(GraphQuestion)
        if graph is None:
            return MessagePicture("Looking at the network …", "", self.title)
        window, items = self.window(scene.selection), self.items(scene)
        shown = items[window.first : window.first + self.shown(scene)]
        layers = sum(node.layer is not None for node in scene.view.tree)
        branches = sum(row.outputs > 1 for row in graph.rows)
        counts = (
            (layers, "layer", ""),
            (branches, "branch", "branches"),
            (sum(row.inputs > 1 for row in graph.rows), "junction", ""),
        )
        words = [", ".join(counted(*one) for one in counts)]
        if not graph.is_recorded:
            words = ["the graph was not recorded: layers in their order", "graph not recorded"]
        coverage = scene.view.info.coverage
        if coverage is not None:
            words.insert(0, f"{words[0]} · {coverage.percent} of the parameters recorded")
        search = scene.selection.search_of(self.name)
        words = [f"{line} · /{safe(search, 24)}" if search else line for line in (*words, counted(layers, "layer"))]
        return StructurePicture(
            tuple(self._rows(scene, shown)), window.row - window.first if items else -1, graph.lanes, tuple(words)
        )

    def _rows(self, scene: Scene, rows: Sequence[GraphRow]) -> Iterator[StructureRow]:
        tree, state = scene.view.tree, scene.answers.get(StateQuestion)
        dead, moving = (counts_of(state, tree, standing) for standing in (Standing.DEAD, Standing.MOVING))
        nodes = {node.name: node for node in tree}
        said: dict[str, str] = {}
        for entry in sorted(scene.entries, key=lambda one: -one.score):
            for layer in entry.layers[:1]:
                said.setdefault(layer, entry.incident.sentence if entry.incident is not None else entry.kind)
        norms = {norm.name: norm for norm in scene.view.norms}
        for row in rows:
            node = nodes.get(row.name)
            if node is not None and node.layer is not None:
                sort = "linear" if node.kind.startswith("Linear") else "layer"
                counts = (node.filters, dead.get(node.index, 0), moving.get(node.index, 0))
                yield StructureRow(row, sort, node.kind, node.detail, *counts, said.get(row.name, ""))
            elif row.name in norms:
                yield StructureRow(row, "norm", norms[row.name].kind)
            else:
                sort = "end" if row.name.rpartition("/")[2] in ENDS else "operation" if "/" in row.name else "module"
                yield StructureRow(row, sort, "" if node is None else node.kind)

    # --- its rows

    def items(self, scene: Scene) -> Sequence[GraphRow]:
        """Return the rows of the graph; in a search only those that match."""
        graph, search = scene.answers.get(GraphQuestion), scene.selection.search_of(self.name)
        rows = () if graph is None else graph.rows
        if not search:
            return rows
        matches = find_matches(search, [row.name for row in rows])
        return [row for index, row in enumerate(rows) if index in matches]

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a row, and on its node of the tree if it has one."""
        selection, items = super().select(scene, row), self.items(scene)
        node = self._node(scene, items[row]) if row < len(items) else None
        return selection if node is None else selection.changed(node=node.index)

    def place(self, scene: Scene, items: Sequence[GraphRow]) -> int:
        """Return the row of the tree's node; a row without a node stays selected."""
        row, tree = super().place(scene, items), scene.view.tree
        if not items or not tree:
            return 0
        chosen, here = tree[scene.selection.node], self._node(scene, items[row])
        if here is None and self.window(scene.selection).row:
            return row
        if here is not None and here.index == chosen.index:
            return row
        names = [item.name for item in items]
        if chosen.name in names:
            return names.index(chosen.name)
        below = (index for index, name in enumerate(names) if name.startswith(f"{chosen.name}."))
        return next(below, row)

    def settle(self, scene: Scene) -> Selection:
        """Return the selection with its row on the screen; in the middle, if it was not there before."""
        settled = super().settle(scene)
        before, now = self.window(scene.selection), self.window(settled)
        if abs(now.first - before.first) <= 1 or not self.height(scene):
            return settled
        shown, total = self.shown(scene), len(self.items(scene))
        first = max(0, min(now.row - shown // 2, total - shown))
        return settled.with_rows(self.name, replace(now, first=first))

    def _node(self, scene: Scene, row: GraphRow) -> TreeNode | None:
        return next((node for node in scene.view.tree if node.name == row.name), None)

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Go to the layer on the Layers screen; closing goes back."""
        selection, items = scene.selection, self.items(scene)
        if open_ is False:
            return selection.gone_back()
        node = self._node(scene, items[self.row(scene)]) if items else None
        tree = next((pane for pane in scene.table.panes if pane.shows is Shows.LAYERS), None)
        return selection if node is None or tree is None else scene.with_pane(tree).changed(node=node.index)
