"""Draws the network hierarchy with one horizon graph a row for paper: SVG pages of rows that are all unfolded."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import BoolArray, FloatArray, TimeAxis
from dtui.reports.charts import svg, theme
from dtui.reports.charts.horizon import HorizonRow, bar_path, dwarfs, full_scale, horizon_paths

ROW = 20
"""Pixels from one row to the next: a name of 11 pixels and some air."""
ROW_HEIGHT = 17
TOP, BOTTOM = 26, 40
ROWS = (theme.PAPER_HEIGHT - TOP - BOTTOM) // ROW
"""Rows that fit a page."""


def horizon_pages(
    rows: Sequence[HorizonRow],
    values: FloatArray,
    scale: float,
    axis: TimeAxis,
    *,
    quantity: str,
    stages: Sequence[int],
    nonfinite: BoolArray | None = None,
) -> tuple[str, ...]:
    """Return pages of SVG, each with its axis; the arguments are those of `horizon_tree`."""
    full = [full_scale(row) for row in values]
    own = dwarfs(full, scale)
    pages = -(-len(rows) // ROWS)
    length = -(-len(rows) // pages)  # pages of equal length, so that none holds a row or two
    signed = bool((values < 0).any())
    made = []
    for first in range(0, len(rows), length):
        parts = [_head(quantity, scale, _place(rows, first), own=own, signed=signed)]
        shown = range(first, min(first + length, len(rows)))
        for place, k in enumerate(shown):
            bad = None if nonfinite is None else nonfinite[k]
            parts.append(_row(rows[k], values[k], full[k] if own else scale, bad, axis, place * ROW, signed=signed))
        height = len(shown) * ROW
        parts += [
            svg.stage_lines(stages, axis, theme.PAPER_PLOT, height),
            svg.time_axis(axis, theme.PAPER_PLOT, height),
        ]
        width = theme.GUTTER + theme.PAPER_PLOT + theme.MARGIN
        made.append(svg.picture(parts, width, TOP + height + BOTTOM, (theme.GUTTER, TOP)))
    return tuple(made)


def _row(
    row: HorizonRow, values: FloatArray, scale: float, bad: BoolArray | None, axis: TimeAxis, y: int, *, signed: bool
) -> str:
    stretch = theme.PAPER_PLOT / axis.columns
    paths = [svg.element("path", d=path, fill=colour) for colour, path in horizon_paths(values, scale, ROW_HEIGHT)]
    if bad is not None and bad.any():
        paths.append(svg.element("path", d=bar_path(bad, ROW_HEIGHT), fill=theme.LOST))
    middle = y + ROW_HEIGHT / 2
    indent = row.depth * 11
    last = values[values == values][-1:]
    parts = [
        svg.element("g", "".join(paths), transform=f"translate(0,{y}) scale({stretch:.5f},1)"),
        svg.element("line", x1=0, x2=theme.PAPER_PLOT, y1=y + ROW_HEIGHT, y2=y + ROW_HEIGHT, stroke=theme.GRID),
        svg.text(
            svg.cut(f"{row.label}  {row.detail}" if row.detail else row.label, theme.GUTTER - 62 - indent),
            indent - theme.GUTTER,
            middle,
            font_weight="bold" if row.is_module else "normal",
        ),
    ]
    if last.size:
        value = float(last[0])
        negative = theme.HORIZON_NEGATIVE[1] if value < 0 else theme.HORIZON_POSITIVE[2]
        parts.append(svg.text(short(value), -8, middle, text_anchor="end", fill=negative if signed else theme.INK))
    return "".join(parts)


def _place(rows: Sequence[HorizonRow], first: int) -> str:
    """Return in which module the rows of a page begin; "" for none."""
    above = []
    at = rows[first].parent
    while at >= 0:
        above.append(rows[at].label)
        at = rows[at].parent
    return f"in {'.'.join(above[::-1])}" if above else ""


def _head(quantity: str, scale: float, place: str, *, own: bool, signed: bool) -> str:
    """Return the line above the rows: the colours, what they stand for, and where the values belong."""
    colours = [*theme.HORIZON_NEGATIVE[::-1], *theme.HORIZON_POSITIVE] if signed else [*theme.HORIZON_POSITIVE]
    words = f"{quantity}, each row on its own scale" if own else f"{quantity}, full at {short(scale)}"
    parts = [svg.element("rect", x=14 * k, y=-20, width=14, height=10, fill=colour) for k, colour in enumerate(colours)]
    parts.append(svg.text(words, 14 * len(colours) + 8, -15))
    parts.append(svg.text(svg.cut(place, theme.GUTTER - 70), -theme.GUTTER, -15, fill=theme.MUTED))
    parts.append(svg.text("last value", -8, -15, text_anchor="end", fill=theme.MUTED))
    return "".join(parts)


def short(value: float) -> str:
    """Return a number, even a very small one, in a few characters."""
    return f"{value:.1e}".replace("e-0", "e-") if value and abs(value) < 0.001 else f"{value:.3g}"
