"""A layer that stops changing while the others go on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import OnlineDetector, Stream, online
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.model import Evidence, IntArray

SHARE = 1e-4
RECORDS = 3
BEFORE = 8
KEPT = RECORDS + BEFORE - 1
ALL = (1 << KEPT + 1) - 1
STOPPED = (1 << RECORDS) - 1


@online
class FrozenLayer(OnlineDetector):
    """Evidence a layer that stops; its iteration is the first record without a change."""

    name = "frozen"
    title = "layers that stop changing"
    source = "dtui: FINDINGS §2, row frozen"
    needs = "layer statistics"
    constants: ClassVar[Mapping[str, Constant]] = {
        "share": Constant(SHARE, "of what the middle one of the layers that move changes, relative to its weights"),
        "records": Constant(RECORDS, "in a row, and none of the 8 before"),
    }

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps whether each layer stood still at the last 10 records."""
        return _StoppingLayers(network)


class _StoppingLayers:
    def __init__(self, network: Network) -> None:
        self._layers = network.layers
        self._still: IntArray = np.zeros(len(network.layers), dtype=np.int32)  # a bit a record, the last one lowest
        self._iterations: IntArray = np.zeros(KEPT, dtype=np.int64)

    def add(self, block: Block) -> list[Evidence]:
        if not len(block.iterations):
            return []
        with np.errstate(invalid="ignore"):
            now = block.layer_ratio < SHARE * block.middle_moving_ratio
        iterations = np.concatenate([self._iterations, block.iterations])
        self._iterations = iterations[-KEPT:]
        stops = np.zeros(now.shape, dtype=np.bool_)
        for at in range(now.shape[1]):
            self._still = (self._still << 1 | now[:, at]) & ALL
            stops[:, at] = self._still == STOPPED
        stops[:, : max(0, WARM_UP - block.first)] = False
        return [
            Evidence(
                FrozenLayer.name,
                int(iterations[KEPT + at - RECORDS + 1]),
                layer=self._layers[layer].name,
                strength=60.0,
                known=int(iterations[KEPT + at]),
            )
            for layer, at in zip(*np.nonzero(stops), strict=True)
        ]
