"""A class whose error rises beyond what its own history and that of the run explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from dtui.analysis.class_drops import ClassDrops, Drop
from dtui.analysis.detectors.online.block import Block, Network
from dtui.analysis.detectors.online.stream import MOST_CLASSES, OnlineDetector, Recorded, Stream, online
from dtui.analysis.detectors.online.trailing import Tail, medians
from dtui.analysis.detectors.registry import Constant
from dtui.model import Evidence, FloatArray, IntArray

BEFORE = 10
"""Validations whose median is the usual error of a class, as the rule takes it."""
LATEST = 8
"""Validations after which a drop is known at the latest."""


@online
class ClassError(OnlineDetector):
    """Evidence a drop; its amount is the rise of its worst class's error, its strength the score over the level."""

    name = "class"
    title = "drops of classes"
    source = "dtui: FINDINGS §2.1; rule and constants: dtui/analysis/class_drops.py"
    needs = "validations of the same images"
    constants: ClassVar[Mapping[str, Constant]] = {
        "most classes": Constant(MOST_CLASSES, "are named; the others are many"),
    }

    def lacks(self, recorded: Recorded) -> str:
        """Say that there are no validations."""
        return "" if recorded.validations else "no validations were recorded"

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps some sixty validations of each class."""
        return _Drops(network)


class _Drops:
    def __init__(self, network: Network) -> None:
        self._rule = ClassDrops(network.class_sizes)
        self._iterations: IntArray = np.zeros(0, dtype=np.int64)
        self._errors = Tail(len(network.class_sizes), BEFORE + LATEST)

    def add(self, block: Block) -> list[Evidence]:
        if not len(block.validations):
            return []
        self._iterations = np.concatenate([self._iterations, block.validations])
        errors = self._errors.extend(block.errors)
        return [self._evidence(drop, errors) for drop in self._rule.add(block.errors)]

    def _evidence(self, drop: Drop, errors: FloatArray) -> Evidence:
        at = errors.shape[1] - len(self._iterations) + drop.validation
        return Evidence(
            ClassError.name,
            int(self._iterations[drop.validation]),
            classes=drop.classes[:MOST_CLASSES],
            strength=drop.score / drop.level if drop.level > 0 else drop.score,
            known=int(self._iterations[drop.validation + drop.late]),
            amount=drop.rises[0],
            usual=float(medians(errors[drop.classes[0], at - BEFORE : at])),
            concentration=drop.concentration,
            frequency=drop.usual,
        )
