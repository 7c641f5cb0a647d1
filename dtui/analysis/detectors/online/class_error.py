"""A class whose error rises beyond what its own history and that of the run explain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

import numpy as np

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.analysis.detectors.stream.detector import MOST_CLASSES, OnlineDetector, Recorded, Stream, online
from dtui.analysis.detectors.stream.trailing import Tail, medians
from dtui.analysis.rises.class_drops import ClassDrops, Drop
from dtui.analysis.rises.output_rows import OutputRows
from dtui.analysis.rises.renamed import LEVEL as RENAMED
from dtui.analysis.rises.untaught import GUESSING, LEVEL, Untaught, UntaughtClasses, guesses
from dtui.dataclass_on_use import dataclass
from dtui.model import Evidence, FloatArray, IntArray

BEFORE = 10
"""Validations whose median is the usual error of a class, as the rule takes it."""
LATEST = 8
"""Validations after which a drop is known at the latest, and until which it is seen whether it stays."""
HELD = 5
"""Validations of 8, the first among them, at which a class must have lost most of its images to stay bad."""
LOST = 0.6
"""Share of its images that it must have lost there: classes of healthy trainings with 200 lose a half for some."""
STAYS = "stays"
"""Rule of a further evidence of a drop, once that is known."""
LEFT_ALONE = -1.5
"""ln of the gradient of the output of a class against that of the middle class, mean over the 6 records behind a drop,
below which it is left alone: of the tuning seeds 2 of 3 healthy drops are taught more, and no fault that was found."""
UNTAUGHT = "untaught"
"""Rule of a further evidence of a drop whose class is left alone, once that is known."""
MISSING = "missing"
"""Rule of the evidence of a class that fails for long and is not taught, or whose place another one took."""
UNSEEN = "unseen"
"""Rule of a drop in a run that does not say how much its classes are taught."""


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
        "left alone": Constant(LEFT_ALONE, "ln of what the output of a class gets of gradients; see LEFT_ALONE"),
        "missing": Constant(
            LEVEL, "error beyond the network's × how little taught and moved; dtui/analysis/rises/untaught.py"
        ),
        "renamed": Constant(
            RENAMED, "error × rise × how little taught × how much who took its place; dtui/analysis/rises/renamed.py"
        ),
        "guessing": Constant(GUESSING, "error of the network from which on no class is judged"),
    }

    def lacks(self, recorded: Recorded) -> str:
        """Say that there are no validations."""
        return "" if recorded.validations else "no validations were recorded"

    def begin(self, network: Network) -> Stream:
        """Return a stream that keeps some sixty validations of each class."""
        return _Drops(network)


class _Drops:
    def __init__(self, network: Network) -> None:
        classes = len(network.class_sizes)
        self._rule, self._missing = ClassDrops(network.class_sizes), UntaughtClasses()
        self._iterations: IntArray = np.zeros(0, dtype=np.int64)
        self._errors = Tail(classes, BEFORE + 2 * LATEST)
        self._watched: list[_Watched] = []
        self._layer, self._rows = network.output, OutputRows()
        self._untaught: list[Evidence] = []

    def add(self, block: Block) -> list[Evidence]:
        if self._layer is not None:
            rows = self._layer.filter_rows
            ratios = block.update_ratio[rows]
            self._rows.add(block.iterations, block.gradient_norm[rows], ratios, block.validations)
        found = self._dropped(block) if len(block.validations) else []
        return found + self._left_alone()

    def _dropped(self, block: Block) -> list[Evidence]:
        """Return the drops that are known with the validations of a block."""
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
                if not guesses(errors[:, drop.validation - begin - BEFORE : drop.validation - begin]):
                    found.append(self._evidence(drop, errors, begin))
                    self._watched.append(_Watched(found[-1], drop.validation))
                    self._untaught += [found[-1]] * (self._layer is not None)
            found += self._held(now, errors, begin)
        if self._layer is not None:
            found += map(self._failing, self._missing.add(block.validations, block.errors, self._rows, block.taken_for))
        return found

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

    def _left_alone(self) -> list[Evidence]:
        """Return the drops of which it is known now that their first class is left alone, and wait for the others."""
        found, waiting = [], []
        for one in self._untaught:
            taught = self._rows.taught(one.iteration)
            if taught is None:
                waiting += [one] * self._rows.awaits(one.iteration)
                continue
            soon = float(taught.soon(np.array(one.classes[:1]))[0])
            known = max(one.known or one.iteration, taught.known)
            if math.isnan(soon):
                found.append(replace(one, rule=UNSEEN, known=known))
            elif soon < LEFT_ALONE:
                found.append(replace(one, rule=UNTAUGHT, classes=one.classes[:1], known=known, times=math.exp(soon)))
        self._untaught = waiting
        return found

    def _failing(self, one: Untaught) -> Evidence:
        at, by = one.known
        return Evidence(
            ClassError.name,
            int(self._iterations[one.validation]),
            rule=MISSING,
            classes=(one.label,),
            strength=one.strength,
            times=one.taught,
            known=max(int(self._iterations[at]), by),
            amount=one.rise,
            usual=one.usual,
        )

    def _evidence(self, drop: Drop, errors: FloatArray, begin: int) -> Evidence:
        at = drop.validation - begin
        return Evidence(
            ClassError.name,
            int(self._iterations[drop.validation]),
            rule="" if self._layer is not None else UNSEEN,
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
