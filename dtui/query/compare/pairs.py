"""Compares two open runs.

Owns the order of the answer and the words for what cannot be compared.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.divergence import TOGETHER, WARM_UP, find_onsets, rows_that_part, same_until
from dtui.analysis.downsample import pool_largest, pool_mean, records_of_columns
from dtui.dataclass_on_use import dataclass
from dtui.errors import NotRecordedError
from dtui.model import Incident, RunInfo, TimeAxis, read_only
from dtui.model.compare import Alignment, Comparison, Divergence, Measure, PairedColumns, PairedRows, Parting
from dtui.query.compare.alignment import alignments
from dtui.query.compare.rows import (
    Pair,
    common_layers,
    common_names,
    has_measure,
    pair_classes,
    pair_curves,
    pair_layers,
)
from dtui.query.compare.settings import differences, settings_of
from dtui.query.data import RunData

MOST_PARTINGS = 3
MOST_NAMES = 4


@dataclass(frozen=True, eq=False, slots=True)
class Side:
    """One of two runs that are compared."""

    data: RunData
    info: RunInfo
    incidents: tuple[Incident, ...]


def compare(
    a: Side,
    b: Side,
    alignment: Alignment = Alignment.ITERATION,
    measure: Measure = Measure.UPDATES,
    called: str = "B",
) -> Comparison:
    """Return two runs beside each other.

    Args:
        a: The first run.
        b: The other.
        alignment: How moments are paired.
        measure: What layers are shown by. Divergences are looked for in all that both have.
        called: The letter of the other run; the first is A.

    Raises:
        NotRecordedError: The runs do not allow this alignment, or lack this measure.
    """
    ours, theirs = a.data, b.data
    if alignment not in alignments(ours, theirs):
        at_fault = next(data for data in (ours, theirs) if alignment not in alignments(data))
        raise NotRecordedError(
            f"{at_fault.reader.path}: no scalar named epoch was logged; compare by iteration or share of the run"
        )
    measures = tuple(one for one in Measure if has_measure(ours, one) and has_measure(theirs, one))
    classes = pair_classes(ours, theirs, alignment)
    layers = {one: pair_layers(ours, theirs, alignment, one) for one in measures}
    if measures and measure not in layers:
        measure = measures[0]
    shown = layers[measure] if layers else _no_layers(measure)
    curves = pair_curves(ours, theirs, alignment)
    every = (classes, *layers.values(), *curves)
    same = _same_until(every)
    found = _divergences(every, WARM_UP if same is None else 0)
    return Comparison(
        infos=(a.info, b.info),
        alignment=alignment,
        differences=differences([settings_of(one.info, one.data.reader.metadata) for one in (a, b)]),
        curves=tuple(pair.rows for pair in curves),
        classes=classes.rows,
        layers=shown.rows,
        divergences=found,
        same_until=same,
        incidents=(a.incidents, b.incidents),
        incidents_at=_on_the_first(b.incidents, (shown.rows, classes.rows, *(pair.rows for pair in curves))),
        not_compared=_not_compared(ours, theirs, classes.rows, shown.rows, curves, called),
        measures=measures,
        alignments=alignments(ours, theirs),
    )


def columns_of(rows: PairedRows, some: Sequence[int], axis: TimeAxis) -> PairedColumns:
    """Return some paired rows over the columns of an axis of the first run's iterations.

    Args:
        rows: The rows.
        some: Row numbers.
        axis: Of the first run's iterations.
    """
    chosen = list(some)
    steps = np.diff(rows.at_a)
    held = records_of_columns(axis, rows.at_a, float(np.median(steps)) if len(steps) else 1.0)
    pool = pool_largest if rows.kind == "class" else pool_mean
    return PairedColumns(
        axis=axis,
        rows=tuple(chosen),
        a=read_only(pool(rows.a[chosen], held)),
        b=read_only(pool(rows.b[chosen], held)),
        distance=read_only(pool_largest(rows.distance[chosen], held)),
    )


def _no_layers(measure: Measure) -> Pair:
    none, nothing = np.zeros(0, np.int64), np.zeros((0, 0))
    rows = PairedRows("layer", str(measure), (), np.zeros(0), none, none, nothing, nothing, nothing, none)
    return Pair(rows, nothing)


def _divergences(pairs: Sequence[Pair], begin: int) -> tuple[Divergence, ...]:
    """Return the moments at which any rows part; what parts within TOGETHER records of the first is one moment.

    Args:
        pairs: All that is compared.
        begin: Moments before which nothing counts.
    """
    partings: list[tuple[float, float, Parting]] = []
    for pair in pairs:
        rows = pair.rows
        step = float(np.median(np.diff(rows.keys))) if len(rows.keys) > 1 else 1.0
        for at in find_onsets(pair.strengths, begin).tolist():
            found = rows_that_part(pair.strengths, at)[:MOST_PARTINGS].tolist()
            partings += [(float(rows.keys[at]), step, _parting(pair, row, at)) for row in found]
    partings.sort(key=lambda item: (item[0], -item[2].distance))
    groups: list[list[tuple[float, float, Parting]]] = []
    for item in partings:
        if groups and item[0] - groups[-1][0][0] <= TOGETHER * max(item[1], groups[-1][0][1]):
            groups[-1].append(item)
        else:
            groups.append([item])
    return tuple(_divergence(group[0][0], [item[2] for item in group]) for group in groups)


def _parting(pair: Pair, row: int, at: int) -> Parting:
    rows = pair.rows
    return Parting(
        kind=rows.kind,
        name=rows.names[row],
        measure=rows.measure,
        iteration=int(rows.at_a[at]),
        iteration_b=int(rows.at_b[at]),
        a=float(rows.a[row, at]),
        b=float(rows.b[row, at]),
        distance=float(pair.strengths[row, at]),
    )


def _divergence(key: float, partings: list[Parting]) -> Divergence:
    """Return one moment with the farthest of each kind, each name once, at its first time."""
    first: dict[tuple[str, str], Parting] = {}
    for one in partings:
        first.setdefault((one.kind, one.name), one)
    kept: list[Parting] = []
    for kind in ("class", "layer", "curve"):
        some = sorted((one for one in first.values() if one.kind == kind), key=lambda one: -one.distance)
        kept += some[:MOST_PARTINGS]
    earliest = min(partings, key=lambda one: one.iteration)
    largest = max(one.distance for one in partings)
    return Divergence(key, earliest.iteration, earliest.iteration_b, tuple(kept), largest)


def _on_the_first(incidents: Sequence[Incident], paired: Sequence[PairedRows]) -> tuple[int | None, ...]:
    """Return where on the first run's axis incidents of the second lie; None before or after what both have."""
    rows = max(paired, key=lambda rows: len(rows.keys))
    if not len(rows.keys):
        return (None,) * len(incidents)
    at = np.interp([one.first for one in incidents], rows.at_b, rows.at_a, left=np.nan, right=np.nan)
    return tuple(None if np.isnan(place) else round(place) for place in at.tolist())


