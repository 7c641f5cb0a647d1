"""The record of one iteration, and the other things that a run stores: validations, gaps, triggers, metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import ByteArray, FloatArray, IntArray, LabelArray


class RunStatus(StrEnum):
    """Status of a run."""

    LIVE = "live"
    DONE = "done"
    INCOMPLETE = "incomplete"
    """Ended by itself, but the recorder did not see all of the training. A run stores it as done with a reason, which
    a dtui that does not know it shows as done with a gap."""
    CRASHED = "crashed"

    @classmethod
    def told(cls, closed: RunStatus, reason: str) -> RunStatus:
        """Return the status of a run from its stored end and the stored reason."""
        return cls.INCOMPLETE if closed is cls.DONE and reason else closed

    @property
    def stored(self) -> RunStatus:
        """What a run stores when it ends with this status."""
        return RunStatus.DONE if self is RunStatus.INCOMPLETE else self


@dataclass(frozen=True, eq=False, slots=True)
class Record:
    """The statistics of one recorded iteration. F filters, L layers, M modules, N normalisation layers.

    NaN means "no value": a frozen layer has no gradients, the first record no updates.

    Attributes:
        iteration: Optimizer updates done so far, minus one: the first update is iteration 0.
        filters: Shape (len(FILTER_STATISTICS), F), float32.
        layers: Shape (len(SOURCES), len(LAYER_STATISTICS), L), float32.
        modules: Shape (len(SOURCES), len(LAYER_STATISTICS), M), float32, of the concatenated tensors.
        histograms: Shape (L, HISTOGRAM_BINS), uint32, of the weights sampled.
        change_ratios: Shape (L, len(CHANGE_RATIO_EDGES)), float32, cumulative shares in [0, 1].
        scalars: What the training loop logged since the record before, the last value of each name, such as
            "loss", "error" (a share in [0, 1]) and "learning_rate"; names are data from outside.
        norms: Shape (len(NORM_STATISTICS), N), float32; None where they were not measured, as in a watch.
        columns: What else the frame holds, name to values, shape (rows,); a column that the run does not list is left
            out, one that is not here has no value.
        parameters: Shape (len(PARAMETER_STATISTICS), parameters outside the layers), float32; None where they were not
            measured, as in a watch.
        adapters: Shape (len(ADAPTER_STATISTICS), adapters), float32; None as of parameters.
        channels: Shape (len(CHANNEL_STATISTICS), channels of `Structure.channel_norms`), float32; None as of norms.
    """

    iteration: int
    filters: FloatArray
    layers: FloatArray
    modules: FloatArray
    histograms: IntArray
    change_ratios: FloatArray
    scalars: Mapping[str, float]
    norms: FloatArray | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    parameters: FloatArray | None = None
    adapters: FloatArray | None = None
    channels: FloatArray | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Validation:
    """How every tracked image was judged at one iteration, in the order of the ImageSet.

    Attributes:
        iteration: The iteration after which the validation took place.
        labels: Predicted label, shape (images,), uint16.
        confidences: Probability of that label, shape (images,), uint8, 255 is one.
        columns: As of a Record: what else the frame holds.
    """

    iteration: int
    labels: LabelArray
    confidences: ByteArray
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Gap:
    """Iterations at which data should have been recorded, but was not.

    Attributes:
        first: First iteration that is missing.
        last: Last iteration that is missing.
        stream: "records", "validations" or "watches".
        reason: One line; data from outside.
    """

    first: int
    last: int
    stream: str
    reason: str


MOST_TRIGGER_FILTERS = 64
"""Filters that one trigger names: of a trigger with so many nobody knows whether there were more."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """Why the flight recorder kept the watches around an iteration.

    Attributes:
        iteration: Of the watch that fired.
        kind: Of TRIGGER_KINDS.
        layer: Name of the layer that stands out most, "" where none can be named; data from outside.
        filters: Indices within that layer of the filters that stand out, ascending.
        score: Robust z against the trailing history; of "nonfinite", the number of elements known to be NaN or Inf.
        times: The value divided by its usual value; NaN for "nonfinite".
    """

    iteration: int
    kind: str
    layer: str
    filters: tuple[int, ...]
    score: float
    times: float


TRIGGER_KINDS = ("nonfinite", "loss", "gradient", "update", "filter")
"""What may fire: NaN or Inf; a jump of the loss, of all gradients, of all updates, of a filter against its layer."""


def every_that_fits(updates: int) -> int:
    """Return the largest round interval that still gives 50 records for a number of updates; 1 if none does."""
    fits = 1
    for power in range(len(str(updates))):
        fits = max([fits, *(step for step in (10**power, 2 * 10**power, 5 * 10**power) if step * 50 <= updates)])
    return fits


@dataclass(frozen=True, slots=True)
class RunMetadata:
    """Data about a run that is known before its first record.

    Attributes:
        name: Shown name; data from outside.
        created: ISO 8601 with offset.
        every: Iterations from one record to the next.
        invented: True for a run that no training made (`dtui synth`).
        versions: Package name to version, such as {"dtui": …, "torch": …}.
        hyperparameters: What the user passed along, and the optimizer's own; data from outside.
        notes: Labelled events that are known from outside, such as injected faults, each a flat mapping with
            at least "iteration" and "kind".
        keep_around: Watches that the flight recorder keeps around a trigger; 0 where it is off, None where that is not
            known, as in runs of before.
    """

    name: str
    created: str
    every: int
    invented: bool = False
    versions: Mapping[str, str] = field(default_factory=dict)
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Mapping[str, object], ...] = ()
    keep_around: int | None = None
