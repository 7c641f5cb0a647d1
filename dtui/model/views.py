"""Answers of a RunQuery: frozen values that cross threads, ready to draw and reduced to their axis.

All arrays are read-only. Along `columns`, a column shows the records within its iterations. A column without a record
shows the record before it. Before the first and after the last record a column is NaN.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import BoolArray, ByteArray, FloatArray, IntArray, distinct
from dtui.model.axis import TimeAxis
from dtui.model.coverage import Coverage
from dtui.model.findings.adapters import AdapterState
from dtui.model.findings.nonfinite import LookPlan
from dtui.model.judging import Judging
from dtui.model.records import Gap, RunStatus
from dtui.model.structure import ImageSet
from dtui.number_text import counted


@dataclass(frozen=True, slots=True)
class LayerStates:
    """Layers that did not train, by name, as far as the records tell; data from outside.

    Attributes:
        frozen: Did not require a gradient when recording began, and have not changed.
        no_gradient: Were set to be trained, but never got a gradient: the loss does not depend on them. In a run that
            does not store which layers are frozen, frozen layers are here too.
        unchanged: Were set to be trained and got gradients, but have not changed: no optimizer updates them, or their
            gradients are zero.
        tied: Layers with a shared weight, each with the other names of its weight.
    """

    frozen: tuple[str, ...] = ()
    no_gradient: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    tied: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class RunInfo:
    """One line about a run. Field names are those of `dtui info --json`.

    `reason` says why a run crashed or is incomplete, "" for any other run; data from outside. `joins` are the
    iterations at which the training was resumed from a checkpoint, ascending. `coverage` says how much of the network
    is recorded. `trainable` is the number of elements of the parameters that were set to be trained. Both are None
    where that is not known. `judging` says what is right in a run that scores decide; `classes` are then its groups.
    `activations` says whether validations hold activations of filters. `heads` counts the attention heads that layers
    make, those of queries, keys and values each; `adapters` are those at the last record.
    `looks` says whether the gradients of every
    update are looked at for NaN and Inf; None where the recorder has not decided it. `not_learned` says why the
    validations do not show that anything was learned, as half a sentence; "" where they do or cannot tell.
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
    channels: int = 0
    other_parameters: int = 0
    trainable: int | None = None
    states: LayerStates = LayerStates()
    judging: Judging | None = None
    activations: bool = False
    heads: int = 0
    adapters: tuple[AdapterState, ...] = ()
    looks: LookPlan | None = None
    not_learned: str = ""

    def classes_of(self, images: ImageSet | None) -> str:
        """Return how many classes or groups are judged, such as "10 classes"; where some have no images, "5 of 6"."""
        told = counted(self.classes, *(("class", "classes") if self.judging is None else ("group", "groups")))
        filled = self.classes if images is None else len(distinct(images.targets))
        return told if filled == self.classes else f"{filled:,} of {told}"


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
            and extremes leave such values out; they are NaN where a column has no other value.
    """

    axis: TimeAxis
    series: Mapping[str, FloatArray]
    extremes: Mapping[str, FloatArray]
    nonfinite: Mapping[str, BoolArray] = field(default_factory=dict)


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
        sort: "index", "activity", "peak", "similarity" (1-D order of the magnitudes over time) or "lead".
        lead: Filters of the node that come first where `sort` is "lead"; the others follow by index.
        within: First filter and stop of a part of the node, such as an attention head; None for all of it.
        norm: Place in `Structure.norms` of a normalisation layer whose channels are shown in place of the filters of
            the node; `statistic` is then of CHANNEL_STATISTICS, and "activity" is how far a channel moved.
    """

    node: int
    statistic: str
    axis: TimeAxis
    first: int
    count: int
    pixels: int
    normalise: str = "layer"
    sort: str = "index"
    lead: tuple[int, ...] = ()
    within: tuple[int, int] | None = None
    norm: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Heatmap:
    """Filters by iterations. P pixel rows, P <= request.pixels, n filters of the node or of a part.

    In a run of more than 4,096 records, bins of 8 records are used where every column holds 32 records or more. A bin
    across the edge of two columns counts in both: nothing is lost, but a column may show a value from up to 7 records
    outside it. The orders by activity and peak then use bins, and the scale uses a fixed sample of records.

    Attributes:
        request: The request; first and count are clamped to the node, or to the part of it.
        values: Shape (P, columns), raw; the largest value in a column (of a signed statistic the one farthest from
            zero), the mean over a pixel's filters.
        shades: Shape (P, columns), |value| in [0, 1] after normalisation, NaN where there is no value; of a statistic
            that is drawn so, its logarithm, from `decades` below the value of shade 1 on.
        scale: Value that shade 1 stands for when normalised by layer (the 99.5th percentile of |value| over the
            node and the records of the whole run, so that zooming changes no colour), else NaN.
        order: Shape (n,), row on screen to filter index within the node.
        filters: n.
        dead: Shape (n,), in order of `order`: whether a filter is dead at the end of the run.
        late: Shape (n,), in order of `order`: whether a filter began to change long after its layer.
        labels: Shape (n,), in order of `order`: the layer index that each row belongs to.
        nonfinite: Shape (P, columns): NaN or Inf was counted among the weights or gradients of one of the pixel's
            filters within the column. None if there is none, as nearly always.
        decades: Powers of ten between shade 0 and shade 1 on a logarithmic scale; 0 for a linear scale.
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
    decades: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class FilterCourses:
    """Some filters of one layer over time.

    Attributes:
        axis: The columns.
        layer: Index of the layer.
        statistic: Of FILTER_STATISTICS.
        filters: Shape (k,), indices within the layer: those asked for, then those that stand out most.
        times: Shape (k,), how many times farther than usual a filter once stood from the layer's median, >= 0; NaN
            where that says nothing.
        values: Shape (k, columns), the largest value in a column (of a signed statistic the one farthest from zero);
            NaN where there is no value.
        layer_scale: The 99.5th percentile of magnitudes over the layer's filters and records, > 0.
        filter_scales: Shape (k,), the largest magnitude of each filter over the run, > 0.
        column_scales: Shape (columns,), the 99.5th percentile of the magnitudes of all filters of the layer, > 0.
    """

    axis: TimeAxis
    layer: int
    statistic: str
    filters: IntArray
    times: FloatArray
    values: FloatArray
    layer_scale: float
    filter_scales: FloatArray
    column_scales: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class ClassCluster:
    """Classes with similar error series.

    Attributes:
        index: Position in order of rising mean error.
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
        groups: The labels whose images each row averages.
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
        sort: "index", "error" (most often right first), "similarity" (1-D order of the series) or "peak" (by the first
            time of its largest share right).
        colour_by: "correctness", or "label" for the wrong class.
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
        request: The request; first and count are clamped.
        correct: Shape (P, columns): share of right judgements in [0, 1]; NaN before the first validation, or where all
            labels are lost to damage.
        wrong_label: Shape (P, columns), int32: the most frequent wrong label; -1 where no image was judged wrong; -1
            everywhere unless coloured by label.
        order: Shape (n,), row on screen to image index in the ImageSet.
        images: n.
        always_wrong: Shape (n,), in order of `order`: whether an image was wrong in every validation for which its
            label is known.
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
        id: Its id outside dtui; data from outside.
        target: True label.
        label: Predicted label; None before the first validation, or where it is lost to damage.
        confidence: Probability of the predicted label, [0, 1]; NaN where it is not known.
        iteration: Iteration of the validation, None before the first.
        times_wrong: Validations in which it was wrong, of `validations`.
        validations: Validations of the run so far, also those after `iteration`; validations whose label is lost do not
            count.
        pixels: The thumbnail, shape (height, width, 3), uint8; None if there is none.
        judging: What decides whether it is right, in a run that scores decide; None where class scores do.
        score: Its score at that validation; NaN where there is none.
        rank: Place of the true class among the class scores, 0 for the first; None where that was not recorded.
        second_label: The label with the second largest class score; None where that was not recorded.
        second_confidence: Its probability, [0, 1]; NaN where that was not recorded.
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
    judging: Judging | None = None
    score: float = float("nan")
    rank: int | None = None
    second_label: int | None = None
    second_confidence: float = float("nan")
