"""Counts the anomaly filters of incidents by layer, finds what belongs to a pick, compares values with usual ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.detectors.stream.trailing import WINDOW, medians, windows_before
from dtui.model import BoolArray, FloatArray, IntArray
from dtui.model.cube import Lit, Pick
from dtui.model.relations import MiniSet

DECADES = 1.0
"""Powers of ten from the usual size to a full shade."""


def filters_of_events(mini_sets: Sequence[MiniSet], record_of: IntArray, layers: int) -> IntArray:
    """Count the anomaly filters of each event in each layer.

    Args:
        mini_sets: All of them: every anomaly filter is in exactly one.
        record_of: Position of each event's record, shape (E,), -1 for none.
        layers: Number of layers.

    Returns:
        Shape (E, layers), int64.

    Source: dtui.
    """
    counts: IntArray = np.zeros((len(record_of), layers), dtype=np.int64)
    for one in mini_sets:
        counts[np.isin(record_of, one.records), one.layer] += len(one.filters)
    return counts


def distinct_of_rows(
    mini_sets: Sequence[MiniSet], record_of: IntArray, row_of: IntArray, rows: int, layers: int
) -> IntArray:
    """Count the distinct anomaly filters of each layer over the events of each row.

    Args:
        mini_sets: All of them: every anomaly filter is in exactly one.
        record_of: Position of each event's record, shape (E,), -1 for none.
        row_of: Row of each event, shape (E,).
        rows: Number of rows.
        layers: Number of layers.

    Returns:
        Shape (rows, layers), int64.

    Source: DeepTracker (ACM TIST 2018), correlation view, abstract.
    """
    counts: IntArray = np.zeros((rows, layers), dtype=np.int64)
    for one in mini_sets:
        counts[np.unique(row_of[np.isin(record_of, one.records)]), one.layer] += len(one.filters)
    return counts


def belonging(pick: Pick, touched: IntArray | BoolArray, row_of: IntArray, rows: int, iterations: IntArray) -> Lit:
    """Return the events that fit a pick, and their rows and layers.

    An event fits if it is one of the picked row, lies in the picked stretch of time, and touches the picked layer; what
    is not picked does not count. Of a pick of nothing everything is lit.

    Args:
        pick: The pick.
        touched: Whether each event touches each layer, or by how many filters, shape (E, L).
        row_of: Row of each event, shape (E,).
        rows: Number of rows.
        iterations: Iteration of each event, shape (E,).

    Source: dtui.
    """
    layers = touched.shape[1]
    if pick == Pick():
        every = np.ones(max(len(row_of), rows, layers), dtype=np.bool_)
        cells: BoolArray = np.ones((rows, layers), dtype=np.bool_)
        return Lit(every[: len(row_of)], every[:rows], every[:layers], cells)
    fits: BoolArray = np.ones(len(row_of), dtype=np.bool_)
    if pick.row is not None:
        fits &= row_of == pick.row
    if pick.layer is not None:
        fits &= touched[:, pick.layer] > 0
    if pick.span is not None:
        fits &= (iterations >= pick.span[0]) & (iterations < pick.span[1])
    of_layers = (touched > 0) & fits[:, None]
    if pick.layer is not None:
        of_layers[:, np.arange(layers) != pick.layer] = False
    cells = np.zeros((rows, layers), dtype=np.bool_)
    np.logical_or.at(cells, row_of, of_layers)
    lit_rows: BoolArray = np.isin(np.arange(rows), row_of[fits])
    lit_layers: BoolArray = np.any(of_layers, axis=0)
    if pick.row is not None:
        lit_rows[pick.row] = True
    if pick.layer is not None:
        lit_layers[pick.layer] = True
    return Lit(fits, lit_rows, lit_layers, cells)


def against_usual(values: FloatArray) -> FloatArray:
    """Compare the size of values with their usual size, the median of the 20 values before.

    Args:
        values: Shape (rows, n).

    Returns:
        Shape (rows, n), in [-1, 1]: 0 at the usual size, 1 at ten times as much or more, -1 at a tenth or less; linear
        in the logarithm between them. NaN where a value is missing, or fewer than 5 of those before are known.

    Source: dtui.
    """
    result: FloatArray = np.full(values.shape, np.nan, dtype=np.float32)
    for row, own in enumerate(values):  # one at a time: a long run has twenty times its records in windows
        sizes = np.abs(own).astype(np.float32)
        usual = medians(windows_before(np.concatenate([np.full(WINDOW, np.nan, np.float32), sizes])[None])[0])
        with np.errstate(divide="ignore", invalid="ignore"):
            shades = np.clip(np.log10(sizes / usual) / DECADES, -1, 1)
        shades[(sizes == 0) & (usual == 0)] = 0.0
        shades[np.isnan(sizes) | np.isnan(usual)] = np.nan
        result[row] = shades
    return result


def farthest_rows(values: FloatArray, groups: Sequence[Sequence[int]]) -> FloatArray:
    """Return for each group of rows the value farthest from zero, shape (groups, columns); of a tie the positive one.

    Args:
        values: Shape (rows, columns).
        groups: Rows of each group, at least one each.

    Returns:
        NaN where all values are NaN.

    Source: dtui.
    """
    result: FloatArray = np.full((len(groups), values.shape[1]), np.nan)
    for place, group in enumerate(groups):
        rows = values[list(group)]
        high = np.fmax.reduce(rows, axis=0)
        low = np.fmin.reduce(rows, axis=0)
        result[place] = np.where(-low > high, low, high)
    return result
