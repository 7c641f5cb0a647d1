"""What `dtui watch` tells: the kinds of events, which are wanted, and one event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from dtui.dataclass_on_use import dataclass
from dtui.model import Incident, RunStatus


class EventKind(StrEnum):
    """What happened to a training."""

    CRASH = "crash"
    """It crashed, or was killed before it could close its run."""
    NONFINITE = "nonfinite"
    """NaN or Inf was recorded, or the flight recorder saw it."""
    STALL = "stall"
    """Nothing new came for much longer than usual."""
    INCIDENT = "incident"
    """Something happened in the network that nobody has dismissed."""


class Severity(StrEnum):
    """Which incidents are told."""

    ANY = "any"
    """All that the verdict of a report counts."""
    STRONG = "strong"
    """Not those of which classes alone tell."""
    LASTING = "lasting"
    """Those that are still so."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is watched for.

    Attributes:
        kinds: Of events.
        severity: Of incidents.
        stall_factor: So many times the usual interval between records without anything new are a stall, > 0.
        stall_seconds: And so long at least, >= 0.
    """

    kinds: frozenset[EventKind] = frozenset(EventKind)
    severity: Severity = Severity.ANY
    stall_factor: float = 10.0
    stall_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One thing that happened. All texts hold data from outside.

    Attributes:
        kind: What happened.
        key: The same for the same thing: whoever keeps it does not tell it again.
        run: Name of the run.
        path: Where it is.
        status: Of the run, when it was found.
        iteration: At which it happened; None where nothing was recorded.
        sentence: What happened, without the name of the run and without a full stop.
        details: More of it, as JSON can express it.
        incident: The incident; None for other kinds.
        classes: Names of the classes that the incident numbers.
    """

    kind: EventKind
    key: str
    run: str
    path: str
    status: RunStatus
    iteration: int | None
    sentence: str
    details: Mapping[str, object] = field(default_factory=dict)
    incident: Incident | None = None
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a run, or at all of a folder, has found.

    Attributes:
        events: That were not told before.
        remarks: One line for each thing that hinders watching, told once; data from outside.
    """

    events: tuple[WatchEvent, ...] = ()
    remarks: tuple[str, ...] = ()
