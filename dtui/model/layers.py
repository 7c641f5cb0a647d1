"""Answers about layers and their filters: tree, series, box plots, histograms, norms, one filter, the drawn network.

All arrays are read-only. Columns are those of the axis, as in `dtui.model.views`.
"""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import BoolArray, FloatArray, IntArray
from dtui.model.axis import TimeAxis
from dtui.model.statistics import title_of
from dtui.model.structure import ActivationPlace

HEALTHY_RATIOS = (1e-4, 1e-2)
"""Update ratios of a layer, per update, as usual in a training that works. Source: dtui, after Karpathy's 1e-3."""

UPDATE_RATIO = "update_ratio"
"""What a NodeSeries of update ratios per update calls its statistic."""

ADAPTER_RATIO = "adapter_ratio"
"""What a NormSeries calls ‖BA‖ · scale of adapters, divided by the norm of the weight."""

BOX_STATISTICS = ("min", "q1", "median", "q3", "max")
"""What a box plot is made of, from the bottom."""

HISTOGRAM_SOURCES = ("weights", "gradients")
"""What a run stores histograms of: the weights themselves, and |gradient / weight|."""


def layer_called(name: str) -> str:
    """Return a layer as a sentence names it: "layer 2" where the name begins with a number, as in an `nn.Sequential`.

    Args:
        name: Data from outside.
    """
    return f"layer {name}" if name[:1].isdecimal() else name


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A row of the network hierarchy: a module or a layer.

    Attributes:
        index: Position in depth-first order; stable for a run.
        name: Full dotted name; data from outside.
        label: Last part of the name; data from outside.
        depth: 0 for the children of the root.
        parent: Index of the parent node, -1 at the top.
        layer: Index of the layer, None for a module.
        module: Index of the module, None for a layer.
        layers: Indices of all layers at or below it.
        kind: Class name, such as "Conv2d", "Linear", "BasicBlock".
        detail: Kernel size of a layer, such as "3×3"; empty for modules and fully connected layers.
        filters: Number of filters at or below it.
        first_filter: Its first row on the flat filter axis (rows of a node follow each other).
    """

    index: int
    name: str
    label: str
    depth: int
    parent: int
    layer: int | None
    module: int | None
    layers: tuple[int, ...]
    kind: str
    detail: str
    filters: int
    first_filter: int


@dataclass(frozen=True, slots=True)
class AttentionHead:
    """One head of an attention, as far as one layer makes it.

    Attributes:
        layer: Name of the layer; data from outside.
        index: Index of the layer.
        part: Of HEAD_PARTS.
        head: Its number, from 0.
        first: Its first filter within the layer; of an output its first input.
        stop: The filter behind its last.
        of_inputs: Whether these are inputs: then every filter of the layer belongs to all heads.
    """

    layer: str
    index: int
    part: str
    head: int
    first: int
    stop: int
    of_inputs: bool = False

    @property
    def title(self) -> str:
        """As people read it, such as "query 3"."""
        return f"{self.part} {self.head}"


@dataclass(frozen=True, slots=True)
class MovedHead:
    """How much an attention head moved, beside the others of its layer and part.

    Attributes:
        head: The head.
        ratio: Its mean update ratio, per update, > 0.
        times: That, divided by the median of the layer's heads of the same part.
        iteration: Of the record at which its update ratio was largest.
    """

    head: AttentionHead
    ratio: float
    times: float
    iteration: int


@dataclass(frozen=True, slots=True)
class MovedChannel:
    """How far a channel of a normalisation layer moved from the first record to the last.

    Attributes:
        norm: Name of its layer; data from outside.
        statistic: Of CHANNEL_STATISTICS.
        channel: Its place in the layer, from 0.
        first: Value at the first record.
        last: Value at the last record.
        moved: The difference; of a running mean in standard deviations at first, of a variance of the logarithms. > 0.
    """

    norm: str
    statistic: str
    channel: int
    first: float
    last: float
    moved: float


@dataclass(frozen=True, slots=True)
class InitialStd:
    """Standard deviations with which a weight would start, > 0.

    Attributes:
        he: After He, for ReLU.
        xavier: After Xavier Glorot.
        default: Torch's own, of linear layers and convolutions; NaN for others.
    """

    he: float
    xavier: float
    default: float

    def told(self) -> tuple[tuple[str, float], ...]:
        """Return who would start where, in words and numbers."""
        every = (("He", self.he), ("Xavier", self.xavier), ("torch's default", self.default))
        return tuple((who, value) for who, value in every if value == value)


@dataclass(frozen=True, eq=False, slots=True)
class NodeSeries:
    """One statistic of several tree nodes.

    Attributes:
        axis: The columns.
        statistic: Of LAYER_STATISTICS.
        source: Of SOURCES.
        nodes: Tree node indices, one a row.
        values: Shape (nodes, columns); within a column the value farthest from zero.
        scale: Full height of a horizon graph, > 0, the same for every node and window: take the 99th percentile of
            |value| over the records for each layer and module but the root, then the 90th percentile of these.
        nonfinite: Shape (nodes, columns): NaN or Inf was counted among the source's elements within the column. None
            where there is none, which is nearly always.
    """

    axis: TimeAxis
    statistic: str
    source: str
    nodes: tuple[int, ...]
    values: FloatArray
    scale: float
    nonfinite: BoolArray | None = None


@dataclass(frozen=True, eq=False, slots=True)
class NodeBoxes:
    """Box plots of several tree nodes over time, all on one scale.

    Attributes:
        axis: The columns.
        source: Of SOURCES.
        nodes: Tree node indices, one a row.
        values: Shape (5, nodes, columns), in the order of BOX_STATISTICS; of several records in a column the smallest
            min, the largest max, and the mean of the others. NaN where there is no value.
        low: Bottom of the scale; what lies beyond its ends is drawn at them.
        high: Top of the scale, > low.
        linear: 0 for a linear scale. Otherwise values within ± `linear` are linear, and those beyond are logarithmic:
            the layers' spreads lie three decades or more apart.
    """

    axis: TimeAxis
    source: str
    nodes: tuple[int, ...]
    values: FloatArray
    low: float
    high: float
    linear: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class NodeHistograms:
    """How the weights, or the sizes of gradient/weight, of several tree nodes are distributed over time.

    Attributes:
        axis: The columns.
        source: Of HISTOGRAM_SOURCES; of gradients the bins are decades.
        nodes: Tree node indices, one a row.
        shares: Shape (nodes, bins, columns): share of the elements in each bin, lowest bin first, in [0, 1], at the
            last record of a column. NaN where nothing was stored, or where one far value made the stored bins coarse.
        edges: Shape (nodes, bins + 1): ends of the bins. The outermost bins also hold what lies beyond them.
    """

    axis: TimeAxis
    source: str
    nodes: tuple[int, ...]
    shares: FloatArray
    edges: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class NormSeries:
    """One statistic of normalisation layers, parameters outside the layers, adapters or attention heads, over time.

    Attributes:
        axis: The columns.
        statistic: Of NORM_STATISTICS; of PARAMETER_STATISTICS or UPDATE_RATIO; of ADAPTER_STATISTICS or ADAPTER_RATIO;
            of FILTER_STATISTICS.
        norms: Places in `Structure.norms`, `parameters` or `adapters`, or among the heads that filters make; one a row.
        values: Shape (norms, columns); within a column the largest.
        scale: Full height of a horizon graph, > 0, for every one of the run's.
    """

    axis: TimeAxis
    statistic: str
    norms: tuple[int, ...]
    values: FloatArray
    scale: float

    @property
    def title(self) -> str:
        """The statistic as people read it."""
        return title_of(self.statistic)


@dataclass(frozen=True, eq=False, slots=True)
class FilterCourse:
    """One statistic of a filter over time, beside its layer.

    Attributes:
        statistic: Of FILTER_STATISTICS, or of ACTIVATION_COLUMNS.
        values: Shape (columns,): of the filter; within a column the largest.
        median: Shape (columns,): of the layer's filters, each with its largest value in the column.
        low: Shape (columns,): the 5th percentile of these.
        high: Shape (columns,): the 95th percentile of these.
        ranks: Shape (columns,): 1 + filters with a larger value; 0 where the filter has none.
    """

    statistic: str
    values: FloatArray
    median: FloatArray
    low: FloatArray
    high: FloatArray
    ranks: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class FilterHistory:
    """What a filter did over the run.

    Attributes:
        axis: The columns.
        layer: Index of its layer.
        filter: Its index within the layer.
        of: Filters of the layer.
        courses: One for each statistic of INSPECTED, and of ACTIVATION_COLUMNS, that the run holds, in that order.
        read: Where its activations are read; None where they are not recorded.
        std: Shape (columns,): the standard deviation of its weights, NaN where it has none; None where it was not
            recorded.
        starts: Where that of the layer's weights would start; None where its shape does not tell.
    """

    axis: TimeAxis
    layer: int
    filter: int
    of: int
    courses: tuple[FilterCourse, ...]
    read: ActivationPlace | None = None
    std: FloatArray | None = None
    starts: InitialStd | None = None


ACTIVATION_COLUMNS = ("activation_zeros", "activation_mean")
"""Columns of validations, which a FilterHistory has behind the statistics where the run holds them: the share of a
filter's activations that are not above zero, and their mean."""

