"""What the person looks at, and what is known about the run, as frozen values.

Owns the one `Selection`. A second copy, such as a row index kept in a widget, would let two panes show
different layers, classes or iterations as the selected one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from typing import Any, Self

from dtui.model import (
    FILTER_STATISTICS,
    LAYER_STATISTICS,
    Anomaly,
    AnomalySettings,
    ClassCluster,
    IntArray,
    RunInfo,
    RunMetadata,
    RunStatus,
    Stage,
    TimeAxis,
    TreeNode,
)

SCREENS = ("layers", "validation")
PANES = {"layers": ("tree", "filters"), "validation": ("classes", "images")}


@dataclass(frozen=True, slots=True)
class Selection:
    """Everything that the person has chosen to look at; nothing that can be computed from the run.

    Attributes:
        screen: Of SCREENS.
        pane: Of the screen's PANES: where row keys go.
        maximised: Whether the pane has the screen to itself.
        node: Tree node index.
        folded: Tree nodes whose children are hidden.
        tree_top: First visible row of the tree.
        filter: Selected row of the Filters pane, in sorted order.
        filter_first: First row shown there.
        filter_count: Rows shown there; None shows all.
        cluster: Selected cluster of classes, or the one that holds the selected class.
        class_index: Selected class; None selects the whole cluster.
        open_clusters: Clusters whose classes are shown.
        class_top: First visible row of the Classes pane.
        image: Selected row of the Images pane, in sorted order.
        image_first: First row shown there.
        image_count: Rows shown there; None shows all.
        cursor: The iteration under the crosshair.
        follow: Whether the cursor stays on the newest iteration of a live run.
        window: First iteration and stop of the time axis; None shows the whole run.
        statistic: Of LAYER_STATISTICS, in the tree.
        source: Of SOURCES, in the tree.
        log_scale: Whether the error curves have a logarithmic scale.
        two_rows: Whether a tree row is two cells high.
        chart: Kind of chart in a tree row.
        filter_statistic: Of FILTER_STATISTICS.
        filter_normalise: "layer", "filter" or "iteration".
        filter_sort: "index", "activity" or "peak".
        image_sort: "error", "similarity" or "index".
        colour_by: "correctness" or "label".
        cluster_count: Number of clusters asked for.
        anomaly_settings: What counts as an anomaly iteration.
        anomaly: Id of the selected anomaly.
        layer_search: Regular expression on module and layer names; "!" first inverts it; "" shows all.
        class_search: The same on class names.
    """

    screen: str = "layers"
    pane: str = "tree"
    maximised: bool = False
    node: int = 0
    folded: frozenset[int] = frozenset()
    tree_top: int = 0
    filter: int = 0
    filter_first: int = 0
    filter_count: int | None = None
    cluster: int = 0
    class_index: int | None = None
    open_clusters: frozenset[int] = frozenset()
    class_top: int = 0
    image: int = 0
    image_first: int = 0
    image_count: int | None = None
    cursor: int = 0
    follow: bool = False
    window: tuple[float, float] | None = None
    statistic: str = "mean"
    source: str = "weights"
    log_scale: bool = False
    two_rows: bool = False
    chart: str = "horizon"
    filter_statistic: str = "cosine_distance"
    filter_normalise: str = "layer"
    filter_sort: str = "index"
    image_sort: str = "error"
    colour_by: str = "correctness"
    cluster_count: int = 4
    anomaly_settings: AnomalySettings = field(default_factory=AnomalySettings)
    anomaly: str | None = None
    layer_search: str = ""
    class_search: str = ""

    def changed(self, **fields: Any) -> Self:
        """Return the selection with some fields replaced."""
        return replace(self, **fields)

    def with_screen(self, screen: str) -> Self:
        """Return the selection on another screen, in the pane at the same place."""
        place = PANES[self.screen].index(self.pane)
        return replace(self, screen=screen, pane=PANES[screen][place])

    def with_pane(self, pane: str) -> Self:
        """Return the selection in another pane, on the screen that has it."""
        screen = next(name for name, panes in PANES.items() if pane in panes)
        return replace(self, screen=screen, pane=pane)

    def with_node(self, node: int) -> Self:
        """Return the selection on another tree node, from its first filter."""
        if node == self.node:
            return self
        return replace(self, node=node, filter=0, filter_first=0, filter_count=None)

    def with_group(self, cluster: int, class_index: int | None) -> Self:
        """Return the selection on another cluster or class, from its first image."""
        if (cluster, class_index) == (self.cluster, self.class_index):
            return self
        return replace(self, cluster=cluster, class_index=class_index, image=0, image_first=0, image_count=None)

    def with_cursor(self, iteration: int) -> Self:
        """Return the selection at another iteration, no longer following a live run."""
        return replace(self, cursor=iteration, follow=False)

    def with_window(self, window: tuple[float, float] | None) -> Self:
        """Return the selection with another time window."""
        return replace(self, window=window)

    def with_settings(self, settings: AnomalySettings) -> Self:
        """Return the selection with another idea of what an anomaly is."""
        return replace(self, anomaly_settings=settings)


@dataclass(frozen=True, eq=False, slots=True)
class RunView:
    """What the screens know about the run: replaced as a whole, never changed.

    Attributes:
        info: One line about it.
        metadata: What was known before its first record.
        tree: Depth-first.
        classes: Names in label order; data from outside.
        class_sizes: Images of each class, shape (classes,).
        stages: Stretches of constant learning rate.
        limits: First iteration and stop of a time axis of the whole run.
        iterations: Recorded and validated iterations, ascending.
        anomalies: By iteration, then by falling score.
        searched: The settings under which they were looked for; None before that.
        clusters: By rising mean error; empty until they were asked for.
        revision: Grows whenever the run's files changed.
        is_damaged: Whether anything of it is known to be damaged or missing.
        filter_statistics: What was recorded of filters.
        layer_statistics: What was recorded of layers.
    """

    info: RunInfo
    metadata: RunMetadata
    tree: tuple[TreeNode, ...]
    classes: tuple[str, ...]
    class_sizes: IntArray
    stages: tuple[Stage, ...]
    limits: tuple[float, float]
    iterations: IntArray
    anomalies: tuple[Anomaly, ...] = ()
    searched: AnomalySettings | None = None
    clusters: tuple[ClassCluster, ...] = ()
    revision: int = 0
    is_damaged: bool = False
    filter_statistics: tuple[str, ...] = FILTER_STATISTICS
    layer_statistics: tuple[str, ...] = LAYER_STATISTICS

    @property
    def is_live(self) -> bool:
        """Whether the run is being recorded."""
        return self.info.status == RunStatus.LIVE

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw yet."""
        return not len(self.iterations)

    @property
    def last_iteration(self) -> int:
        """The newest iteration that is known; 0 in an empty run."""
        return 0 if self.is_empty else int(self.iterations[-1])

    def group_classes(self, selection: Selection) -> tuple[int, ...]:
        """Return the labels that the selected row of the Classes pane stands for."""
        if selection.class_index is not None:
            return (selection.class_index,)
        for cluster in self.clusters:
            if cluster.index == selection.cluster:
                return cluster.classes
        return ()

    def find_anomaly(self, anomaly: str | None) -> Anomaly | None:
        """Return the anomaly of an id, None when it is not (or no longer) one."""
        return next((found for found in self.anomalies if found.id == anomaly), None)


