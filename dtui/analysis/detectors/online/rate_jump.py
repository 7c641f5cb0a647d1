"""A learning rate that leaps up: by itself what a schedule does, beside other evidence what explains it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import OnlineDetector, Recorded, Stream, online
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.model import Evidence

TIMES = 2.0
SPIKE = "spike"


@online
class RateJump(OnlineDetector):
    """Evidence a record at which, or since the one before, the learning rate was far above what it had been.

    Of the rule "" it makes no incident by itself: schedules leap. Of the rule "spike" it does: it was far above both
    the record before and the one after, so that no schedule meant it.
    """

    name = "rate"
    title = "leaps of the learning rate"
    source = "dtui: FINDINGS §5, largest learning rate since the last record"
    needs = "the learning rate"
    is_covered = True
    constants: ClassVar[Mapping[str, Constant]] = {"times": Constant(TIMES, "of the learning rate a record before")}

    def lacks(self, recorded: Recorded) -> str:
        """Say that no learning rate was recorded."""
        return "" if recorded.has_learning_rate else "no learning rate was recorded"

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps the last learning rate."""
        return _Rates()


class _Rates:
    def __init__(self) -> None:
        self._last = np.nan

    def add(self, block: Block) -> list[Evidence]:
        if not len(block.learning_rate):
            return []
        before = np.concatenate([[self._last], block.learning_rate[:-1]])
        self._last = float(block.learning_rate[-1])
        largest = block.at_most("learning_rate", block.learning_rate)
        with np.errstate(invalid="ignore", divide="ignore"):
            times = largest / before
            fired = (times >= TIMES) & (before > 0) & np.isfinite(times)
        fired[: max(0, WARM_UP - block.first)] = False
        return [
            Evidence(
                RateJump.name,
                int(block.iterations[at]),
                rule=SPIKE if largest[at] >= TIMES * block.learning_rate[at] else "",
                strength=float(times[at]),
                times=float(times[at]),
                amount=float(largest[at]),
                usual=float(before[at]),
            )
            for at in np.flatnonzero(fired)
        ]
