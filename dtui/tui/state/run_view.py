"""Data about the run on the screen, as one frozen value, and its time axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import (
    FILTER_STATISTICS,
    LAYER_STATISTICS,
    Adapter,
    Anomaly,
    AnomalySettings,
    ClassCluster,
    Incident,
    IntArray,
    NormLayer,
    OtherParameter,
    RunInfo,
    RunMetadata,
    RunStatus,
    Stage,
    TimeAxis,
    TreeNode,
)
from dtui.model.arrays import distinct
from dtui.model.findings.review import ANOMALIES, INCIDENTS, Entry, Listing
from dtui.model.layers import ACTIVATION_COLUMNS, AttentionHead
from dtui.model.statistics import Rows
from dtui.query.compare.listing import located, pace_of
from dtui.tui.state.review.review import Review
from dtui.tui.state.selection import Selection

if TYPE_CHECKING:
    from dtui.query import RunQuery

Beside = NormLayer | OtherParameter | Adapter | AttentionHead
"""What can have a row behind a layer."""


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
        review: What people review.
        searched: The settings of the anomaly search; None before the first search.
        knows_incidents: Whether the detectors of incidents have answered.
        clusters: By rising mean error; empty until they are requested.
        revision: Grows whenever the run's files change.
        filter_statistics: The recorded statistics of filters, and the columns of activations.
        layer_statistics: The recorded statistics of layers.
        path: Where the run is.
        given: The runs that the person named, if there are two or more; all paths as in a list of runs.
        norms: The normalisation layers that were measured; names are data from outside.
        norm_statistics: The recorded statistics of normalisation layers.
        parameters: The parameters outside the layers that were measured; names are data from outside.
        parameter_statistics: The recorded statistics of these.
        adapters: The adapters beside weights; names are data from outside.
        channel_norms: Places in `norms` of the layers whose channels were recorded.
        heads: The attention heads that filters make.
        rate: Iterations a second of a live run; NaN where that is not known.
        seconds_left: Until a live training ends, if it goes on as now; NaN where that is not known.
        quiet_seconds: For how long a live run has recorded nothing new, where that is much longer than usual; else 0.
        is_gone: Whether its files are no longer there, or are those of another run: what is shown was read before.
    """

    info: RunInfo
    metadata: RunMetadata
    tree: tuple[TreeNode, ...]
    classes: tuple[str, ...]
    class_sizes: IntArray
    stages: tuple[Stage, ...]
    limits: tuple[float, float]
    iterations: IntArray
    review: Review = field(default_factory=Review)
    searched: AnomalySettings | None = None
    knows_incidents: bool = False
    clusters: tuple[ClassCluster, ...] = ()
    revision: int = 0
    is_damaged: bool = False
    filter_statistics: tuple[str, ...] = FILTER_STATISTICS
    layer_statistics: tuple[str, ...] = LAYER_STATISTICS
    path: str = ""
    given: tuple[str, ...] = ()
    norms: tuple[NormLayer, ...] = ()
    norm_statistics: tuple[str, ...] = ()
    parameters: tuple[OtherParameter, ...] = ()
    parameter_statistics: tuple[str, ...] = ()
    adapters: tuple[Adapter, ...] = ()
    heads: tuple[AttentionHead, ...] = ()
    channel_norms: tuple[int, ...] = ()
    rate: float = float("nan")
    seconds_left: float = float("nan")
    quiet_seconds: float = 0.0
    is_gone: bool = False

    @property
    def beside(self) -> tuple[Beside, ...]:
        """What can have a row behind a layer: normalisation layers, parameters outside the layers, adapters, heads."""
        return (*self.norms, *self.parameters, *self.adapters, *self.heads)

    def places(self, kind: type[Beside]) -> range:
        """Return the places in `beside` of a kind of what is there."""
        first = 0
        for known, rows in (
            (NormLayer, self.norms),
            (OtherParameter, self.parameters),
            (Adapter, self.adapters),
            (AttentionHead, self.heads),
        ):
            if known is kind:
                return range(first, first + len(rows))
            first += len(rows)
        return range(0)

    @property
    def is_live(self) -> bool:
        """Whether the run is being recorded."""
        return self.info.status == RunStatus.LIVE

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw yet."""
        return not len(self.iterations)

    @property
    def entries(self) -> Mapping[Listing, tuple[Entry, ...]]:
        """What people review, by listing, in the order of the review."""
        return self.review.entries

    @property
    def anomalies(self) -> tuple[Anomaly, ...]:
        """The anomalies, by iteration."""
        return self.review.anomalies

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents, by iteration."""
        return self.review.incidents

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

    def find_entry(self, entry: str | None) -> Entry | None:
        """Return the entry with an id, of any listing; None if there is none (any more)."""
        return self.review.find(entry)

    def with_anomalies(self, entries: Sequence[Entry], settings: AnomalySettings) -> RunView:
        """Return the view with the entries of the anomalies under some settings."""
        return replace(self, review=self.review.having(ANOMALIES, entries), searched=settings)

    def with_incidents(self, entries: Sequence[Entry]) -> RunView:
        """Return the view with the entries of the incidents."""
        return replace(self, review=self.review.having(INCIDENTS, entries), knows_incidents=True)

    def keeping_answers(self, old: RunView) -> RunView:
        """Return this view of a changed run with the separate answers to the one before, until new ones arrive."""
        return replace(
            self,
            review=old.review,
            searched=old.searched,
            knows_incidents=old.knows_incidents,
            clusters=old.clusters,
        )


def seen_in(query: RunQuery, revision: int, now: float) -> RunView:
    """Return what every screen needs to know about a run; anomalies and clusters are separate questions.

    Args:
        query: The run.
        revision: Of its files.
        now: Seconds, of any clock that only rises, and always of the same.
    """
    images, info = query.image_set(), query.info()
    rate, seconds_left = pace_of(query, info)
    classes = images.classes if images is not None else ()
    sizes = np.bincount(images.targets, minlength=len(classes)) if images is not None else np.zeros(0, np.int64)
    return RunView(
        info=info,
        metadata=query.metadata(),
        tree=query.tree(),
        classes=classes,
        class_sizes=sizes,
        stages=query.stages(),
        limits=query.limits(),
        iterations=distinct(np.concatenate([query.record_iterations(), query.validation_iterations()])),
        revision=revision,
        is_damaged=bool(query.faults()),
        filter_statistics=(*query.recorded(Rows.FILTERS), *(ACTIVATION_COLUMNS if info.activations else ())),
        layer_statistics=query.recorded(Rows.LAYERS),
        path=str(located(query.path)),
        norms=query.structure().norms,
        norm_statistics=query.recorded(Rows.NORMS),
        parameters=query.structure().parameters,
        parameter_statistics=query.recorded(Rows.PARAMETERS),
        adapters=query.structure().adapters,
        heads=tuple(head for head in query.heads() if not head.of_inputs),
        channel_norms=query.structure().channel_norms,
        rate=rate,
        seconds_left=seconds_left,
        quiet_seconds=query.quiet_seconds(now),
    )


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
