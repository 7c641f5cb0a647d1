"""The unit of review on a screen: an Entry, made of an incident or of an anomaly."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.evidence import Anomaly, by_event
from dtui.model.findings.incidents import Cause, Incident
from dtui.model.judging import Judging, as_groups, class_called

Listing = Literal["incidents", "anomalies"]
"""What is listed: one entry for each cause, or the paper's anomalies."""
INCIDENTS: Listing = "incidents"
ANOMALIES: Listing = "anomalies"

FoundT = TypeVar("FoundT", Anomaly, Incident)

NAMED_FILTERS = 32
"""An incident names at most so many: of one that names as many there may be more."""

_SIGNS = {Cause.NONFINITE: "✱", Cause.CLASS: "▼"}
_SIGN_BY_SCOPE = {"filter": "◆", "layer": "◆", "network": "≋", "class": "▼"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the review.

    Attributes:
        id: Of the incident or of the strongest anomaly.
        iteration: Where it begins, and where the crosshair goes.
        last: Iteration of its last evidence.
        sign: One symbol: ▼ classes lost, ▲ gained, ◆ layers or filters, ✱ NaN or Inf, ≋ whole network.
        kind: What kind of thing it is, in our words; entries of one kind are alike.
        layers: Names, the most telling first; data from outside.
        filters: Indices within the first layer, ascending.
        classes: Labels, the worst first.
        score: Order among entries: larger is stranger.
        status: "new", "flagged" or "dismissed".
        note: A person's words; data from outside.
        incident: What it was made of; None for an anomaly.
        anomalies: The same, of one event, the strongest first; none for an incident.
        judging: What decides what is right; None where class scores do. In such a run classes are groups.
    """

    id: str
    iteration: int
    last: int
    sign: str
    kind: str
    layers: tuple[str, ...]
    filters: tuple[int, ...]
    classes: tuple[int, ...]
    score: float
    status: str = "new"
    note: str = ""
    incident: Incident | None = None
    anomalies: tuple[Anomaly, ...] = ()
    judging: Judging | None = None

    @property
    def ids(self) -> tuple[str, ...]:
        """What a decision on it is about: the incident, or each of its anomalies."""
        return tuple(one.id for one in self.anomalies) or (self.id,)

    @property
    def layer(self) -> str | None:
        """The first layer; None where none is named."""
        return self.layers[0] if self.layers else None

    @property
    def class_index(self) -> int | None:
        """The worst class; None where none is named."""
        return self.classes[0] if self.classes else None

    def is_at(self, iteration: int) -> bool:
        """Whether the crosshair on an iteration is on it."""
        return self.iteration <= iteration <= max(self.iteration, self.last)

    @property
    def noun(self) -> str:
        """The word for it: "incident" or "anomaly"."""
        return "anomaly" if self.incident is None else "incident"

    def place(self, class_names: Sequence[str]) -> str:
        """Return where it is: "class cat", "conv1 filter 17", "conv1, 6 filters", "whole network"; from outside."""
        if self.incident is not None and self.incident.scope == "network":
            return "whole network"
        if self.layers and (self.incident is None or self.incident.cause is not Cause.CLASS):
            if len(self.filters) < 2:
                return self.layers[0] + "".join(f" filter {one}" for one in self.filters)
            return f"{self.layers[0]}, {len(self.filters)}{'+' * (len(self.filters) >= NAMED_FILTERS)} filters"
        if self.classes:
            label = self.classes[0]
            name = class_names[label] if label < len(class_names) else str(label)
            more = f" and {len(self.classes) - 1} more" if len(self.classes) > 1 else ""
            return class_called(name, self.judging) + more
        return self.anomalies[0].shown.subject if self.anomalies else "whole network"


def of_incident(incident: Incident, judging: Judging | None = None) -> Entry:
    """Return an incident as an entry."""
    return Entry(
        id=incident.id,
        iteration=incident.first,
        last=incident.last,
        sign=_SIGNS.get(incident.cause, _SIGN_BY_SCOPE[incident.scope]),
        kind=as_groups(incident.cause.heading, judging),
        layers=incident.layers,
        filters=incident.filters,
        classes=incident.classes,
        score=incident.score,
        status=incident.status,
        note=incident.note,
        incident=incident,
        judging=judging,
    )


def of_anomalies(anomalies: Iterable[Anomaly], judging: Judging | None = None) -> tuple[Entry, ...]:
    """Return anomalies as entries, one for each event."""
    return tuple(_of_event(event, judging) for event in by_event(anomalies))


def _of_event(event: tuple[Anomaly, ...], judging: Judging | None) -> Entry:
    strongest = event[0]
    found, label = strongest.evidence, strongest.class_index
    return Entry(
        id=strongest.id,
        iteration=strongest.iteration,
        last=strongest.iteration,
        sign=strongest.shown.sign,
        kind=strongest.shown.title,
        layers=(found.layer,) if found.layer is not None else (),
        filters=found.filters,
        classes=(label,) if label is not None else (),
        score=strongest.score,
        status=_status_of(event),
        note=_note_of(event),
        anomalies=event,
        judging=judging,
    )


def with_decisions(entry: Entry, decisions: Mapping[str, tuple[str, str | None]]) -> Entry:
    """Return an entry after decisions on its incident, or on some of its anomalies; itself if none is about it.

    Args:
        entry: To decide on.
        decisions: Status and note by the id of an incident or an anomaly; a note of None stays as it is.
    """
    if decisions.keys().isdisjoint(entry.ids):
        return entry
    if entry.incident is not None:
        incident = _decided(entry.incident, decisions)
        return replace(entry, incident=incident, status=incident.status, note=incident.note)
    event = tuple(_decided(one, decisions) for one in entry.anomalies)
    return replace(entry, anomalies=event, status=_status_of(event), note=_note_of(event))


def _decided(found: FoundT, decisions: Mapping[str, tuple[str, str | None]]) -> FoundT:
    if found.id not in decisions:
        return found
    status, note = decisions[found.id]
    return replace(found, status=status, note=found.note if note is None else note)


def _status_of(event: Sequence[Anomaly]) -> str:
    """Return "flagged" if one of them is, "dismissed" if all are."""
    statuses = {one.status for one in event}
    return next((status for status in ("flagged", "new") if status in statuses), event[0].status)


def _note_of(event: Sequence[Anomaly]) -> str:
    return "; ".join(dict.fromkeys(one.note for one in event if one.note))


def reviewable(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries that the keys n and N go through: all that were not dismissed."""
    return tuple(entry for entry in entries if entry.status != "dismissed")
