"""Says where NaN or Inf began, for incidents of that cause, from what a recorder saw before the update."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from dtui.model import Cause, Incident
from dtui.model.findings.nonfinite import Began, Origin
from dtui.model.findings.origin import order_of, origin_of
from dtui.number_text import counted
from dtui.query.data import RunData

if TYPE_CHECKING:
    from dtui.store import RunReader


def with_origins(incidents: Sequence[Incident], data: RunData) -> tuple[Incident, ...]:
    """Return the incidents; those of NaN or Inf name the layers where it began, if a recorder saw that."""
    if not any(one.cause is Cause.NONFINITE for one in incidents):
        return tuple(incidents)
    found = origins(data)
    return tuple(_with_origin(one, found, data) if one.cause is Cause.NONFINITE else one for one in incidents)


def origins(data: RunData) -> tuple[Origin, ...]:
    """Return where NaN or Inf began, by iteration, each time that a recorder saw it begin."""

    return data.remembered("origins", lambda: origins_of(data.reader))


def origins_of(reader: RunReader) -> tuple[Origin, ...]:
    """Return the same of a run that is only followed."""
    structure = reader.structure
    order = order_of(structure)
    found = [origin_of(one, order, structure.edges) for one in reader.broken_gradients()[0]]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.iteration))


def told(origin: Origin) -> str:
    """Return where it began, in words without a full stop; they hold names of layers, data from outside."""
    first, beside = _listed(origin.layers), _listed(origin.beside)
    rest = origin.count - len(origin.layers)
    all_of = f"{first}{f' and {rest:,} more' if rest > 0 else ''}"
    if origin.began is Began.ALONE:
        return f"it began in the backward pass at {first}: the gradients of all other layers were finite"
    if origin.began is Began.BACKWARD:
        return (
            f"it began in the backward pass at {first}: the gradient of {beside} was finite, that of {all_of} was not"
        )
    if origin.began is Began.WEIGHTS:
        if not first:
            return f"the weights of {_layers(origin.count)} were so before that update already"
        return f"it began at {first}: before that update the weights of {all_of} were so already, those of {beside} not"
    if origin.began is Began.FORWARD:
        sound = f", those of {beside} were not" if beside else ""
        return f"it began in the forward pass at or before {first}: its running statistics were so{sound}"
    if origin.began is Began.LOSS:
        return "it began in the backward pass of the loss: the loss was finite, no gradient from the last layer on was"
    why = "the loss was so" if origin.is_loss_finite is False else "the gradients were so up to the last layer"
    return f"it began in the forward pass or in the loss: {why}"


def _with_origin(incident: Incident, found: Sequence[Origin], data: RunData) -> Incident:
    records = data.records[~data.is_watch]
    at = int(np.searchsorted(records, incident.first))
    earliest = int(records[at - 1]) if at else -1
    origin = next((one for one in found if earliest < one.iteration <= incident.last), None)
    if origin is None:
        return incident
    when = f" from update {origin.iteration:,} on" if origin.iteration != incident.first else ""
    layers = _layers_of(origin.layers, data) or incident.layers
    is_place = not origin.layers or origin.layers[:1] == incident.layers[:1]
    filters = incident.filters if is_place else ()
    return replace(
        incident, sentence=f"NaN or Inf{when}; {told(origin)}", layers=layers, filters=filters, origin=origin
    )


def _layers_of(names: Sequence[str], data: RunData) -> tuple[str, ...]:
    """Return names with each normalisation layer replaced by the layer whose outputs it normalises, if there is one."""
    behind = {norm.name: norm.layer for norm in data.norm_layers if norm.layer}
    return tuple(dict.fromkeys(behind.get(name, name) for name in names))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def _layers(count: int) -> str:
    return counted(count, "layer")
