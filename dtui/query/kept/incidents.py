"""Returns incidents, what shows them and what could not be judged: kept, or from the detectors, which it then imports.

Owns what a kept one may say of a run; it comes from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dtui.model import Evidence, Incident, Missing
from dtui.model.arrays import IntArray
from dtui.model.findings.incident_evidence import MOST_IMAGES, IncidentEvidence
from dtui.model.findings.telling import Telling
from dtui.on_use import on_use
from dtui.query.data import RunData
from dtui.query.kept.told import is_told, told

if TYPE_CHECKING:
    from dtui.query.incidents import evidence
else:
    (evidence,) = on_use("dtui.query.incidents", "evidence")

_INCIDENTS = "incidents"


def incidents(data: RunData, find: Callable[[], Sequence[Incident]]) -> tuple[Incident, ...]:
    """Return the incidents without decisions, as `find` returns them."""
    return told(data, _INCIDENTS, Incident, find, lambda kept: all(_is_incident(data, one) for one in kept))


def are_incidents_kept(data: RunData) -> bool:
    """Whether they need not be looked for."""
    return is_told(data, _INCIDENTS)


def not_judged(data: RunData, find: Callable[[], Sequence[Missing]]) -> tuple[Missing, ...]:
    """Return which missing data may hide incidents, as `find` returns it."""
    return told(data, "not judged", Missing, find, lambda kept: True)


def evidence_of(data: RunData, incident: Incident) -> IncidentEvidence:
    """Return what shows an incident, without the batch before it."""
    found = told(
        data,
        ("incident evidence", incident.id, incident.first, incident.last),
        IncidentEvidence,
        lambda: (evidence.evidence_of(incident, data),),
        lambda kept: len(kept) == 1 and _is_evidence(data, incident, kept[0]),
    )
    return found[0]


def _is_incident(data: RunData, one: Incident) -> bool:
    return (
        0 <= one.first <= one.last <= data.last_iteration
        and _has(data, one.layers[:1], one.filters)
        and _are_below(one.classes, len(data.class_sizes))
        and one.status == "new"
        and bool(one.evidence)
        and all(_is_part(data, part) for part in one.evidence)
    )


def _is_part(data: RunData, one: Evidence) -> bool:
    layers = () if one.layer is None else (one.layer,)
    return _has(data, layers, one.filters) and _are_below(one.classes, len(data.class_sizes))


def _has(data: RunData, layers: Sequence[str], filters: Sequence[int]) -> bool:
    """Whether the network has these filters in the layer that is named, if one is."""
    of_name = {layer.name: layer.filters for layer in data.structure.layers}
    return not filters or (len(layers) == 1 and _are_below(filters, of_name.get(layers[0], 0)))


def _are_below(numbers: Sequence[int], stop: int) -> bool:
    return all(0 <= number < stop for number in numbers)


def _is_evidence(data: RunData, incident: Incident, one: IncidentEvidence) -> bool:
    labels = [label for pair in one.became for label in (pair.target, pair.label)]
    return (
        one.id == incident.id
        and one.judging == data.judging
        and one.batch is None
        and _are_below([*labels, *(() if one.label is None else (one.label,))], len(data.class_sizes))
        and len(one.wrong) <= MOST_IMAGES
        and _are_below(one.wrong, data.layout.total_images)
        and all(map(_is_series, one.series))
    )


def _is_series(one: Telling) -> bool:
    count = len(one.iterations)
    lengths = {len(one.values), count if one.others is None else len(one.others)}
    return count >= 2 and lengths == {count} and _is_rising(one.iterations)


def _is_rising(iterations: IntArray) -> bool:
    return iterations.dtype.kind == "i" and bool((iterations[1:] > iterations[:-1]).all())
