"""Data about the run on the screen, as one frozen value, and its time axis."""

from __future__ import annotations

from dataclasses import dataclass

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
from dtui.tui.state.selection import Selection


@dataclass(frozen=True, eq=False, slots=True)
class RunView:
    """Data about the run for all screens: replaced as a whole, never changed.

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
        searched: The settings of the anomaly search; None before the first search.
        clusters: By rising mean error; empty until they are requested.
        revision: Grows whenever the run's files change.
        is_damaged: Whether anything of it is known to be damaged or missing.
        filter_statistics: The recorded statistics of filters.
        layer_statistics: The recorded statistics of layers.
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
        """Return the labels of the selected class or cluster."""
        if selection.class_index is not None:
            return (selection.class_index,)
        for cluster in self.clusters:
            if cluster.index == selection.cluster:
                return cluster.classes
        return ()

    def find_anomaly(self, anomaly: str | None) -> Anomaly | None:
        """Return the anomaly with an id; None if there is none (any more)."""
        return next((found for found in self.anomalies if found.id == anomaly), None)


def axis_limits(view: RunView) -> tuple[float, float]:
    """Return first and stop of the whole run as drawn.

    A live run gets room to grow, in steps. So its columns keep their places for a while, and a new record repaints only
    the columns on the right.
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
