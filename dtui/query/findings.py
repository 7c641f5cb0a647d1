"""Answers `RunQuery.info`, and describes what is wrong with a training: one line for each kind of trouble.

Owns the wording and what counts as trouble.
"""

from __future__ import annotations

import numpy as np

from dtui.analysis.detectors.registry import detector_named
from dtui.model import (
    LARGEST,
    SKIPPED_UPDATES,
    Anomaly,
    AnomalySettings,
    BoolArray,
    FloatArray,
    RunInfo,
    RunStatus,
    every_that_fits,
    was_logged,
)
from dtui.model.judging import SCORE
from dtui.model.statistics import Rows
from dtui.number_text import counted
from dtui.query.classes.errors import images_judged
from dtui.query.data import Arrays, RunData, have
from dtui.query.detecting import found_by
from dtui.query.incidents.origin import origins, told
from dtui.query.layers.activations import has_activations
from dtui.query.layers.beside.adapters import adapter_states
from dtui.query.layers.trained import layer_states
from dtui.query.learned import not_learned

MOST_ITERATIONS = 8
MOST_TRIGGERS = 8


def findings(data: RunData) -> tuple[str, ...]:
    """Return a line for each kind of trouble; data from outside."""
    return data.remembered(
        "findings",
        lambda: (
            *(*_too_few(data), *_origins(data), *_tensors(data), *_norms(data), *_parameters(data), *_scalars(data)),
            *(*_judged(data), *_skipped(data), *_fired(data)),
        ),
    )


def _too_few(data: RunData) -> list[str]:
    """Return a line on a training that ended before its second record, not counting the closing record."""
    every, last = data.reader.metadata.every, data.last_iteration
    records = int(np.count_nonzero(~data.is_watch)) - data.has_closing_record
    if records > 1 or last < 1 or data.reader.metadata.invented or data.reader.status() is RunStatus.LIVE:
        return []
    fits = every_that_fits(last + 1)
    made = f"{counted(records, 'record')} in {counted(last + 1, 'iteration')}, without that of the end"
    line = f"every {every} made {made}; every {fits} would have made {-(-(last + 1) // fits):,}"
    return [line] if fits < every else []


def _origins(data: RunData) -> list[str]:
    """Return a line for each time that a recorder saw NaN or Inf begin."""
    return [f"NaN or Inf at update {one.iteration:,}; {told(one)}" for one in origins(data)[:MOST_TRIGGERS]]


def _tensors(data: RunData) -> list[str]:
    """Return a line for each source in which NaN or Inf was recorded."""
    lines = []
    for source in ("weights", "gradients"):
        if not data.records_layers(source, "nonfinite"):
            continue
        touched, layer, record = _first_counted(data, source)
        if touched:
            lines.append(
                f"{source} are NaN or Inf in {touched} layer{'s' if touched != 1 else ''}, "
                f"first in layer {data.structure.layers[layer].name} at iteration {int(data.records[record])}"
            )
    return lines


def _first_counted(data: RunData, source: str) -> list[int]:
    """Return in how many layers a source was NaN or Inf, and the first layer and its record; 0s where it never was."""

    def find() -> Arrays:
        counts = np.nan_to_num(data.layers(source, "nonfinite"))
        if not counts.any():
            return (np.zeros(3, np.int64),)
        record = int(counts.any(axis=0).argmax())
        return (np.array([counts.any(axis=1).sum(), counts[:, record].argmax(), record], np.int64),)

    def is_possible(found: Arrays) -> bool:
        layers = len(data.structure.layers)
        most = np.array([layers + 1, layers, len(data.records)])
        return have(found, ("i", (3,))) and bool(((found[0] >= 0) & (found[0] < most)).all())

    numbers: list[int] = data.pictured(("first NaN or Inf", source), find, is_possible)[0].tolist()
    return numbers


def _parameters(data: RunData) -> list[str]:
    """Return a line where parameters outside the layers, or their gradients, were NaN or Inf."""
    if "nonfinite" not in data.reader.contents.of(Rows.PARAMETERS):
        return []
    counts = np.nan_to_num(data.parameters("nonfinite"))
    if not counts.any():
        return []
    record = int(counts.any(axis=0).argmax())
    first = data.structure.parameters[int(counts[:, record].argmax())]
    touched = int(counts.any(axis=1).sum())
    return [
        f"values or gradients are NaN or Inf in {touched} parameter{'s' if touched != 1 else ''} outside the layers, "
        f"first in {first.name} at iteration {int(data.records[record])}"
    ]


def _norms(data: RunData) -> list[str]:
    """Return a line where scales or running statistics of normalisation layers were NaN or Inf."""
    counts = np.nan_to_num(data.norms("nonfinite")) if data.records_norms("nonfinite") else np.zeros((0, 0))
    if not counts.any():
        return []
    record = int(counts.any(axis=0).argmax())
    layer = data.norm_layers[int(counts[:, record].argmax())]
    touched = int(counts.any(axis=1).sum())
    return [
        f"scales or running statistics are NaN or Inf in {touched} normalisation layer{'s' if touched != 1 else ''}, "
        f"first in layer {layer.name} at iteration {int(data.records[record])}"
    ]