@dataclass(frozen=True, slots=True)
class ClassRow:
    """A row of the Classes pane: a cluster, or a class within an open one."""

    cluster: int
    class_index: int | None


def axis_limits(view: RunView) -> tuple[float, float]:
    """Return first and stop of the whole run as drawn.

    A live run gets room to grow, in steps, so that its columns stay where they are for a while and a new
    record repaints only the columns on the right.
    """
    first, stop = view.limits
    if not view.is_live:
        return first, stop
    span = max(stop - first, 16.0)
    quantum = 1.0
    while span / quantum > 12:
        quantum *= 2
    return first, first + quantum * (span // quantum + 1)


def time_axis(selection: Selection, view: RunView, columns: int) -> TimeAxis:
    """Return the one time axis of the screen."""
    first, stop = selection.window or axis_limits(view)
    return TimeAxis(first, stop, max(1, columns))


def compile_search(pattern: str) -> tuple[re.Pattern[str] | None, bool]:
    """Return a search as a regular expression (None finds everything) and whether it is inverted.

    Raises:
        re.error: The pattern is no regular expression.
    """
    inverted = pattern.startswith("!")
    body = pattern[1:] if inverted else pattern
    return (re.compile(body, re.IGNORECASE) if body else None), inverted


def find_matches(pattern: str, names: Collection[str]) -> frozenset[int]:
    """Return the positions of the names that a search finds; an invalid search finds everything."""
    try:
        expression, inverted = compile_search(pattern)
    except re.error:
        expression, inverted = None, False
    if expression is None:
        return frozenset(range(len(names)))
    return frozenset(i for i, name in enumerate(names) if (expression.search(name) is None) == inverted)


def initial_folds(tree: tuple[TreeNode, ...], rows: int) -> frozenset[int]:
    """Return the nodes to fold at first: the deepest modules, until the rest fits into about `rows` rows."""
    folded: set[int] = set()
    modules = [node for node in tree if node.layer is None]
    for depth in sorted({node.depth for node in modules}, reverse=True):
        if len(visible_nodes(tree, frozenset(folded), "")) <= max(rows, 8):
            break
        for node in reversed([node for node in modules if node.depth == depth]):
            folded.add(node.index)
            if len(visible_nodes(tree, frozenset(folded), "")) <= max(rows, 8):
                break
    return frozenset(folded)


def visible_nodes(tree: tuple[TreeNode, ...], folded: frozenset[int], search: str) -> tuple[TreeNode, ...]:
    """Return the rows of the tree: not below a folded node; or, in a search, what matches and its parents."""
    if search:
        matches = find_matches(search, [node.name for node in tree])
        shown: set[int] = set()
        for node in tree:
            if node.index in matches:
                index = node.index
                while index >= 0 and index not in shown:
                    shown.add(index)
                    index = tree[index].parent
        return tuple(node for node in tree if node.index in shown)
    hidden: set[int] = set()
    rows = []
    for node in tree:
        if node.parent >= 0 and (node.parent in hidden or node.parent in folded):
            hidden.add(node.index)
        else:
            rows.append(node)
    return tuple(rows)


def class_rows(view: RunView, selection: Selection) -> tuple[ClassRow, ...]:
    """Return the rows of the Classes pane."""
    matches = find_matches(selection.class_search, view.classes)
    rows: list[ClassRow] = []
    for cluster in view.clusters:
        members = [label for label in cluster.classes if label in matches]
        if not members and selection.class_search:
            continue
        rows.append(ClassRow(cluster.index, None))
        if selection.class_search or cluster.index in selection.open_clusters:
            rows += [ClassRow(cluster.index, label) for label in members]
    return tuple(rows)
