"""A normalisation layer whose running mean, running variance or scales shift far more than before."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import OnlineDetector, Recorded, Stream, online
from dtui.analysis.detectors.stream.trailing import WARM_UP, WINDOW, Tail, recent_z, robust_z, windows_before
from dtui.model import Evidence, FloatArray

LEAST_Z = 6.0
TIMES = 4.0
FLOOR = 0.25
SMALLEST = 1e-4
LEAST = {"mean_shift": 0.5, "variance_shift": 0.5, "scale_shift": 0.3}
ZERO = "zero_scales"
RISE = 0.2
ZERO_STRENGTH = 100.0


@online
class NormShift(OnlineDetector):
    """Evidence a normalisation layer and record; its rule is the statistic that shifted most, its amount the value."""

    name = "norm"
    title = "shifts of normalisation layers"
    source = "dtui: FINDINGS §2, row norm"
    needs = "normalisation layers"
    constants: ClassVar[Mapping[str, Constant]] = {
        "least z": Constant(LEAST_Z, "of ln of the shift"),
        "times": Constant(TIMES, "of the usual"),
        "least mean shift": Constant(LEAST["mean_shift"], "standard deviations in one record"),
        "least variance shift": Constant(LEAST["variance_shift"], "of ln of the variance in one record"),
        "least scale shift": Constant(LEAST["scale_shift"], "of the middle scale in one record"),
        "zero scales": Constant(RISE, "more of them in one record"),
    }

    def lacks(self, recorded: Recorded) -> str:
        """Say that they were not recorded."""
        return "" if recorded.has_norms else "normalisation layers were not recorded"

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps the last 20 records of each normalisation layer."""
        return _Shifts(network)


class _Shifts:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._tails = {name: Tail(len(network.norms)) for name in LEAST}
        self._zero = Tail(len(network.norms), 1)

    def add(self, block: Block) -> list[Evidence]:
        if not block.norms or not self._network.norms or not len(block.iterations):
            return []
        strengths = {name: self._strength(name, block) for name in LEAST if name in block.norms}
        if ZERO in block.norms:
            strengths[ZERO] = self._zeroed(block)
        every = np.stack(list(strengths.values()))
        every[..., : max(0, WARM_UP - block.first)] = 0.0
        names, worst = list(strengths), every.argmax(axis=0)
        return [
            self._evidence(block, names[worst[norm, at]], int(norm), int(at), float(every[:, norm, at].max()))
            for norm, at in zip(*np.nonzero(every.max(axis=0)), strict=True)
        ]

    def _strength(self, name: str, block: Block) -> FloatArray:
        """Return the robust z of a shift that fires, 0 elsewhere, shape (N, n)."""
        values = block.norms[name]
        with np.errstate(invalid="ignore"):
            joined = self._tails[name].extend(np.log(values + np.float32(SMALLEST)))
            now, before = joined[:, WINDOW:], windows_before(joined)
            result: FloatArray = np.zeros(values.shape)
            for z, rise in (robust_z(now, before, FLOOR), recent_z(now, before, FLOOR)):
                fires = (z > LEAST_Z) & (rise > math.log(TIMES)) & (values > LEAST[name])
                result = np.maximum(result, np.where(fires, z, 0.0))
        return result

    def _zeroed(self, block: Block) -> FloatArray:
        """Return a strength where scales became zero since the record before, 0 elsewhere, shape (N, n)."""
        with np.errstate(invalid="ignore"):
            fires = np.diff(self._zero.extend(block.norms[ZERO]), axis=1) > RISE
        result: FloatArray = np.where(fires, ZERO_STRENGTH, 0.0)
        return result

    def _evidence(self, block: Block, name: str, norm: int, at: int, strength: float) -> Evidence:
        return Evidence(
            NormShift.name,
            int(block.iterations[at]),
            rule=name,
            layer=self._network.norm_layers[norm] or None,
            strength=strength,
            amount=float(block.norms[name][norm, at]),
            norm=self._network.norms[norm],
        )
