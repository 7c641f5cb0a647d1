"""Finds filters and layers that stand out at the end of a run, and since when. Arrays are rows × records."""

from __future__ import annotations

import numpy as np

from dtui.analysis.correctness import count_true
from dtui.analysis.filters import dead_limits
from dtui.analysis.quantiles import column_medians
from dtui.model import BoolArray, FloatArray, IntArray

MOVING_RECORDS = 20
MOVING_TIMES = 4.0
MOVING_SHARE = 0.75
MOVING_MOST = 0.1
CHANGES = 0.0
FEW = 8
"""Filters up to which each is compared with its layer by itself."""
LEAST_EXACT = 1e-30
"""From which on a quarter of a float32 is exact."""
LEFT_RECORDS = 4
"""Last records at which a gradient must have been the same to be a leftover."""


def find_moving(update_ratio: FloatArray) -> BoolArray:
    """Find the few filters of a layer that go on changing when the others have converged.

    Args:
        update_ratio: Of the last records, shape (filters, n), NaN where there is none.

    Returns:
        Shape (filters,). A filter moves if its ratio is at least 4 times the layer's median in three quarters of those
        records. If more than a tenth of the layer (in a small layer: more than one filter) does so, none counts: then
        the layer itself moves. None with fewer than 20 records.

    Source: DeepTracker (ACM TIST 2018), filters normalised over an iteration; thresholds: dtui.
    """
    filters, records = update_ratio.shape
    if records < MOVING_RECORDS:
        return np.zeros(filters, dtype=np.bool_)
    moves = _reaches(update_ratio, MOVING_TIMES * column_medians(update_ratio))
    known = np.isfinite(update_ratio)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.count_nonzero(moves, axis=1) / np.count_nonzero(known, axis=1)
    found: BoolArray = np.nan_to_num(share) >= MOVING_SHARE
    return found if np.count_nonzero(found) <= max(1.0, MOVING_MOST * filters) else np.zeros_like(found)


def moving_since(update_ratio: FloatArray, rows: IntArray, iterations: IntArray) -> list[int | None]:
    """Return for some filters the iteration since which they have moved in at least three quarters of all records.

    Args:
        update_ratio: Of the whole layer and run, shape (filters, n).
        rows: The filters.
        iterations: Of the records, shape (n,).
    """
    moves = (
        _moves_of_few(update_ratio, rows)
        if len(rows) <= FEW
        else _reaches(update_ratio[rows], MOVING_TIMES * column_medians(update_ratio))
    )
    known = np.isfinite(update_ratio[rows])
    later, of = (np.cumsum(flags[:, ::-1], axis=1)[:, ::-1] for flags in (moves, known))
    with np.errstate(invalid="ignore", divide="ignore"):
        is_so = (later / of >= MOVING_SHARE) & moves
    return [int(iterations[row.argmax()]) if row.any() else None for row in is_so]


def dead_since(gradient_norms: FloatArray, rows: IntArray, iterations: IntArray) -> list[int | None]:
    """Return for some filters the iteration of the first record after their last gradient.

    Args:
        gradient_norms: Of the whole layer and run, shape (filters, n).
        rows: The filters.
        iterations: Of the records, shape (n,).
    """
    alive = _reaches(gradient_norms[rows], dead_limits(gradient_norms))
    return [_behind_last(row, iterations) for row in alive]


def layers_without(
    gradients: FloatArray, updates: FloatArray, iterations: IntArray
) -> dict[int, tuple[str, int | None]]:
    """Return layers that get no gradient, or do not change, with their state and since when.

    Args:
        gradients: Gradient norm of each layer, shape (L, n), NaN where it has none.
        updates: ‖Δw‖ since the record before, shape (L, n), NaN where there is none.
        iterations: Of the records, shape (n,).

    Returns:
        Layer to "unchanged", "no gradient" or "frozen", and the iteration. Layers that learn are left out. So is a
        closing record without any gradients. A leftover gradient counts as none.
    """
    if gradients.shape[1] and not np.isfinite(gradients[:, -1]).any():
        gradients, updates, iterations = gradients[:, :-1], updates[:, :-1], iterations[:-1]
    found: dict[int, tuple[str, int | None]] = {}
    with np.errstate(invalid="ignore"):
        gets, moves = gradients > 0, updates > CHANGES
    was_left, is_left = are_leftover(gradients), are_leftover(gradients[:, -LEFT_RECORDS:])
    for layer in range(len(gradients)):
        if not np.isfinite(updates[layer]).any():
            continue
        if not gets[layer].any() or (was_left[layer] and not moves[layer].any()):
            found[layer] = ("no gradient", None)
        elif not gets[layer, -1] and not moves[layer, -1]:
            found[layer] = ("frozen", _behind_last(moves[layer], iterations))
        elif gets[layer, -1] and not moves[layer, -3:].any() and len(iterations) > 3:
            how = "frozen" if is_left[layer] else "unchanged"
            found[layer] = (how, _behind_last(moves[layer], iterations))
    return found


def are_leftover(gradients: FloatArray) -> BoolArray:
    """Return which layers were given no gradient at these records, and only kept one from before.

    A layer that is frozen keeps the last gradient that it had until somebody clears it. Its norm is then the same to
    the last bit, while those of other layers change.

    Args:
        gradients: Gradient norm of each layer, shape (L, n), NaN where it has none.

    Returns:
        Shape (L,). None with fewer than 4 records, or where no gradient changes.
    """
    known = gradients[:, np.isfinite(gradients).any(axis=0)]
    if known.shape[1] < LEFT_RECORDS:
        return np.zeros(len(gradients), np.bool_)
    steps = np.diff(known, axis=1)  # NaN where a record has none
    with np.errstate(invalid="ignore"):
        is_same = (steps == 0) & (known[:, 1:] > 0)
        others_change = (np.abs(steps) > 0).any(axis=0)
    found: BoolArray = is_same.all(axis=1) & others_change.all()
    return found


def _reaches(values: FloatArray, limits: FloatArray) -> BoolArray:
    """Return which values reach the limit of their column, and are above zero; False for NaN."""
    with np.errstate(invalid="ignore"):
        found: BoolArray = (values >= limits) & (values > 0)
    return found


def _moves_of_few(update_ratio: FloatArray, rows: IntArray) -> BoolArray:
    """Return when some filters move, shape (rows, n): as `_reaches`, by counting, which is faster than medians.

    A median is at most a value that more than half are at most, and above it where fewer are. It is computed where it
    is just half of them, where a ratio is not finite, and where a quarter of one is not exact.
    """
    moves: BoolArray = np.zeros((len(rows), update_ratio.shape[1]), np.bool_)
    is_plain = np.isfinite(update_ratio).all(axis=0)
    for found, own in zip(moves, update_ratio[rows], strict=True):
        with np.errstate(invalid="ignore"):
            most = 2 * count_true(update_ratio <= own / np.asarray(MOVING_TIMES, own.dtype))
            found[:] = (most > len(update_ratio)) & (own > 0)
            unsure = (own > 0) & (~is_plain | (most == len(update_ratio)) | (own < LEAST_EXACT))
        if unsure.any():
            found[unsure] = _reaches(own[unsure], MOVING_TIMES * column_medians(update_ratio[:, unsure]))
    return moves


def _behind_last(flags: BoolArray, iterations: IntArray) -> int | None:
    """Return the iteration after the last True: the first record of all without any True, None if the last is True."""
    last = np.flatnonzero(flags)
    at = int(last[-1]) + 1 if len(last) else 0
    return int(iterations[at]) if at < len(iterations) else None
