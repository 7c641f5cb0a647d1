"""Incidents: one for each cause, with its name. People review them first."""

from __future__ import annotations

from enum import StrEnum

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.evidence import Evidence
from dtui.model.findings.nonfinite import Began, Origin


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

    @property
    def next_step(self) -> str:
        """What to look at or do next, in one sentence without its full stop: where most such trouble comes from.

        It is advice and no finding. It holds nothing from outside, and speaks of no class and no image, so that it fits
        a run that scores decide.

        Source: where weights go wrong by themselves, Dixit et al. 2021; filters that die, Maas et al. 2013; clipping,
        Pascanu et al. 2013; warming up, Goyal et al. 2017; half precision, Micikevicius et al. 2018.
        """
        is_spoilt = self.cause in _SPOILS_WEIGHTS and self.persists is not False
        begin = "go on from a checkpoint before {first}, and " if is_spoilt else ""
        return f"{begin}{_looks_at(self)}".format(first=f"{self.first:,}")


_SPOILS_WEIGHTS = (Cause.NONFINITE, Cause.FILTER, Cause.DEAD, Cause.LAYER)
"""What later updates seldom mend."""
_LOOKS_AT = {
    Cause.FILTER: "test the GPU's memory if it comes back: learning seldom does this",
    Cause.DEAD: "lower the learning rate or take a leaky activation",
    Cause.FROZEN: "look at requires_grad and at what the optimizer was given, up to {first}",
    Cause.NORM: "look at the batches up to {first}: another scale, very few samples, train() and eval() mixed up",
    Cause.LAYER: "look at what set its weights: loading, initialising, averaging",
    Cause.UPDATE: "look at the learning rate and the batches up to {first}; clipping the gradient norm limits updates",
    Cause.GRADIENT: "look at the batches up to {first}; clipping the gradient norm limits what they do",
    Cause.LOSS: "look at the batches and labels up to {first}, and at the loss function",
    Cause.INPUTS: "look at how samples are scaled and normalised from {first} on",
    Cause.NETWORK: "look at what changed in the data or labels up to {first}, of training and of validation",
    Cause.CLASS: "look at its training samples up to {first}, and at their labels",
}
_LOOKS_AT_SCALES = "look at what sets its scales up to {first}: weight decay, pruning, loading"
_LOOKS_AT_RATE = "lower the learning rate that it leaps to, or warm up to it"
_LOOKS_AT_ORIGIN = {
    Began.WEIGHTS: "look at the update before it: the learning rate, or gradients that overflowed",
    Began.ALONE: "look at the backward pass there: a root or norm of zero, the loss scale",
    Began.BACKWARD: "look at the backward pass there: a root or norm of zero, the loss scale",
    Began.FORWARD: "look at what goes in there: NaN in the samples, overflow in half precision",
    Began.LOSS: "look at the loss function: a log of zero, a division by zero",
    Began.UNKNOWN: "look at the batch there: NaN in it, a log of zero, overflow in half precision",
}


def _looks_at(incident: Incident) -> str:
    rules = {one.rule for one in incident.evidence if one.detector == "norm"}
    if incident.cause is Cause.NONFINITE and incident.filters and incident.origin is None:  # its weights alone
        return _LOOKS_AT[Cause.FILTER]
    if incident.cause is Cause.NONFINITE:
        return _LOOKS_AT_ORIGIN[incident.origin.began if incident.origin is not None else Began.UNKNOWN]
    if incident.cause is Cause.NORM and rules and rules <= {"scale_shift", "zero_scales"}:
        return _LOOKS_AT_SCALES
    if incident.cause is Cause.UPDATE and any(one.detector == "rate" for one in incident.evidence):
        return _LOOKS_AT_RATE
    return _LOOKS_AT[incident.cause]
