"""Says which learning rate leapt right before an incident, or with it, where its evidence does not say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dtui.analysis.detectors.online.rate_jump import TIMES, RateJump
from dtui.analysis.detectors.stream.trailing import WARM_UP
from dtui.model import Cause, FloatArray, Incident
from dtui.model.scalars import rate_called, rate_name, rate_of
from dtui.number_text import counted, number_text
from dtui.query.data import RunData

BACK = 4
"""Records before an incident at which a leap may have led to it."""


def with_rates(incidents: Sequence[Incident], data: RunData) -> tuple[Incident, ...]:
    """Return the incidents; those behind a leap of a learning rate say that it moved first.

    The detectors look at the rate of the first group of the first optimizer. A network with two optimizers, or with
    groups of parameters, has more.
    """
    rates = _rates(data) if incidents else {}
    if not rates:
        return tuple(incidents)
    records = data.records[~data.is_watch]
    leaps = {name: _leaps(name, rates) for name in rates}

    def told(incident: Incident) -> Incident:
        is_told = incident.cause is Cause.UPDATE and any(one.detector == RateJump.name for one in incident.evidence)
        at = int(np.searchsorted(records, incident.first))
        near = slice(max(WARM_UP, at - BACK), at + 1)
        found = []
        for name, times in leaps.items():
            known = times[near]
            if len(known) and known.max() >= TIMES and not (is_told and name == rate_name()):
                found.append((name, near.start + int(known.argmax()), float(known.max())))
        if not found:
            return incident
        name, place, most = max(found, key=lambda one: one[2])  # of equal ones the first
        earlier = incident.first - int(records[place])
        when = f"{counted(earlier, 'iteration')} earlier" if earlier > 0 else "then"
        leapt = f"{rate_called(name)} leapt {when}, to {number_text(most)} times what it was a record before"
        return replace(incident, moved_first=" · ".join(filter(None, [leapt, incident.moved_first])))

    return tuple(map(told, incidents))


def _rates(data: RunData) -> dict[str, FloatArray]:
    """Return all learning rates at the records, by name, each of shape (n,), the first one first."""
    regular = ~data.is_watch
    named = {rate_of(name): name for name in data.reader.scalar_names()}
    return {named[key]: data.scalar(named[key])[regular] for key in sorted(one for one in named if one is not None)}


def _leaps(name: str, rates: dict[str, FloatArray]) -> FloatArray:
    """Return a rate at each record, divided by that of the record before, shape (n,); 0 where either is not known.

    Before its first value the rate of a group is that of the first group of its optimizer.
    """
    now = rates[name]
    optimizer, group = rate_of(name) or (1, 1)
    of_first = rates.get(rate_name(optimizer), now) if group > 1 else now
    before = np.concatenate([[np.nan], np.where(np.isnan(now), of_first, now)[:-1]])
    with np.errstate(invalid="ignore", divide="ignore"):
        times = np.where(before > 0, now / before, 0.0)
    return np.nan_to_num(times, nan=0.0, posinf=0.0)
