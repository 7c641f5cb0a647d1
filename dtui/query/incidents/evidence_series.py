"""Answers what shows an incident: the telling series around it, what its class became, which layers moved."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from dtui.model import Cause, FloatArray, Incident, IntArray, Layer
from dtui.model.findings.incident_evidence import MOST_IMAGES, EvidenceSeries, IncidentEvidence, LayerMove
from dtui.model.learning import Confused
from dtui.query.data import RunData
from dtui.query.layers.update_ratios import layer_update_ratios

AROUND = 20
"""Records, or validations, before the beginning and after the end that are shown."""
MOST_MOVED = 3
LEAST_TIMES = 2.0
"""A layer that moved less than so many times its usual is not named."""
LEAST_BEFORE = 5
"""Records before, without which nobody knows what is usual."""


def evidence_of(incident: Incident, data: RunData) -> IncidentEvidence:
    """Answer `RunQuery.incident_evidence` for one incident."""
    series = [*_TELLING.get(incident.cause, _loss)(incident, data)]
    label = incident.classes[0] if incident.classes else None
    if label is not None and label < len(data.class_sizes):
        if incident.cause is not Cause.CLASS:
            series += _class_error(incident, data)
        moment, became, judged, wrong = _became(label, incident, data)
    else:
        moment, became, judged, wrong = None, (), 0, ()
    return IncidentEvidence(incident.id, tuple(series), label, moment, became, judged, wrong, _moved(incident, data))


Telling = Callable[[Incident, RunData], Iterator[EvidenceSeries]]


def _class_error(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the error of the worst class at the validations around."""
    errors, label = data.class_errors(), incident.classes[0] if incident.classes else -1
    if 0 <= label < len(errors) and len(data.validations):
        around = _around(data.validations, incident)
        name = data.reader.classes[label] if label < len(data.reader.classes) else str(label)
        yield EvidenceSeries("error of class", name, data.validations[around], errors[label, around], is_share=True)


