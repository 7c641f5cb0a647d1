"""Answers `RunQuery.telling`: the series that show the evidence of an incident, around its beginning."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from dtui.analysis.detectors.stream.block import middle_of_moving
from dtui.analysis.incidents.grouping import kind_of, rank_of
from dtui.analysis.quantiles import column_medians
from dtui.model import BoolArray, Evidence, FloatArray, Incident, IntArray, read_only, was_logged, was_lost
from dtui.model.arrays import median_of
from dtui.model.findings.telling import Telling
from dtui.model.judging import as_groups, class_called
from dtui.model.layers import layer_called
from dtui.number_text import number_text
from dtui.query.classes.errors import error_of_all
from dtui.query.data import Arrays, RunData, have

AROUND = 20
"""Records, or validations, before and after the beginning."""
MOST = 3
MOVED = 0.25
"""Of the value before: what moved less is left out, the first series excepted."""
MOVED_SHARE = 0.03
Series = tuple[str, str, IntArray, FloatArray, FloatArray | None, str]
"""What, unit, iterations, values, others, and what the others are."""


def telling(data: RunData, incident: Incident) -> tuple[Telling, ...]:
    """Return at most MOST series, the most telling first; one for each kind of evidence and place."""
    found: dict[str, Telling] = {}
    for one in sorted(incident.evidence, key=lambda one: _how_telling(one, incident)):
        if len(found) == MOST:
            break
        series = _SERIES.get(kind_of(one), _nothing)(data, one, incident)
        if series is not None and series[0] not in found:
            shown = _around(one, series, incident)
            if shown is not None and (not found or _has_moved(shown)):
                found[series[0]] = shown
    return tuple(found.values())


def _how_telling(one: Evidence, incident: Incident) -> tuple[bool, bool, int, int]:
    """Order the most telling first: of the cause itself, at the place of the incident, then as detectors are ranked."""
    is_elsewhere = one.layer not in (None, *incident.layers)
    return kind_of(one).split()[-1] != incident.cause, is_elsewhere, rank_of(one), one.iteration


def _has_moved(series: Telling) -> bool:
    """Whether a value stands out: one that did not move is no picture of what happened."""
    if series.before is None or series.then is None or not np.isfinite(series.values).all():
        return True
    return abs(series.then - series.before) > (MOVED_SHARE if series.unit == "share" else MOVED * abs(series.before))


def _around(one: Evidence, series: Series, incident: Incident) -> Telling | None:
    """Return a series with what it was before and then; None where it has too few values to draw.

    An error was before what its rule compares it with, as the sentence of the incident says, and not what it was in
    the middle of the picture.
    """
    what, unit, iterations, values, others, others_what = series
    first, last = incident.first, incident.last
    is_known = ~np.isnan(values)
    if np.count_nonzero(np.isfinite(values)) < 2:
        return None
    iterations, values = iterations[is_known], np.asarray(values[is_known], dtype=np.float64)
    finite = np.isfinite(values)
    earlier, later = values[finite & (iterations < first)], np.flatnonzero(finite & (iterations >= first))
    before = median_of(earlier) if len(earlier) else None
    if unit == "share" and one.usual is not None:
        before = one.usual
    began, then = None, None
    if len(later):
        began = int(later[0])
        within = later[iterations[later] <= max(last, iterations[began])]  # what is behind it is of another incident
        away = np.abs(values[within] - (before if before is not None else 0.0))
        then = int(within[int(away.argmax())])
    rose = ""
    if then is not None and unit == "share":
        rose = _rose(incident, one, float(values[then]), int(iterations[then]))
    return Telling(
        kind=one.detector,
        what=what,
        unit=unit,
        iterations=read_only(iterations),
        values=read_only(values),
        others=None if others is None else read_only(np.asarray(others[is_known], dtype=np.float64)),
        others_what=others_what,
        before=before,
        began=None if began is None else float(values[began]),
        began_at=None if began is None else int(iterations[began]),
        then=None if then is None else float(values[then]),
        then_at=None if then is None else int(iterations[then]),
        rose=rose,
    )


def _rose(incident: Incident, shown: Evidence, peak: float, peak_at: int) -> str:
    """Return what the sentence of an incident says of an error, and its peak; "" where these are the same.

    A rule that looks at several validations says what the error was in all of them, not what it was at its worst.
    """
    alike = (
        one for one in incident.evidence if (one.detector, *one.classes[:1]) == (shown.detector, *shown.classes[:1])
    )
    named = named_rise(incident, alike)
    if named is None or peak <= _risen(named) or percent(peak) == percent(_risen(named)):
        return ""
    least, most = percent(_risen(named)), percent(peak)
    is_one = named.known in (None, named.iteration)
    return f"{f'began at {least}' if is_one else f'stayed at {least} or more'} (peak {most} at {peak_at:,})"


def named_rise(incident: Incident, rises: Iterable[Evidence]) -> Evidence | None:
    """Return, of evidence that an error rose, the first that the sentence of an incident names; None for none."""
    measured = (one for one in rises if one.usual is not None and one.amount is not None)
    return next((one for one in measured if f"to {percent(_risen(one))}" in incident.sentence), None)


def _risen(one: Evidence) -> float:
    return (one.usual or 0.0) + (one.amount or 0.0)


def percent(share: float) -> str:
    """Return a share as the sentence of an incident says it."""
    return f"{number_text(100 * share, 2)} %"


def _records(data: RunData, first: int) -> slice:
    """Return the records (and watches between them) around an iteration."""
    regular = data.records[~data.is_watch]
    at = int(np.searchsorted(regular, first))
    if not len(regular):
        return slice(0, 0)
    begin, end = regular[max(0, at - AROUND)], regular[min(len(regular) - 1, at + AROUND)]
    first_record = int(np.searchsorted(data.records, begin))
    return slice(first_record, int(np.searchsorted(data.records, end, side="right")))


def _validations(data: RunData, first: int) -> slice:
    at = int(np.searchsorted(data.validations, first))
    return slice(max(0, at - AROUND), min(len(data.validations), at + AROUND + 1))


def _filter(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    filters = one.filters or incident.filters
    read = _of_filters(data, one, incident, "update_ratio")
    if read is None or not filters:
        return None
    iterations, values = read
    shown = [number for number in filters if number < len(values)]
    what = f"change of {_named(shown, one.layer or '')} in one record, ‖Δw‖ / ‖w‖"
    return what, "number", iterations, _largest(values[shown]), column_medians(values), "the middle filter of the layer"


def _dead(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    read = _of_filters(data, one, incident, "gradient_norm")
    if read is None or not one.filters:
        return None
    iterations, values = read
    dying = [number for number in one.filters if number < len(values)]
    others = np.delete(values, dying, axis=0)
    compared = column_medians(others) if len(others) else None
    count = max(len(dying), one.count or 0)
    what = f"gradient of {_named(dying, one.layer or '') if count == 1 else _many(count, one.layer or '')}"
    return what, "number", iterations, column_medians(values[dying]), compared, "the middle of the other filters"


def _frozen(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    return _change_of_layer(data, one, incident)


def _layer(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    if one.rule != "norm":
        return _change_of_layer(data, one, incident)
    layer, records = _index(data, one.layer), _records(data, incident.first)
    if layer is None or not data.records_layers("weights", "norm2"):
        return None
    values = data.reader.read_layers("weights", "norm2", records)
    what = f"norm of the weights of {layer_called(one.layer or '')}"
    return what, "number", data.records[records], values[layer], None, ""


def _change_of_layer(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    layer, records = _index(data, one.layer), _records(data, incident.first)
    if layer is None or not (data.records_layers("weights", "norm2") and data.records_layers("updates", "norm2")):
        return None
    updates, weights = (data.reader.read_layers(source, "norm2", records) for source in ("updates", "weights"))
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = updates / weights
    what = f"change of {layer_called(one.layer or '')} in one record, ‖Δw‖ / ‖w‖"
    return what, "number", data.records[records], ratio[layer], middle_of_moving(ratio), "the middle layer"


def _norm(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    norm = next((k for k, layer in enumerate(data.norm_layers) if layer.name == one.norm), None)
    if norm is None or not data.records_norms(one.rule):
        return None
    records = _records(data, incident.first)
    values = data.reader.read_norms(one.rule, records)
    words = one.rule.replace("_", " ")
    return f"{words} of {one.norm}", "number", data.records[records], values[norm], None, ""


def _whole(source: str, what: str) -> Callable[[RunData, Evidence, Incident], Series | None]:
    """Return a function for the norm over all layers of one source."""

    def series(data: RunData, one: Evidence, incident: Incident) -> Series | None:
        if not data.records_layers(source, "norm2"):
            return None
        records = _records(data, incident.first)
        norms = np.asarray(data.reader.read_layers(source, "norm2", records), dtype=np.float64)
        known = ~np.isnan(norms)
        total = np.where(known.any(axis=0), np.sqrt((np.where(known, norms, 0.0) ** 2).sum(axis=0)), np.nan)
        return what, "number", data.records[records], total, None, ""

    return series


def _scalar(name: str, what: str) -> Callable[[RunData, Evidence, Incident], Series | None]:
    def series(data: RunData, one: Evidence, incident: Incident) -> Series | None:
        if name not in data.reader.scalar_names():
            return None
        records = _records(data, incident.first)
        values = np.array(data.reader.read_scalar(name, records), dtype=np.float64)
        logged = was_logged(values) & ~was_lost(values)
        return what, "number", data.records[records], _marked(values, logged), None, ""

    return series


def _marked(values: FloatArray, logged: BoolArray) -> FloatArray:
    """Return values with Inf where NaN or Inf was logged, and NaN where nothing was."""
    result: FloatArray = np.where(logged, np.where(np.isfinite(values), values, np.inf), np.nan)
    return result


def _nonfinite(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    source = one.rule if one.rule in ("weights", "gradients") else ""
    if not source or not data.records_layers(source, "nonfinite"):
        return _scalar("loss", "loss")(data, one, incident)
    records = _records(data, incident.first)
    counts = np.nan_to_num(data.reader.read_layers(source, "nonfinite", records))
    layer = _index(data, one.layer)
    shown = counts.sum(axis=0) if layer is None else counts[layer]
    place = "the network" if layer is None else one.layer
    return f"elements of the {source} of {place} that are NaN or Inf", "number", data.records[records], shown, None, ""


def _network(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    validations = _validations(data, incident.first)
    errors = error_of_all(data)[validations]
    every = "error of all classes" if data.judging is None else "error of all groups"
    return every, "share", data.validations[validations], errors, None, ""


def _class(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    label = next(iter(one.classes), None)
    if label is None or label >= len(data.class_sizes):
        return None
    validations = _validations(data, incident.first)
    errors = class_error(data, label, validations)
    every = error_of_all(data)[validations]
    names = data.reader.classes
    name = names[label] if label < len(names) else str(label)
    shown, of_all = class_called(name, data.judging), as_groups("all classes", data.judging)
    return f"error of {shown}", "share", data.validations[validations], errors, every, of_all


def class_error(data: RunData, label: int, validations: slice) -> FloatArray:
    """Return the error of a class that there is, as `RunData.class_errors`, at some validations, step 1."""

    def is_possible(found: Arrays) -> bool:
        wanted = (validations.stop - validations.start,)
        return have(found, ("f", wanted)) and not ((found[0] < 0) | (found[0] > 1)).any()

    asked = ("error of class", label, validations.start, validations.stop)
    error: FloatArray = data.pictured(asked, lambda: (data.errors_within(validations)[label],), is_possible)[0]
    return error


def _nothing(data: RunData, one: Evidence, incident: Incident) -> Series | None:
    return None


def _of_filters(data: RunData, one: Evidence, incident: Incident, statistic: str) -> tuple[IntArray, FloatArray] | None:
    """Return iterations, and a statistic of all filters of the layer that the evidence names; None where not held."""
    layer = _index(data, one.layer)
    if layer is None or not data.records_filters(statistic):
        return None
    records = _records(data, incident.first)
    return data.records[records], data.reader.read_filters(statistic, data.structure.layers[layer].filter_rows, records)


def _index(data: RunData, name: str | None) -> int | None:
    return next((layer.index for layer in data.structure.layers if layer.name == name), None)


def _largest(rows: FloatArray) -> FloatArray:
    """Return the largest value of each column, NaN where there is none."""
    known = ~np.isnan(rows)
    result: FloatArray = np.where(known.any(axis=0), np.where(known, rows, -np.inf).max(axis=0), np.nan)
    return result


def _named(filters: list[int], layer: str) -> str:
    return f"filter {filters[0]} of {layer_called(layer)}" if len(filters) == 1 else _many(len(filters), layer)


def _many(filters: int, layer: str) -> str:
    return f"{filters:,} filters of {layer_called(layer)}"


_SERIES: dict[str, Callable[[RunData, Evidence, Incident], Series | None]] = {
    "nonfinite": _nonfinite,
    "watch nonfinite": _nonfinite,
    "filter": _filter,
    "watch filter": _filter,
    "dead": _dead,
    "frozen": _frozen,
    "norm": _norm,
    "layer": _layer,
    "update": _whole("updates", "norm of all updates since the record before"),
    "watch update": _whole("updates", "norm of all updates since the record before"),
    "gradient": _whole("gradients", "norm of all gradients"),
    "watch gradient": _whole("gradients", "norm of all gradients"),
    "loss": _scalar("loss", "loss"),
    "watch loss": _scalar("loss", "loss"),
    "rate": _scalar("learning_rate", "learning rate"),
    "network": _network,
    "class": _class,
}
