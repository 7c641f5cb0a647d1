"""Pairs the rows that two runs have in common: classes by name, layers by name, curves by name.

Owns what is paired with what, on which scale, and the least spread of each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.divergence import distance_in_spreads, pair_records, spread_before, surprise
from dtui.dataclass_on_use import dataclass
from dtui.model import LARGEST, SKIPPED_UPDATES, FloatArray, IntArray, Layer, read_only
from dtui.model.compare import NOT_FINITE, Alignment, Measure, PairedRows
from dtui.query.compare.alignment import EPOCH, keys_of
from dtui.query.curves import curve_points
from dtui.query.data import RunData
from dtui.query.layers.update_ratios import layer_update_ratios

LEAST_ERROR = 0.01
"""Least spread of an error, and at least one image of the class."""
LEAST_LOGARITHM = 0.02
"""Least spread of a logarithm: two in a hundred."""
SMALLEST = 1 / NOT_FINITE
"""Least value that a logarithm is taken of."""
SOURCE = {Measure.WEIGHTS: "weights", Measure.GRADIENTS: "gradients"}
NOT_CURVES = (EPOCH, SKIPPED_UPDATES, *LARGEST.values())
"""Scalars that say where a training is, or belong to another curve."""


@dataclass(frozen=True, eq=False, slots=True)
class Pair:
    """Paired rows with all that the search for divergences needs.

    Attributes:
        rows: The rows.
        strengths: How far each difference lies from the usual one before it, shape (rows, n); NaN where not known.
    """

    rows: PairedRows
    strengths: FloatArray


def common_names(a: Sequence[str], b: Sequence[str]) -> tuple[tuple[str, ...], IntArray, IntArray]:
    """Return the names that two lists have in common, in order of the first, and where they are in each.

    Of a name that occurs several times, each list's first, second and so on belong together.
    """
    where: dict[str, list[int]] = {}
    for place, name in enumerate(b):
        where.setdefault(name, []).append(place)
    names, first, second = [], [], []
    for place, name in enumerate(a):
        if where.get(name):
            names.append(name)
            first.append(place)
            second.append(where[name].pop(0))
    return tuple(names), np.array(first, np.int64), np.array(second, np.int64)


def pair_classes(a: RunData, b: RunData, alignment: Alignment) -> Pair:
    """Return the errors of the classes that both have, at the validations of both."""
    names, first, second = common_names(a.reader.classes, b.reader.classes)
    known = [len(data.class_sizes) for data in (a, b)]
    held = (first < known[0]) & (second < known[1])
    names, first, second = tuple(np.array(names, object)[held]), first[held], second[held]
    sizes = np.minimum(a.class_sizes[first], b.class_sizes[second])
    floors = np.maximum(LEAST_ERROR, 1 / np.maximum(sizes, 1))[:, None]
    errors = [data.class_errors()[rows].astype(np.float64) for data, rows in ((a, first), (b, second))]
    at = [data.validations for data in (a, b)]
    return _paired("class", "error", names, (a, b), at, errors, alignment, floors, is_logarithm=False)


def pair_layers(a: RunData, b: RunData, alignment: Alignment, measure: Measure) -> Pair:
    """Return a measure of the layers that both have, at the records of both."""
    names, first, second = common_layers(a, b)
    at, values = [], []
    for data, rows in ((a, first), (b, second)):
        regular = ~data.is_watch
        at.append(data.records[regular])
        values.append(_measured(data, measure)[rows][:, regular])
    return _paired("layer", str(measure), names, (a, b), at, values, alignment, LEAST_LOGARITHM, is_logarithm=True)


def common_layers(a: RunData, b: RunData) -> tuple[tuple[str, ...], IntArray, IntArray]:
    """Return the layers that both have, by name."""
    return common_names(_names(a.structure.layers), _names(b.structure.layers))


def has_measure(data: RunData, measure: Measure) -> bool:
    """Whether a run has what a measure is made of."""
    if measure is Measure.UPDATES:
        return data.records_layers("updates", "norm2") and data.records_layers("weights", "norm2")
    return data.records_layers(SOURCE[measure], "norm2")


def pair_curves(a: RunData, b: RunData, alignment: Alignment) -> tuple[Pair, ...]:
    """Return errors, loss and other scalars that both logged, each with its own moments."""
    ours, theirs = curve_points(a), curve_points(b)
    pairs = []
    for name in [name for name in ours if name in theirs and name not in NOT_CURVES]:
        at = [ours[name][0], theirs[name][0]]
        values = [_usable(points[name][1])[None, :] for points in (ours, theirs)]
        is_error = name.endswith("error")
        floor = LEAST_ERROR if is_error else LEAST_LOGARITHM
        is_positive = all(bool((np.nan_to_num(some, nan=1.0) > 0).all()) for some in values)
        if not is_error and not is_positive:  # such as an accuracy of 0, or a score that may be negative
            pooled = np.abs(np.concatenate([some.ravel() for some in values]))
            floor = max(LEAST_LOGARITHM * float(np.nanmedian(pooled)) if np.isfinite(pooled).any() else 0.0, 1e-9)
        is_log = not is_error and is_positive
        pairs.append(_paired("curve", name, (name,), (a, b), at, values, alignment, floor, is_logarithm=is_log))
    return tuple(pairs)


def _paired(
    kind: str,
    measure: str,
    names: tuple[str, ...],
    runs: tuple[RunData, RunData],
    at: Sequence[IntArray],
    values: Sequence[FloatArray],
    alignment: Alignment,
    floor: FloatArray | float,
    *,
    is_logarithm: bool,
) -> Pair:
    """Return rows at the moments of both, with their distances."""
    keys = [keys_of(data, iterations, alignment) for data, iterations in zip(runs, at, strict=True)]
    first, second = pair_records(*keys)
    a, b = values[0][:, first], values[1][:, second]
    x, y = (np.log(np.clip(some, SMALLEST, NOT_FINITE)) for some in (a, b)) if is_logarithm else (a, b)
    spread = spread_before(x, y, floor)
    distance = distance_in_spreads(x, y, spread)
    farthest = np.nan_to_num(np.fmax.reduce(distance, axis=1), nan=-1.0) if distance.shape[1] else np.zeros(len(a))
    rows = PairedRows(
        *(kind, measure, names),
        keys=read_only(keys[0][first]),
        at_a=read_only(at[0][first]),
        at_b=read_only(at[1][second]),
        a=read_only(a),
        b=read_only(b),
        distance=read_only(distance),
        order=read_only(np.argsort(-farthest, kind="stable")),
    )
    return Pair(rows, surprise(x, y, spread))


def _measured(data: RunData, measure: Measure) -> FloatArray:
    """Return a measure of every layer, float64, shape (layers, records); NOT_FINITE where something was NaN or Inf."""
    source = SOURCE.get(measure, "weights")
    values = layer_update_ratios(data) if measure is Measure.UPDATES else data.layers(source, "norm2")
    values = values.astype(np.float64)
    if data.records_layers(source, "nonfinite"):
        values = np.where(np.nan_to_num(data.layers(source, "nonfinite")) > 0, NOT_FINITE, values)
    return values


def _usable(values: FloatArray) -> FloatArray:
    """Return values without infinities, which count as the largest with their sign."""
    result: FloatArray = np.clip(values, -NOT_FINITE, NOT_FINITE)
    return result


def _names(layers: Sequence[Layer]) -> list[str]:
    return [layer.name for layer in layers]
