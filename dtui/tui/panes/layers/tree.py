"""The tree pane: the network's modules and layers, each with a chart of one statistic over time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dtui.model import SOURCES
from dtui.model.findings.review import Entry
from dtui.model.layers import UPDATE_RATIO
from dtui.model.statistics import title_of
from dtui.safe_text import safe
from dtui.tui.panes.layers.questions import InitialStdQuestion, RatiosQuestion, StateQuestion
from dtui.tui.panes.layers.standing import places_that_stand_out
from dtui.tui.panes.layers.structure import SCREEN as STRUCTURE
from dtui.tui.panes.layers.tree_beside import beside_of, layers_with_heads, on_node, on_row, starting_beside
from dtui.tui.panes.layers.tree_charts import (
    chart_of,
    next_source,
    numbers_of,
    recorded,
    rows_of,
    statistics_choice,
    tall_of,
    title_of_chart,
    wanted_charts,
    with_statistic,
)
from dtui.tui.panes.layers.tree_now import now_of, values_here, wanted_now
from dtui.tui.panes.layers.tree_options import TreeOptions
from dtui.tui.panes.layers.tree_rows import (
    ORDERS,
    TreeItem,
    first_found,
    initial_folds,
    ordered_layers,
    parents_of,
    visible_nodes,
    with_rows_beside,
)
from dtui.tui.panes.rows import ListPane
from dtui.tui.panes.validation.inside import look_at_entry
from dtui.tui.renderables.panes.layers.tree import TITLE, ChartKind, TreeLook, TreePicture, info_rows
from dtui.tui.renderables.panes.layers.tree_words import starts_words
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import SHOWN, Action
from dtui.tui.state.choice import Choice
from dtui.tui.state.key_steps import cycling, next_pane
from dtui.tui.state.navigate import select_row
from dtui.tui.state.numbers import Numbers
from dtui.tui.state.pane import Scene, Shows, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.screens.layout import divide
from dtui.tui.state.selection import Selection

WHATEVER = 10_000
"""Rows that no screen has: as many as there are."""
ORDER_WORDS = {
    "depth": "in the order of the network",
    "incident": "named by the incident first",
    "statistic": "by the values at the crosshair, the largest first",
}


class Tree(ListPane):
    """Modules that fold, with their layers below them; `Selection.node` is the selected one."""

    name = "tree"
    title = TITLE
    is_searchable = True
    shows = Shows.LAYERS
    actions = (
        Action("source", ("t",), "weights, gradients", "Show statistics of weights, gradients or updates.", SHOWN),
        Action("structure", ("T",), "structure", "Show the network as a graph.", SHOWN),
    )
    bar = (
        (("statistic",), "statistic"),
        (("source",), "source"),
        (("chart",), "chart"),
        (("sort",), "order"),
        (("structure",), "graph"),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Step through what is shown."""
        return {
            "statistic": cycling(TreeOptions, "statistic", recorded),
            "statistic_back": lambda scene: with_statistic(scene, self._before(scene)),
            "source": next_source,
            "other_view": cycling(TreeOptions, "two_rows", (False, True)),
            "chart": cycling(TreeOptions, "chart", tuple(ChartKind)),
            "sort": cycling(TreeOptions, "order", ORDERS),
            "structure": lambda scene: scene.opened(STRUCTURE),
            "inside": look_at_entry,
        }

    def choice(self, scene: Scene, action: str) -> Choice | None:
        """Return the list of statistics."""
        return statistics_choice(scene) if action == "statistic" else None

    def said(self, before: Selection, scene: Scene) -> str:
        """Say which order was chosen."""
        order = scene.selection.get(TreeOptions).order
        return f"layers {ORDER_WORDS[order]}" if before.get(TreeOptions).order != order else ""

    def _before(self, scene: Scene) -> str:
        every, now = recorded(scene), scene.selection.get(TreeOptions).statistic
        return every[every.index(now) - 1] if now in every else every[0]

    # --- what it shows

    def needed(self, scene: Scene) -> int:
        """Return the rows of what is unfolded: a search leaves the panes as high as they are, letter by letter."""
        search = scene.selection.search_of(self.name)
        items = scene.once(f"{self.name} rows without a search", lambda: self._items(scene)) if search else None
        return sum(info_rows(scene.size[1])) + len(self.items(scene) if items is None else items) * self.tall(scene)

    def tall(self, scene: Scene) -> int:
        """Return the terminal rows of a row: what its chart needs, or twice that."""
        return tall_of(scene.selection)

    def shown(self, scene: Scene) -> int:
        """Return the rows that are visible at once, >= 1."""
        height = self.height(scene)
        return max(1, (height - sum(info_rows(height))) // self.tall(scene))

    def row_at(self, scene: Scene, y: int) -> int | None:
        """Return the row at terminal row `y`, which may be one past the last."""
        height = self.height(scene)
        above, below = info_rows(height)
        if not above <= y < height - below:
            return None
        return self.window(scene.selection).first + (y - above) // self.tall(scene)

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the series of its rows, and for what stands out in the network."""
        if self.height(scene):
            nodes = tuple(item.node.index for item in self.asked_for(scene) if item.norm is None)
            if scene.selection.get(TreeOptions).order == "statistic":
                nodes = tuple(node.index for node in scene.view.tree if node.layer is not None)
            first = self.window(scene.selection).first
            here = self.items(scene)[first : first + self.shown(scene)]
            yield from wanted_charts(scene, nodes, here)
            if has_ratios := UPDATE_RATIO in recorded(scene):
                yield RatiosQuestion(nodes, scene.axis)
            yield from wanted_now(scene, nodes, here, has_ratios)
            yield StateQuestion()
            layer = self._layer_of_std(scene)
            if layer is not None:
                yield InitialStdQuestion(layer)

    def _layer_of_std(self, scene: Scene) -> int | None:
        """Return the selected layer where the standard deviation of weights is shown; None elsewhere."""
        options, node = scene.selection.get(TreeOptions), scene.selection.node
        is_std = (options.statistic, options.source, options.norm) == ("std", "weights", None)
        is_series = options.chart in (ChartKind.HORIZON, ChartKind.LINE)
        return scene.view.tree[node].layer if is_std and is_series and node < len(scene.view.tree) else None

    def picture(self, scene: Scene) -> Picture:
        """Return the rows with the numbers at hand, in the kind of chart that these were asked for."""
        options, search, view = scene.selection.get(TreeOptions), scene.selection.search_of(self.name), scene.view
        window, chart = self.window(scene.selection), chart_of(scene)
        state, items = scene.answers.get(StateQuestion), self.items(scene)
        entry = view.find_entry(scene.selection.entry)
        title = title_of_chart(scene) + (f" · {ORDER_WORDS[options.order]}" if options.order != "depth" else "")
        look = TreeLook(
            title + (f" · /{safe(search, 24)}" if search else ""),
            options.chart,
            self.tall(scene),
            filters=view.info.filters,
            flagged=entry.iteration if entry is not None else None,
            starts=self._starts(scene),
            has_ratios=UPDATE_RATIO in recorded(scene),
        )
        return TreePicture(
            rows_of(scene, items[window.first : window.first + self.shown(scene)], self.is_flat(scene), bool(search)),
            window.first,
            window.row if items and self._is_selected(scene, items[window.row]) else -1,
            chart,
            look,
            scene.answers.get(RatiosQuestion),
            beside_of(scene),
            state,
            view.stages,
            total=len(items),
            now=now_of(scene),
        )

    def _starts(self, scene: Scene) -> str:
        layer, found = self._layer_of_std(scene), scene.answers.get(InitialStdQuestion)
        is_known = found is not None and layer is not None and found.layer == layer
        return next(iter(starts_words(found.starts)), "") if is_known and found is not None else ""

    def is_flat(self, scene: Scene) -> bool:
        """Whether open modules have no row: in an order that is not theirs, and where every row is high."""
        options = scene.selection.get(TreeOptions)
        return options.order != "depth" or options.chart is ChartKind.HISTOGRAM

    def _is_selected(self, scene: Scene, item: TreeItem) -> bool:
        return item.node.index == scene.selection.node and item.norm == scene.selection.get(TreeOptions).norm

    # --- its rows

    def items(self, scene: Scene) -> tuple[TreeItem, ...]:
        """Return the rows that are visible, in order."""
        return scene.once(f"{self.name} rows", lambda: self._items(scene, scene.selection.search_of(self.name)))

    def _items(self, scene: Scene, search: str = "") -> tuple[TreeItem, ...]:
        selection, view = scene.selection, scene.view
        options = selection.get(TreeOptions)
        if options.order == "depth":
            nodes = visible_nodes(view.tree, options.folded, search)
            if self.is_flat(scene):
                nodes = tuple(node for node in nodes if node.layer is not None or node.index in options.folded)
        else:
            found = visible_nodes(view.tree, frozenset(), search)
            values = values_here(scene)
            entry = view.find_entry(selection.entry)
            nodes = ordered_layers(found, options.order, scene.entries, entry, values)
        return with_rows_beside(nodes, view.beside, options.beside(view))

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a row."""
        items = self.items(scene)
        if not items:
            return scene.selection
        options = on_row(scene.selection.get(TreeOptions), scene.view, items[row])
        return scene.selection.changed(node=items[row].node.index).put(options)

    def place(self, scene: Scene, items: Sequence[TreeItem]) -> int:
        """Return the row of the selected node, or of the selected normalisation layer behind it."""
        own = [row for row, item in enumerate(items) if item.node.index == scene.selection.node]
        return next((row for row in own if self._is_selected(scene, items[row])), own[0] if own else 0)

    def is_foldable(self, scene: Scene) -> bool:
        """Whether the selected node is a module, or a layer that makes attention heads."""
        if not scene.view.tree:
            return False
        layer = scene.view.tree[scene.selection.node].layer
        return layer is None or any(head.index == layer for head in scene.view.heads)

    def fold(self, scene: Scene, open_: bool | None) -> Selection:
        """Open or close a module, or the heads of a layer; opening another layer, or a head, goes to its filters."""
        selection, tree, options = scene.selection, scene.view.tree, scene.selection.get(TreeOptions)
        if not tree:
            return selection
        node = tree[selection.node]
        if options.head is not None and open_ is False:
            return selection.put(on_node(options))
        if node.layer in layers_with_heads(scene.view) and options.norm is None:
            is_open = node.layer in options.open_heads
            if open_ is not is_open:
                return selection.put(replace(options, open_heads=options.open_heads ^ {node.layer}))
            if is_open:
                return select_row(scene, self.row(scene) + 1)
        is_module, is_open = node.layer is None, node.index not in options.folded
        if open_ is False and (not is_module or not is_open):
            return selection.changed(node=node.parent) if node.parent >= 0 else selection
        if not is_module:
            return next_pane(scene)
        if open_ is True and is_open:
            return select_row(scene, self.row(scene) + 1)
        return selection.put(replace(options, folded=options.folded ^ {node.index}, fitted=None))

    # --- what changes around it

    def begin(self, scene: Scene) -> Selection:
        """Select the first layer that is trained, fold modules until all rows fit, and choose a recorded statistic."""
        tree, frozen = scene.view.tree, scene.view.info.states.frozen
        layers = [node for node in tree if node.layer is not None]
        layer = next((node.index for node in layers if node.name not in frozen), layers[0].index if layers else 0)
        scene = scene.at(self._fitted(starting_beside(scene.at(scene.selection.changed(node=layer)))))
        every = recorded(scene)
        if not every or scene.selection.get(TreeOptions).statistic in every:
            return scene.selection
        return with_statistic(scene, every[0])

    def _room(self, scene: Scene) -> int:
        """Return the rows of the tree that there is room for, if it has enough of them."""
        screen = next(screen for screen in scene.table.every_screen if self in screen.panes)
        needed = [WHATEVER if pane is self else pane.needed(scene) for pane in screen.panes]
        place, is_alone = screen.panes.index(self), scene.selection.maximised and scene.pane is self
        height = divide(*scene.size, needed, place if is_alone else None).panes[place]
        options = scene.selection.get(TreeOptions)
        rows = (height - sum(info_rows(height))) // self.tall(scene)
        return max(1, rows // 2 if options.beside(scene.view) else rows)

    def _fitted(self, scene: Scene) -> Selection:
        """Return the selection with as many modules open as there is room for, those of the selected node first."""
        options, room, tree = scene.selection.get(TreeOptions), self._room(scene), scene.view.tree
        if options.fitted is None or options.fitted == room or not tree:
            return scene.selection
        open_ = parents_of(tree, min(scene.selection.node, len(tree) - 1))
        folded = initial_folds(tree, room, open_, scene.view.info.states.frozen)
        return scene.selection.put(replace(options, folded=folded, fitted=room))

    def show(self, scene: Scene, entry: Entry) -> Selection:
        """Select the layer that an entry names first."""
        nodes = (node for node in scene.view.tree if node.layer is not None and node.name == entry.layer)
        node = next(nodes, None) if entry.layer is not None else None
        return scene.selection if node is None else self.with_node(scene, node.index)

    def settle(self, scene: Scene) -> Selection:
        """If the selected node is hidden, unfold its parents; in a search that hides it, select the first match."""
        tree = scene.view.tree
        if not tree:
            return scene.selection
        scene = scene.at(self._fitted(scene))
        items, options = self.items(scene), scene.selection.get(TreeOptions)
        index, search = min(scene.selection.node, len(tree) - 1), scene.selection.search_of(self.name)
        if index not in {item.node.index for item in items}:
            options = on_node(replace(options, folded=options.folded - parents_of(tree, index)))
            if search:
                index = first_found(items, search, index)
        if index != scene.selection.node or options != scene.selection.get(TreeOptions):
            scene = scene.at(scene.selection.changed(node=index).put(options))
        return super().settle(scene)

    def with_node(self, scene: Scene, node: int) -> Selection:
        """Return the selection on a node, with its parents opened, and without a search that hides it."""
        options = scene.selection.get(TreeOptions)
        options = on_node(replace(options, folded=options.folded - parents_of(scene.view.tree, node)))
        return scene.selection.changed(node=node).put(options).with_search(self.name, "")

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return what the charts show."""
        return numbers_of(scene)

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer statistics, sources and nodes."""
        for statistic in recorded(scene):
            step = partial(with_statistic, statistic=statistic)
            yield f"layers: {title_of(statistic)}", "Show this statistic in the tree.", step
        for source in SOURCES:
            yield f"layers: of {source}", "Show statistics of these.", cycling(TreeOptions, "source", (source,))
        for kind in ChartKind:
            yield f"layers: {kind.value}", "Draw layers this way.", cycling(TreeOptions, "chart", (kind,))
        yield from places_that_stand_out(scene, self.with_node)
        for node in scene.view.tree:
            yield (
                safe(node.name),
                f"Select this {safe(node.kind)}: healthy or not.",
                partial(self.with_node, node=node.index),
            )
