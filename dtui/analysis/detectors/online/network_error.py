"""An error of all classes together that rises beyond its own history."""

from __future__ import annotations

import numpy as np

from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import OnlineDetector, Recorded, Stream, online
from dtui.analysis.rises.network_errors import NetworkErrors, mean_error
from dtui.model import Evidence, IntArray


@online
class NetworkError(OnlineDetector):
    """Evidence a rise; its amount is the rise of the mean error of the classes, its strength the robust z."""

    name = "network"
    title = "drops of the whole network"
    source = "dtui: FINDINGS §2, row network error; rule and constants: dtui/analysis/network_errors.py"
    needs = "validations of the same images"

    def lacks(self, recorded: Recorded) -> str:
        """Say that there are no validations."""
        return "" if recorded.validations else "no validations were recorded"

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps some thirty validations."""
        return _Rises(network)


class _Rises:
    def __init__(self, network: Network) -> None:
        self._sizes = network.class_sizes
        self._rule = NetworkErrors(max(1, int(self._sizes.sum())))
        self._iterations: IntArray = np.zeros(0, dtype=np.int64)

    def add(self, block: Block) -> list[Evidence]:
        if not len(block.validations):
            return []
        self._iterations = np.concatenate([self._iterations, block.validations])
        return [
            Evidence(
                NetworkError.name,
                int(self._iterations[rise.validation]),
                strength=rise.score,
                known=int(self._iterations[rise.validation + rise.late]),
                amount=rise.rise,
                usual=rise.before,
            )
            for rise in self._rule.add(mean_error(block.errors, self._sizes))
        ]
