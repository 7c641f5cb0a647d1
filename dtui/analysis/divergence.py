"""Finds where two series that were one part, in units of what they did by themselves before.

Owns the pairing of records, the spread before a record, and the rule for a divergence.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dtui.model import BoolArray, FloatArray, IntArray
from dtui.model.compare import FEWEST_MOMENTS

BEFORE = 20
"""Records before one that say what is usual."""
LEAST_BEFORE = FEWEST_MOMENTS - 1
"""Records without which nothing is usual yet."""
LEAST = 6.0
"""Spreads that a divergence has at least."""
RISE = 2.0
"""Times the largest of the records before that a divergence has at least: runs of other seeds never lie together."""
WARM_UP = 12
"""Records before which runs that differ from the start part every moment."""
TOGETHER = 8
"""Records within which divergences count as one."""
NAMED = 0.5
"""A row is named where it has this share of the largest."""
SIGMA = 1.4826
"""Standard deviations of a normal distribution in its median absolute deviation."""
AT_ONCE = 1 << 16
"""Windows that are sorted together: 20 MB."""


def pair_records(a: FloatArray, b: FloatArray) -> tuple[IntArray, IntArray]:
    """Return which records of two runs belong together, as positions in each, shape (n,) both, ascending.

    Each record of the sparser run gets the nearest of the other one, if that lies within half its usual step. No record
    is used twice. Of two equally near ones the earlier counts.

    Args:
        a: Keys of the records of one run, such as iterations, shape (p,), ascending.
        b: Those of the other, shape (q,), ascending.

    Source: dtui.
    """
    none = np.zeros(0, np.int64)
    if not len(a) or not len(b):
        return none, none
    steps = [float(np.median(np.diff(keys))) if len(keys) > 1 else np.inf for keys in (a, b)]
    if steps[0] < steps[1]:
        second, first = pair_records(b, a)
        return first, second
    right = np.searchsorted(b, a)
    before, after = np.maximum(right - 1, 0), np.minimum(right, len(b) - 1)
    nearest = np.where(np.abs(b[before] - a) <= np.abs(b[after] - a), before, after)
    apart = np.abs(b[nearest] - a)
    most = steps[0] / 2 if np.isfinite(steps[0]) else 0.5
    order = np.lexsort((np.arange(len(a)), apart, nearest))
    order = order[apart[order] <= most]
    first = np.sort(order[np.unique(nearest[order], return_index=True)[1]])
    return first.astype(np.int64), nearest[first].astype(np.int64)


def spread_before(a: FloatArray, b: FloatArray, floor: FloatArray | float) -> FloatArray:
    """Return how far two series may lie apart at each record by what they did before, shape (rows, n), float32, > 0.

    It is the largest of three: how far a series usually moves from record to record, over both (the median of the
    steps, as the standard deviation of one value); how far the differences usually lie from their median; the floor.
    Both are taken of the BEFORE records before one.

    Args:
        a: Paired values, shape (rows, n). NaN has no part in it.
        b: Those of the other run, same shape.
        floor: Least spread, > 0: one number, or shape (rows, 1).

    Returns:
        NaN where fewer than LEAST_BEFORE pairs come before.

    Source: dtui.
    """
    result = np.full(a.shape, np.nan, np.float32)
    if a.shape[1] <= LEAST_BEFORE:
        return result
    floors = np.broadcast_to(np.asarray(floor, np.float32), (len(a), 1))
    at_once = max(1, AT_ONCE // a.shape[1])
    for start in range(0, len(a), at_once):
        some = slice(start, start + at_once)
        x, y = a[some].astype(np.float32), b[some].astype(np.float32)
        gaps = _windows(x - y, BEFORE)
        steps = np.concatenate([_windows(_steps(x), BEFORE - 1), _windows(_steps(y), BEFORE - 1)], axis=2)
        middle = _median(gaps)
        usual = np.fmax(SIGMA * _median(np.abs(gaps - middle[..., None])), SIGMA / np.sqrt(2) * _median(steps))
        enough = np.isfinite(gaps).sum(axis=2) >= LEAST_BEFORE
        result[some] = np.where(enough, np.fmax(usual, floors[some]), np.nan)
    return result


def distance_in_spreads(a: FloatArray, b: FloatArray, spread: FloatArray) -> FloatArray:
    """Return |a − b| ⁄ spread, shape (rows, n), float32, >= 0; NaN where a value is missing.

    Before enough records are there, the first spread that is known counts; where none is, the distance is NaN.

    Source: dtui.
    """
    if not spread.shape[1]:
        return np.zeros(spread.shape, np.float32)
    known = np.isfinite(spread)
    first = np.where(known.any(axis=1), known.argmax(axis=1), 0)
    begin = spread[np.arange(len(spread)), first][:, None]
    early = np.arange(spread.shape[1]) < first[:, None]
    with np.errstate(invalid="ignore"):
        result: FloatArray = (np.abs(a - b) / np.where(early, begin, spread)).astype(np.float32)
    return result


def surprise(a: FloatArray, b: FloatArray, spread: FloatArray) -> FloatArray:
    """Return how far each difference lies from the usual difference before it, in spreads, shape (rows, n), >= 0.

    NaN where a value is missing, or too few come before.

    Args:
        a: Paired values, shape (rows, n).
        b: Those of the other run, same shape.
        spread: As `spread_before` returns it.

    Source: dtui.
    """
    result = np.full(a.shape, np.nan, np.float32)
    at_once = max(1, AT_ONCE // max(1, a.shape[1]))
    for start in range(0, len(a), at_once):
        some = slice(start, start + at_once)
        gaps = (a[some] - b[some]).astype(np.float32)
        result[some] = np.abs(gaps - _median(_windows(gaps, BEFORE))) / spread[some]
    return result


def find_onsets(strengths: FloatArray, first: int = 0) -> IntArray:
    """Return the records at which rows part, ascending.

    A record counts where the largest surprise of all rows is at least LEAST, and at least RISE times that of the BEFORE
    records before it. Those within TOGETHER records of the last that counted belong to it.

    Args:
        strengths: What `surprise` returns, shape (rows, n).
        first: Earlier records do not count.

    Source: dtui.
    """
    if not strengths.size:
        return np.zeros(0, np.int64)
    largest = np.nan_to_num(np.fmax.reduce(strengths, axis=0), nan=0.0)
    found: list[int] = []
    for at, height in enumerate(largest.tolist()):
        before = float(largest[max(0, at - BEFORE) : at].max(initial=0.0))
        if at >= first and height >= LEAST and height >= RISE * before and (not found or at - found[-1] > TOGETHER):
            found.append(at)
    return np.array(found, np.int64)


def rows_that_part(strengths: FloatArray, at: int) -> IntArray:
    """Return the rows that part at a record, the farthest first: all with NAMED of the largest surprise and LEAST.

    Source: dtui.
    """
    here = np.nan_to_num(strengths[:, at], nan=0.0)
    order = np.argsort(-here, kind="stable")
    return order[here[order] >= max(LEAST, NAMED * float(here.max(initial=0.0)))]


def same_until(pairs: list[tuple[IntArray, FloatArray, FloatArray]]) -> int:
    """Return the last key up to which everything is the same, number for number; -1 if nothing is.

    Args:
        pairs: Keys, shape (n,), ascending, and the values of both runs there, shape (rows, n). Two NaN are the same.

    Source: dtui.
    """
    differs = [keys[~_equal(a, b)] for keys, a, b in pairs]
    first = min((int(keys[0]) for keys in differs if len(keys)), default=None)
    every = np.unique(np.concatenate([keys for keys, _, _ in pairs])) if pairs else np.zeros(0, np.int64)
    before = every if first is None else every[every < first]
    return int(before[-1]) if len(before) else -1


def _equal(a: FloatArray, b: FloatArray) -> BoolArray:
    """Return at which records all rows are the same, shape (n,)."""
    same: BoolArray = ((a == b) | (np.isnan(a) & np.isnan(b))).all(axis=0)
    return same


def _steps(values: FloatArray) -> FloatArray:
    """Return |values[i] − values[i − 1]| at i, NaN at 0: shape of `values`, so that windows before i hold them."""
    steps = np.full(values.shape, np.nan, np.float32)
    np.abs(np.diff(values, axis=1), out=steps[:, 1:])
    return steps


def _windows(values: FloatArray, length: int) -> FloatArray:
    """Return the `length` values before each one, NaN where there are none, shape (rows, n, length)."""
    padded = np.concatenate([np.full((len(values), length), np.nan, np.float32), values[:, :-1]], axis=1)
    return sliding_window_view(padded, length, axis=1)


def _median(windows: FloatArray) -> FloatArray:
    """Return the median along the last axis without NaN; NaN where nothing is left. NaN sorts last."""
    ordered = np.sort(windows, axis=-1)
    counts = np.isfinite(ordered).sum(axis=-1)
    low, high = (np.maximum(counts - 1, 0) // 2)[..., None], (counts // 2)[..., None]
    high = np.minimum(high, np.maximum(counts - 1, 0)[..., None])
    both = np.take_along_axis(ordered, low, -1) + np.take_along_axis(ordered, high, -1)
    result: FloatArray = np.where(counts > 0, both[..., 0] / 2, np.nan)
    return result