def _network_error(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the mean error of all images at the validations around."""
    if len(data.validations):
        around = _around(data.validations, incident)
        errors, judged = data.class_errors()[:, around], data.judged()[:, around]
        with np.errstate(invalid="ignore"):
            mean = np.nansum(errors * judged, axis=0) / np.where(np.isfinite(errors), judged, 0).sum(axis=0)
        yield EvidenceSeries("error of all images", "", data.validations[around], mean, is_share=True)


def _filter_norm(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the norm of the first filter, also at watches."""
    layer = _layer(incident, data)
    if layer is not None and incident.filters and data.records_filters("norm"):
        around = _around(data.records, incident)
        row = layer.filter_rows.start + incident.filters[0]
        norms = data.reader.read_filters("norm", slice(row, row + 1), around)[0]
        title = f"norm of filter {incident.filters[0]} of"
        yield EvidenceSeries(title, layer.name, data.records[around], norms, is_wide=True)


def _gradient_of_filters(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the largest gradient norm among the filters that died."""
    layer = _layer(incident, data)
    if layer is not None and incident.filters and data.records_filters("gradient_norm"):
        around = _around(data.records, incident)
        norms = data.reader.read_filters("gradient_norm", layer.filter_rows, around)[list(incident.filters)]
        regular = ~data.is_watch[around]
        largest = norms[:, regular].max(axis=0)
        yield EvidenceSeries("largest gradient of these filters of", layer.name, data.records[around][regular], largest)


def _layer_update(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the relative update of the first layer."""
    layer = _layer(incident, data)
    if layer is not None and data.records_layers("updates", "norm2"):
        iterations, ratios = _ratios(incident, data)
        yield EvidenceSeries("update ratio of", layer.name, iterations, ratios[layer.index], is_wide=True)


def _layer_norm(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the weight norm of the first layer."""
    layer = _layer(incident, data)
    if layer is not None and data.records_layers("weights", "norm2"):
        iterations, regular = _regular(incident, data)
        yield EvidenceSeries(
            "weight norm of", layer.name, iterations, data.layers("weights", "norm2")[layer.index][regular]
        )


def _network_update(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the median over layers of the relative update."""
    if data.records_layers("updates", "norm2"):
        iterations, ratios = _ratios(incident, data)
        yield EvidenceSeries("median update ratio of the layers", "", iterations, _median(ratios), is_wide=True)


def _network_gradient(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the norm of all gradients together."""
    if data.records_layers("gradients", "norm2"):
        iterations, regular = _regular(incident, data)
        norms = data.layers("gradients", "norm2")[:, regular].astype(np.float64)
        total = np.sqrt((norms * norms).sum(axis=0))
        yield EvidenceSeries("gradient norm of the network", "", iterations, total, is_wide=True)


def _loss(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the loss, also between records."""
    if "loss" in data.reader.scalar_names() or "loss" in data.reader.logged:
        iterations, values = data.points("loss")
        around = _around(iterations, incident)
        yield EvidenceSeries("loss", "", iterations[around], values[around])


def _norm_layer(incident: Incident, data: RunData) -> Iterator[EvidenceSeries]:
    """Yield the mean shift of the normalisation layer that was hit first."""
    if not data.norm_layers or not data.records_norms("mean_shift"):
        return
    named = next((said.norm for said in incident.evidence if said.norm is not None), None)
    row = next((place for place, norm in enumerate(data.norm_layers) if norm.name == named), 0)
    iterations, regular = _regular(incident, data)
    shift = data.norms("mean_shift")[row][regular]
    yield EvidenceSeries("mean shift of", data.norm_layers[row].name, iterations, shift, is_wide=True)


_TELLING: dict[Cause, Telling] = {
    Cause.CLASS: _class_error,
    Cause.NETWORK: _network_error,
    Cause.FILTER: _filter_norm,
    Cause.DEAD: _gradient_of_filters,
    Cause.FROZEN: _layer_update,
    Cause.LAYER: _layer_norm,
    Cause.NORM: _norm_layer,
    Cause.INPUTS: _norm_layer,
    Cause.UPDATE: _network_update,
    Cause.GRADIENT: _network_gradient,
    Cause.LOSS: _loss,
    Cause.NONFINITE: _loss,
}


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
    usual = _median(ratios[:, before].T)
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
    errors = data.class_errors()[label, first:stop]
    if not np.isfinite(errors).any():
        return None, (), 0, ()
    at = first + int(np.nanargmax(errors))
    begin = int(data.layout.first_image[label])
    rows = slice(begin, begin + int(data.class_sizes[label]))
    labels = data.reader.read_labels(rows, slice(max(0, first - 1), at + 1))
    here, before = labels[:, -1].astype(np.int64), labels[:, 0].astype(np.int64)
    known = (here >= 0) & (here < len(data.class_sizes))
    found, counts = np.unique(here[known & (here != label)], return_counts=True)
    order = np.lexsort((found, -counts))
    judged = int(known.sum())
    became = tuple(Confused(label, int(found[one]), int(counts[one]), float(counts[one] / judged)) for one in order)
    is_wrong = known & (here != label)
    wrong = np.concatenate([np.flatnonzero(is_wrong & (before == label)), np.flatnonzero(is_wrong & (before != label))])
    return int(validations[at]), became, judged, tuple((begin + wrong[:MOST_IMAGES]).tolist())


def _around(iterations: IntArray, incident: Incident) -> slice:
    """Return the places from AROUND before the incident's beginning to AROUND after its end."""
    first = int(np.searchsorted(iterations, incident.first))
    last = int(np.searchsorted(iterations, max(incident.first, incident.last), side="right"))
    return slice(max(0, first - AROUND), min(len(iterations), last + AROUND))


def _regular(incident: Incident, data: RunData) -> tuple[IntArray, IntArray]:
    """Return the iterations and places of the records around, without watches."""
    regular = np.flatnonzero(~data.is_watch)
    places = regular[_around(data.records[regular], incident)]
    return data.records[places], places


def _ratios(incident: Incident, data: RunData) -> tuple[IntArray, FloatArray]:
    iterations, places = _regular(incident, data)
    return iterations, layer_update_ratios(data)[:, places]


def _median(ratios: FloatArray) -> FloatArray:
    """Return the median over the first axis of what is a number; NaN where nothing is."""
    known = np.isfinite(ratios).any(axis=0)
    result: FloatArray = np.full(ratios.shape[1], np.nan)
    if known.any():
        result[known] = np.nanmedian(np.where(np.isfinite(ratios), ratios, np.nan)[:, known], axis=0)
    return result


def _layer(incident: Incident, data: RunData) -> Layer | None:
    name = incident.layers[0] if incident.layers else None
    return next((layer for layer in data.structure.layers if layer.name == name), None)