def _same_until(pairs: Sequence[Pair]) -> int | None:
    """Return the last iteration up to which all is the same, where moments are the same iterations; else None."""
    rows = [pair.rows for pair in pairs if len(pair.rows.keys) and len(pair.rows.names)]
    if not rows or any(not np.array_equal(some.at_a, some.at_b) for some in rows):
        return None
    found = same_until([(some.at_a, some.a, some.b) for some in rows])
    return found if found >= 0 else None


# --- what cannot be compared
def _not_compared(
    a: RunData, b: RunData, classes: PairedRows, layers: PairedRows, curves: Sequence[Pair], called: str
) -> tuple[str, ...]:
    lines = [
        *_only("layer", *_layer_names(a, b), called),
        *_shapes(a, b),
        *_only("class", a.reader.classes, b.reader.classes, called),
    ]
    both = bool(len(a.validations)), bool(len(b.validations))
    if both == (False, False):
        lines.append("classes: neither run has validations")
    elif not all(both):
        lines.append(f"classes: {called if both[0] else 'A'} has no validations")
    elif classes.names and not len(classes.keys):
        lines.append("classes: no two validations of the runs belong together")
    if layers.names and not len(layers.keys):
        lines.append("layers: no two records of the runs belong together")
    if not curves:
        lines.append("curves: the runs logged no scalar of the same name")
    return tuple(lines)


def _layer_names(a: RunData, b: RunData) -> tuple[list[str], list[str]]:
    return [layer.name for layer in a.structure.layers], [layer.name for layer in b.structure.layers]


def _only(what: str, a: Sequence[str], b: Sequence[str], called: str) -> list[str]:
    """Return a line for each run on the names that only it has."""
    _, first, second = common_names(a, b)
    lines = []
    plural = f"{what}{'es' if what.endswith('s') else 's'}"
    if a and b and not len(first):
        return [f"{plural}: no name in common"]
    for run, names, shared in (("A", a, first), (called, b, second)):
        rest = [name for place, name in enumerate(names) if place not in set(shared.tolist())]
        if rest:
            lines.append(f"{plural} only in {run}: {_some(rest)}")
    return lines


def _shapes(a: RunData, b: RunData) -> list[str]:
    """Return a line on layers of one name whose shapes differ."""
    names, first, second = common_layers(a, b)
    shapes = [
        (name, a.structure.layers[p].shape, b.structure.layers[q].shape)
        for name, p, q in zip(names, first.tolist(), second.tolist(), strict=True)
    ]
    other = [f"{name} {_shape(p)} and {_shape(q)}" for name, p, q in shapes if p != q]
    return [f"layers of other shapes, compared by name: {_some(other)}"] if other else []


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
