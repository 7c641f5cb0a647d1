"""Incidents: one for each cause, with its name. People review them first."""

from __future__ import annotations

from enum import StrEnum

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.evidence import Evidence
from dtui.model.findings.nonfinite import Origin


class Cause(StrEnum):
    """The cause of an incident, as far as its evidence shows it."""

    NONFINITE = "nonfinite"
    FILTER = "filter"
    DEAD = "dead"
    FROZEN = "frozen"
    NORM = "norm"
    LAYER = "layer"
    UPDATE = "update"
    GRADIENT = "gradient"
    LOSS = "loss"
    INPUTS = "inputs"
    NETWORK = "network"
    CLASS = "class"

    @property
    def heading(self) -> str:
        """The cause in words for a heading or a cell of a table."""
        return _HEADINGS[self]


_HEADINGS = {
    Cause.NONFINITE: "NaN or Inf",
    Cause.FILTER: "weights of a filter jumped",
    Cause.DEAD: "filters died",
    Cause.FROZEN: "layer stopped changing",
    Cause.NORM: "normalisation shifted",
    Cause.LAYER: "weights of a layer jumped",
    Cause.UPDATE: "updates too large",
    Cause.GRADIENT: "gradients exploded",
    Cause.LOSS: "loss: data or labels",
    Cause.INPUTS: "inputs changed",
    Cause.NETWORK: "whole network: data or labels",
    Cause.CLASS: "labels or data of a class",
}


@dataclass(frozen=True, slots=True)
class Incident:
    """Evidence that belongs together: one entry for one cause.

    Attributes:
        id: Made from its first record, cause and first layer or class. It no longer changes once `is_final`.
        cause: What the evidence shows.
        first: Iteration at which its evidence begins.
        last: Iteration of its last evidence.
        layers: Names of at most 3 layers, the most telling first; data from outside.
        filters: Indices within the first layer, ascending.
        classes: At most 3 labels, the worst first.
        evidence: Its evidence, in order.
        sentence: What happened, with numbers; it holds names of layers and classes, which are data from outside.
        score: Order among incidents: larger is stranger; below 1 if all its evidence is about classes.
        is_final: Whether later records can no longer change it.
        moved_first: What moved first, such as "gradients, 2 iterations before the loss"; "" where that is not known.
        persists: Whether it still holds at the end of the run; None where that is not known.
        status: "new", "flagged" or "dismissed".
        note: A person's words; data from outside.
        origin: Of NaN or Inf, where it began, if the recorder saw that before the update; None else.
    """

    id: str
    cause: Cause
    first: int
    last: int
    layers: tuple[str, ...]
    filters: tuple[int, ...]
    classes: tuple[int, ...]
    evidence: tuple[Evidence, ...]
    sentence: str
    score: float
    is_final: bool = True
    moved_first: str = ""
    persists: bool | None = None
    status: str = "new"
    note: str = ""
    origin: Origin | None = None

    @property
    def scope(self) -> str:
        """Its scope: "filter", "layer", "class" or "network"."""
        if self.cause in (Cause.FILTER, Cause.DEAD):
            return "filter"
        if self.layers:
            return "layer"
        return "class" if self.cause is Cause.CLASS else "network"

    @property
    def told(self) -> str:
        """When, what, and whether it is still so, in one sentence without its full stop; holds data from outside."""
        lasts = ", still so at the end" if self.persists else ""
        return f"At {self.first:,}, {self.sentence}{lasts}"
