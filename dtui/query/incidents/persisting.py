"""Decides whether the effect of an incident still holds at the end of the run."""

from __future__ import annotations

import math

import numpy as np

from dtui.analysis.detectors.online.dead_filters import OF_QUANTILE
from dtui.analysis.detectors.online.dead_filters import SHARE as DEAD_SHARE
from dtui.analysis.detectors.online.frozen_layer import SHARE as FROZEN_SHARE
from dtui.analysis.detectors.stream.block import middle_of_moving
from dtui.analysis.quantiles import column_quantiles
from dtui.model import Cause, Evidence, FloatArray, Incident
from dtui.model.arrays import median_of
from dtui.query.data import RunData

LAST = 3
"""Records or validations that the end is judged by."""
HALF = 0.5
"""Of the rise, or of the filters: what is left of it is still so."""
OFF = math.log(1.5)
"""ln of the times that a norm must be off what it was before the jump."""


def persists(incident: Incident, data: RunData) -> bool | None:
    """Return whether it still holds; None if the recorded data do not show it."""
    judge = _JUDGES.get(incident.cause)
    return None if judge is None else judge(incident, data)


def _nonfinite(incident: Incident, data: RunData) -> bool | None:
    if not data.records_layers("weights", "nonfinite"):
        return None
    counts = _regular(data, data.layers("weights", "nonfinite"))
    return bool(np.nan_to_num(counts[:, -1:]).any()) if counts.shape[1] else None


def _dead(incident: Incident, data: RunData) -> bool | None:
    died = _first(incident, "dead")
    if died is None or died.layer is None or not died.filters:
        return None
    norms = _last_of_filters(data, "gradient_norm", died.layer)
    if norms is None:
        return None
    with np.errstate(invalid="ignore"):
        tiny = (norms == 0) | (norms < DEAD_SHARE * column_quantiles(norms, OF_QUANTILE))
    return bool(tiny[list(died.filters)].all(axis=1).mean() > HALF)


def _frozen(incident: Incident, data: RunData) -> bool | None:
    layer = _layer(data, incident.layers[0]) if incident.layers else None
    if layer is None:
        return None
    updates, weights = (_regular(data, data.layers(source, "norm2"))[:, -LAST:] for source in ("updates", "weights"))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = updates / weights
        return bool((ratio[layer] < FROZEN_SHARE * middle_of_moving(ratio)).all()) if ratio.shape[1] else None


def _layer_norm(incident: Incident, data: RunData) -> bool | None:
    layer = _layer(data, incident.layers[0]) if incident.layers else None
    if layer is None:
        return None
    return _is_off(data.layers("weights", "norm2")[layer], incident, data)


def _filter_norm(incident: Incident, data: RunData) -> bool | None:
    layer = _layer(data, incident.layers[0]) if incident.layers else None
    regular = np.flatnonzero(~data.is_watch)
    before = regular[data.records[regular] < incident.first]
    if layer is None or not incident.filters or not len(before) or not data.records_filters("norm"):
        return None
    first, last = min(incident.filters), max(incident.filters)
    begin = data.structure.layers[layer].first_filter
    rows, numbers = slice(begin + first, begin + last + 1), np.array(incident.filters) - first
    ends = [
        data.reader.read_filters("norm", rows, slice(int(at), int(at) + 1))[:, 0] for at in (before[-1], regular[-1])
    ]
    return bool(np.any(_ratio(ends[1][numbers], ends[0][numbers]) > OFF))


def _ratio(now: FloatArray, before: FloatArray) -> FloatArray:
    """Return |ln(norm / norm before)|; 0 where one of them is not a number."""
    with np.errstate(invalid="ignore"):
        result: FloatArray = np.abs(np.log(np.maximum(now, 1e-12) / np.maximum(before, 1e-12)))
    return np.nan_to_num(result)


def _is_off(norms: FloatArray, incident: Incident, data: RunData) -> bool:
    records, regular = data.records, ~data.is_watch
    before = norms[regular & (records < incident.first)]
    return bool(len(before) and _ratio(norms[regular][-1:], before[-1:])[0] > OFF)


def _last(data: RunData) -> slice:
    """Return the last validations."""
    return slice(max(0, len(data.validations) - LAST), len(data.validations))


def _class(incident: Incident, data: RunData) -> bool | None:
    drop = _first(incident, "class")
    if drop is None or drop.amount is None or drop.usual is None:
        return None
    return _is_high(data.errors_within(_last(data))[drop.classes[0]], drop)


def _network(incident: Incident, data: RunData) -> bool | None:
    rise = _first(incident, "network")
    if rise is None or rise.amount is None or rise.usual is None:
        return None
    errors = data.errors_within(_last(data))
    known = np.isfinite(errors)
    if not known.any(axis=0).all():
        return None
    return _is_high(np.where(known, errors, 0).sum(axis=0) / known.sum(axis=0), rise)


def _is_high(last: FloatArray, rise: Evidence) -> bool | None:
    known = last[np.isfinite(last)]
    return bool(median_of(known) > (rise.usual or 0.0) + HALF * (rise.amount or 0.0)) if len(known) else None


def _first(incident: Incident, detector: str) -> Evidence | None:
    return next((one for one in incident.evidence if one.detector == detector), None)


def _layer(data: RunData, name: str) -> int | None:
    return next((layer.index for layer in data.structure.layers if layer.name == name), None)


def _regular(data: RunData, values: FloatArray) -> FloatArray:
    return values[:, ~data.is_watch]


def _last_of_filters(data: RunData, statistic: str, name: str) -> FloatArray | None:
    layer, places = _layer(data, name), np.flatnonzero(~data.is_watch)[-LAST:]
    if layer is None or len(places) < LAST or not data.records_filters(statistic):
        return None
    rows = data.structure.layers[layer].filter_rows
    values: FloatArray = data.reader.read_filters(statistic, rows, slice(int(places[0]), int(places[-1]) + 1))
    return values[:, places - places[0]]


_JUDGES = {
    Cause.NONFINITE: _nonfinite,
    Cause.DEAD: _dead,
    Cause.FROZEN: _frozen,
    Cause.LAYER: _layer_norm,
    Cause.FILTER: _filter_norm,
    Cause.CLASS: _class,
    Cause.NETWORK: _network,
}
