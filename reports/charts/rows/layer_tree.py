"""Draws the network hierarchy with one horizon graph a row as SVG: for paper, and where no script runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.model import BoolArray, FloatArray
from dtui.reports.charts import svg, theme
from dtui.reports.charts.rows.horizon import bar_path, dwarfs, full_scales, horizon_paths, initially_open, visible_rows
from dtui.reports.rows import LayerTree, Plane, TreeRow

ROW = 20
"""Pixels from one row to the next: a name of 11 pixels and some air."""
ROW_HEIGHT = 17
TOP, BOTTOM = 26, 40
ROWS = (theme.PAPER_HEIGHT - TOP - BOTTOM) // ROW
"""Rows that fit a page."""


def tree_pages(tree: LayerTree, plane: Plane) -> tuple[str, ...]:
    """Return a statistic for paper: pages of SVG, each with its axis, on which every row is unfolded.

    Source: DeepTracker (ACM TIST 2018), layer view.
    """
    pages = -(-len(tree.rows) // ROWS)
    length = -(-len(tree.rows) // pages)  # pages of equal length, so that none holds a row or two
    every = range(len(tree.rows))
    return tuple(
        tree_svg(tree, plane, every[first : first + length], theme.PAPER_PLOT)
        for first in range(0, len(tree.rows), length)
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
    parts = [_head(plane, _place(tree.rows, shown[0]), own=own, signed=signed)]
    for place, k in enumerate(shown):
        bad = None if plane.nonfinite is None else plane.nonfinite[k]
        scale = float(full[k]) if own else plane.scale
        parts.append(_bands(plane.values[k], scale, bad, plot, place * ROW))
        parts.append(_name(tree.rows[k], plane.values[k], place * ROW, signed=signed))
    height = len(shown) * ROW
    parts += [svg.stage_lines(tree.stages, tree.axis, plot, height), svg.time_axis(tree.axis, plot, height)]
    return svg.picture(parts, theme.GUTTER + plot + theme.MARGIN, TOP + height + BOTTOM, (theme.GUTTER, TOP))


def _bands(values: FloatArray, scale: float, bad: BoolArray | None, plot: int, y: int) -> str:
    paths = [svg.element("path", d=path, fill=colour) for colour, path in horizon_paths(values, scale, ROW_HEIGHT)]
    if bad is not None and bad.any():
        paths.append(svg.element("path", d=bar_path(bad, ROW_HEIGHT), fill=theme.LOST))
    ground = svg.element("line", x1=0, x2=plot, y1=y + ROW_HEIGHT, y2=y + ROW_HEIGHT, stroke=theme.GRID)
    return ground + svg.element("g", "".join(paths), transform=f"translate(0,{y}) scale({plot / len(values):.5f},1)")


def _name(row: TreeRow, values: FloatArray, y: int, *, signed: bool) -> str:
    """Return the name of a row and its last value."""
    middle = y + ROW_HEIGHT / 2
    indent = row.depth * 11
    label = svg.cut(f"{row.label}  {row.detail}" if row.detail else row.label, theme.GUTTER - 62 - indent)
    weight = "bold" if row.is_module else "normal"
    parts = [svg.text(label, indent - theme.GUTTER, middle, font_weight=weight)]
    last = values[np.isfinite(values)][-1:]
    if last.size:
        value = float(last[0])
        colour = theme.HORIZON_NEGATIVE[1] if value < 0 else theme.HORIZON_POSITIVE[2]
        parts.append(svg.text(short(value), -8, middle, text_anchor="end", fill=colour if signed else theme.INK))
    return "".join(parts)


def _place(rows: Sequence[TreeRow], first: int) -> str:
    """Return in which module the rows of a page begin; "" for none."""
    above = []
    at = rows[first].parent
    while at >= 0:
        above.append(rows[at].label)
        at = rows[at].parent
    return f"in {'.'.join(above[::-1])}" if above else ""


def _head(plane: Plane, place: str, *, own: bool, signed: bool) -> str:
    """Return the line above the rows: the colours, what they stand for, and where the values belong."""
    colours = [*theme.HORIZON_NEGATIVE[::-1], *theme.HORIZON_POSITIVE] if signed else [*theme.HORIZON_POSITIVE]
    words = f"{plane.quantity}, {'each row on its own scale' if own else f'full at {short(plane.scale)}'}"
    parts = [svg.element("rect", x=14 * k, y=-20, width=14, height=10, fill=colour) for k, colour in enumerate(colours)]
    parts.append(svg.text(words, 14 * len(colours) + 8, -15))
    parts.append(svg.text(svg.cut(place, theme.GUTTER - 70), -theme.GUTTER, -15, fill=theme.MUTED))
    parts.append(svg.text("last value", -8, -15, text_anchor="end", fill=theme.MUTED))
    return "".join(parts)


def short(value: float) -> str:
    """Return a number, even a very small one, in a few characters."""
    return f"{value:.1e}".replace("e-0", "e-") if value and abs(value) < 0.001 else f"{value:.3g}"
