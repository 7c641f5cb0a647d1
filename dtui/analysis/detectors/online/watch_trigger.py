"""What the flight recorder fired on, as evidence: it knows the very iteration."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import MOST_FILTERS, OnlineDetector, Recorded, Stream, online
from dtui.model import Evidence, Trigger

LEAST_CHANGE = 0.15


@online
class WatchTrigger(OnlineDetector):
    """Evidence a trigger but those of NaN; its rule is the trigger's kind."""

    name = "watch"
    title = "the flight recorder"
    source = "dtui: the flight recorder's own history of each value (dtui/record/flight/triggers.py)"
    needs = "the flight recorder"
    is_covered = True
    constants: ClassVar[Mapping[str, Constant]] = {
        "least change": Constant(
            LEAST_CHANGE, "of a filter's weights at the next record, for one that is said to jump"
        ),
    }

    def lacks(self, recorded: Recorded) -> str:
        """Say that the flight recorder was off."""
        return "" if recorded.has_watches else "the flight recorder left nothing (keep_around=0, or nothing fired)"

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps the triggers of filters until the next record confirms them."""
        return _Triggers(network)


class _Triggers:
    def __init__(self, network: Network) -> None:
        self._layers = {layer.name: layer for layer in network.layers}
        self._waiting: list[Trigger] = []

    def add(self, block: Block) -> list[Evidence]:
        found = []
        for trigger in block.triggers:
            if trigger.kind == "filter":
                self._waiting.append(trigger)
            elif trigger.kind != "nonfinite":
                found.append(self._evidence(trigger, trigger.iteration))
        waiting, self._waiting = self._waiting, []
        for trigger in waiting:
            at = int(np.searchsorted(block.iterations, trigger.iteration))
            if at == len(block.iterations):
                self._waiting.append(trigger)
            elif self._changed(trigger, block, at) >= LEAST_CHANGE:
                found.append(self._evidence(trigger, int(block.iterations[at])))
        return found

    def _changed(self, trigger: Trigger, block: Block, at: int) -> float:
        """Return the largest ‖Δw‖/‖w‖ of the filters that are said to jump; 0 where they are not there."""
        layer = self._layers.get(trigger.layer)
        if layer is None:
            return 0.0
        rows = [layer.first_filter + number for number in self._filters(trigger)]
        ratios = block.update_ratio[rows, at]
        return float(np.max(ratios[np.isfinite(ratios)], initial=0.0))

    def _filters(self, trigger: Trigger) -> tuple[int, ...]:
        layer = self._layers.get(trigger.layer)
        return () if layer is None else tuple(number for number in trigger.filters if 0 <= number < layer.filters)

    def _evidence(self, trigger: Trigger, known: int) -> Evidence:
        filters = self._filters(trigger)
        return Evidence(
            WatchTrigger.name,
            trigger.iteration,
            trigger.kind,
            layer=trigger.layer if trigger.layer in self._layers else None,
            filters=filters[:MOST_FILTERS],
            strength=trigger.score if math.isfinite(trigger.score) else 0.0,
            count=len(filters) or None,
            times=trigger.times if math.isfinite(trigger.times) else None,
            known=known,
        )
