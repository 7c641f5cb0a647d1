"""What was found in a run, as plain values: the incidents, or today's anomalies as the peer to compare with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dtui.model import Anomaly
from dtui.query import open_run


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a person would be shown.

    Attributes:
        first: Iteration at which it begins.
        last: Iteration at which it ends.
        cause: Such as "filter" or "class".
        layers: Names, the likeliest first.
        classes: Labels, the likeliest first.
        detectors: Which detectors' evidence it holds.
        score: What it is ordered by.
    """

    first: int
    last: int
    cause: str
    layers: tuple[str, ...] = ()
    classes: tuple[int, ...] = ()
    detectors: tuple[str, ...] = ()
    score: float = 0.0


class HasDetector(Protocol):
    """Evidence, of which only the detector's name is judged."""

    @property
    def detector(self) -> str: ...


class IncidentLike(Protocol):
    """What the judge asks of an incident of `RunQuery.incidents`."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def cause(self) -> str: ...
    @property
    def layers(self) -> Sequence[str]: ...
    @property
    def classes(self) -> Sequence[int]: ...
    @property
    def evidence(self) -> Sequence[HasDetector]: ...
    @property
    def score(self) -> float: ...


METHODS = ("incidents", "anomalies")
"""What can be judged: the questions of `RunQuery` by these names."""


def find(path: Path, method: str) -> tuple[Found, ...] | None:
    """Return what a method finds in a run, anew; None where this dtui does not have it.

    Raises:
        DtuiError: The run cannot be read.
    """
    (path / "findings.h5").unlink(missing_ok=True)  # of detectors as they were
    with open_run(path) as run:
        ask = getattr(run, method, None)
        if ask is None:
            return None
        return from_incidents(ask()) if method == "incidents" else from_anomalies(ask())


def from_incidents(incidents: Iterable[IncidentLike]) -> tuple[Found, ...]:
    """Return incidents as plain values, by their beginning."""
    return _in_order(
        Found(
            int(each.first),
            int(each.last),
            str(each.cause),
            tuple(each.layers),
            tuple(map(int, each.classes)),
            tuple(dict.fromkeys(evidence.detector for evidence in each.evidence)),
            float(each.score),
        )
        for each in incidents
    )


def from_anomalies(anomalies: Iterable[Anomaly]) -> tuple[Found, ...]:
    """Return anomalies as if each were an incident: its rule is its cause where the flight recorder found it."""
    return _in_order(
        Found(
            each.iteration,
            each.iteration,
            "class" if each.kind == "class" else each.evidence.rule,
            () if each.layer is None else (each.layer,),
            each.evidence.classes,
            (each.evidence.detector,),
            each.score,
        )
        for each in anomalies
    )


def _in_order(found: Iterable[Found]) -> tuple[Found, ...]:
    return tuple(sorted(found, key=lambda each: (each.first, -each.score)))
