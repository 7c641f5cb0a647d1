"""Finds what the rows of the tree show: the statistic, the kind of chart, and the questions behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from itertools import pairwise
from typing import Any

from dtui.model import SOURCES, NodeSeries, NormLayer, OtherParameter
from dtui.model.findings.state import Standing
from dtui.model.layers import BOX_STATISTICS, HISTOGRAM_SOURCES, UPDATE_RATIO, NodeBoxes, NormSeries
from dtui.model.statistics import LAYERS, NORMS, PARAMETERS, title_of
from dtui.safe_text import safe
from dtui.tui.panes.layers.questions import (
    BoxesQuestion,
    HistogramsQuestion,
    NormsQuestion,
    ParameterRatiosQuestion,
    ParametersQuestion,
    RatiosQuestion,
    SeriesQuestion,
    StateQuestion,
)
from dtui.tui.panes.layers.tree_rows import TreeItem, counts_of, incidents_of
from dtui.tui.renderables.panes.layers.tree_charts import Charted, ChartKind
from dtui.tui.renderables.panes.layers.tree_gutter import NORM_MARK, PARAMETER_MARK, BesideSeries, TreeRow
from dtui.tui.state.choice import Choice, Option
from dtui.tui.state.key_steps import next_of
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene
from dtui.tui.state.questions import Question
from dtui.tui.state.run_view import RunView
from dtui.tui.state.selection import Selection

PLAIN = ("Sequential", "ModuleList", "ModuleDict")
"""Classes of modules that say nothing about them."""


@dataclass(frozen=True, slots=True)
class TreeOptions:
    """The choices of the tree.

    Attributes:
        statistic: One of the statistics of layers, or UPDATE_RATIO; box plots and histograms show others.
        source: Of SOURCES.
        chart: Kind of chart in a row.
        two_rows: Whether a row is twice as high.
        folded: Nodes whose children are hidden.
        fitted: Rows that modules were folded for; None once a person has folded one.
        order: Of ORDERS.
        norm_statistic: Shown in the rows of normalisation layers; None where these rows are hidden.
        parameter_statistic: As norm_statistic, of the parameters outside the layers.
        norm: Place in `RunView.beside` of what is selected behind a layer; None where a node is selected.
    """

    statistic: str = "mean"
    source: str = "weights"
    chart: ChartKind = ChartKind.HORIZON
    two_rows: bool = False
    folded: frozenset[int] = frozenset()
    fitted: int | None = -1
    order: str = "depth"
    norm_statistic: str | None = None
    parameter_statistic: str | None = None
    norm: int | None = None

    def beside(self, view: RunView) -> tuple[int, ...]:
        """Return the places in `RunView.beside` of what has a row behind its layer."""
        norms = range(len(view.norms)) if self.norm_statistic is not None else ()
        others = range(len(view.norms), len(view.beside)) if self.parameter_statistic is not None else ()
        return (*norms, *others)


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
    beside, first = dict.fromkeys(item.norm for item in here if item.norm is not None), len(scene.view.norms)
    if options.norm_statistic is not None:
        yield NormsQuestion(tuple(place for place in beside if place < first), options.norm_statistic, axis)
    if options.parameter_statistic is not None:
        parameters = tuple(place - first for place in beside if place >= first)
        yield ParametersQuestion(parameters, options.parameter_statistic, axis)
        if _has_ratios(scene):
            yield ParameterRatiosQuestion(parameters, axis)


def chart_of(scene: Scene) -> Charted | None:
    """Return the numbers at hand of the kind of chart that is chosen; None until there are any."""
    options = scene.selection.get(TreeOptions)
    if options.chart is ChartKind.BOX:
        return scene.answers.get(BoxesQuestion)
    if options.chart is ChartKind.HISTOGRAM:
        return scene.answers.get(HistogramsQuestion)
    return scene.answers.get(RatiosQuestion if options.statistic == UPDATE_RATIO else SeriesQuestion)


def beside_of(scene: Scene) -> BesideSeries:
    """Return the numbers at hand of what has rows behind layers, by place in `RunView.beside`."""
    options, first = scene.selection.get(TreeOptions), len(scene.view.norms)
    norms = scene.answers.get(NormsQuestion) if options.norm_statistic is not None else None
    parameters = ratios = None
    if options.parameter_statistic is not None:
        parameters, ratios = (
            None if found is None else _from_place(found, first)
            for found in (scene.answers.get(ParametersQuestion), scene.answers.get(ParameterRatiosQuestion))
        )
    return BesideSeries(norms, parameters, ratios)


@lru_cache(maxsize=4)
def _from_place(series: NormSeries, first: int) -> NormSeries:
    """Return a series with its places counted from another one on. The same for the same: a picture of it is kept."""
    return replace(series, norms=tuple(place + first for place in series.norms))


def _has_ratios(scene: Scene) -> bool:
    return {"norm", "update_norm"} <= set(scene.view.parameter_statistics)


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
    beside = beside_of(scene)
    for mark, series in ((NORM_MARK, beside.norms), (PARAMETER_MARK, beside.parameters)):
        title += f" · {mark} {series.title}" if series is not None else ""
    return title


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
    incidents = incidents_of(scene.entries, view.tree)
    rows = []
    for item in items:
        node, is_module = item.node, item.node.layer is None
        if item.norm is not None:
            rows.append(_row_beside(item, item.norm, view.beside[item.norm], is_flat))
            continue
        name = node.name if is_module or is_flat else node.label
        rows.append(
            TreeRow(
                node,
                is_module and (is_searched or node.index not in options.folded),
                is_module,
                name,
                ("" if node.kind in PLAIN else node.kind) if is_module else node.detail,
                0 if is_flat else node.depth,
                dead=dead.get(node.index, 0),
                moving=moving.get(node.index, 0),
                silent=silent.get(node.index, 0),
                incidents=incidents.get(node.index, ()),
                about=safe(node.name),
            )
        )
    return tuple(rows)


def _row_beside(item: TreeItem, place: int, one: NormLayer | OtherParameter, is_flat: bool) -> TreeRow:
    """Return the row of a normalisation layer or a parameter; that of a parameter has its module's name, too."""
    is_norm = isinstance(one, NormLayer)
    size = f"{one.channels:,} channels" if isinstance(one, NormLayer) else f"{one.elements:,} elements"
    name = one.name if is_flat else ".".join(one.name.split(".")[-1 if is_norm else -2 :])
    return TreeRow(
        item.node,
        False,
        False,
        name,
        one.kind,
        0 if is_flat else item.node.depth,
        place,
        about=f"{safe(one.name)} ({safe(one.kind)}, {size})",
        mark=NORM_MARK if is_norm else PARAMETER_MARK,
    )


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


