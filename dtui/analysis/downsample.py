"""Finds the records in each column of the time axis, and reduces them to one value.

Owns pooling along time and along rows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, FloatArray, IntArray, TimeAxis

ROWS_AT_ONCE = 1_024
"""Rows that are averaged together."""


@dataclass(frozen=True, eq=False)
class ColumnRecords:
    """The records that each column of an axis stands for, as ranges [starts, stops) of record positions.

    Attributes:
        starts: Shape (columns,), int64.
        stops: Shape (columns,), int64; equal to `starts` where the column has no value. A column in which nothing
            was recorded holds the one record before it.
    """

    starts: IntArray
    stops: IntArray

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.starts)

    @cached_property
    def has_value(self) -> BoolArray:
        """Whether a column stands for any record, shape (columns,)."""
        result: BoolArray = self.stops > self.starts
        return result

    @property
    def needed(self) -> slice:
        """The smallest range of records that the columns need."""
        shown = self.has_value
        if not shown.any():
            return slice(0, 0)
        return slice(int(self.starts[shown].min()), int(self.stops[shown].max()))

    def shifted(self, first: int) -> ColumnRecords:
        """Return the same records, counted from the record `first` on."""
        return ColumnRecords(np.maximum(self.starts - first, 0), np.maximum(self.stops - first, 0))

    def in_bins(self, size: int) -> ColumnRecords:
        """Return the bins of `size` records that hold each column's records.

        A bin that crosses the edge between two columns counts in both. So a column never misses a record of its own,
        but may show a value from up to `size` - 1 records outside it.
        """
        return ColumnRecords(self.starts // size, np.where(self.has_value, -(-self.stops // size), self.starts // size))

    def is_wide(self, least: int) -> bool:
        """Whether every column holds at least `least` records. The first and the last may be cut and do not count."""
        counts = (self.stops - self.starts)[self.has_value]
        inner = counts[1:-1] if len(counts) > 2 else counts
        return len(inner) > 0 and int(inner.min()) >= least


NO_BREAKS: IntArray = np.zeros(0, np.int64)


def records_of_columns(
    axis: TimeAxis, iterations: IntArray, interval: float, breaks: IntArray = NO_BREAKS
) -> ColumnRecords:
    """Return which records each column stands for.

    Args:
        axis: The columns.
        iterations: Iterations of the records, shape (n,), ascending.
        interval: Iterations for which the last record still stands, > 0.
        breaks: Iterations from which on no record before them stands, for something was not recorded there, ascending.

    Returns:
        Ranges of positions in `iterations`. Three kinds of columns have no value: those before the first record, those
        that begin an interval or more after the last one, and those without a record between a break and the next.

    Source: dtui.
    """
    if len(iterations) == 0:
        empty = np.zeros(axis.columns, dtype=np.int64)
        return ColumnRecords(empty, empty)
    numbers = np.arange(axis.columns)
    columns = axis.columns_of(iterations)
    starts = np.searchsorted(columns, numbers, side="left")
    stops = np.searchsorted(columns, numbers, side="right")
    middles = np.floor(axis.first + (numbers + 0.5) * axis.column_span)
    before = np.searchsorted(iterations, middles, side="right") - 1
    stands = (before >= 0) & (middles < float(iterations[-1]) + interval)
    if len(breaks):
        of_last = iterations[np.maximum(before, 0)]
        stands &= np.searchsorted(breaks, middles, side="right") == np.searchsorted(breaks, of_last, side="right")
    empty_columns = starts == stops
    starts = np.where(empty_columns, np.maximum(before, 0), starts)
    stops = np.where(empty_columns, starts + stands, stops)
    return ColumnRecords(starts.astype(np.int64), stops.astype(np.int64))


def column_batches(held: ColumnRecords, records: int) -> list[IntArray]:
    """Split the columns with a value into batches, each of one column or of about that many records.

    Source: dtui.
    """
    shown = np.flatnonzero(held.has_value)
    used = np.cumsum(held.stops[shown] - held.starts[shown]) - 1
    return [shown[used // records == batch] for batch in np.unique(used // records)]


def _pool(values: FloatArray, held: ColumnRecords, function: np.ufunc) -> FloatArray:
    """Reduce each column's records with a ufunc along the last axis; NaN where a column has no value."""
    pooled = np.full((*values.shape[:-1], held.columns), np.nan, dtype=np.result_type(values.dtype, np.float32))
    shown = np.flatnonzero(held.has_value)
    if len(shown) == 0:
        return pooled
    starts, stops = held.starts[shown], held.stops[shown]
    single = stops - starts == 1
    pooled[..., shown[single]] = values[..., starts[single]]
    several = np.flatnonzero(~single)
    # Columns with several records own them alone, so that between two such columns only whole columns are skipped:
    # each range [start, stop) is reduced, and so is the rest up to the next start, which is thrown away. Where columns
    # share a bin, every other column is reduced first: those lie apart.
    shares = bool(np.any(stops[several[:-1]] > starts[several[1:]]))
    for some in (several[::2], several[1::2]) if shares else (several,):
        if len(some):
            first, last = int(starts[some[0]]), int(stops[some[-1]])
            edges = np.stack([starts[some], stops[some]], axis=1).ravel() - first
            with np.errstate(invalid="ignore"):
                reduced = function.reduceat(values[..., first:last], edges[:-1], axis=-1)
            pooled[..., shown[some]] = reduced[..., ::2]
    return pooled


