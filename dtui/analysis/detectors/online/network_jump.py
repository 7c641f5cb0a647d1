"""One number of the whole network a record that leaps: what updates, gradients and loss share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable

import numpy as np

from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import OnlineDetector, Stream
from dtui.analysis.detectors.stream.trailing import WARM_UP, WINDOW, Tail, recent_z, robust_z, windows_before
from dtui.model import Evidence, FloatArray


class NetworkJump(OnlineDetector):
    """Evidence a record; its times is how often the value is the usual one, its strength the robust z.

    The usual one is the median of 20 records, or that of the last 5 where the scatter from record to record is small
    against the jump: in a course that falls steadily 20 records scatter too much.

    Attributes:
        least_z: Of the value's logarithm.
        times: How often the usual value it must be.
        floor: Added to the deviation.
        least: What the value itself must exceed.
    """

    least_z: float
    times: float
    floor: float
    least: float = 0.0

    @abstractmethod
    def values(self, block: Block) -> FloatArray:
        """Return the number at each record, shape (n,), >= 0; NaN where there is none."""

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps the last 20 records."""
        return _Jumps(self, self.values)


class _Jumps:
    def __init__(self, rule: NetworkJump, values: Callable[[Block], FloatArray]) -> None:
        self._rule = rule
        self._values = values
        self._tail = Tail(1)

    def add(self, block: Block) -> list[Evidence]:
        rule, values = self._rule, self._values(block)
        with np.errstate(invalid="ignore", divide="ignore"):
            joined = self._tail.extend(np.log(values)[None, :])
            now, before = joined[0, WINDOW:], windows_before(joined)[0]
            # Both rises are above a median of values before: none is larger than that above the smallest of them.
            may_rise = now - np.fmin.reduce(before, axis=-1) > math.log(rule.times)
            may_rise[: max(0, WARM_UP - block.first)] = False
            at = np.flatnonzero(may_rise)
            if not len(at):
                return []
            now, before, values = now[at], before[at], values[at]
            both = [measure(now, before, rule.floor) for measure in (robust_z, recent_z)]
            passed = [(z > rule.least_z) & (rise > math.log(rule.times)) for z, rise in both]
            fired = (passed[0] | passed[1]) & (values > rule.least)
            z, rise = (np.where(passed[1], recent, usual) for usual, recent in zip(*both, strict=True))
        return [
            Evidence(
                rule.name,
                int(block.iterations[at[one]]),
                strength=float(z[one]),
                times=float(np.exp(rise[one])),
                amount=float(values[one]),
                usual=float(values[one] / np.exp(rise[one])),
            )
            for one in np.flatnonzero(fired)
        ]
