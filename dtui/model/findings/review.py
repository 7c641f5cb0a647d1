"""The unit of review on a screen: an Entry, made of an incident or of an anomaly."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.evidence import Anomaly
from dtui.model.findings.incidents import Cause, Incident
from dtui.model.judging import Judging, as_groups, class_called

Listing = Literal["incidents", "anomalies"]
"""What is listed: one entry for each cause, or the paper's anomalies."""
INCIDENTS: Listing = "incidents"
ANOMALIES: Listing = "anomalies"

NAMED_FILTERS = 32
"""An incident names at most so many: of one that names as many there may be more."""

_SIGNS = {Cause.NONFINITE: "✱", Cause.CLASS: "▼"}
_SIGN_BY_SCOPE = {"filter": "◆", "layer": "◆", "network": "≋", "class": "▼"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the review.

    Attributes:
        id: Of the incident or anomaly; what a decision is about.
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
        anomaly: The same; None for an incident.
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
    anomaly: Anomaly | None = None
    judging: Judging | None = None

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
        """Return where it is, such as "class cat", "conv1 filter 17" or "whole network"; names come from outside."""
        if self.incident is not None and self.incident.scope == "network":
            return "whole network"
        if self.layers and (self.incident is None or self.incident.cause is not Cause.CLASS):
            more = f" and {len(self.filters) - 1} more" if len(self.filters) > 1 else ""
            more = " and more" if len(self.filters) >= NAMED_FILTERS else more
            return self.layers[0] + (f" filter {self.filters[0]}{more}" if self.filters else "")
        if self.classes:
            label = self.classes[0]
            name = class_names[label] if label < len(class_names) else str(label)
            more = f" and {len(self.classes) - 1} more" if len(self.classes) > 1 else ""
            return class_called(name, self.judging) + more
        return "whole network" if self.anomaly is None else self.anomaly.shown.subject


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


def of_anomaly(anomaly: Anomaly, judging: Judging | None = None) -> Entry:
    """Return an anomaly as an entry."""
    found, label = anomaly.evidence, anomaly.class_index
    return Entry(
        id=anomaly.id,
        iteration=anomaly.iteration,
        last=anomaly.iteration,
        sign=anomaly.shown.sign,
        kind=anomaly.shown.title,
        layers=(found.layer,) if found.layer is not None else (),
        filters=found.filters,
        classes=(label,) if label is not None else (),
        score=anomaly.score,
        status=anomaly.status,
        note=anomaly.note,
        anomaly=anomaly,
        judging=judging,
    )


def reviewable(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries that the keys n and N go through: all that were not dismissed."""
    return tuple(entry for entry in entries if entry.status != "dismissed")
