"""Updates of the whole network that are far larger than before: a learning rate that leaps, a lost optimizer state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.online.network_jump import NetworkJump
from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block
from dtui.analysis.detectors.stream.detector import online
from dtui.model import FloatArray


@online
class UpdateJump(NetworkJump):
    """The middle layer's ‖Δw‖/‖w‖ since the record before."""

    name = "update"
    title = "jumps of all updates"
    source = "dtui: FINDINGS §2, row update"
    needs = "layer statistics"
    least_z, times, floor = 6.0, 2.2, 0.1
    constants: ClassVar[Mapping[str, Constant]] = {
        "least z": Constant(least_z, "of ln of the middle layer's update over weight"),
        "times": Constant(times, "of the usual"),
    }

    def values(self, block: Block) -> FloatArray:
        """Return the middle layer's update over weight."""
        result: FloatArray = np.exp(block.middle_log_layer_ratio)
        return result
