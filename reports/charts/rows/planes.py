"""Writes series as greyscale pictures whose pixels a small script can turn back into values.

Owns the code between values and bytes. A row has a core, the range of nearly all its values, in fine steps, and a tail
on either side for the few values far off, in steps that grow: neither a jump of a thousand times nor the slow course
around it is lost.
"""

from __future__ import annotations

import base64
import io
import math
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
    codes = np.zeros(values.shape, dtype=np.uint8)
    limits = np.zeros((len(values), 4))
    for k, row in enumerate(np.asarray(values, dtype=np.float64)):
        known = np.isfinite(row)
        if not known.any():
            continue
        found = row[known]
        ordered = np.sort(found)
        cut = int(FAR * len(ordered))
        limits[k] = [_short(v) for v in (ordered[0], ordered[cut], ordered[-1 - cut], ordered[-1])]
        codes[k][known] = _coded(found, *limits[k].tolist())
    return Codes(codes, limits)


def decode(codes: Codes) -> FloatArray:
    """Return what a script reads out of the bytes, shape (rows, columns); NaN where there is no value."""
    at = codes.bytes.astype(np.float64)
    least, low, high, most = (codes.limits[:, k, None] for k in range(4))
    share = np.clip((at - FIRST) / CORE, 0, 1)
    core = low + (high - low) * share
    for k in np.flatnonzero([_is_wide(*ends) for ends in codes.limits[:, 1:3].tolist()]):
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
    Image.fromarray(np.ascontiguousarray(codes)).save(stream, "PNG", compress_level=7)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def _coded(found: FloatArray, least: float, low: float, high: float, most: float) -> FloatArray:
    """Return the bytes of a row's values, as numbers."""
    inside = np.clip(found, low, high)
    if _is_wide(low, high):
        share = np.log(inside / low) / math.log(high / low)
    else:
        share = (inside - low) / (high - low) if high > low else np.zeros_like(inside)
    codes: FloatArray = FIRST + np.rint(share * CORE)
    for side, end, far in ((1, high, most), (-1, low, least)):
        off = side * (found - end) > 0
        if off.any() and far != end:
            share = np.clip((found[off] - end) / (far - end), 0, 1)
            steps = np.rint(TAIL * np.log1p(SPREAD * share) / math.log1p(SPREAD))
            codes[off] = (FIRST + CORE if side > 0 else FIRST) + side * steps
    return codes


def _is_wide(low: float, high: float) -> bool:
    return low * high > 0 and max(low / high, high / low) > WIDE


def _grown(share: FloatArray) -> FloatArray:
    """Return how far out of the core a value lies, in [0, 1], from the share of its tail's steps."""
    grown: FloatArray = np.expm1(np.clip(share, 0, 1) * math.log1p(SPREAD)) / SPREAD
    return grown


def _short(value: float) -> float:
    return float(f"{value:.5g}")