def _with_norms(scene: Scene, statistic: str | None) -> Selection:
    return _with_beside(scene, replace(scene.selection.get(TreeOptions), norm_statistic=statistic))


def _with_parameters(scene: Scene, statistic: str | None) -> Selection:
    return _with_beside(scene, replace(scene.selection.get(TreeOptions), parameter_statistic=statistic))


def _with_beside(scene: Scene, options: TreeOptions) -> Selection:
    norm = options.norm if options.norm in options.beside(scene.view) else None
    return scene.selection.put(replace(options, norm=norm))


def statistics_choice(scene: Scene) -> Choice:
    """Return the list of statistics: of layers, of normalisation layers, and of parameters outside the layers."""
    options = scene.selection.get(TreeOptions)
    of_layers = recorded(scene)
    lines = [
        Option(title_of(name), partial(with_statistic, statistic=name), _help_of(name, options.source), "Layers")
        for name in of_layers
    ]
    chosen = of_layers.index(options.statistic) if options.statistic in of_layers else -1
    if scene.view.norms:
        group = "Normalisation layers, in rows of their own"
        lines += [
            Option(NORMS[name].title, partial(_with_norms, statistic=name), NORMS[name].unit, group)
            for name in scene.view.norm_statistics
        ]
        lines.append(Option("without their rows", partial(_with_norms, statistic=None), "", group))
    if scene.view.parameters:
        group = "Other parameters (biases, embeddings …), in rows of their own"
        ratio = (UPDATE_RATIO,) if _has_ratios(scene) else ()
        lines += [
            Option(title_of(name), partial(_with_parameters, statistic=name), _parameter_help(name), group)
            for name in (*scene.view.parameter_statistics, *ratio)
        ]
        lines.append(Option("without their rows", partial(_with_parameters, statistic=None), "", group))
    return Choice("Statistic of the tree", tuple(lines), chosen)


def _parameter_help(name: str) -> str:
    return PARAMETERS[name].unit if name in PARAMETERS else "‖Δw‖ / ‖w‖ per update"


def _help_of(name: str, source: str) -> str:
    if name == UPDATE_RATIO:
        return "‖Δw‖ / ‖w‖ per update; healthy 1e-4 to 1e-2"
    known = LAYERS.get(name)
    return f"of {source}{f', {known.unit}' if known is not None and known.unit else ''}"
