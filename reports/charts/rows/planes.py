"""Writes series as greyscale pictures whose pixels a small script can turn back into values.

Owns the code between values and bytes. A row has a core, the range of nearly all its values, in fine steps, and a tail
on either side for the few values far off, in steps that grow: neither a jump of a thousand times nor the slow course
around it is lost.
"""

from __future__ import annotations

import base64
import io
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from dtui.model import BoolArray, ByteArray, FloatArray
from dtui.reports.charts.rows.horizon import dwarfs, full_scales, stretches
from dtui.reports.rows import Plane

CORE = 160
"""Steps of the core; a byte above or below it stands for a value of a tail, and 0 for none."""
TAIL = 47
FIRST = TAIL + 1
"""Byte of the smallest value of the core."""
WIDE = 8.0
"""A core of one sign whose ends differ by more than this factor has steps of equal ratio in place of equal width."""
SPREAD = 9999.0
"""How unequal the steps of a tail are: each is a fifth wider than the one before."""
FAR = 0.005
"""Share of a row's values that each tail holds."""


@dataclass(frozen=True, eq=False, slots=True)
class Codes:
    """Series as bytes.

    Attributes:
        bytes: Shape (rows, columns).
        limits: Shape (rows, 4): least value, lower end of the core, its upper end, most. Zeros for a row without any.
    """

    bytes: ByteArray
    limits: FloatArray


def encode(values: FloatArray) -> Codes:
    """Return series as bytes.

    Args:
        values: Shape (rows, columns); NaN where there is no value.

    Returns:
        Codes that `decode` turns back: exact for a row's least and most value, within half a step
        for values of its core.

    Source: dtui.
    """
    found = np.asarray(values, dtype=np.float64)
    known = np.isfinite(found)
    count = known.sum(axis=1)
    ordered = np.sort(np.where(known, found, np.inf), axis=1)
    last, cut = np.maximum(count - 1, 0), (FAR * count).astype(np.int64)
    places = np.stack([np.zeros_like(last), cut, np.maximum(last - cut, 0), last], axis=1)
    limits = np.take_along_axis(ordered, places, axis=1)
    limits[count == 0] = 0.0
    limits = np.array([_short(value) for value in limits.ravel().tolist()]).reshape(-1, 4)
    codes = np.where(known, _coded(np.where(known, found, limits[:, 1, None]), limits), 0)
    return Codes(codes.astype(np.uint8), limits)


def decode(codes: Codes) -> FloatArray:
    """Return what a script reads out of the bytes, shape (rows, columns); NaN where there is no value."""
    at = codes.bytes.astype(np.float64)
    least, low, high, most = (codes.limits[:, k, None] for k in range(4))
    share = np.clip((at - FIRST) / CORE, 0, 1)
    core = low + (high - low) * share
    for k in np.flatnonzero(_wide(codes.limits)):
        core[k] = low[k] * (high[k] / low[k]) ** share[k]
    above = high + (most - high) * _grown((at - FIRST - CORE) / TAIL)
    below = low + (least - low) * _grown((FIRST - at) / TAIL)
    values: FloatArray = np.where(at > FIRST + CORE, above, np.where(at < FIRST, below, core))
    values[codes.bytes == 0] = np.nan
    return values


def plane_data(plane: Plane) -> dict[str, Any]:
    """Return what the page's script needs of one statistic, as JSON values: its picture, scales and marks."""
    codes, full = encode(plane.values), full_scales(plane.values)
    data: dict[str, Any] = {
        "source": plane.source,
        "choice": plane.quantity,
        "quantity": plane.quantity,
        "signed": bool(np.nanmin(plane.values, initial=0.0) < 0),
        "full": [[_short(plane.scale)], [_short(value) for value in full.tolist()]],
        "first": int(dwarfs(full, plane.scale)),
        "limits": codes.limits.tolist(),
        "picture": grey_picture(codes.bytes),
    }
    if plane.nonfinite is not None:
        data["bad"] = bad_stretches(plane.nonfinite)
    return data


def bad_stretches(nonfinite: BoolArray) -> dict[str, list[tuple[int, int]]]:
    """Return where NaN or Inf was counted: begin and stop of columns, by row."""
    return {str(k): stretches(row) for k, row in enumerate(nonfinite) if row.any()}


def grey_picture(codes: ByteArray) -> str:
    """Return bytes as a greyscale PNG in a data URL, one pixel a byte; the same bytes give the same text."""
    stream = io.BytesIO()
    # only runs are searched for: a third of the time, and 3 % larger
    Image.fromarray(np.ascontiguousarray(codes)).save(stream, "PNG", compress_level=6, compress_type=zlib.Z_RLE)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _coded(found: FloatArray, limits: FloatArray) -> FloatArray:
    """Return the bytes of values, as numbers; shape (rows, columns)."""
    least, low, high, most = (limits[:, k, None] for k in range(4))
    inside = np.clip(found, low, high)
    width = np.where(high > low, high - low, 1.0)
    share = (inside - low) / width
    for k in np.flatnonzero(_wide(limits)):
        share[k] = np.log(inside[k] / low[k]) / np.log(high[k] / low[k])
    codes: FloatArray = FIRST + np.rint(share * CORE)
    for side, end, far in ((1, high, most), (-1, low, least)):
        off = side * (found - end) > 0
        rows = off.any(axis=1) & (far != end)[:, 0]
        if rows.any():
            out = np.clip((found[rows] - end[rows]) / (far[rows] - end[rows]), 0, 1)
            steps = np.rint(TAIL * np.log1p(SPREAD * out) / math.log1p(SPREAD))
            codes[rows] = np.where(off[rows], (FIRST + CORE if side > 0 else FIRST) + side * steps, codes[rows])
    return codes


def _wide(limits: FloatArray) -> BoolArray:
    """Return which rows have a core in steps of equal ratio, shape (rows,)."""
    low, high = limits[:, 1], limits[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        wide: BoolArray = (low * high > 0) & (np.maximum(low / high, high / low) > WIDE)
    return wide


def _grown(share: FloatArray) -> FloatArray:
    """Return how far out of the core a value lies, in [0, 1], from the share of its tail's steps."""
    grown: FloatArray = np.expm1(np.clip(share, 0, 1) * math.log1p(SPREAD)) / SPREAD
    return grown


def _short(value: float) -> float:
    return float(f"{value:.5g}")
