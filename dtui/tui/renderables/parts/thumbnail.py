"""Draws a picture in half blocks."""

from __future__ import annotations

import numpy as np

from dtui.model import ByteArray
from dtui.tui.renderables.canvas.cells import Cells, UintArray
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.primitives import UPPER_HALF, shade_glyphs


def draw_thumbnail(cells: Cells, x: int, y: int, columns: int, rows: int, pixels: ByteArray, output: Output) -> None:
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
    """
    height, width = pixels.shape[:2]
    if columns < 4 or rows < 2 or height < 1 or width < 1:
        return
    scale = min(columns / width, 2 * rows / height)
    scale = float(int(scale)) if scale >= 1 else scale
    picture = _resize(pixels, max(2, 2 * round(height * scale / 2)), max(1, round(width * scale)))
    channels = picture.astype(np.uint32)
    packed: UintArray = np.zeros(channels.shape[:2], np.uint32)
    for index, shift in enumerate((16, 8, 0)):
        packed |= channels[..., index] << np.uint32(shift)
    if output.has_pixels:
        cells.paste(x, y, np.full(packed[0::2].shape, UPPER_HALF, np.uint32), packed[0::2], packed[1::2])
        return
    lightness = (picture.astype(np.float64) @ np.array([0.299, 0.587, 0.114]) / 255).reshape(-1, 2, packed.shape[1])
    steps = np.minimum((lightness.mean(1) * 16).astype(np.int64), 15)
    cells.paste(x, y, shade_glyphs(steps, 16, output.ascii), np.full_like(packed[0::2], cells.theme.text))


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
