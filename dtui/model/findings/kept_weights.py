"""Weights that the flight recorder kept of the filters that a trigger names."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class WeightsAt:
    """Weights of some filters of one layer at one iteration, before or after a trigger.

    Attributes:
        iteration: Of the trigger.
        layer: Name of the layer; data from outside.
        at: The iteration after whose update they were read: before the trigger if it is less, else after.
        shape: Of one filter's weights, such as (input channels, height, width); () for a single number.
        filters: Indices within the layer, ascending.
        values: Shape (filters, elements), float32, NaN and Inf as they were: the first elements of each filter in the
            order of `shape`, all of them where they have room.
    """

    iteration: int
    layer: str
    at: int
    shape: tuple[int, ...]
    filters: tuple[int, ...]
    values: FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class KeptWeights:
    """What is kept of the weights of one filter around one trigger that names it.

    Attributes:
        iteration: Of the trigger.
        layer: Index of the layer.
        filter: Its index within the layer.
        shape: Of its weights, such as (input channels, height, width).
        before_at: The iteration after whose update `before` was read, less than `iteration`; None if it is not kept.
        before: Shape (elements,), float32, NaN and Inf as they were: the first elements in the order of `shape`; empty
            if it is not kept.
        after_at: The same of `after`, at least `iteration`.
        after: As `before`.
    """

    iteration: int
    layer: int
    filter: int
    shape: tuple[int, ...]
    before_at: int | None
    before: FloatArray
    after_at: int | None
    after: FloatArray