def pool_largest(values: FloatArray, held: ColumnRecords) -> FloatArray:
    """Return the largest value in each column, shape (..., columns); NaN only where all values are NaN.

    Args:
        values: Shape (..., records).
        held: Which records each column stands for.

    Source: dtui.
    """
    return _pool(values, held, np.fmax)


def pool_smallest(values: FloatArray, held: ColumnRecords) -> FloatArray:
    """Return the smallest value in each column; see `pool_largest`."""
    return _pool(values, held, np.fmin)


def pool_farthest(values: FloatArray, held: ColumnRecords) -> FloatArray:
    """Return the value farthest from zero in each column, with its sign; of two equally far, the positive one.

    Args:
        values: Shape (..., records).
        held: Which records each column stands for.

    Returns:
        Shape (..., columns), NaN where there is no value.

    Source: dtui.
    """
    high, low = pool_largest(values, held), pool_smallest(values, held)
    return np.where(-low > high, low, high)


def pool_mean(values: FloatArray, held: ColumnRecords) -> FloatArray:
    """Return the mean of the values in each column, float64, shape (..., columns); NaN values are left out.

    Args:
        values: Shape (..., records).
        held: Which records each column stands for.

    Source: dtui.
    """
    present = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        total = _pool(np.where(present, values, 0.0).astype(np.float64), held, np.add)
        result: FloatArray = total / _pool(present.astype(np.float64), held, np.add)
    return result


def row_edges(rows: int, pixels: int) -> IntArray:
    """Return the first row of each pixel, shape (min(rows, pixels),), when rows share pixels as evenly as they can.

    Source: dtui.
    """
    shown = min(rows, pixels)
    edges: IntArray = np.arange(shown, dtype=np.int64) * rows // max(shown, 1)
    return edges


def mean_rows(values: FloatArray, pixels: int) -> FloatArray:
    """Average neighbouring rows into at most `pixels` of them.

    Args:
        values: Shape (rows, columns).
        pixels: Most rows of the result, >= 1.

    Returns:
        Shape (min(rows, pixels), columns); NaN values are left out; the result is NaN where no value is left.

    Source: dtui.
    """
    return mean_of_rows(len(values), pixels, values.__getitem__)


def mean_of_rows(rows: int, pixels: int, make: Callable[[slice], FloatArray]) -> FloatArray:
    """Average neighbouring rows as `mean_rows` does, where they are made some at a time: all would need much room.

    Source: dtui.
    """
    if rows <= pixels:
        return make(slice(0, rows))
    edges = row_edges(rows, pixels)
    at_once = max(1, ROWS_AT_ONCE * pixels // rows)
    means = []
    for first in range(0, pixels, at_once):
        some = edges[first : first + at_once]
        stop = rows if first + at_once >= pixels else int(edges[first + at_once])
        means.append(_means(make(slice(int(some[0]), stop)), some - some[0]))
    return np.concatenate(means)


def _means(values: FloatArray, edges: IntArray) -> FloatArray:
    absent = np.isnan(values)
    if not absent.any():
        counts = np.diff(np.append(edges, len(values)))
        result: FloatArray = np.add.reduceat(values, edges, axis=0) / counts[:, None].astype(values.dtype)
        return result
    with np.errstate(invalid="ignore", divide="ignore"):
        total = np.add.reduceat(np.where(absent, 0, values), edges, axis=0)
        result = total / np.add.reduceat((~absent).astype(values.dtype), edges, axis=0)
    return result
