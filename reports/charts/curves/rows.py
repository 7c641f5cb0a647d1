"""Turns curves into rows of a chart's data: where a line is drawn, where it breaks, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dtui.model import BoolArray, FloatArray, TimeAxis


@dataclass(frozen=True, slots=True)
class Event:
    """Something known about an iteration, such as an injected fault."""

    iteration: int
    label: str


@dataclass(frozen=True, eq=False, slots=True)
class Curve:
    """One curve of a chart.

    Attributes:
        name: Shown name.
        colour: Of the line.
        values: Shape (columns,), in the chart's unit; NaN where there is no value.
        extremes: Shape (2, columns), smallest and largest within each column; None if they equal the line itself.
        dashed: Whether the line is dashed, so that colour is not the only difference.
        nonfinite: Shape (columns,): NaN or Inf was logged within the column, which a bar marks; None for nowhere.
    """

    name: str
    colour: str
    values: FloatArray
    extremes: FloatArray | None = None
    dashed: bool = False
    nonfinite: BoolArray | None = None


def curve_rows(curves: Sequence[Curve], axis: TimeAxis) -> list[dict[str, Any]]:
    """Return one row per curve and column, from its first value to its last; null breaks the line.

    A column without a value between them has a row too: its `missing` says why, for the readout.
    """
    centres = axis.first + (np.arange(axis.columns) + 0.5) * axis.column_span
    rows: list[dict[str, Any]] = []
    for curve in curves:
        known = np.isfinite(curve.values)
        bad = np.zeros_like(known) if curve.nonfinite is None else curve.nonfinite & ~known
        told = np.flatnonzero(known | bad)
        for column in range(told[0], told[-1] + 1) if told.size else ():
            row = {"curve": curve.name, "column": column, "iteration": _short(centres[column])}
            if not known[column]:
                rows.append({**row, "value": None, "missing": "NaN or Inf" if bad[column] else "no value"})
                continue
            row["value"] = _short(curve.values[column])
            if curve.extremes is not None:
                low, high = curve.extremes[:, column]
                if np.isfinite(low) and np.isfinite(high):
                    row |= {"low": _short(low), "high": _short(high)}
            rows.append(row)
        if told.size:
            rows[-1]["last"] = True
    return rows


def nonfinite_rows(curves: Sequence[Curve], axis: TimeAxis) -> list[dict[str, float]]:
    """Return begin and end, in iterations, of each stretch of columns in which a curve was NaN or Inf."""
    marked = [curve.nonfinite for curve in curves if curve.nonfinite is not None]
    if not marked:
        return []
    edges = np.flatnonzero(np.diff(np.logical_or.reduce(marked).astype(np.int8), prepend=0, append=0))
    places = axis.first + edges.reshape(-1, 2) * axis.column_span
    return [{"begin": _short(begin), "end": _short(end)} for begin, end in places.tolist()]


def _short(value: float) -> float:
    return float(f"{value:.5g}")
