"""What a detector is, what it is given, and the list of all of them.

A new detector is a file in this folder with a class under `@detector`; nothing lists it by name.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import ClassVar, Protocol

from dtui.dataclass_on_use import dataclass
from dtui.model import (
    AnomalySettings,
    BoolArray,
    Evidence,
    FloatArray,
    IntArray,
    Missing,
    Showing,
    Structure,
    Trigger,
)


class Run(Protocol):
    """The numbers of a run, each read when asked for: n records and watches, m validations, C classes, L layers."""

    @property
    def structure(self) -> Structure:
        """The network."""

    @property
    def records(self) -> IntArray:
        """Iterations of the records and watches, shape (n,), ascending."""

    @property
    def is_watch(self) -> BoolArray:
        """Which of them are watches of the flight recorder, shape (n,): many statistics are NaN there."""

    @property
    def validations(self) -> IntArray:
        """Iterations of the validations, shape (m,), ascending."""

    @property
    def class_sizes(self) -> IntArray:
        """Images of each class, shape (C,)."""

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What the flight recorder fired on, in order of recording; data from outside."""

    def layers(self, source: str, statistic: str) -> FloatArray:
        """Return a statistic of all layers, shape (L, n)."""

    def filters(self, statistic: str, layer: int) -> FloatArray:
        """Return a statistic of a layer's filters, shape (filters, n)."""

    def scalar(self, name: str) -> FloatArray:
        """Return what each record holds of a scalar, shape (n,), NaN where it was not logged."""

    def class_errors(self) -> FloatArray:
        """Return the share of the judged images of each class that are wrong, shape (C, m)."""


@dataclass(frozen=True, eq=False, slots=True)
class RunValues:
    """What a detector looks at.

    Attributes:
        run: The numbers of the run.
        settings: What a person wants to see as an anomaly; checked.
        flip_table: Answers the flips that pass the settings, as `find_flip_table` does, or at least the first `most`
            rows of them; computed, or kept from before.
        most: Only so many of the strongest are looked at, None for all; more may be found.
    """

    run: Run
    settings: AnomalySettings
    flip_table: Callable[[], IntArray]
    most: int | None = None


@dataclass(frozen=True, slots=True)
class Constant:
    """A number that a detector is set to.

    Attributes:
        value: The number.
        source: Where it comes from: a paper, a measurement, or why it is a choice.
    """

    value: float
    source: str


class Detector(ABC):
    """One way to find trouble. It has no state: a run is given to it whole.

    Attributes:
        name: That of its file.
        title: What messages call it, such as "class rules".
        kind: What the ids of its anomalies begin with; the name, if it says nothing else.
        source: The paper or note that it comes from.
        needs: What a run must have recorded for it.
        legend: A sentence or two below a list with its evidence.
        constants: By name.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    kind: ClassVar[str] = ""
    source: ClassVar[str]
    needs: ClassVar[str]
    legend: ClassVar[str]
    constants: ClassVar[Mapping[str, Constant]] = {}

    def missing(self, values: RunValues) -> Missing | None:
        """Return what it needs and the run lacks, None where it can judge."""
        return None

    @abstractmethod
    def find(self, values: RunValues) -> list[Evidence]:
        """Return what it finds in a run, in any order; the same for the records so far when the run has gone on."""

    @abstractmethod
    def describe(self, evidence: Evidence) -> Showing:
        """Return the words, the sign and the mark of one of its own evidence."""

    def identify(self, evidence: Evidence) -> str:
        """Return an id that stays while the run grows, whatever the settings: a person's decision is kept under it.

        It ends with the direction, where there is one: a decision on "lost" is also found from "both".
        """
        place = [str(label) for label in evidence.classes[:1]]
        place += [] if evidence.layer is None else [evidence.layer, *map(str, evidence.filters[:1])]
        parts = (self.kind or self.name, evidence.rule, *place, str(evidence.iteration), evidence.direction)
        return "-".join(part for part in parts if part)


_DETECTORS: dict[str, Detector] = {}


def detector(made: type[Detector]) -> type[Detector]:
    """Put a class into the list; for use as a decorator.

    Raises:
        ValueError: Another one has its name.
    """
    if made.name in _DETECTORS:
        raise ValueError(f"detector {made.name!r}: there is another one of that name; choose another name")
    _DETECTORS[made.name] = made()
    return made


@cache
def detectors() -> Sequence[Detector]:
    """Return all detectors by name."""
    package = import_module("dtui.analysis.detectors")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return tuple(_DETECTORS[name] for name in sorted(_DETECTORS))


def detector_named(name: str) -> Detector:
    """Return the detector of a name.

    Raises:
        KeyError: There is none.
    """
    return {found.name: found for found in detectors()}[name]
