"""Answers what shows an incident: its telling series, what its class became, which layers moved."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from dtui.analysis.detectors.online.class_error import BEFORE, HELD, LATEST, MISSING, STAYS, ClassError
from dtui.analysis.quantiles import column_medians
from dtui.model import Incident
from dtui.model.findings.incident_evidence import MOST_IMAGES, IncidentEvidence, LayerMove
from dtui.model.findings.telling import Telling
from dtui.model.judging import as_groups
from dtui.model.learning import Confused
from dtui.number_text import number_text
from dtui.query.data import RunData
from dtui.query.incidents.telling import class_error, named_rise, percent, telling
from dtui.query.layers.update_ratios import layer_update_ratios

MOST_KEPT = 512
"""Answers that are kept: about 5 MB, several screens of a list."""
AROUND = 20
"""Records before the incident that say what is usual."""
MOST_MOVED = 3
LEAST_TIMES = 2.0
"""A layer that moved less than so many times its usual is not named."""
LEAST_BEFORE = 5
"""Records before, without which nobody knows what is usual."""


def evidence_of(incident: Incident, data: RunData) -> IncidentEvidence:
    """Answer `RunQuery.incident_evidence` for one incident, without the batch before it.

    It is kept for the last incidents, until the run changes: a list that scrolls by a row asks for all of its rows.
    """
    find = data.remembered("incident evidence", lambda: lru_cache(MOST_KEPT)(partial(_find, data)))
    return find(replace(incident, status="new", note=""))  # which say nothing about what the run holds


def _find(data: RunData, incident: Incident) -> IncidentEvidence:
    label = incident.classes[0] if incident.classes else None
    series, moved = telling(data, incident), _moved(incident, data)
    course = next((one for one in series if one.kind == "class"), None)
    if label is None or label >= len(data.class_sizes):
        return IncidentEvidence(incident.id, series, label, moved=moved, judging=data.judging)
    became = _became(label, incident, data)
    return IncidentEvidence(
        incident.id,
        series,
        label,
        *became,
        moved,
        data.judging,
        rule=as_groups(rule_words(incident, course), data.judging),
    )


def rule_words(incident: Incident, course: Telling | None = None) -> str:
    """Return which rule found that the worst class of an incident broke, with its window, and what is usual; or "".

    The rule knows how bad it stayed, and so does the sentence of the incident; the course of the class shows its peak.
    Where these are two numbers, both are told.
    """
    drops = [
        one for one in incident.evidence if one.detector == ClassError.name and one.classes[:1] == incident.classes[:1]
    ]
    found = max(drops, key=lambda one: one.strength, default=None)
    if found is None or found.usual is None or found.amount is None:
        return ""
    named = named_rise(incident, drops) or found
    here = f"here {percent((named.usual or 0.0) + (named.amount or 0.0))}"
    if course is not None and course.rose:
        here = f"here it {course.rose}"
    rose = f"usually {percent(found.usual)}, {here}"
    if found.rule == MISSING:
        return f"rule: a class that fails for long and is not taught: its error was {rose}"
    words = [f"rule: error against the {BEFORE} validations before: {rose}"]
    if found.concentration is not None:
        words.append(f"{percent(found.concentration)} of the rise of all classes")
    if found.frequency is not None:
        often = f"as much at {number_text(100 * found.frequency)} % of the validations before"
        words.append(often if found.frequency else "never as much before")
    stays = f"stayed as bad at {HELD} of {LATEST}" if any(one.rule == STAYS for one in drops) else ""
    return " · ".join([*words, *filter(None, [stays])])


def _moved(incident: Incident, data: RunData) -> tuple[LayerMove, ...]:
    """Return the layers whose relative update at the incident is farthest above that of the records before."""
    if not data.records_layers("updates", "norm2"):
        return ()
    ratios, records = layer_update_ratios(data), data.records
    regular = np.flatnonzero(~data.is_watch)
    at = regular[(records[regular] >= incident.first) & (records[regular] <= max(incident.first, incident.last))]
    if not len(at):
        after = regular[records[regular] >= incident.first]
        at = after[:1]
    before = regular[records[regular] < incident.first][-AROUND:]
    if not len(at) or len(before) < LEAST_BEFORE:
        return ()
    usual = column_medians(ratios[:, before].T)
    with np.errstate(invalid="ignore", divide="ignore"):
        times = np.nan_to_num(np.fmax.reduce(ratios[:, at], axis=1) / usual, nan=0.0, posinf=np.inf)
    order = np.argsort(-times, kind="stable")[:MOST_MOVED]
    layers = data.structure.layers
    return tuple(LayerMove(layers[row].name, float(times[row])) for row in order if times[row] >= LEAST_TIMES)


def _became(
    label: int, incident: Incident, data: RunData
) -> tuple[int | None, tuple[Confused, ...], int, tuple[int, ...]]:
    """Return the worst validation within the incident, what the class was taken for there, and the wrong images."""
    validations = data.validations
    first = int(np.searchsorted(validations, incident.first))
    stop = max(first + 1, int(np.searchsorted(validations, incident.last, side="right")))
    errors = class_error(data, label, slice(first, min(stop, len(validations))))
    if not np.isfinite(errors).any():
        return None, (), 0, ()
    at = first + int(np.nanargmax(errors))
    begin = int(data.layout.first_image[label])
    rows = slice(begin, begin + int(data.class_sizes[label]))
    labels = data.labels(rows, slice(max(0, first - 1), at + 1))
    here, before = labels[:, -1].astype(np.int64), labels[:, 0].astype(np.int64)
    known = (here >= 0) & (here < len(data.class_sizes))
    found, counts = np.unique(here[known & (here != label)], return_counts=True)
    order = np.lexsort((found, -counts))
    judged = int(known.sum())
    became = tuple(Confused(label, int(found[one]), int(counts[one]), float(counts[one] / judged)) for one in order)
    is_wrong = known & (here != label)
    wrong = np.concatenate([np.flatnonzero(is_wrong & (before == label)), np.flatnonzero(is_wrong & (before != label))])
    return int(validations[at]), became, judged, tuple((begin + wrong[:MOST_IMAGES]).tolist())
