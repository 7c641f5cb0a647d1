"""A series as columns of block characters, several rows high."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import BoolArray, FloatArray
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import BROKEN
from dtui.tui.renderables.parts.sparkline import ASCII_BLOCKS, BLOCKS

NONFINITE = BROKEN.glyph


def draw_columns(
    cells: Cells,
    frame: Frame,
    x: int,
    y: int,
    rows: int,
    values: FloatArray,
    lit: BoolArray,
    wide: int = 1,
    is_log: bool = False,
) -> None:
    """Draw a column for each value from its own smallest to its own largest, upwards.

    Args:
        cells: To draw into.
        frame: Theme and output.
        x: First column of the terminal.
        y: First row.
        rows: Rows, >= 1.
        values: Shape (n,); NaN leaves its column empty, Inf is a mark on top.
        lit: Which of them are drawn in the colour of what is selected, shape (n,).
        wide: Terminal columns of each.
        is_log: Whether heights are logarithmic, where all finite values are > 0 or 0.
    """
    theme, blocks = frame.theme, ASCII_BLOCKS if frame.output.ascii else BLOCKS
    shares, is_broken = heights(values, is_log), np.isinf(values)
    steps = np.maximum(1, np.rint(shares * rows * len(blocks)))
    steps = np.where(np.isfinite(shares) & ~is_broken, steps, 0).astype(np.int64)
    filled = np.clip(steps - len(blocks) * np.arange(rows)[::-1, None], 0, len(blocks)).repeat(wide, 1)
    colours = np.where(lit, np.uint32(theme.flag), np.uint32(theme.train)).repeat(wide)
    there = slice(y, y + rows), slice(x, x + wide * len(values))
    height, width = cells.ch[there].shape  # what is outside the grid is cut
    filled, colours = filled[:height, :width], colours[:width]
    glyphs = np.array([32, *map(ord, blocks)], np.uint32)
    for target, drawn in ((cells.ch, glyphs[filled]), (cells.fg, colours), (cells.bold, 0)):
        target[there] = np.where(filled > 0, drawn, target[there])
    for place in np.flatnonzero(is_broken).tolist():
        cells.text(x + place * wide, y, NONFINITE * wide, theme.crashed, bold=True)


def heights(values: FloatArray, is_log: bool) -> FloatArray:
    """Return the height of each value within the finite ones, [0, 1], NaN for none; a flat series is half high."""
    shown = np.where(np.isfinite(values), values, np.nan).astype(np.float64)
    known = np.isfinite(shown)
    if not known.any():
        return shown
    if is_log and shown[known].min() >= 0 and (shown[known] > 0).any():
        least = shown[shown > 0].min()
        shown = np.log(np.where(shown > 0, shown, least))
    low, high = np.nanmin(shown), np.nanmax(shown)
    result: FloatArray = np.where(known, 0.5, np.nan) if high <= low else (shown - low) / (high - low)
    return result


def draw_share_bars(
    cells: Cells, frame: Frame, x: int, y: int, width: int, rows: Sequence[tuple[str, int, int]], total: int
) -> int:
    """Draw one bar a row: a name, a bar as long as its share of `total`, its number. Return the rows used.

    Args:
        cells: To draw into.
        frame: Theme and output.
        x: First column.
        y: First row.
        width: Columns.
        rows: Name (safe to show), number, colour.
        total: The number that fills the whole bar, >= 1.
    """
    theme = frame.theme
    most = max((text_width(name) for name, _, _ in rows), default=0)
    most = min(most, max(4, width // 3))
    number = max((len(f"{count:,}") for _, count, _ in rows), default=0)
    room = max(1, width - most - number - 3)
    used = 0
    for name, count, colour in rows:
        if y + used >= cells.height:
            break
        cells.text(x, y + used, name, theme.text, limit=most)
        length = max(1, round(room * count / max(1, total))) if count else 0
        bar = "#" if frame.output.ascii else "▇"
        end = cells.text(x + most + 1, y + used, bar * length, colour)
        cells.text(end + 1, y + used, f"{count:,}", theme.muted)
        used += 1
    return used
