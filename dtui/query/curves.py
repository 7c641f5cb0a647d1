"""Answers errors, loss and every other scalar over time, and the stages of the learning rate.

Owns which curves a run has and their names.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dtui.analysis.downsample import pool_largest, pool_mean, pool_smallest, records_of_columns
from dtui.analysis.stages import find_stages
from dtui.model import LARGEST, BoolArray, Curves, FloatArray, IntArray, Stage, TimeAxis, read_only, was_logged
from dtui.model.arrays import median_of
from dtui.query.classes.errors import error_of_all
from dtui.query.data import RunData

NAMES = {"error": "train_error"}
FIRST = ("validation_error", "train_error", "loss")
LEARNING_RATE = "learning_rate"


Points = tuple[IntArray, FloatArray, float, IntArray]
"""Iterations and values of a curve, the interval that a value stands for, and where nothing before it stands."""


def curve_points(data: RunData) -> Mapping[str, Points]:
    """Return name to its points, of every curve; LOGGED_NAN and infinities where they were logged.

    Any other NaN is lost to damage.
    """

    def collect() -> Mapping[str, Points]:
        found: dict[str, Points] = {}
        for name in data.reader.scalar_names():
            iterations, values = data.points(name)  # a lost one is a hole, or the value before it would stand for it
            logged = was_logged(values)
            if logged.any():
                steps = np.diff(iterations[logged])
                interval = max(data.record_interval, median_of(steps) if len(steps) else 0.0)
                found[NAMES.get(name, name)] = (iterations, values, interval, data.breaks("records"))
        errors = error_of_all(data) if len(data.validations) else np.zeros(0)
        if not np.isnan(errors).all():  # one that is lost stays a hole
            found["validation_error"] = (
                data.validations,
                errors,
                data.validation_interval,
                data.breaks("validations"),
            )
        order = sorted(found, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
        return {name: found[name] for name in order}

    return data.remembered("curve points", collect)


def curves(data: RunData, axis: TimeAxis) -> Curves:
    """Answer `RunQuery.curves`."""
    series: dict[str, FloatArray] = {}
    extremes: dict[str, FloatArray] = {}
    nonfinite: dict[str, BoolArray] = {}
    points = curve_points(data)
    for name, (iterations, values, interval, breaks) in points.items():
        if _is_of_another(name, points):
            continue
        held = records_of_columns(axis, iterations, interval, breaks)
        finite = np.where(np.isfinite(values), values, np.nan)
        series[name] = read_only(pool_mean(finite, held))
        largest, is_bad = _pooled_largest(points[name], axis)
        if LARGEST.get(name) in points:  # what was between two records belongs to the band of the curve
            most, is_bad_between = _pooled_largest(points[LARGEST[name]], axis)
            largest = np.where(np.isnan(series[name]), largest, np.fmax(largest, most))
            is_bad = is_bad | is_bad_between
        extremes[name] = read_only(np.stack([pool_smallest(finite, held), largest]))
        if is_bad.any():
            nonfinite[name] = read_only(is_bad)
    return Curves(axis, series, extremes, nonfinite)


def _is_of_another(name: str, points: Mapping[str, Points]) -> bool:
    """Whether a curve holds the largest values of another curve of the run, and so is drawn in that curve's band."""
    return any(largest == name and of in points for of, largest in LARGEST.items())


def _pooled_largest(points: Points, axis: TimeAxis) -> tuple[FloatArray, BoolArray]:
    """Return the largest value in each column (NaN if none), and the columns in which NaN or Inf was logged."""
    iterations, values, interval, breaks = points
    held = records_of_columns(axis, iterations, interval, breaks)
    bad = ~np.isfinite(values) & was_logged(values)
    finite = np.where(np.isfinite(values), values, np.nan)
    return pool_largest(finite, held), pool_largest(bad.astype(np.float32), held) > 0


def curves_at(data: RunData, iteration: int) -> dict[str, float]:
    """Answer `RunQuery.curves_at`."""
    found: dict[str, float] = {}
    points = curve_points(data)
    for name, (iterations, values, _, breaks) in points.items():
        if _is_of_another(name, points):
            continue
        position = int(np.searchsorted(iterations, iteration, side="right")) - 1
        is_broken = position >= 0 and ((iterations[position] < breaks) & (breaks <= iteration)).any()
        if position >= 0 and not is_broken and was_logged(values[position]):
            found[name] = float(values[position])
    return found


def known_errors(data: RunData) -> tuple[str, IntArray, FloatArray]:
    """Return the error that tells most, its iterations and its values: of the validations, else of the training.

    Returns:
        "validation_error", "train_error" or "" for none; iterations and values, both shape (n,), finite values only.
    """
    points = curve_points(data)
    for name in FIRST[:2]:
        if name in points:
            iterations, values, *_ = points[name]
            known = np.isfinite(values)
            if known.any():
                return name, iterations[known], values[known]
    return "", np.zeros(0, dtype=np.int64), np.zeros(0)


def stages(data: RunData) -> tuple[Stage, ...]:
    """Answer `RunQuery.stages`."""
    if LEARNING_RATE not in data.reader.scalar_names():
        return ()
    regular = ~data.is_watch
    return data.remembered("stages", lambda: find_stages(data.records[regular], data.scalar(LEARNING_RATE)[regular]))
