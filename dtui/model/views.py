"""Answers that a RunQuery gives: frozen values that cross threads, each ready to draw and reduced to its axis.

All arrays are read-only. Along `columns`, a column holds what happened within its iterations; where it holds
no record, the record before it still stands; before the first and after the last record it is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dtui.model.arrays import BoolArray, ByteArray, FloatArray, IntArray
from dtui.model.axis import TimeAxis
from dtui.model.records import Gap, RunStatus
from dtui.model.structure import Coverage


@dataclass(frozen=True, slots=True)
class LayerStates:
    """Layers that did not train, by name, as far as the records tell; data from outside.

    Attributes:
        frozen: Required no gradient when recording began, and have not changed.
        no_gradient: Were to be trained, and were never given a gradient: nothing that is trained depends on them. Of a
            run that does not say which layers are frozen, those too.
        unchanged: Were to be trained and given gradients, and have not changed: no optimizer has them, or their
            gradients are zero.
        tied: Each with the other names of its weight.
    """

    frozen: tuple[str, ...] = ()
    no_gradient: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    tied: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One line about a run. Field names are those of `dtui info --json`.

    `reason` says why a run crashed or is incomplete, "" for any other; data from outside. `joins` are the
    iterations at which the training went on from a checkpoint, ascending. `coverage` says how much of the network is
    recorded, `trainable` how many elements its parameters have that were to be trained, None where that is not known.
    """

    run: str
    status: RunStatus
    reason: str
    format: int
    invented: bool
    records: int
    validations: int
    first_iteration: int | None
    last_iteration: int | None
    layers: int
    filters: int
    classes: int
    images: int
    gaps: tuple[Gap, ...]
    findings: tuple[str, ...]
    watches: int = 0
    joins: tuple[int, ...] = ()
    coverage: Coverage | None = None
    norms: int = 0
    trainable: int | None = None
    states: LayerStates = LayerStates()


@dataclass(frozen=True, slots=True)
class Stage:
    """A stretch of constant learning rate, from `iteration` on."""

    iteration: int
    learning_rate: float


@dataclass(frozen=True, eq=False, slots=True)
class Curves:
    """Error and loss over the axis.

    Attributes:
        axis: The columns.
        series: Name to shape (columns,), the mean within each column: "validation_error", "train_error" (shares in
            [0, 1]), "loss", and every other logged scalar by name; only names that the run has, in that order.
        extremes: Name to shape (2, columns): smallest and largest value within each column.
        nonfinite: Name to shape (columns,): NaN or Inf was logged within the column; only names that have any. Series
            and extremes leave such values out, and are NaN where a column holds no other.
    """

    axis: TimeAxis
    series: Mapping[str, FloatArray]
    extremes: Mapping[str, FloatArray]
    nonfinite: Mapping[str, BoolArray] = field(default_factory=dict)


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
        detail: Short form of a layer's weight, such as "3×3"; empty for modules and fully connected layers.
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


