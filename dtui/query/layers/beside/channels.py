"""Answers channels of normalisation layers: one pixel row per channel over time, and which channels moved most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from dtui.analysis.downsample import mean_rows, pool_farthest
from dtui.analysis.ordering import by_largest_first, by_peak, by_similarity
from dtui.analysis.quantiles import column_quantiles, magnitude_quantile
from dtui.errors import NotRecordedError, UsageError
from dtui.model import RECORDS_A_BIN, BoolArray, FloatArray, Heatmap, HeatmapRequest, IntArray, read_only
from dtui.model.layers import MovedChannel
from dtui.model.statistics import CHANNEL_STATISTICS, Rows
from dtui.query.data import RunData
from dtui.query.layers.shading import magnitudes_of, mean_shades, usable

SCALE_QUANTILE = 0.995
SPREAD = ("scale", "running_variance")
LEAST_DECADES, MOST_DECADES = 0.01, 9.0
"""A scale of values that differ by less than 2 % begins at zero."""
READ_AT_ONCE = 1_024
"""Records of a long run that are read together; a multiple of RECORDS_A_BIN."""


def channel_heatmap(data: RunData, request: HeatmapRequest) -> Heatmap:
    """Answer `RunQuery.heatmap` where it asks for the channels of a normalisation layer."""
    norm, name = _checked(data, request)
    data.begin_answer("heatmap")
    order = data.remembered(("channel order", norm, name, request.sort), lambda: _order(data, norm, request))
    first = max(0, min(request.first, len(order) - 1))
    count = max(1, min(request.count, len(order) - first))
    rows = order[first : first + count]
    values, scale, decades = _pooled(data, norm, request), float("nan"), 0.0
    if request.normalise == "iteration":
        divisor = usable(column_quantiles(np.abs(values), SCALE_QUANTILE))[None, :]
    elif request.normalise == "filter":
        every = magnitudes_of(_overview(data, norm, name), 0)
        divisor = usable(every.max(axis=1, initial=0)[rows])[:, None]
    else:
        scale, decades = data.remembered(("channel scale", norm, name), lambda: _scale(data, norm, name))
        divisor = np.full((1, 1), scale)
    pixels, nothing = max(1, request.pixels), np.zeros(len(order), np.bool_)
    return Heatmap(
        request=replace(request, first=first, count=count),
        values=read_only(mean_rows(values[rows], pixels)),
        shades=read_only(mean_shades(values[rows], divisor.astype(np.float32), decades, pixels)),
        scale=scale,
        order=order,
        filters=len(order),
        dead=read_only(nothing),
        late=read_only(nothing.copy()),
        labels=read_only(np.zeros(len(order), np.int64)),
        decades=decades,
    )


def _scale(data: RunData, norm: int, statistic: str) -> tuple[float, float]:
    """Return the value of shade 1, > 0, and the decades below it; 0 decades for a scale that begins at zero.

    Scales and variances lie close together and far from zero: their shades reach from the smallest to the largest.
    """
    sizes = magnitudes_of(_overview(data, norm, statistic), np.nan)
    scale = magnitude_quantile(sizes, SCALE_QUANTILE)
    known = sizes[sizes > 0]
    if statistic not in SPREAD or not len(known):
        return scale, 0.0
    decades = float(np.log10(scale / np.quantile(known, 1 - SCALE_QUANTILE)))
    return scale, min(decades, MOST_DECADES) if decades > LEAST_DECADES else 0.0


def channel_values(data: RunData, norm: int, statistic: str) -> FloatArray:
    """Answer `RunQuery.channels`."""
    _require(data, norm, statistic)
    return read_only(data.reader.read_rows(Rows.CHANNELS, statistic, slice(None), _rows_of(data, norm)))


def moved_channels(data: RunData, most: int) -> tuple[MovedChannel, ...]:
    """Answer `RunQuery.moved_channels`."""
    regular = np.flatnonzero(~data.is_watch)
    if not data.structure.channel_norms or len(regular) < 2:
        return ()
    held = data.reader.contents.of(Rows.CHANNELS)
    ends = {
        name: np.concatenate(
            [
                data.reader.read_rows(Rows.CHANNELS, name, slice(at, at + 1))
                for at in (int(regular[0]), int(regular[-1]))
            ],
            axis=1,
        ).astype(np.float64)
        for name in CHANNEL_STATISTICS
        if name in held
    }
    found: list[MovedChannel] = []
    for name, values in ends.items():
        moved = _distance(name, values, ends)
        for row in by_largest_first(np.nan_to_num(moved, nan=-1.0))[:most].tolist():
            if moved[row] > 0:
                norm, channel = _place_of(data, row)
                first, last = values[row].tolist()
                found.append(MovedChannel(norm, name, channel, first, last, float(moved[row])))
    return tuple(found)


def _distance(name: str, values: FloatArray, ends: Mapping[str, FloatArray]) -> FloatArray:
    """Return how far each channel moved; NaN where that is not known.

    A mean is measured in standard deviations at first, a variance in its logarithm: these have the units of the inputs.
    """
    with np.errstate(all="ignore"):
        moved: FloatArray = np.abs(values[:, 1] - values[:, 0])
        if name == "running_variance":
            moved = np.abs(np.log(values[:, 1] / values[:, 0]))
        elif name == "running_mean" and "running_variance" in ends:
            moved = moved / np.sqrt(ends["running_variance"][:, 0])
    return np.where(np.isfinite(moved), moved, np.nan)


def _place_of(data: RunData, row: int) -> tuple[str, int]:
    """Return the name of the normalisation layer and the channel that a row stands for."""
    for place in data.structure.channel_norms:
        norm = data.structure.norms[place]
        if row < norm.channels:
            return norm.name, row
        row -= norm.channels
    raise UsageError(f"channel row {row}: there is none")


def _rows_of(data: RunData, norm: int) -> range:
    """Return the rows of the channels of a normalisation layer that has some."""
    norms = data.structure.norms
    first = sum(norms[place].channels for place in data.structure.channel_norms if place < norm)
    return range(first, first + norms[norm].channels)


def _require(data: RunData, norm: int, statistic: str) -> None:
    norms, path = data.structure.norms, data.reader.path
    if not 0 <= norm < len(norms):
        raise UsageError(f"normalisation layer {norm}: the run has {len(norms)}, counted from 0")
    data.reader.contents.row_statistic(Rows.CHANNELS, statistic, path)
    if norm not in data.structure.channel_norms:
        raise NotRecordedError(f"{path}: the channels of {norms[norm].name} were not recorded; they are too many")


def _checked(data: RunData, request: HeatmapRequest) -> tuple[int, str]:
    """Return the normalisation layer and the statistic that are asked for."""
    if request.norm is None:
        raise UsageError("no normalisation layer was asked for")
    _require(data, request.norm, request.statistic)
    return request.norm, request.statistic


def _order(data: RunData, norm: int, request: HeatmapRequest) -> IntArray:
    """Return row on screen to channel; "activity" is how far a channel moved on its way over the run."""
    every = _overview(data, norm, request.statistic)
    if request.sort in ("activity", "peak"):
        regular = every[:, np.isfinite(every).any(axis=0)]
        if request.sort == "peak":
            return read_only(by_peak(magnitudes_of(regular, -1)))
        way = np.abs(np.diff(regular, axis=1)).astype(np.float64)
        return read_only(by_largest_first(np.nan_to_num(way).sum(axis=1)))
    if request.sort == "similarity":
        return read_only(by_similarity(magnitudes_of(every, 0).astype(np.float64)))
    return read_only(np.arange(len(every)))


def _pooled(data: RunData, norm: int, request: HeatmapRequest) -> FloatArray:
    """Return each channel by column, shape (channels, columns): the value farthest from zero in a column."""
    held = data.held(request.axis, is_watched=False)
    if not data.is_long or held.is_wide(4 * RECORDS_A_BIN):
        every = _overview(data, norm, request.statistic)
        return pool_farthest(every, held.in_bins(RECORDS_A_BIN) if data.is_long else held)
    needed = held.needed
    read = data.reader.read_rows(Rows.CHANNELS, request.statistic, needed, _rows_of(data, norm))
    return pool_farthest(read, held.shifted(needed.start))


def _overview(data: RunData, norm: int, statistic: str) -> FloatArray:
    """Return the values of a layer's channels at every record; of a long run the farthest from zero in every bin."""
    rows = _rows_of(data, norm)

    def read(records: slice) -> FloatArray:
        return data.reader.read_rows(Rows.CHANNELS, statistic, records, rows)

    def bins(wanted: slice) -> FloatArray:
        blocks = [np.zeros((len(rows), 0), np.float32)]
        for start in range(wanted.start * RECORDS_A_BIN, wanted.stop * RECORDS_A_BIN, READ_AT_ONCE):
            values = read(slice(start, min(start + READ_AT_ONCE, wanted.stop * RECORDS_A_BIN)))
            blocks.append(_farthest(values.reshape(len(rows), -1, RECORDS_A_BIN)))
        return np.concatenate(blocks, axis=1)

    if not data.is_long:
        return data.growing_columns(("channels", norm, statistic), len(data.records), read)
    whole, rest = divmod(len(data.records), RECORDS_A_BIN)
    every = data.growing_columns(("channel bins", norm, statistic), whole, bins)
    if not rest:
        return every
    last = read(slice(whole * RECORDS_A_BIN, len(data.records)))
    return np.concatenate([every, _farthest(last[:, None, :])], axis=1)


def _farthest(values: FloatArray) -> FloatArray:
    """Return the value farthest from zero on the last axis, NaN where there is none."""
    sizes = magnitudes_of(values, -1)
    at = sizes.argmax(axis=-1)[..., None]
    known: BoolArray = sizes.max(axis=-1) >= 0
    return np.where(known, np.take_along_axis(values, at, axis=-1)[..., 0], np.float32(np.nan))
