"""What a person reviews first: one incident for one cause, and what it is called."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dtui.model.evidence import Evidence


class Cause(StrEnum):
    """What the evidence of an incident shows, and no more than that."""

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
        """As a heading or a cell of a table says it."""
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
        id: Of its first record, cause and first layer or class; it stays while the run grows, once `is_final`.
        cause: What the evidence shows.
        first: Iteration at which its evidence begins.
        last: Iteration of its last evidence.
        layers: Names of at most 3 layers, the most telling first; data from outside.
        filters: Indices within the first layer, ascending.
        classes: At most 3 labels, the worst first.
        evidence: What it is made of, in order.
        sentence: What happened, with numbers; it holds names of layers and classes, which are data from outside.
        score: What incidents are ordered by: larger is stranger; below 1 where only classes tell of it.
        is_final: Whether no later record can change it.
        moved_first: What moved first, such as "gradients, 2 iterations before the loss"; "" where nothing tells.
        persists: Whether it is still so at the end of the run; None where that cannot be told.
        status: "new", "flagged" or "dismissed".
        note: A person's words; data from outside.
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

    @property
    def scope(self) -> str:
        """What it is about: "filter", "layer", "class" or "network"."""
        if self.cause in (Cause.FILTER, Cause.DEAD):
            return "filter"
        if self.layers:
            return "layer"
        return "class" if self.cause is Cause.CLASS else "network"
