"""What the panes of layers ask of the run."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model import Heatmap, HeatmapRequest, NodeSeries, RunState, TimeAxis
from dtui.model.findings.kept_weights import KeptWeights
from dtui.model.layers import (
    UPDATE_RATIO,
    FilterHistory,
    InitialStd,
    NetworkGraph,
    NodeBoxes,
    NodeHistograms,
    NormSeries,
)
from dtui.model.relations import Event
from dtui.query import RunQuery
from dtui.tui.state.questions import Question


@dataclass(frozen=True, slots=True)
class InitialStdOf:
    """The standard deviations with which the weights of a layer would start; None where its shape does not tell."""

    layer: int
    starts: InitialStd | None


@dataclass(frozen=True, slots=True)
class SeriesQuestion(Question[NodeSeries]):
    """One statistic of tree nodes over time."""

    nodes: tuple[int, ...]
    statistic: str
    source: str
    axis: TimeAxis
    about = "series"

    def ask(self, query: RunQuery) -> NodeSeries:
        """Return it."""
        return query.node_series(self.nodes, self.statistic, self.source, self.axis)


@dataclass(frozen=True, slots=True)
class RatiosQuestion(Question[NodeSeries]):
    """The update ratios of tree nodes over time."""

    nodes: tuple[int, ...]
    axis: TimeAxis
    about = "update ratios"

    def ask(self, query: RunQuery) -> NodeSeries:
        """Return them."""
        return query.node_update_ratios(self.nodes, self.axis)


@dataclass(frozen=True, slots=True)
class BoxesQuestion(Question[NodeBoxes]):
    """Box plots of tree nodes over time."""

    nodes: tuple[int, ...]
    source: str
    axis: TimeAxis
    about = "box plots"

    def ask(self, query: RunQuery) -> NodeBoxes:
        """Return them."""
        return query.node_boxes(self.nodes, self.source, self.axis)


@dataclass(frozen=True, slots=True)
class HistogramsQuestion(Question[NodeHistograms]):
    """Histograms of tree nodes over time."""

    nodes: tuple[int, ...]
    source: str
    axis: TimeAxis
    bins: int
    about = "histograms"

    def ask(self, query: RunQuery) -> NodeHistograms:
        """Return them."""
        return query.node_histograms(self.nodes, self.source, self.axis, self.bins)


@dataclass(frozen=True, slots=True)
class NormsQuestion(Question[NormSeries]):
    """One statistic of normalisation layers over time."""

    norms: tuple[int, ...]
    statistic: str
    axis: TimeAxis
    about = "normalisation layers"

    def ask(self, query: RunQuery) -> NormSeries:
        """Return it."""
        return query.norm_series(self.norms, self.statistic, self.axis)


@dataclass(frozen=True, slots=True)
class ParametersQuestion(Question[NormSeries]):
    """One statistic of parameters outside the layers over time."""

    parameters: tuple[int, ...]
    statistic: str
    axis: TimeAxis
    about = "parameters"

    def ask(self, query: RunQuery) -> NormSeries:
        """Return it."""
        return query.parameter_series(self.parameters, self.statistic, self.axis)


@dataclass(frozen=True, slots=True)
class ParameterRatiosQuestion(Question[NormSeries]):
    """The update ratios of parameters outside the layers over time."""

    parameters: tuple[int, ...]
    axis: TimeAxis
    about = "update ratios of parameters"

    def ask(self, query: RunQuery) -> NormSeries:
        """Return them."""
        return query.parameter_series(self.parameters, UPDATE_RATIO, self.axis)


@dataclass(frozen=True, slots=True)
class AdaptersQuestion(Question[NormSeries]):
    """One statistic of adapters over time."""

    adapters: tuple[int, ...]
    statistic: str
    axis: TimeAxis
    about = "adapters"

    def ask(self, query: RunQuery) -> NormSeries:
        """Return it."""
        return query.adapter_series(self.adapters, self.statistic, self.axis)


@dataclass(frozen=True, slots=True)
class HeadsQuestion(Question[NormSeries]):
    """One statistic of attention heads over time."""

    heads: tuple[int, ...]
    statistic: str
    axis: TimeAxis
    about = "attention heads"

    def ask(self, query: RunQuery) -> NormSeries:
        """Return it."""
        return query.head_series(self.heads, self.statistic, self.axis)


@dataclass(frozen=True, slots=True)
class InitialStdQuestion(Question[InitialStdOf]):
    """The standard deviations with which the weights of a layer would start."""

    layer: int
    about = "standard deviation at the start"

    def ask(self, query: RunQuery) -> InitialStdOf:
        """Return them."""
        return InitialStdOf(self.layer, query.initial_std(self.layer))


@dataclass(frozen=True, slots=True)
class StateQuestion(Question[RunState]):
    """The filters and layers that stand out at the end of the run."""

    about = "state"
    is_slow = True

    def ask(self, query: RunQuery) -> RunState:
        """Return them."""
        return query.state(is_brief=True)


@dataclass(frozen=True, slots=True)
class HeatmapQuestion(Question[Heatmap]):
    """The values of the filters of a node over time."""

    request: HeatmapRequest
    about = "heatmap"

    def ask(self, query: RunQuery) -> Heatmap:
        """Return them."""
        return query.heatmap(self.request)


@dataclass(frozen=True, slots=True)
class FilterHistoryQuestion(Question[FilterHistory]):
    """What one filter did over the run."""

    layer: int
    filter: int
    axis: TimeAxis
    about = "filter"

    def ask(self, query: RunQuery) -> FilterHistory:
        """Return it."""
        return query.filter_history(self.layer, self.filter, self.axis)


@dataclass(frozen=True, slots=True)
class FilterWeights:
    """The weights that are kept of a filter around triggers, ascending."""

    layer: int
    filter: int
    kept: tuple[KeptWeights, ...]


@dataclass(frozen=True, slots=True)
class FilterWeightsQuestion(Question[FilterWeights]):
    """The weights of a filter."""

    layer: int
    filter: int
    about = "weights of the filter"

    def ask(self, query: RunQuery) -> FilterWeights:
        """Return them."""
        return FilterWeights(self.layer, self.filter, query.kept_weights(self.layer, self.filter))


@dataclass(frozen=True, slots=True)
class FilterEvents:
    """The incidents and anomalies of classes at which a filter was among those that changed most.

    Attributes:
        layer: Index of its layer.
        filter: Its index within the layer.
        events: By class and iteration; incidents before anomalies.
    """

    layer: int
    filter: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class FilterEventsQuestion(Question[FilterEvents]):
    """Where a filter acts."""

    layer: int
    filter: int
    about = "where the filter acts"
    is_slow = True

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Look for incidents."""
        return query.prepare_incidents(seconds)

    def ask(self, query: RunQuery) -> FilterEvents:
        """Return it."""
        found = [
            query.events_of_filter(self.layer, self.filter, events)
            for events in (query.incident_events(), query.class_events())
        ]
        return FilterEvents(self.layer, self.filter, (*found[0], *found[1]))


@dataclass(frozen=True, slots=True)
class GraphQuestion(Question[NetworkGraph]):
    """The network as a graph."""

    about = "structure"

    def ask(self, query: RunQuery) -> NetworkGraph:
        """Return it."""
        return query.network_graph()
