"""What a detector of evidence is, and the list of all of them.

A new detector is a file in this folder with a class under `@online`; nothing lists it by name.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import ClassVar, Protocol

from dtui.analysis.detectors.registry import Constant
from dtui.analysis.detectors.stream.block import Block, Network
from dtui.model import Evidence

MOST_FILTERS = 32
"""Filters that one piece of evidence names; its count says how many there are."""
MOST_CLASSES = 8
"""Classes that one piece of evidence names."""


class Stream(Protocol):
    """One detector on its way through one run."""

    def add(self, block: Block) -> list[Evidence]:
        """Return what the next records tell, in any order; the same however a run is cut into blocks."""


class Recorded(Protocol):
    """What a run holds, for who needs it."""

    @property
    def records(self) -> int:
        """Number of records, without watches."""

    @property
    def validations(self) -> int:
        """Number of validations."""

    @property
    def has_gradients(self) -> bool:
        """Whether any record holds gradients."""

    @property
    def has_loss(self) -> bool:
        """Whether a loss was logged."""

    @property
    def has_learning_rate(self) -> bool:
        """Whether a learning rate was recorded."""

    @property
    def has_watches(self) -> bool:
        """Whether the flight recorder was on."""

    @property
    def has_norms(self) -> bool:
        """Whether normalisation layers are recorded, or the network is known to have none."""


class OnlineDetector(ABC):
    """One way to find evidence.

    Attributes:
        name: What its evidence carries, and the cause that it stands for.
        title: What messages call it, such as "jumps of filters".
        source: The paper or note that it comes from.
        needs: What a run must have recorded for it, such as "gradients".
        constants: By name.
        is_covered: Whether the others see the same without it, only later or less exactly.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    source: ClassVar[str]
    needs: ClassVar[str]
    constants: ClassVar[Mapping[str, Constant]] = {}
    is_covered: ClassVar[bool] = False

    def lacks(self, recorded: Recorded) -> str:
        """Return why it cannot judge a run, such as "gradients were not recorded"; "" where it can."""
        return ""

    @abstractmethod
    def begin(self, network: Network) -> Stream:
        """Return a stream for a run that has not begun."""


_DETECTORS: dict[str, OnlineDetector] = {}


def online(made: type[OnlineDetector]) -> type[OnlineDetector]:
    """Put a class into the list; for use as a decorator.

    Raises:
        ValueError: Another one has its name.
    """
    if made.name in _DETECTORS:
        raise ValueError(f"detector {made.name!r}: there is another one of that name; choose another name")
    _DETECTORS[made.name] = made()
    return made


@cache
def online_detectors() -> Sequence[OnlineDetector]:
    """Return all detectors of evidence by name."""
    package = import_module("dtui.analysis.detectors.online")
    for module in pkgutil.iter_modules(package.__path__):
        import_module(f"{package.__name__}.{module.name}")
    return tuple(_DETECTORS[name] for name in sorted(_DETECTORS))
