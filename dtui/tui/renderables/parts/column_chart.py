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
    for place, share in enumerate(heights(values, is_log)):
        colour = theme.flag if lit[place] else theme.train
        column = x + place * wide
        if np.isinf(values[place]):
            cells.text(column, y, NONFINITE * wide, theme.crashed, bold=True)
        elif np.isfinite(share):
            steps = max(1, round(share * rows * len(blocks)))
            for row in range(rows):
                step = min(len(blocks), steps - row * len(blocks))
                if step > 0:
                    cells.text(column, y + rows - 1 - row, blocks[step - 1] * wide, colour)


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
