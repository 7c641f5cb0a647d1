"""Errors, loss and every other scalar over time, and the stages of the learning rate.

Owns which curves a run has and what each is called. A second copy would plot one name and read out another.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dtui.analysis.downsample import pool_largest, pool_mean, pool_smallest, records_of_columns
from dtui.analysis.stages import find_stages
from dtui.model import BoolArray, Curves, FloatArray, IntArray, Stage, TimeAxis, read_only, was_logged
from dtui.query.data import RunData

NAMES = {"error": "train_error"}
FIRST = ("validation_error", "train_error", "loss")
LEARNING_RATE = "learning_rate"


def mean_validation_error(data: RunData) -> FloatArray:
    """Return the share of all judged images that were wrong at each validation, shape (m,)."""
    errors, images = data.class_errors(), data.layout.images
    judged = np.where(np.isnan(errors), 0, images[: len(errors), None])
    with np.errstate(invalid="ignore", divide="ignore"):
        result: FloatArray = (np.nan_to_num(errors) * judged).sum(axis=0) / judged.sum(axis=0)
    return result


def _points(data: RunData) -> Mapping[str, tuple[IntArray, FloatArray, float]]:
    """Return name to (iterations, values, interval) of every curve; NaN and infinities where they were logged."""

    def collect() -> Mapping[str, tuple[IntArray, FloatArray, float]]:
        found: dict[str, tuple[IntArray, FloatArray, float]] = {}
        for name in data.reader.scalar_names():
            values = data.scalar(name)
            logged = was_logged(values)
            if logged.any():
                iterations = data.records[logged]
                steps = np.diff(iterations)
                interval = max(data.record_interval, float(np.median(steps)) if len(steps) else 0.0)
                found[NAMES.get(name, name)] = (iterations, values[logged], interval)
        errors = mean_validation_error(data) if len(data.validations) else np.zeros(0)
        judged = ~np.isnan(errors)
        if judged.any():
            found["validation_error"] = (data.validations[judged], errors[judged], data.validation_interval)
        order = sorted(found, key=lambda name: (FIRST.index(name) if name in FIRST else len(FIRST), name))
        return {name: found[name] for name in order}

    return data.remembered("curve points", collect)


def curves(data: RunData, axis: TimeAxis) -> Curves:
    """Answer `RunQuery.curves`."""
    series: dict[str, FloatArray] = {}
    extremes: dict[str, FloatArray] = {}
    nonfinite: dict[str, BoolArray] = {}
    for name, (iterations, values, interval) in _points(data).items():
        held = records_of_columns(axis, iterations, interval)
        bad = ~np.isfinite(values)
        finite = np.where(bad, np.nan, values)
        series[name] = read_only(pool_mean(finite, held))
        extremes[name] = read_only(np.stack([pool_smallest(finite, held), pool_largest(finite, held)]))
        if bad.any():
            nonfinite[name] = read_only(pool_largest(bad.astype(np.float32), held) > 0)
    return Curves(axis, series, extremes, nonfinite)


def curves_at(data: RunData, iteration: int) -> dict[str, float]:
    """Answer `RunQuery.curves_at`."""
    found: dict[str, float] = {}
    for name, (iterations, values, _) in _points(data).items():
        position = int(np.searchsorted(iterations, iteration, side="right")) - 1
        if position >= 0:
            found[name] = float(values[position])
    return found


def stages(data: RunData) -> tuple[Stage, ...]:
    """Answer `RunQuery.stages`."""
    if LEARNING_RATE not in data.reader.scalar_names():
        return ()
    regular = ~data.is_watch
    return data.remembered("stages", lambda: find_stages(data.records[regular], data.scalar(LEARNING_RATE)[regular]))