@dataclass(frozen=True, eq=False, slots=True)
class NodeSeries:
    """One statistic of several tree nodes.

    Attributes:
        axis: The columns.
        statistic: Of LAYER_STATISTICS.
        source: Of SOURCES.
        nodes: Tree node indices, one a row.
        values: Shape (nodes, columns); within a column the value farthest from zero.
        scale: The 99th percentile of |value| over the records, of the layer or module that nine in ten do not
            exceed (the root left out), > 0: full height of a horizon graph, the same for every node and window.
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


@dataclass(frozen=True, slots=True)
class HeatmapRequest:
    """Which filters to show, and how.

    Attributes:
        node: Tree node index.
        statistic: Of FILTER_STATISTICS.
        axis: The columns.
        first: First row shown, counted in sorted order, >= 0.
        count: Rows shown, >= 1.
        pixels: Most pixel rows at hand; more filters than that are averaged into pixels.
        normalise: "layer", "filter" or "iteration".
        sort: "index", "activity", "peak" or "similarity" (1-D order of the magnitudes over time).
    """

    node: int
    statistic: str
    axis: TimeAxis
    first: int
    count: int
    pixels: int
    normalise: str = "layer"
    sort: str = "index"


@dataclass(frozen=True, eq=False, slots=True)
class Heatmap:
    """Filters by iterations. P pixel rows, P <= request.pixels, n filters of the node.

    A run of more than 4,096 records is looked at through bins of 8 records where every column holds 32 or more: a bin
    across the edge of two columns shows in both, so that nothing is lost and a column may show what happened up to 7
    records beside it. The orders by activity and peak are then of bins, and the scale is of a fixed sample of records.

    Attributes:
        request: What was asked; first and count are clamped to the node.
        values: Shape (P, columns), raw; the largest value in a column (of a signed statistic the one farthest from
            zero), the mean over a pixel's filters.
        shades: Shape (P, columns), |value| in [0, 1] after normalisation, NaN where there is no value.
        scale: Value that shade 1 stands for when normalised by layer (the 99.5th percentile of |value| over the
            node and the records of the whole run, so that zooming changes no colour), else NaN.
        order: Shape (n,), row on screen to filter index within the node.
        filters: n.
        dead: Shape (n,), in order of `order`: no gradient over the last records of the run.
        late: Shape (n,), in order of `order`: began to change long after its layer did.
        labels: Shape (n,), in order of `order`: the layer index that each row belongs to.
        nonfinite: Shape (P, columns): NaN or Inf was counted among the weights or gradients of one of the pixel's
            filters within the column. None where there is none, which is nearly always.
    """

    request: HeatmapRequest
    values: FloatArray
    shades: FloatArray
    scale: float
    order: IntArray
    filters: int
    dead: BoolArray
    late: BoolArray
    labels: IntArray
    nonfinite: BoolArray | None = None


@dataclass(frozen=True, eq=False, slots=True)
class ClassCluster:
    """Classes whose error series resemble each other.

    Attributes:
        index: Position, by rising mean error.
        label: A word or two relative to the other clusters, such as "easiest".
        classes: Labels, by rising mean error.
    """

    index: int
    label: str
    classes: tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class ClassErrors:
    """Mean error of groups of classes.

    Attributes:
        axis: The columns.
        groups: The labels that each row averages over.
        values: Shape (groups, columns), shares in [0, 1]; within a column the largest.
    """

    axis: TimeAxis
    groups: tuple[tuple[int, ...], ...]
    values: FloatArray


@dataclass(frozen=True, slots=True)
class ImagesRequest:
    """Which images to show, and how.

    Attributes:
        classes: Labels whose images are shown.
        axis: The columns.
        first: First row shown, counted in sorted order.
        count: Rows shown, >= 1.
        pixels: Most pixel rows at hand; more images than that share pixels.
        sort: "index", "error" (most often right first), "similarity" (1-D order of the series) or "peak" (by when it
            was right most often for the first time).
        colour_by: "correctness" or "label": which wrong class.
    """

    classes: tuple[int, ...]
    axis: TimeAxis
    first: int
    count: int
    pixels: int
    sort: str = "error"
    colour_by: str = "correctness"


@dataclass(frozen=True, eq=False, slots=True)
class ImageRows:
    """Images by validations. P pixel rows, n images of the classes.

    Attributes:
        request: What was asked; first and count are clamped.
        correct: Shape (P, columns): share of right judgements in [0, 1], NaN where there was no validation yet, or all
            labels are lost to damage.
        wrong_label: Shape (P, columns), int32: the most frequent wrong label, -1 where all were right or none judged;
            -1 throughout unless coloured by label.
        order: Shape (n,), row on screen to image index in the ImageSet.
        images: n.
        always_wrong: Shape (n,), in order of `order`: wrong in every validation of the run whose label is known.
    """

    request: ImagesRequest
    correct: FloatArray
    wrong_label: IntArray
    order: IntArray
    images: int
    always_wrong: BoolArray


@dataclass(frozen=True, eq=False, slots=True)
class ImageVerdict:
    """How one image was judged at the last validation at or before an iteration.

    Attributes:
        image: Index in the ImageSet.
        id: Its id outside; data from outside.
        target: True label.
        label: Predicted label, None before the first validation, or where it is lost to damage.
        confidence: Probability of the predicted label, [0, 1]; NaN where it is not known.
        iteration: Iteration of the validation, None before the first.
        times_wrong: Validations in which it was wrong, of `validations`.
        validations: Validations of the run so far, also those after `iteration`, but for those whose label is lost.
        pixels: Shape (height, width, 3), uint8, the thumbnail; None when there is none.
    """

    image: int
    id: str
    target: int
    label: int | None
    confidence: float
    iteration: int | None
    times_wrong: int
    validations: int
    pixels: ByteArray | None
