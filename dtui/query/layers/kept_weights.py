"""Answers which weights the flight recorder kept of the filters that its triggers name."""

from __future__ import annotations

import numpy as np

from dtui.errors import UsageError
from dtui.model import FloatArray
from dtui.model.findings.kept_weights import KeptWeights, WeightsAt
from dtui.query.data import RunData
from dtui.query.tree import check_filter

_NOTHING: FloatArray = np.zeros(0, np.float32)


def kept_weights(
    data: RunData, layer: int | None = None, filter: int | None = None, iteration: int | None = None
) -> tuple[KeptWeights, ...]:
    """Answer `RunQuery.kept_weights`."""
    if layer is None and filter is not None:
        raise UsageError(f"filter {filter}: of which layer? give layer= too")
    if layer is not None:
        check_filter(data, layer, 0 if filter is None else filter)
    return tuple(
        one
        for one in data.remembered("kept weights", lambda: _all(data))
        if layer in (None, one.layer) and filter in (None, one.filter) and iteration in (None, one.iteration)
    )


def _all(data: RunData) -> tuple[KeptWeights, ...]:
    """Return all that fits the run: lines of other layers, filters, shapes or triggers are passed over."""
    layers = {layer.name: layer for layer in data.structure.layers}
    named = {(trigger.iteration, trigger.layer) for trigger in data.triggers}
    sides: dict[tuple[int, int, int], dict[bool, tuple[WeightsAt, FloatArray]]] = {}
    for weights in data.reader.kept_weights():
        own = layers.get(weights.layer)
        if own is None or weights.shape != tuple(own.shape[1:]) or (weights.iteration, weights.layer) not in named:
            continue
        for filter, values in zip(weights.filters, weights.values, strict=True):
            if filter < own.filters:
                key = (weights.iteration, own.index, filter)
                sides.setdefault(key, {})[weights.at < weights.iteration] = (weights, values)
    found = []
    for (iteration, index, filter), side in sorted(sides.items()):
        before, after = side.get(True), side.get(False)
        shape = tuple(data.structure.layers[index].shape[1:])
        kept = KeptWeights(
            iteration,
            index,
            filter,
            shape,
            before and before[0].at,
            _NOTHING if before is None else before[1],
            after and after[0].at,
            _NOTHING if after is None else after[1],
        )
        found.append(kept)
    return tuple(found)
