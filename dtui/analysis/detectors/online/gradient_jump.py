"""Gradients of the whole network that are far larger than before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.online.network_jump import NetworkJump
from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block
from dtui.analysis.detectors.stream.detector import Recorded, online
from dtui.model import FloatArray


@online
class GradientJump(NetworkJump):
    """The norm of all gradients together."""

    name = "gradient"
    title = "jumps of all gradients"
    source = "dtui: FINDINGS §2, row gradient"
    needs = "gradients"
    least_z, times, floor = 7.0, 4.0, 0.2
    constants: ClassVar[Mapping[str, Constant]] = {
        "least z": Constant(least_z, "of ln of the norm"),
        "times": Constant(times, "of the usual"),
    }

    def lacks(self, recorded: Recorded) -> str:
        """Say that gradients were not recorded."""
        return "" if recorded.has_gradients else "gradients were not recorded"

    def values(self, block: Block) -> FloatArray:
        """Return the largest norm since the record before, NaN where no layer has a gradient."""
        norms = block.layer_gradients.astype(np.float64)
        known = np.isfinite(norms)
        total = np.sqrt(np.sum(np.where(known, norms, 0.0) ** 2, axis=0))
        return block.at_most("gradient_norm", np.where(known.any(axis=0), np.maximum(total, 1e-12), np.nan))
