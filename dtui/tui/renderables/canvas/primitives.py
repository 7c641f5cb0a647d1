"""Draws numbers as pixels, shading, horizon bands, braille lines and triangles.

Owns the glyphs that stand for numbers.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np

from dtui.model import BoolArray, FloatArray, IntArray, TimeAxis
from dtui.tui.renderables.canvas.cells import Cells, UintArray
from dtui.tui.renderables.canvas.marks import FELL, ROSE
from dtui.tui.renderables.canvas.output import ColorMode, Output

UPPER_HALF = 0x2580
Numbers = TypeVar("Numbers", FloatArray, IntArray)
EIGHTHS: UintArray = np.array([32, *range(0x2581, 0x2589)], np.uint32)
"""A cell filled from below to 0…8 eighths."""

SHADES = " ░▒▓█"
ASCII_SHADES = " .:-=+*#%@"


def blend_one(colour: int, towards: int, strength: float) -> int:
    """Return a packed colour moved towards another by `strength` in [0, 1]."""
    mixed = 0
    for shift in (16, 8, 0):
        old = colour >> shift & 255
        mixed |= round(old + ((towards >> shift & 255) - old) * strength) << shift
    return mixed


def quantise(shades: FloatArray, levels: int) -> IntArray:
    """Return the ramp step 0..levels-1 of shades in [0, 1] (clamped); -1 where NaN."""
    known = np.isfinite(shades)
    steps = np.minimum((np.clip(np.where(known, shades, 0), 0, 1) * levels).astype(np.int64), levels - 1)
    result: IntArray = np.where(known, steps, -1)
    return result


def resample(values: Numbers, old: TimeAxis, new: TimeAxis) -> Numbers:
    """Return values of shape (…, old.columns) as columns of another window, until the exact answer arrives.

    Each new column shows the old column that holds its middle iteration; NaN (or -1 for whole numbers) outside the old
    window. Returns the same array if nothing changes.
    """
    if old == new and values.shape[-1] == new.columns:
        return values
    middles = new.first + (np.arange(new.columns) + 0.5) * new.column_span
    columns = np.floor((middles - old.first) / old.span * old.columns).astype(np.int64)
    inside = (columns >= 0) & (columns < values.shape[-1])
    result: Numbers
    empty = np.nan if np.issubdtype(values.dtype, np.floating) else -1
    result = np.full((*values.shape[:-1], new.columns), empty, values.dtype)
    result[..., inside] = values[..., columns[inside]]
    return result


MOST_BEHIND = 4
"""Columns that an answer may be behind a live run to be shown for its newest record."""


def column_with_data(values: FloatArray, column: int, bad: BoolArray | None = None) -> int:
    """Return a column of values, shape (…, columns); where none is known in it or right of it, the last that has one.

    A live run has recorded more than the answer at hand: what was last known is shown until the next one arrives. Not
    so where that is MOST_BEHIND columns ago or more, or where values are missing because they were NaN or Inf: `bad`,
    shape (columns,), is True there.
    """
    known = np.flatnonzero(np.isfinite(values).reshape(-1, values.shape[-1]).any(axis=0))
    found = min(column, int(known[-1])) if len(known) else column
    is_none = column - found >= MOST_BEHIND or (bad is not None and bool(bad[found : column + 1].any()))
    return column if is_none else found


def last_known(values: FloatArray, column: int) -> FloatArray:
    """Return the last value at or before a column of values, shape (rows, columns), for each row; NaN for none."""
    known = np.where(np.isfinite(values[:, : column + 1]), np.arange(column + 1), -1).max(axis=1, initial=-1)
    result: FloatArray = np.where(known >= 0, values[np.arange(len(values)), known], np.nan)
    return result


def shade_glyphs(steps: IntArray, levels: int, ascii_only: bool) -> UintArray:
    """Return a glyph for each ramp step (0..levels-1, -1 for none), denser for larger ones.

    A value is never drawn as a blank: a blank means "no value".
    """
    glyphs = np.array([ord(glyph) for glyph in (ASCII_SHADES if ascii_only else SHADES)], np.uint32)
    index = 1 + np.clip(steps * (len(glyphs) - 1) // levels, 0, len(glyphs) - 2)
    result: UintArray = glyphs[np.where(steps < 0, 0, index)]
    return result


def shading_colours(steps: IntArray, colours: UintArray, output: Output) -> UintArray:
    """Return the foreground of shading glyphs: the ramp's own colours, or one of them where there are only 16."""
    if output.mode is ColorMode.PALETTE_16:
        return np.full(steps.shape, colours[len(colours) * 4 // 5], np.uint32)
    chosen: UintArray = colours[np.maximum(steps, 0)]
    return chosen


def paint_pixels(cells: Cells, x: int, y: int, steps: IntArray, colours: UintArray, output: Output) -> None:
    """Paint a pixel map, two pixel rows a cell, or its denser row as shading where half blocks cannot be shown.

    Args:
        cells: To paint into, from (x, y).
        x: Left column, >= 0.
        y: Top row, >= 0.
        steps: Shape (2 * rows, columns): index into `colours`, -1 to leave the panel as it is.
        colours: The ramp, weak to strong.
        output: What the terminal can show.
    """
    rows, columns = steps.shape[0] // 2, steps.shape[1]
    if rows == 0 or columns == 0:
        return
    with_panel = np.append(colours, np.uint32(cells.theme.panel))
    if output.has_pixels:
        pixels = with_panel[steps]
        glyphs = np.full((rows, columns), UPPER_HALF, np.uint32)
        cells.paste(x, y, glyphs, pixels[0::2], pixels[1::2])
        return
    denser = np.maximum(steps[0::2], steps[1::2])
    glyphs = shade_glyphs(denser, len(colours), output.ascii)
    cells.paste(x, y, glyphs, shading_colours(denser, colours, output))


def fold_bands(
    values: FloatArray,
    rows: int,
    bands: int,
    panel: int,
    positive: tuple[int, ...],
    negative: tuple[int, ...],
) -> tuple[UintArray, UintArray, UintArray]:
    """Draw horizon graphs: each value folded into bands, a stronger one over the weaker, negative values mirrored.

    Args:
        values: Shape (graphs, columns), 1 is full height; NaN stays empty.
        rows: Terminal rows a graph, >= 1.
        bands: Bands, 1..len(positive).
        panel: Colour behind the first band.
        positive: Band colours, weak to strong.
        negative: The same below zero.

    Returns:
        Characters, foregrounds and backgrounds, each of shape (graphs * rows, columns).
    """
    known = np.isfinite(values)
    folded = np.minimum(np.abs(np.where(known, values, 0)), 1) * bands
    band = np.minimum(folded.astype(np.int64), bands - 1)
    eighths = np.rint((folded - band) * 8 * rows).astype(np.int64)
    above = np.array([panel, *positive[len(positive) - bands :]], np.uint32)
    below = np.array([panel, *negative[len(negative) - bands :]], np.uint32)
    up = np.where(known, values, 0) >= 0
    fg = np.where(up, above[band + 1], below[band + 1])
    bg = np.where(up, above[band], below[band])
    ch = np.empty((len(values) * rows, values.shape[1]), np.uint32)
    for row in range(rows):
        ch[row::rows] = EIGHTHS[np.clip(eighths - 8 * (rows - 1 - row), 0, 8)]
    return ch, np.repeat(fg, rows, 0), np.repeat(bg, rows, 0)


_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint32)


def braille_spans(low: FloatArray, high: FloatArray, rows: int) -> UintArray:
    """Draw vertical spans of braille dots, one a dot column.

    Args:
        low: Shape (2 * columns,): lower end in [0, 1], 0 at the bottom; NaN for no dots.
        high: Upper end, >= low.
        rows: Terminal rows, >= 1.

    Returns:
        Code points of shape (rows, columns); a blank where there are no dots.
    """
    height = 4 * rows
    known = np.isfinite(low) & np.isfinite(high)
    top = np.rint((1 - np.clip(np.where(known, high, 0), 0, 1)) * (height - 1))
    bottom = np.rint((1 - np.clip(np.where(known, low, 0), 0, 1)) * (height - 1))
    levels = np.arange(height)[:, None]
    dots = (levels >= top) & (levels <= bottom) & known
    bits = (dots.reshape(rows, 4, -1, 2) * _DOTS[None, :, None, :]).sum((1, 3)).astype(np.uint32)
    return np.where(bits == 0, np.uint32(32), np.uint32(0x2800) + bits)


def draw_triangle(cells: Cells, x: int, y: int, half: int, colour: int, down: bool, left: int = 0) -> None:
    """Draw a triangle one row high, its apex at column `x`: below when `down`, else above.

    Args:
        cells: To draw into; what lies outside is cut.
        x: Column of the apex.
        y: Row.
        half: Columns on either side, >= 0; 0 draws a small arrow head.
        colour: Its colour.
        down: Whether its apex points down.
        left: First column that it may touch.
    """
    if not 0 <= y < cells.height:
        return
    for offset in range(-half, half + 1):
        column = x + offset
        if not max(0, left) <= column < cells.width:
            continue
        level = round(8 * (1 - abs(offset) / (half + 1)))
        panel = cells.theme.panel
        if half == 0:
            cells.ch[y, column], cells.fg[y, column] = ord((FELL if down else ROSE).glyph), colour
            cells.bold[y, column], cells.bg[y, column], cells.mark[y, column] = 1, panel, 0
        elif down and level < 8:
            cells.ch[y, column], cells.fg[y, column] = EIGHTHS[8 - level], panel
            cells.bg[y, column], cells.mark[y, column] = colour, 1
        else:
            cells.ch[y, column], cells.fg[y, column] = EIGHTHS[level], colour
            cells.bg[y, column], cells.mark[y, column] = panel, 0
