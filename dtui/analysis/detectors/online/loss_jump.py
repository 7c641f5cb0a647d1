"""A loss that is far larger than before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.online.network_jump import NetworkJump
from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block
from dtui.analysis.detectors.stream.detector import Recorded, online
from dtui.model import FloatArray

SMALLEST = 1e-3


@online
class LossJump(NetworkJump):
    """The loss of the training as it was logged."""

    name = "loss"
    title = "jumps of the loss"
    source = "dtui: FINDINGS §2, row loss"
    needs = "a loss"
    least_z, times, floor, least = 6.0, 3.0, 0.25, 0.5
    constants: ClassVar[Mapping[str, Constant]] = {
        "least z": Constant(least_z, "of ln of the loss"),
        "times": Constant(times, "of the usual"),
        "least": Constant(least, "what the loss must exceed: below, a batch that is hard looks like a jump"),
        "smallest": Constant(SMALLEST, "below, a loss counts as this"),
    }

    def lacks(self, recorded: Recorded) -> str:
        """Say that no loss was logged."""
        return "" if recorded.has_loss else "no loss was logged"

    def values(self, block: Block) -> FloatArray:
        """Return the largest loss since the record before, at least 0.001; NaN where none was logged or is finite."""
        loss = block.at_most("loss", np.where(np.isfinite(block.loss), block.loss, np.nan))
        with np.errstate(invalid="ignore"):
            result: FloatArray = np.where(np.isfinite(loss), np.maximum(loss, SMALLEST), np.nan)
        return result
