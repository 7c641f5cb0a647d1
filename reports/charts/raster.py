"""Writes shades as a tiny palette PNG whose pixels can be read back as values.

Owns the palette and its steps.
"""

from __future__ import annotations

import base64
import io
from functools import cache, lru_cache

import numpy as np
from PIL import Image

from dtui.model import ByteArray, FloatArray
from dtui.reports.charts.theme import ERROR_STOPS

LEVELS = 201
"""Shades from 0 to 1 inclusive, in steps of half a percent; palette index 0 is "no value" and transparent."""


def ramp(stops: tuple[str, ...], levels: int) -> ByteArray:
    """Return colours between stops, each used once.

    Args:
        stops: "#rrggbb" colours at equal distances.
        levels: How many colours, 2 to 255.

    Returns:
        Shape (levels, 3), uint8; no two rows are equal, so that a colour can be read back as its level.

    Source: dtui.
    """
    points = np.array([[int(stop[at : at + 2], 16) for at in (1, 3, 5)] for stop in stops], dtype=np.float64)
    places = np.linspace(0, len(stops) - 1, levels)
    colours = np.stack([np.interp(places, range(len(stops)), points[:, k]) for k in range(3)], axis=1)
    result: ByteArray = colours.round().astype(np.uint8)
    seen: set[tuple[int, ...]] = set()
    for row in result:
        while tuple(row.tolist()) in seen:
            row[2] = row[2] - 1 if row[2] else 255
        seen.add(tuple(row.tolist()))
    return result


def error_palette() -> list[int]:
    """Return the colours of error 0 to 1 as 0xRRGGBB numbers, LEVELS of them."""
    return [int(r) << 16 | int(g) << 8 | int(b) for r, g, b in ramp(ERROR_STOPS, LEVELS)]


def thumbnail(pixels: ByteArray) -> str:
    """Return an image of shape (height, width, 3), uint8, as a PNG in a data URL; the same pixels, the same text."""
    stream = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels), mode="RGB").save(stream, "PNG", compress_level=9)
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


def error_picture(values: FloatArray) -> str:
    """Return errors as a PNG in a data URL; see `shade_picture`."""
    return shade_picture(values, ERROR_STOPS)


def shade_picture(values: FloatArray, stops: tuple[str, ...]) -> str:
    """Return shares as a PNG in a data URL, one pixel a value.

    Args:
        values: Shape (rows, columns), shares in [0, 1]; NaN becomes transparent.
        stops: Colours from 0 to 1.

    Returns:
        "data:image/png;base64,…"; the same values give the same text.

    Source: dtui.
    """
    finite = np.isfinite(values)
    levels = np.where(finite, np.rint(np.clip(np.nan_to_num(values), 0, 1) * (LEVELS - 1)) + 1, 0).astype(np.uint8)
    return _encoded(levels.tobytes(), levels.shape, stops)


@lru_cache(maxsize=16)  # a page shows the same shades at several widths
def _encoded(levels: bytes, shape: tuple[int, int], stops: tuple[str, ...]) -> str:
    image = Image.fromarray(np.frombuffer(levels, np.uint8).reshape(shape), mode="P")
    image.putpalette(_palette(stops))
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=6, transparency=0)  # level 9 takes four times as long to save 1 %
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")


@cache
def _palette(stops: tuple[str, ...]) -> bytes:
    return bytes(3) + ramp(stops, LEVELS).tobytes()
