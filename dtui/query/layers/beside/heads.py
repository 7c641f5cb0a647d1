"""Answers what the heads of an attention did, from the statistics of the filters that make them.

Owns the formulas. Filters are stored with 10 or 7 bits, so heads are as exact as that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from dtui.analysis.downsample import pool_farthest, pool_largest
from dtui.errors import NotRecordedError, UsageError
from dtui.model import FloatArray, HeadGroup, TimeAxis, read_only
from dtui.model.layers import UPDATE_RATIO, AttentionHead, MovedHead, NormSeries
from dtui.model.statistics import FILTERS, Drawn
from dtui.query.data import RunData
from dtui.query.layers.beside.norm_series import scale_of

_Read = Callable[[str], FloatArray]


def heads_of(data: RunData, layer: int | None = None) -> tuple[AttentionHead, ...]:
    """Answer `RunQuery.heads`."""
    layers = data.structure.layers
    if layer is not None and not 0 <= layer < len(layers):
        raise UsageError(f"layer {layer}: the run has layers 0–{len(layers) - 1}")
    return tuple(
        AttentionHead(layers[group.layer].name, group.layer, group.part, head, *_ends(group, head), group.of_inputs)
        for group in data.structure.heads
        if layer in (None, group.layer)
        for head in range(group.count)
    )


def _ends(group: HeadGroup, head: int) -> tuple[int, int]:
    own = group.filters_of(head)
    return own.start, own.stop


def head_values(data: RunData, layer: int, statistic: str) -> FloatArray:
    """Answer `RunQuery.head_values`."""
    found = [one for one in heads_of(data, layer) if not one.of_inputs]
    if not found:
        raise NotRecordedError(f"{data.reader.path}: layer {layer} makes no attention heads that are known")
    return read_only(_joined(data, found, statistic, lambda name: data.filters(name, layer)))


def head_series(data: RunData, places: Sequence[int], statistic: str, axis: TimeAxis) -> NormSeries:
    """Answer `RunQuery.head_series`."""
    every = [one for one in heads_of(data) if not one.of_inputs]
    for place in places:
        if not 0 <= place < len(every):
            raise UsageError(f"attention head {place}: the run has {len(every)}, counted from 0")
    data.begin_answer(f"head series {statistic}")
    held = data.held(axis, data.reader.contents.filter_statistic(statistic, data.reader.path).is_watched)
    pool = pool_farthest if FILTERS[statistic].drawn is Drawn.SIGNED else pool_largest
    values: FloatArray = np.full((len(places), axis.columns), np.nan, np.float32)
    for layer in dict.fromkeys(every[place].index for place in places):
        rows = [row for row, place in enumerate(places) if every[place].index == layer]
        start = 0

        def read(name: str, layer: int = layer) -> FloatArray:
            nonlocal start
            matrix, start = data.filters_within(name, layer, held.needed)
            return matrix

        joined = _joined(data, [every[places[row]] for row in rows], statistic, read)
        if statistic == UPDATE_RATIO:
            joined = joined / _updates_since(data)[start : start + joined.shape[1]]
        values[rows] = pool(joined, held.shifted(start))
    return NormSeries(axis, statistic, tuple(places), read_only(values), scale_of(values))


def moved_heads(data: RunData, most: int) -> tuple[MovedHead, ...]:
    """Answer `RunQuery.moved_heads`."""
    found: list[MovedHead] = []
    if not data.records_filters(*FORMULAS[UPDATE_RATIO][0]):
        return ()
    iterations = data.sampled_records()
    since = _updates_since(data)[np.searchsorted(data.records, iterations)]
    for layer in dict.fromkeys(group.layer for group in data.structure.heads if not group.of_inputs):
        data.begin_answer("moved heads")
        heads = [one for one in heads_of(data, layer) if not one.of_inputs]
        ratios = _joined(data, heads, UPDATE_RATIO, partial(data.filters_sample, layer=layer)) / since
        known = np.isfinite(ratios)
        with np.errstate(all="ignore"):
            means = np.where(known, ratios, 0).sum(1) / known.sum(1)
        for part in dict.fromkeys(one.part for one in heads):
            rows = [row for row, one in enumerate(heads) if one.part == part and means[row] > 0]
            usual = float(np.median(means[rows])) if rows else 1.0
            for row in rows:
                at = int(iterations[int(np.nanargmax(np.where(known[row], ratios[row], np.nan)))])
                found.append(MovedHead(heads[row], float(means[row]), float(means[row]) / usual, at))
    return tuple(sorted(found, key=lambda one: -one.times)[:most])


def _updates_since(data: RunData) -> FloatArray:
    """Return the updates from the record before to each record, shape (records,); NaN in watches, and at the first."""
    regular = np.flatnonzero(~data.is_watch)
    updates: FloatArray = np.full(len(data.records), np.nan, np.float32)
    updates[regular[1:]] = np.diff(data.records[regular])
    return updates


def _joined(data: RunData, heads: Sequence[AttentionHead], statistic: str, read: _Read) -> FloatArray:
    """Return a statistic of heads of one layer, shape (heads, n)."""
    formula = FORMULAS.get(statistic)
    if formula is None:
        raise UsageError(f"statistic of heads {statistic!r} is unknown; use one of {', '.join(FORMULAS)}")
    needed, join = formula
    for name in needed:
        data.reader.contents.filter_statistic(name, data.reader.path)
    of_filters = [read(name) for name in needed]
    shortest = min(matrix.shape[1] for matrix in of_filters)
    with np.errstate(all="ignore"):
        rows = [
            join(*(matrix[one.first : one.stop, :shortest].astype(np.float64) for matrix in of_filters))
            for one in heads
        ]
    return np.stack(rows).astype(np.float32)


# --- formulas: from the filters of a head, shape (filters, n), to the head, shape (n,); NaN where a filter has no value


def _root(norms: FloatArray) -> FloatArray:
    root: FloatArray = np.sqrt((norms**2).sum(0))
    return root


def _mean(values: FloatArray) -> FloatArray:
    mean: FloatArray = values.mean(0)  # filters of a layer have equally many elements
    return mean


def _total(values: FloatArray) -> FloatArray:
    total: FloatArray = values.sum(0)
    return total


def _spread(means: FloatArray, stds: FloatArray) -> FloatArray:
    spread: FloatArray = np.sqrt((stds**2).mean(0) + means.var(0))
    return spread


def _before(update_norms: FloatArray, ratios: FloatArray, norms: FloatArray) -> FloatArray:
    """Return the norms of filters at the record before, with which their update ratios were made."""
    before: FloatArray = np.where(ratios > 0, update_norms / np.where(ratios > 0, ratios, np.nan), norms)
    return np.where(np.isnan(update_norms), np.nan, before)


def _ratio(update_norms: FloatArray, ratios: FloatArray, norms: FloatArray) -> FloatArray:
    below = _root(_before(update_norms, ratios, norms))
    ratio: FloatArray = _root(update_norms) / np.where(below > 0, below, np.nan)
    return ratio


def _distance(distances: FloatArray, norms: FloatArray) -> FloatArray:
    """Return the distances of filters, weighted with their squared norms: exact as far as these keep their shares."""
    weights = np.where(np.isnan(distances) & (norms == 0), 0, norms**2)
    total, each = weights.sum(0), np.where(weights > 0, weights * distances, weights)
    distance: FloatArray = each.sum(0) / np.where(total > 0, total, np.nan)
    return distance


FORMULAS: Mapping[str, tuple[tuple[str, ...], Callable[..., FloatArray]]] = {
    "update_ratio": (("update_norm", "update_ratio", "norm"), _ratio),
    "norm": (("norm",), _root),
    "update_norm": (("update_norm",), _root),
    "gradient_norm": (("gradient_norm",), _root),
    "cosine_distance": (("cosine_distance", "norm"), _distance),
    "mean": (("mean",), _mean),
    "std": (("mean", "std"), _spread),
    "share_negative": (("share_negative",), _mean),
    "sum_positive": (("sum_positive",), _total),
    "sum_negative": (("sum_negative",), _total),
    "gradient_mean": (("gradient_mean",), _mean),
    "gradient_std": (("gradient_mean", "gradient_std"), _spread),
    "nonfinite": (("nonfinite",), _total),
}
"""Of each statistic of heads: the statistics of filters that it is made of, and how."""
