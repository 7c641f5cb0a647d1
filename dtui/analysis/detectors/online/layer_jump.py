"""A layer whose weights change far more than those of the others, or whose norm leaps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import LEAST_UPDATE, Block, Network
from dtui.analysis.detectors.stream.detector import OnlineDetector, Stream, online
from dtui.analysis.detectors.stream.trailing import WARM_UP, WINDOW, Tail, robust_z, windows_before
from dtui.analysis.quantiles import column_medians
from dtui.model import Evidence

LEAST_Z = 9.0
TIMES = 3.0
LEAST_CHANGE = 0.1
FLOOR = 0.15
LEAP = 0.3
LEAP_OF_OTHERS = 0.25


@online
class LayerJump(OnlineDetector):
    """Evidence a layer and record; its amount is ‖Δw‖/‖w‖.

    Its times is, of the rule "norm", how often the norm of the weights is what it was a record before; of the rule
    "change", how often its change against the middle layer's is what it usually is.
    """

    name = "layer"
    title = "jumps of layers"
    source = "dtui: FINDINGS §2, row layer"
    needs = "layer statistics"
    constants: ClassVar[Mapping[str, Constant]] = {
        "least z": Constant(LEAST_Z, "of its change against the middle layer's"),
        "times": Constant(TIMES, "of what it usually changes against the others"),
        "least change": Constant(LEAST_CHANGE, "of its weights"),
        "leap": Constant(LEAP, "of ln of its norm in one record, and 0.25 more than the middle layer's"),
    }

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps the last 20 records of each layer."""
        return _LayerJumps(network)


class _LayerJumps:
    def __init__(self, network: Network) -> None:
        self._layers = network.layers
        self._tail = Tail(len(network.layers))
        self._norm = Tail(len(network.layers), 1)

    def add(self, block: Block) -> list[Evidence]:
        with np.errstate(invalid="ignore"):
            joined = self._tail.extend(block.log_layer_ratio - np.log(block.middle_moving_ratio))
            norms = self._norm.extend(np.log(np.maximum(block.layer_weights, LEAST_UPDATE)))
            leap = np.diff(norms, axis=1)
            is_leap = np.abs(leap) > LEAP
            if is_leap.any():
                is_leap &= np.abs(leap - column_medians(leap)) > LEAP_OF_OTHERS
            changed = block.layer_ratio > LEAST_CHANGE
            may_fire = changed | is_leap
            may_fire[:, : max(0, WARM_UP - block.first)] = False
            places = np.nonzero(may_fire)
            if not len(places[0]):
                return []
            z, rise = robust_z(joined[:, WINDOW:][places], windows_before(joined)[places], FLOOR)
            is_jump = (z > LEAST_Z) & (rise > math.log(TIMES)) & changed[places]
        fired = np.flatnonzero(is_jump | is_leap[places])
        return [
            Evidence(
                LayerJump.name,
                int(block.iterations[at]),
                rule="norm" if is_leap[layer, at] else "change",
                layer=self._layers[layer].name,
                strength=_finite(max(_finite(z[one]), 40 * _finite(abs(leap[layer, at])))),
                times=math.exp(_finite(leap[layer, at] if is_leap[layer, at] else rise[one])),
                amount=_finite(block.layer_ratio[layer, at]),
            )
            for one, layer, at in zip(fired, *(place[fired] for place in places), strict=True)
        ]


def _finite(value: float) -> float:
    return float(value) if math.isfinite(value) else 0.0