INSPECTED = ("norm", "update_ratio", "gradient_norm", "cosine_distance")
"""Statistics in a FilterHistory."""


@dataclass(frozen=True, slots=True)
class GraphRow:
    """One node of the network's graph, drawn as one row with the lanes beside it.

    Attributes:
        name: Module name, or the operation at a join; data from outside.
        lane: Column of lanes in which the node stands.
        links: For each lane, what of it is drawn in this row: the sum of UP, DOWN, LEFT and RIGHT, 0 for nothing.
        inputs: Number of nodes that flow into it.
        outputs: Number of nodes that it flows into.
    """

    name: str
    lane: int
    links: tuple[int, ...]
    inputs: int
    outputs: int


UP, DOWN, LEFT, RIGHT = 1, 2, 4, 8
"""Arms of a lane in one row."""


@dataclass(frozen=True, slots=True)
class NetworkGraph:
    """The recorded graph of the network, from its inputs down.

    Attributes:
        rows: In an order in which every node follows its inputs, as far as there is one.
        lanes: Most lanes beside each other.
        backwards: Edges that are not drawn, because they flow upwards.
        is_recorded: Whether the graph was recorded; if not, the rows are the layers in order, and no lane joins them.
    """

    rows: tuple[GraphRow, ...]
    lanes: int
    backwards: int = 0
    is_recorded: bool = True
