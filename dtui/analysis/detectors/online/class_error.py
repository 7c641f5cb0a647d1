"""A class whose error rises beyond what its own history and that of the run explain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import MOST_CLASSES, OnlineDetector, Recorded, Stream, online
from dtui.analysis.detectors.stream.trailing import Tail, medians
from dtui.analysis.rises.class_drops import ClassDrops, Drop
from dtui.model import Evidence, FloatArray, IntArray

BEFORE = 10
"""Validations whose median is the usual error of a class, as the rule takes it."""
LATEST = 8
"""Validations after which a drop is known at the latest, and until which it is seen whether it stays."""
HELD = 5
"""Validations of 8, the first among them, at which a class must have lost most of its images to stay bad."""
LOST = 0.6
"""Share of its images that it must have lost there: classes of healthy trainings with 200 lose a half for some."""
GUESSING = 0.75
"""Error of the network, before a drop, from which on it guesses: its classes come and go."""
STAYS = "stays"
"""Rule of the second evidence of a drop, once that is known."""


@online
class ClassError(OnlineDetector):
    """Evidence a drop; its amount is the rise of its worst class's error, its strength the score over the level."""

    name = "class"
    title = "drops of classes"
    source = "dtui: FINDINGS §2.1; rule and constants: dtui/analysis/class_drops.py"
    needs = "validations of the same images"
    constants: ClassVar[Mapping[str, Constant]] = {
        "held": Constant(
            HELD, "validations, of 8, at which half of the rise must be there for the class to stay as bad"
        ),
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
        self._errors = Tail(len(network.class_sizes), BEFORE + 2 * LATEST)
        self._watched: list[_Watched] = []

    def add(self, block: Block) -> list[Evidence]:
        if not len(block.validations):
            return []
        first = len(self._iterations)
        self._iterations = np.concatenate([self._iterations, block.validations])
        errors = self._errors.extend(block.errors)
        begin = len(self._iterations) - errors.shape[1]  # the validation of its first column
        drops: dict[int, list[Drop]] = {}
        for drop in self._rule.add(block.errors):
            drops.setdefault(drop.validation + drop.late, []).append(drop)
        found = []
        for now in range(first, len(self._iterations)):
            for drop in drops.get(now, ()):
                if not self._guesses(errors[:, drop.validation - begin - BEFORE : drop.validation - begin]):
                    found.append(self._evidence(drop, errors, begin))
                    self._watched.append(_Watched(found[-1], drop.validation))
            found += self._held(now, errors, begin)
        return found

    def _guesses(self, before: FloatArray) -> bool:
        """Whether the network had learned next to nothing at the validations before, shape (C, BEFORE)."""
        known = np.isfinite(before)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = np.where(known, before, 0.0).sum(axis=0) / known.sum(axis=0)
        return bool(medians(means) > GUESSING)

    def _held(self, now: int, errors: FloatArray, begin: int) -> list[Evidence]:
        """Return the drops of which it is known now that the class stays as bad, and watch the others on."""
        found, waiting = [], []
        for one in self._watched:
            course = errors[one.evidence.classes[0], one.validation - begin : now - begin + 1]
            if np.count_nonzero(course >= one.bad) >= HELD:
                known = int(self._iterations[now])
                found.append(replace(one.evidence, rule=STAYS, known=known))
            elif now - one.validation < LATEST - 1:
                waiting.append(one)
        self._watched = waiting
        return found

    def _evidence(self, drop: Drop, errors: FloatArray, begin: int) -> Evidence:
        at = drop.validation - begin
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


@dataclass(frozen=True, slots=True)
class _Watched:
    """A drop of which it is not known yet whether the class stays as bad."""

    evidence: Evidence
    validation: int

    @property
    def bad(self) -> float:
        """The error of its first class at which it has lost most of its images."""
        return (self.evidence.usual or 0.0) + LOST
