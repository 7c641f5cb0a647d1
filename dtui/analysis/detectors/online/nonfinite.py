"""NaN or Inf in weights, gradients or the loss, where it begins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import MOST_FILTERS, OnlineDetector, Stream, online
from dtui.model import Evidence, Trigger
from dtui.model.records import MOST_TRIGGER_FILTERS

STRENGTH = 1000.0
MOST_OF_NETWORK = 0.5
REST = 12


@online
class Nonfinite(OnlineDetector):
    """Evidence once a time; its rule says of what: "weights", "gradients", "loss", or "watch" where a trigger told."""

    name = "nonfinite"
    title = "NaN and Inf"
    source = "dtui: FINDINGS §2, row nonfinite"
    needs = "layer statistics or a loss"
    constants: ClassVar[Mapping[str, Constant]] = {
        "strength": Constant(STRENGTH, "above what any jump of a training that goes on has"),
        "most of the network": Constant(MOST_OF_NETWORK, "of the layers: where more are hit at once, none is named"),
        "rest": Constant(REST, "records without, before it counts as beginning again"),
    }

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps how long ago the last NaN or Inf was."""
        return _Nonfinite(network)


class _Nonfinite:
    def __init__(self, network: Network) -> None:
        self._layers = network.layers
        self._filters = {layer.name: layer.filters for layer in network.layers}
        self._last = -REST - 1
        self._last_trigger = -1

    def add(self, block: Block) -> list[Evidence]:
        found = [self._of_trigger(trigger) for trigger in block.triggers if trigger.kind == "nonfinite"][:1]
        with np.errstate(invalid="ignore"):
            weights, gradients = block.bad_weights > 0, block.bad_gradients > 0
        loss = np.isinf(block.loss)
        for at in np.flatnonzero(weights.any(axis=0) | gradients.any(axis=0) | loss):
            place = block.first + int(at)
            if place - self._last > REST:
                found.append(self._of_record(block, int(at), weights[:, at], gradients[:, at]))
            self._last = place
        return found

    def _of_record(self, block: Block, at: int, weights: np.ndarray, gradients: np.ndarray) -> Evidence:
        rule = "weights" if weights.any() else "gradients" if gradients.any() else "loss"
        hit = np.flatnonzero(weights if weights.any() else gradients)
        is_everywhere = len(hit) > MOST_OF_NETWORK * len(self._layers)
        layer = None if is_everywhere or not len(hit) else int(hit[0])
        filters = () if layer is None else block.bad_filters(layer, at)[:MOST_FILTERS]
        return Evidence(
            Nonfinite.name,
            int(block.iterations[at]),
            rule,
            layer=None if layer is None else self._layers[layer].name,
            filters=filters,
            strength=STRENGTH,
            count=len(hit),
            share=len(hit) / len(self._layers) if len(hit) else None,
        )

    def _of_trigger(self, trigger: Trigger) -> Evidence:
        size = self._filters.get(trigger.layer, 0)
        filters = tuple(number for number in trigger.filters if 0 <= number < size)
        # All of a layer, or as many as a trigger names: the whole network may be hit, so none is named.
        is_part = 0 < len(filters) < min(size, MOST_TRIGGER_FILTERS)
        return Evidence(
            Nonfinite.name,
            trigger.iteration,
            "watch",
            layer=trigger.layer if is_part else None,
            filters=filters[:MOST_FILTERS] if is_part else (),
            strength=STRENGTH,
        )
