"""Draws a picture in half blocks."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import ByteArray, IntArray
from dtui.tui.renderables.canvas.cells import Cells, UintArray
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.primitives import UPPER_HALF, shade_glyphs


def draw_thumbnail(cells: Cells, x: int, y: int, columns: int, rows: int, pixels: ByteArray, output: Output) -> int:
    """Draw a picture as large as fits into `columns` × `rows` cells, its proportions kept, from (x, y).

    Small pictures are enlarged in whole steps, larger ones averaged. Without two colours a cell it becomes
    shading by lightness.

    Args:
        cells: To draw into.
        x: Left column, >= 0.
        y: Top row, >= 0.
        columns: Most columns, one pixel wide each.
        rows: Most rows, two pixels high each.
        pixels: Shape (height, width, 3), uint8.
        output: What the terminal can show.

    Returns:
        How many rows it takes.
    """
    wide, tall = drawn_size(columns, rows, pixels)
    if not tall:
        return 0
    packed, steps = _shown(_Pixels(pixels), 2 * tall, wide)
    if output.has_pixels:
        cells.paste(x, y, np.full(packed[0::2].shape, UPPER_HALF, np.uint32), packed[0::2], packed[1::2])
    else:
        cells.paste(x, y, shade_glyphs(steps, 16, output.ascii), np.full_like(packed[0::2], cells.theme.text))
    return tall


def drawn_size(columns: int, rows: int, pixels: ByteArray) -> tuple[int, int]:
    """Return the columns and rows that `draw_thumbnail` takes; (0, 0) where it draws nothing."""
    height, width = pixels.shape[:2]
    if columns < 4 or rows < 2 or height < 1 or width < 1:
        return 0, 0
    scale = min(columns / width, 2 * rows / height)
    scale = float(int(scale)) if scale >= 1 else scale
    return max(1, round(width * scale)), max(1, round(height * scale / 2))


@dataclass(frozen=True, eq=False, slots=True)
class _Pixels:
    """A picture, compared by identity: a gallery draws the same ones at each step of the crosshair."""

    pixels: ByteArray

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pixels) and self.pixels is other.pixels

    def __hash__(self) -> int:
        return id(self.pixels)


@lru_cache(maxsize=512)
def _shown(picture: _Pixels, height: int, width: int) -> tuple[UintArray, IntArray]:
    """Return packed colours, shape (height, width), and lightness 0..15 of each cell, shape (height / 2, width)."""
    resized = _resize(picture.pixels, height, width)
    channels = resized.astype(np.uint32)
    packed: UintArray = channels[..., 0] << np.uint32(16) | channels[..., 1] << np.uint32(8) | channels[..., 2]
    lightness = (resized.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255).reshape(-1, 2, width)
    return packed, np.minimum((lightness.mean(1) * 16).astype(np.int64), 15)


def _resize(pixels: ByteArray, height: int, width: int) -> ByteArray:
    """Return the picture averaged over boxes, or with its pixels repeated where it grows."""
    rows = _box_edges(pixels.shape[0], height)
    columns = _box_edges(pixels.shape[1], width)
    sums = np.zeros((pixels.shape[0] + 1, pixels.shape[1] + 1, 3))
    sums[1:, 1:] = pixels[..., :3].cumsum(0, dtype=np.float64).cumsum(1)
    (top, bottom), (left, right) = rows, columns
    boxes = (
        sums[np.ix_(bottom, right)] - sums[np.ix_(top, right)] - sums[np.ix_(bottom, left)] + sums[np.ix_(top, left)]
    )
    area = (bottom - top)[:, None, None] * (right - left)[None, :, None]
    result: ByteArray = np.rint(boxes / area).astype(np.uint8)
    return result


def _box_edges(size: int, wanted: int) -> tuple[np.ndarray, np.ndarray]:
    """Return begin and end (exclusive) of each of `wanted` boxes over 0..size, at least one wide."""
    begin = np.arange(wanted) * size // wanted
    return begin, np.maximum(begin + 1, (np.arange(wanted) + 1) * size // wanted)