def _scalars(data: RunData) -> list[str]:
    """Return a line for each scalar that was NaN or Inf when it was logged."""
    lines, names = [], data.reader.scalar_names()
    for name in names:
        iterations, values = data.points(name)
        logged = was_logged(values)
        bad = logged & ~np.isfinite(values)
        of = next((of for of, largest in LARGEST.items() if largest == name and of in names), "")
        if bad.any() and of:
            own = data.points(of)[1]
            if np.isfinite(own[was_logged(own)]).all():  # else the line on the scalar itself says it
                first = int(iterations[int(bad.argmax())])
                lines.append(f"{of} is NaN or Inf between two records, first before that of iteration {first}")
        elif bad.any():
            first, count = int(bad.argmax()), int(bad.sum())
            what = "record" if np.isin(iterations[bad], data.records).all() else "value"
            where = f"in {count} {what}{'s' if count != 1 else ''}, first at iteration {int(iterations[first])}"
            if count > 1 and bad[first:].sum() == logged[first:].sum():
                where = f"from iteration {int(iterations[first])} on"
            lines.append(f"{name} is {_kind(values, bad)} {where}")
    return lines


def _kind(values: FloatArray, bad: BoolArray) -> str:
    is_nan = np.isnan(values[bad])
    return "NaN" if is_nan.all() else "NaN or Inf" if is_nan.any() else "Inf"


def _judged(data: RunData) -> list[str]:
    """Return a line on the validations in which images have no label."""
    images, judged = data.layout.total_images, images_judged(data)
    partial = np.flatnonzero(judged < images)
    if not len(partial):
        return []
    first = int(partial[0])
    what = "a validation has" if len(partial) == 1 else f"{len(partial):,} validations have"
    if data.judging is not None and data.judging.has_scores:
        named = "" if data.judging.score == SCORE else f" ({data.judging.score})"
        return [
            f"{what} a score{named} for a part of the items only, first at iteration "
            f"{int(data.validations[first])} ({int(judged[first]):,} of {images:,}); the others were not judged, or it "
            "was NaN: they are neither right nor wrong there"
        ]
    return [
        f"{what} a label for a part of the images only, first at iteration {int(data.validations[first])} "
        f"({int(judged[first]):,} of {images:,}); the others were not judged, or their outputs were NaN"
    ]


def _skipped(data: RunData) -> list[str]:
    """Return a line on the updates that a GradScaler skipped."""
    if SKIPPED_UPDATES not in data.reader.scalar_names():
        return []
    regular = ~data.is_watch  # watches do not count them
    counts = np.nan_to_num(data.scalar(SKIPPED_UPDATES)[regular])
    new = np.diff(counts, prepend=0.0)
    new = np.where(new < 0, counts, new)  # a resumed training counts anew
    total, records = int(new.sum()), data.records[regular][new > 0]
    where = ", ".join(str(int(iteration)) for iteration in records[:MOST_ITERATIONS])
    if len(records) > MOST_ITERATIONS:
        where += f" and {len(records) - MOST_ITERATIONS} later ones"
    were = "update was" if total == 1 else "updates were"
    return [f"{total} {were} skipped by the GradScaler for NaN or Inf gradients, told by the records of {where}"]


def _fired(data: RunData) -> list[str]:
    """Return a line for each of the first triggers of the flight recorder, and one line on the rest."""
    fired = found_by(data, detector_named("watch"), AnomalySettings())
    lines = [f"flight recorder: {_sentence(one)} at iteration {one.iteration:,}" for one in fired[:MOST_TRIGGERS]]
    if len(fired) > MOST_TRIGGERS:
        lines.append(f"flight recorder: {len(fired) - MOST_TRIGGERS} more; dtui anomalies lists them")
    return lines


def _sentence(fired: Anomaly) -> str:
    """Return what happened, such as "layer conv1 filter 17 jumped to 85 times the usual"."""
    shown, place = fired.shown, fired.evidence.place
    what = f"layer {place}" if place else f"the {shown.subject}"
    return f"{what} {shown.verb} {shown.detail}".rstrip()


UNEXPLAINED = "nobody closed it, and nothing records it any more"
"""Why a run crashed that says nothing itself: its process was killed, or its machine went down."""


def run_info(data: RunData, detector_faults: tuple[str, ...]) -> RunInfo:
    """Return one line about the run; `detector_faults` stand behind its other findings."""
    reader, structure = data.reader, data.structure
    iterations, status = data.iterations, reader.status()
    return RunInfo(
        run=reader.metadata.name or reader.path.stem,
        status=status,
        reason=_reason(status, reader.reason),
        format=reader.format_version,
        invented=reader.metadata.invented,
        records=int(np.count_nonzero(~data.is_watch)),
        validations=len(data.validations),
        first_iteration=int(iterations.min()) if len(iterations) else None,
        last_iteration=int(iterations.max()) if len(iterations) else None,
        layers=len(structure.layers),
        filters=structure.filters,
        classes=len(reader.classes) if data.judging is None else data.judging.other,
        images=data.layout.total_images,
        gaps=reader.gaps,
        findings=(*reader.faults, *findings(data), *detector_faults),
        joins=reader.seams,
        watches=int(np.count_nonzero(data.is_watch)),
        looks=data.remembered("looks", lambda: data.reader.broken_gradients()[1]),
        coverage=structure.coverage,
        norms=len(structure.norms),
        channels=structure.channels,
        other_parameters=len(structure.parameters),
        trainable=None if structure.trained is None else structure.trained.parameters,
        states=layer_states(data),
        judging=data.judging,
        activations=has_activations(data),
        heads=sum(group.count for group in structure.heads if not group.of_inputs),
        adapters=adapter_states(data),
        not_learned=not_learned(data),
    )


def _reason(status: RunStatus, reason: str) -> str:
    """Return why a run crashed or is incomplete, "" for any other."""
    if status is RunStatus.CRASHED:
        return reason or UNEXPLAINED
    return reason if status is RunStatus.INCOMPLETE else ""
