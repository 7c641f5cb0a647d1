"""Some records and validations of a run, one after the other, as detectors get them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from functools import cached_property

import numpy as np

from dtui.analysis.detectors.stream.by_layer import layer_medians
from dtui.analysis.quantiles import column_medians
from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, IntArray, Layer, Trigger

LEAST_UPDATE = 1e-12
STANDING_STILL = float(np.log(1e-9))
"""Logarithm of an update ratio below which a layer stands still; it says nothing of the network."""
BELOW_NETWORK = 2.0
"""A filter of a layer that moves e^2 times less than the network is seen against the network (FINDINGS §2)."""


@dataclass(frozen=True, slots=True)
class Network:
    """What does not change while a run grows.

    Attributes:
        layers: In storage order; L of them with F filters.
        class_sizes: Validation images of each class, shape (C,).
        norms: Names of the normalisation layers, N of them; data from outside.
        norm_layers: For each the name of the layer that it follows, "" where that is not known.
        output: The layer that has a row for each class; None where none is known.
        has_rate: Whether the largest learning rate since the record before is recorded, so that one that leaps is seen.
    """

    layers: Sequence[Layer]
    class_sizes: IntArray
    norms: tuple[str, ...] = ()
    norm_layers: tuple[str, ...] = ()
    output: Layer | None = None
    has_rate: bool = False


@dataclass(frozen=True, eq=False)
class Block:
    """n records, without watches, and m validations. NaN is no value: lost, never measured, or no number.

    Attributes:
        layers: Those of the network.
        first: How many records came before.
        iterations: Of the records, shape (n,), ascending.
        update_ratio: ‖Δw‖ over ‖w before‖ of every filter since the record before, shape (F, n).
        gradient_norm: Of every filter, shape (F, n).
        layer_weights: ‖w‖ of every layer, shape (L, n).
        layer_updates: ‖Δw‖ of every layer since the record before, shape (L, n).
        layer_gradients: Gradient norm of every layer, shape (L, n).
        bad_weights: NaN and Inf among the weights of every layer, shape (L, n).
        bad_gradients: The same among the gradients.
        loss: Shape (n,); infinities where it was not finite, NaN where none was logged or it is lost.
        validations: Iterations, shape (m,), ascending.
        errors: Share of the judged images of each class that are wrong, shape (C, m).
        triggers: What the flight recorder fired on, in order; data from outside.
        learning_rate: Shape (n,); NaN where none was logged.
        largest: Largest value between the record before and this one, of "loss", "learning_rate" and "gradient_norm",
            each of shape (n,), NaN where it was not recorded.
        norms: Statistic of normalisation layers to shape (N, n); empty where a run holds none.
        bad_filters: Answers which filters of a layer, by index, hold NaN or Inf at a record of the block.
        taken_for: Answers which labels the images of a class got at some validations of the run so far, by position,
            shape (images, validations), negative where one is lost; None where nobody can tell.
    """

    layers: Sequence[Layer]
    first: int
    iterations: IntArray
    update_ratio: FloatArray
    gradient_norm: FloatArray
    layer_weights: FloatArray
    layer_updates: FloatArray
    layer_gradients: FloatArray
    bad_weights: FloatArray
    bad_gradients: FloatArray
    loss: FloatArray
    validations: IntArray
    errors: FloatArray
    triggers: tuple[Trigger, ...] = ()
    learning_rate: FloatArray = field(default_factory=lambda: np.zeros(0))
    largest: Mapping[str, FloatArray] = field(default_factory=dict)
    norms: Mapping[str, FloatArray] = field(default_factory=dict)
    bad_filters: Callable[[int, int], tuple[int, ...]] = lambda layer, record: ()
    taken_for: Callable[[int, slice], IntArray] | None = None

    def at_most(self, name: str, values: FloatArray) -> FloatArray:
        """Return the larger of values at the records and what was seen since the record before, shape (n,)."""
        between = self.largest.get(name)
        return values if between is None else np.fmax(values, between)

    @cached_property
    def log_ratio(self) -> FloatArray:
        """ln of `update_ratio`, shape (F, n)."""
        return log_ratio(self.update_ratio)

    @cached_property
    def relative_ratio(self) -> FloatArray:
        """`log_ratio` less that of the middle filter of the layer, or of the network where the layer stands still."""
        return relative_ratio(self.layers, self.log_ratio)

    @cached_property
    def layer_ratio(self) -> FloatArray:
        """‖Δw‖ over ‖w‖ of every layer since the record before, shape (L, n)."""
        with np.errstate(invalid="ignore"):
            result: FloatArray = self.layer_updates / np.maximum(self.layer_weights, LEAST_UPDATE)
        return result

    @cached_property
    def log_layer_ratio(self) -> FloatArray:
        """ln of `layer_ratio`, shape (L, n)."""
        with np.errstate(invalid="ignore"):
            result: FloatArray = np.log(np.maximum(self.layer_ratio, 1e-9))
        return result

    @cached_property
    def middle_log_layer_ratio(self) -> FloatArray:
        """`log_layer_ratio` of the middle layer, shape (n,); NaN where half of the layers or more stand still."""
        is_still = self.layer_ratio == 0
        few_move = 2 * np.count_nonzero(is_still, axis=0) >= np.count_nonzero(np.isfinite(self.layer_ratio), axis=0)
        return np.where(few_move, np.nan, column_medians(self.log_layer_ratio))

    @cached_property
    def middle_moving_ratio(self) -> FloatArray:
        """`layer_ratio` of the middle one of the layers that move, shape (n,); NaN where none does.

        Most layers of a network may be frozen on purpose, below adapters for example: these are no measure of what is
        usual.
        """
        return middle_of_moving(self.layer_ratio)


def middle_of_moving(ratios: FloatArray) -> FloatArray:
    """Return the median of each column's values above zero, shape (n,); NaN where there are none."""
    with np.errstate(invalid="ignore"):
        return column_medians(np.where(ratios > 0, ratios, np.nan))


def log_ratio(update_ratio: FloatArray) -> FloatArray:
    """Return ln of an update ratio of each filter, shape (F, n)."""
    with np.errstate(invalid="ignore"):
        result: FloatArray = np.log(np.maximum(update_ratio, np.float32(LEAST_UPDATE)))
    return result


def relative_ratio(layers: Sequence[Layer], logarithms: FloatArray) -> FloatArray:
    """Return `Block.relative_ratio` of records by their `log_ratio`, shape (F, n); each record by itself."""
    middle = layer_medians(layers, logarithms)
    network = column_medians(np.where(middle > STANDING_STILL, middle, np.nan))
    with np.errstate(invalid="ignore"):
        floor = np.fmax(middle, network - BELOW_NETWORK)
    result = np.empty_like(logarithms)
    for layer, against in zip(layers, floor.astype(np.float32), strict=True):
        np.subtract(logarithms[layer.filter_rows], against, out=result[layer.filter_rows])
    return result
