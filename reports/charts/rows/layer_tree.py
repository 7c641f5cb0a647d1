"""Draws the network hierarchy with one horizon graph a row as SVG: for paper, and where no script runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import BoolArray, FloatArray
from dtui.reports.charts import theme
from dtui.reports.charts.axis import stage_lines, time_axis
from dtui.reports.charts.rows.horizon import bar_path, dwarfs, full_scales, horizon_paths, initially_open, visible_rows
from dtui.reports.charts.vectors import Vectors
from dtui.reports.rows import LayerTree, Plane, TreeRow

ROW = 20
"""Pixels from one row to the next: a name of 11 pixels and some air."""
ROW_HEIGHT = 17
TOP, BOTTOM = 26, 40
ROWS = (theme.PAPER_HEIGHT - TOP - BOTTOM) // ROW
"""Rows that fit a page."""
FOLDED = 16
"""Rows on paper of a network that has more than fit a page: two statistics of so many share one."""


def paper_rows(tree: LayerTree) -> tuple[int, ...]:
    """Return the rows that paper shows: all of a small network, else those that fit a page.

    Of a large one these are the outermost modules, then what incidents name, then modules further inside.
    """
    if len(tree.rows) <= ROWS:
        return tuple(range(len(tree.rows)))
    wanted = {k for k, row in enumerate(tree.rows) if row.depth == 0}
    deeper = sorted((row.depth, k) for k, row in enumerate(tree.rows) if row.depth > 0)
    for row in (*tree.named, *(k for _, k in deeper)):
        line = {row}
        while (row := tree.rows[row].parent) >= 0:
            line.add(row)
        if len(wanted | line) > FOLDED:
            break
        wanted |= line
    return tuple(sorted(wanted))


def tree_pages(tree: LayerTree, plane: Plane, rows: Sequence[int]) -> tuple[str, ...]:
    """Return a statistic for paper: pages of SVG, each with its axis.

    Source: DeepTracker (ACM TIST 2018), layer view.
    """
    pages = -(-len(rows) // ROWS)
    length = -(-len(rows) // pages)  # pages of equal length, so that none holds a row or two
    return tuple(
        tree_svg(tree, plane, rows[first : first + length], theme.PAPER_PLOT) for first in range(0, len(rows), length)
    )


def still_tree(tree: LayerTree) -> str:
    """Return the first statistic as a page shows it before its script runs, or without one."""
    shown = visible_rows(tree.rows, initially_open(tree.rows))
    return tree_svg(tree, tree.planes[0], shown, theme.PLOT_WIDTH)


def tree_svg(tree: LayerTree, plane: Plane, shown: Sequence[int], plot: int) -> str:
    """Return some rows of the hierarchy as SVG.

    Args:
        tree: Rows, axis and stages.
        plane: What is drawn of them.
        shown: Rows from top to bottom.
        plot: Pixels of the time axis.
    """
    full = full_scales(plane.values)
    own = dwarfs(full, plane.scale)
    signed = bool(np.nanmin(plane.values, initial=0.0) < 0)
    height = len(shown) * ROW
    about = f"{plane.quantity} of {len(shown)} rows over time"
    picture = Vectors.picture(theme.GUTTER + plot + theme.MARGIN, TOP + height + BOTTOM, about)
    drawing = picture.group(transform=f"translate({theme.GUTTER},{TOP})")
    _head(drawing, plane, _place(tree.rows, shown[0]), own=own, signed=signed)
    for place, k in enumerate(shown):
        bad = None if plane.nonfinite is None else plane.nonfinite[k]
        scale = float(full[k]) if own else plane.scale
        _bands(drawing, plane.values[k], scale, bad, plot, place * ROW)
        _name(drawing, tree.rows[k], plane.values[k], place * ROW, signed=signed)
    stage_lines(drawing, tree.stages, tree.axis, plot, height)
    time_axis(drawing, tree.axis, plot, height)
    return picture.svg()


def _bands(drawing: Vectors, values: FloatArray, scale: float, bad: BoolArray | None, plot: int, y: int) -> None:
    drawing.line([(0, y + ROW_HEIGHT), (plot, y + ROW_HEIGHT)], theme.GRID)
    bands = drawing.group(transform=f"translate(0,{y}) scale({plot / len(values):.5f},1)")
    for colour, path in horizon_paths(values, scale, ROW_HEIGHT):
        bands.path(path, colour)
    if bad is not None and bad.any():
        bands.path(bar_path(bad, ROW_HEIGHT), theme.LOST)


def _name(drawing: Vectors, row: TreeRow, values: FloatArray, y: int, *, signed: bool) -> None:
    """Draw the name of a row and its last value."""
    base = y + ROW_HEIGHT / 2 + 4
    indent = row.depth * 11
    label = f"{row.label}  {row.detail}" if row.detail else row.label
    weight = "bold" if row.is_module else "normal"
    room = theme.GUTTER - 62 - indent
    drawing.words(indent - theme.GUTTER, base, label, theme.INK, room=room, font_weight=weight, font_size="11")
    last = values[np.isfinite(values)][-1:]
    if last.size:
        value = float(last[0])
        colour = theme.HORIZON_NEGATIVE[1] if value < 0 else theme.HORIZON_POSITIVE[2]
        drawing.words(-8, base, short(value), colour if signed else theme.INK, "end", font_size="11")


def _place(rows: Sequence[TreeRow], first: int) -> str:
    """Return in which module the rows of a page begin; "" for none."""
    above = []
    at = rows[first].parent
    while at >= 0:
        above.append(rows[at].label)
        at = rows[at].parent
    return f"in {'.'.join(above[::-1])}" if above else ""


def _head(drawing: Vectors, plane: Plane, place: str, *, own: bool, signed: bool) -> None:
    """Draw the line above the rows: the colours, what they stand for, and where the values belong."""
    colours = [*theme.HORIZON_NEGATIVE[::-1], *theme.HORIZON_POSITIVE] if signed else [*theme.HORIZON_POSITIVE]
    words = f"{plane.quantity}, {'each row on its own scale' if own else f'full at {short(plane.scale)}'}"
    for k, colour in enumerate(colours):
        drawing.box(14 * k, -20, 14, 10, colour)
    drawing.words(14 * len(colours) + 8, -11, words, theme.INK, font_size="11")
    drawing.words(-theme.GUTTER, -11, place, room=theme.GUTTER - 70, font_size="11")
    drawing.words(-8, -11, "last value", at="end", font_size="11")


def short(value: float) -> str:
    """Return a number, even a very small one, in a few characters."""
    return f"{value:.1e}".replace("e-0", "e-") if value and abs(value) < 0.001 else f"{value:.3g}"
