"""Finds what the rows of the tree show: the statistic, the kind of chart, and the questions behind them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

from dtui.model import SOURCES, NodeSeries, TreeNode
from dtui.model.findings.state import Standing
from dtui.model.layers import BOX_STATISTICS, HISTOGRAM_SOURCES, UPDATE_RATIO, NodeBoxes
from dtui.model.statistics import LAYERS, title_of
from dtui.safe_text import safe
from dtui.tui.panes.layers.questions import (
    BoxesQuestion,
    HistogramsQuestion,
    RatiosQuestion,
    SeriesQuestion,
    StateQuestion,
)
from dtui.tui.panes.layers.tree_beside import (
    layers_with_heads,
    options_beside,
    row_beside,
    titles_beside,
    wanted_beside,
)
from dtui.tui.panes.layers.tree_options import TreeOptions
from dtui.tui.panes.layers.tree_rows import TreeItem, counts_of, frozen_nodes, incidents_of, own_name
from dtui.tui.renderables.panes.layers.tree_charts import Charted, ChartKind
from dtui.tui.renderables.panes.layers.tree_gutter import TreeRow
from dtui.tui.state.choice import Choice, Option
from dtui.tui.state.key_steps import next_of
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Question
from dtui.tui.state.selection import Selection

PLAIN = ("Sequential", "ModuleList", "ModuleDict")
"""Classes of modules that say nothing about them."""


def recorded(scene: Scene) -> tuple[str, ...]:
    """Return the statistics that the tree can show: those of the run, and the update ratio that follows from them."""
    stored = scene.view.layer_statistics
    return (*stored, UPDATE_RATIO) if "norm2" in stored else stored


def tall_of(selection: Selection) -> int:
    """Return the terminal rows of a row."""
    options = selection.get(TreeOptions)
    return options.chart.tall * (2 if options.two_rows else 1)


def wanted_charts(scene: Scene, nodes: tuple[int, ...], here: Sequence[TreeItem]) -> Iterator[Question[Any]]:
    """Ask for the numbers of the chart.

    Args:
        scene: What is chosen.
        nodes: Nodes to ask for.
        here: The rows on the screen, for what takes long to find.
    """
    options, axis = scene.selection.get(TreeOptions), scene.axis
    if options.chart is ChartKind.BOX:
        yield BoxesQuestion(nodes, options.source, axis)
    elif options.chart is ChartKind.HISTOGRAM:
        on_screen = tuple(item.node.index for item in here if item.norm is None)
        yield HistogramsQuestion(on_screen, _histogram_source(options), axis, 2 * tall_of(scene.selection))
    elif options.statistic != UPDATE_RATIO:
        yield SeriesQuestion(nodes, options.statistic, options.source, axis)
    yield from wanted_beside(scene, here)


def chart_of(scene: Scene) -> Charted | None:
    """Return the numbers at hand of the kind of chart that is chosen; None until there are any."""
    options = scene.selection.get(TreeOptions)
    if options.chart is ChartKind.BOX:
        return scene.answers.get(BoxesQuestion)
    if options.chart is ChartKind.HISTOGRAM:
        return scene.answers.get(HistogramsQuestion)
    return scene.answers.get(RatiosQuestion if options.statistic == UPDATE_RATIO else SeriesQuestion)


def title_of_chart(scene: Scene) -> str:
    """Return what the rows show, in words: of the numbers at hand, not of those that were just asked for."""
    options, chart = scene.selection.get(TreeOptions), chart_of(scene)
    if isinstance(chart, NodeSeries):
        if chart.statistic == UPDATE_RATIO:
            title = "update ratio, per update"
        else:
            title = f"{title_of(chart.statistic)} of {chart.source}"
    elif options.chart is ChartKind.BOX:
        title = f"box plots of {options.source}"
    elif options.chart is ChartKind.HISTOGRAM:
        is_weights = _histogram_source(options) == "weights"
        title = "histograms of weights" if is_weights else "histograms of |gradient / weight|"
    else:
        title = ""
    return title + "".join(f" · {mark} {words}" for mark, words in titles_beside(scene))


def rows_of(scene: Scene, items: Sequence[TreeItem], is_flat: bool, is_searched: bool) -> tuple[TreeRow, ...]:
    """Return some rows as they are drawn, with what stands out.

    Args:
        scene: What is chosen.
        items: The rows.
        is_flat: Whether they stand without their modules, so that each has its whole name.
        is_searched: Whether a search is on, in which every module is open.
    """
    options, view = scene.selection.get(TreeOptions), scene.view
    state = scene.answers.get(StateQuestion)
    standings = (Standing.DEAD, Standing.MOVING, Standing.SILENT)
    dead, moving, silent = (counts_of(state, view.tree, standing) for standing in standings)
    incidents, frozen = incidents_of(scene.entries, view.tree), frozen_nodes(state, view.tree)
    heads = layers_with_heads(view)
    rows = []
    for item in items:
        node, is_module = item.node, item.node.layer is None
        if item.norm is not None:
            rows.append(row_beside(item, item.norm, view.beside[item.norm], is_flat))
            continue
        name = node.name if is_module or is_flat else own_name(node.name) or node.label
        rows.append(
            TreeRow(
                node,
                is_module and (is_searched or node.index not in options.folded),
                is_module,
                name,
                ("" if node.kind in PLAIN else node.kind) if is_module else _detail(node, heads),
                0 if is_flat else node.depth,
                dead=dead.get(node.index, 0),
                moving=moving.get(node.index, 0),
                silent=silent.get(node.index, 0),
                incidents=incidents.get(node.index, ()),
                about=safe(node.name),
                unfolds=node.layer in heads,
                shows_heads=node.layer in options.open_heads,
                is_frozen=node.index in frozen,
            )
        )
    return tuple(rows)


def _detail(node: TreeNode, heads: Mapping[int, int]) -> str:
    """Return what stands behind the name of a layer: its kernels, or how many attention heads it makes."""
    if node.layer is None or node.layer not in heads:
        return node.detail
    return f"{heads[node.layer]:,} heads {node.detail}".rstrip()


def numbers_of(scene: Scene) -> Numbers | None:
    """Return what the charts show as a table; None until there are numbers."""
    chart, tree = chart_of(scene), scene.view.tree
    if chart is None:
        return None
    names = [tree[node].name for node in chart.nodes]
    if isinstance(chart, NodeSeries):
        values = list(chart.values)
    elif isinstance(chart, NodeBoxes):
        names = [f"{name} {part}" for name in names for part in BOX_STATISTICS]
        values = [chart.values[part, row] for row in range(len(chart.nodes)) for part in range(len(BOX_STATISTICS))]
    else:
        ends = [[f"{low:.3g} to {high:.3g}" for low, high in pairwise(edges)] for edges in chart.edges.tolist()]
        names = [f"{name}: {bin_}" for name, bins in zip(names, ends, strict=True) for bin_ in bins]
        values = [share for shares in chart.shares for share in shares]
    return over_time(title_of_chart(scene), chart.axis, names, values)


def next_source(scene: Scene) -> Selection:
    """Return the selection that shows the next source; an update ratio, which has none, becomes a statistic of it."""
    options = scene.selection.get(TreeOptions)
    if options.chart is ChartKind.HISTOGRAM:
        source = next_of(HISTOGRAM_SOURCES, _histogram_source(options))
    else:
        source = next_of(SOURCES, options.source)
    statistic = options.statistic
    if statistic == UPDATE_RATIO and options.chart in (ChartKind.HORIZON, ChartKind.LINE):
        statistic = next(iter(scene.view.layer_statistics), statistic)
    return scene.selection.put(replace(options, source=source, statistic=statistic))


def _histogram_source(options: TreeOptions) -> str:
    return options.source if options.source in HISTOGRAM_SOURCES else HISTOGRAM_SOURCES[0]


def with_statistic(scene: Scene, statistic: str) -> Selection:
    """Return the selection that shows a statistic, in a chart that can."""
    options = scene.selection.get(TreeOptions)
    chart = options.chart if options.chart in (ChartKind.HORIZON, ChartKind.LINE) else ChartKind.HORIZON
    return scene.selection.put(replace(options, statistic=statistic, chart=chart))


def statistics_choice(scene: Scene) -> Choice:
    """Return the list of statistics: of layers, of normalisation layers, and of parameters outside the layers."""
    options = scene.selection.get(TreeOptions)
    of_layers = recorded(scene)
    lines = [
        Option(title_of(name), partial(with_statistic, statistic=name), _help_of(name, options.source), "Layers")
        for name in of_layers
    ]
    chosen = of_layers.index(options.statistic) if options.statistic in of_layers else -1
    lines += options_beside(scene)
    return Choice("Statistic of the tree", tuple(lines), chosen)


def _help_of(name: str, source: str) -> str:
    if name == UPDATE_RATIO:
        return "‖Δw‖ / ‖w‖ per update; healthy 1e-4 to 1e-2"
    known = LAYERS.get(name)
    return f"of {source}{f', {known.unit}' if known is not None and known.unit else ''}"
