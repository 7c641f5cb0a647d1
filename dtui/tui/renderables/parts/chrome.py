"""Draws the parts of every pane: header, legend, stages, selection, scroll thumb.

Owns their places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import BoolArray, Stage
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, UintArray, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.primitives import shade_glyphs, shading_colours

NONFINITE_WORDS = f"{marks.BROKEN} NaN or Inf"
"""What a header says where `mark_nonfinite` has crossed out cells."""


def draw_header(cells: Cells, frame: Frame, name: str, limit: int | None = None) -> int:
    """Write the pane's name with its focus bar into row 0 and return the column after it."""
    theme = frame.theme
    if cells.height < 1:
        return 0
    if frame.focused:
        cells.text(0, 0, "▌", theme.accent)
    return cells.text(1, 0, name, theme.bright if frame.focused else theme.text, bold=True, limit=limit)


def draw_legend(
    cells: Cells, frame: Frame, colours: UintArray, low: str, high: str, name: str = "", left: int = 0, weakest: int = 0
) -> int:
    """Draw a ramp between two values at the right end of row 0 and return the column where it begins.

    If it would reach left of column `left`, it becomes shorter, then loses its name, then is left out: then the width
    of the pane is returned. It begins with the `weakest` step of the ramp that the pane draws.
    """
    theme = frame.theme
    for length, label in ((16, name), (12, name), (12, ""), (8, ""), (4, "")):
        words = f"{label} {low}".strip()
        begin = frame.width - text_width(words) - length - text_width(high) - 3
        if begin > left and cells.height > 0:
            x = cells.text(begin, 0, words, theme.muted) + 1
            steps = weakest + np.arange(length) * (len(colours) - 1 - weakest) // (length - 1)
            if frame.output.has_pixels:
                cells.bg[0, x : x + length] = colours[steps]
            else:
                cells.ch[0, x : x + length] = shade_glyphs(steps, len(colours), frame.output.ascii)
                cells.fg[0, x : x + length] = shading_colours(steps, colours, frame.output)
            cells.text(x + length + 1, 0, high, theme.muted)
            return begin
    return frame.width


JOIN_GLYPH = marks.JOINED.glyph
"""Where a training was resumed."""


def draw_stages(cells: Cells, frame: Frame, stages: Sequence[Stage], top: int, bottom: int) -> None:
    """Draw a dashed vertical where each learning-rate stage but the first begins, behind what is there.

    A schedule that changes every few columns gets no lines: they would cover the whole pane.
    """
    columns = {frame.column_of(stage.iteration) for stage in stages[1:]} - {None}
    if len(columns) > max(2, frame.plot_width // 8):
        return
    rows = slice(top, max(top, min(bottom, cells.height)))
    for x in columns:
        blank = cells.ch[rows, x] == 32
        cells.ch[rows, x] = np.where(blank, np.uint32(ord("┊")), cells.ch[rows, x])
        cells.fg[rows, x] = np.where(blank, np.uint32(frame.theme.faint), cells.fg[rows, x])


def draw_joins(cells: Cells, frame: Frame, joins: Sequence[int]) -> None:
    """Draw a dashed vertical with "»" at its head where a training went on from a checkpoint, behind what is there."""
    for x in {x for x in map(frame.column_of, joins) if x is not None}:
        blank = cells.ch[:, x] == 32
        blank[:1] &= cells.ch[:1, x - 1] == 32  # between two words of a label it would read as one of them
        glyphs = np.full(cells.height, ord("┊"), np.uint32)
        glyphs[:1] = ord(JOIN_GLYPH)
        cells.ch[:, x] = np.where(blank, glyphs, cells.ch[:, x])
        cells.fg[:, x] = np.where(blank, np.uint32(frame.theme.muted), cells.fg[:, x])


def mark_absent(cells: Cells, frame: Frame, where: BoolArray) -> None:
    """Put a dot on the panel's ground into cells, shape (terminal rows but the first, columns), without a value."""
    rows, columns = np.nonzero(where[: frame.height - 1, : frame.plot_width])
    y, x = 1 + rows, frame.gutter + columns
    cells.ch[y, x] = ord("·")
    cells.fg[y, x] = frame.theme.line
    cells.bg[y, x] = frame.theme.panel


def mark_nonfinite(cells: Cells, frame: Frame, where: BoolArray, top: int = 1) -> None:
    """Cross out the cells, shape (terminal rows from row `top` on, plot columns), in which NaN or Inf was counted."""
    rows, columns = np.nonzero(where[: frame.height - top, : frame.plot_width])
    y, x = top + rows, frame.gutter + columns
    cells.ch[y, x] = ord(marks.BROKEN.glyph)
    cells.fg[y, x] = marks.BROKEN.of(frame.theme)
    cells.bg[y, x] = frame.theme.panel
    cells.mark[y, x] = 0


def select_gutter(cells: Cells, frame: Frame, y: int, rows: int = 1) -> None:
    """Put the selection behind the gutter of `rows` rows from `y` on."""
    span = slice(max(0, y), min(cells.height, y + rows))
    end = min(frame.gutter, cells.width)
    cells.bg[span, :end] = frame.theme.selection
    cells.mark[span, :end] = 1
    for row in range(span.start, span.stop):
        cells.text(0, row, "▌", frame.theme.accent)


def draw_thumb(
    cells: Cells,
    frame: Frame,
    top: int,
    shown: int,
    total: int,
    first_row: int = 1,
    column: int | None = None,
    below: int = 0,
) -> None:
    """Draw a scroll thumb in the gutter's last column, or another, when not all rows are shown.

    It leaves out the rows above `first_row`, and the last `below` ones.
    """
    height = cells.height - first_row - below
    x = frame.gutter - 1 if column is None else column
    if total <= shown or height < 1 or not 0 <= x < cells.width:
        return
    length = max(1, height * shown // total)
    start = round(min(1.0, top / (total - shown)) * (height - length))
    for y in range(height):
        if start <= y < start + length:
            cells.text(x, first_row + y, "▐", frame.theme.muted)
        elif frame.output.has_pixels:
            cells.text(x, first_row + y, "▐", frame.theme.line)


def write_value(cells: Cells, right: int, y: int, text: str, colour: int, bold: bool = False, room: int = 8) -> None:
    """Write a number so that it ends before column `right`, blanking `room` columns first."""
    cells.clear(right - room, y, room)
    shown = shorten(text, room)
    cells.text(right - text_width(shown), y, shown, colour, bold=bold)


def number(value: float, signed: bool = False) -> str:
    """Return a number in at most 7 characters, 3 significant digits where they fit, "·" for none."""
    if not np.isfinite(value):
        return "·" if np.isnan(value) else ("+inf" if value > 0 else "−inf")
    size = abs(value)
    if size == 0:
        text = "0"
    elif size >= 99_999.5 or size < 0.0005:
        text = f"{size:.1e}".replace("e-0", "e-").replace("e+0", "e").replace(".0e", "e")
    elif size >= 999.5:
        text = f"{size:,.0f}"
    elif size >= 99.95:
        text = f"{size:.0f}"
    else:
        text = f"{size:.1f}" if size >= 9.995 else f"{size:.2f}" if size >= 0.9995 else f"{size:.3f}"
    sign = "−" if value < 0 else "+" if signed and size > 0 else ""
    return sign + text
