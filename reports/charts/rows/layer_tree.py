"""Draws the network hierarchy with one horizon graph a row as SVG: for paper, and where no script runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dtui.model import BoolArray, FloatArray
from dtui.number_text import number_text
from dtui.reports.charts import theme
from dtui.reports.charts.axis import stage_lines, time_axis
from dtui.reports.charts.rows.horizon import bar_path, dwarfs, full_scales, horizon_paths, initially_open, visible_rows
from dtui.reports.charts.vectors import CHARACTER, Vectors, fitted
from dtui.reports.document import Pieces
from dtui.reports.rows import LayerTree, Plane, TreeRow

ROW = 20
"""Pixels from one row to the next: a name of 11 pixels and some air."""
ROW_HEIGHT = 17
TOP, BOTTOM = 26, 40
ROWS = (theme.PAPER_HEIGHT - TOP - BOTTOM) // ROW
"""Rows that fit a page."""
MOST_INDENT, WIDEST_INDENT = 11.0, 44.0
"""Pixels by which a row is indented at most, and the deepest row in all."""
FEWEST_TOGETHER, MOST_TOGETHER = 2, 8
"""Rows of a piece of a picture on paper: from as many on a module begins the next, and no piece has more."""
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


def tree_pieces(tree: LayerTree, plane: Plane, rows: Sequence[int]) -> Pieces:
    """Return a statistic for paper: cut between modules, each piece of which says where it is.

    Source: DeepTracker (ACM TIST 2018), layer view.
    """
    look, plot = _look(plane), theme.PAPER_PLOT
    cut: list[list[int]] = []
    for k in rows:
        mine = cut[-1] if cut else []
        if not mine or len(mine) >= MOST_TOGETHER or (tree.rows[k].is_module and len(mine) >= FEWEST_TOGETHER):
            cut.append([])
        cut[-1].append(k)
    about = f"{plane.quantity} of {len(rows)} rows over time"

    def part(height: float, top: float) -> tuple[Vectors, Vectors]:
        picture = Vectors.picture(theme.GUTTER + plot + theme.MARGIN, height, about)
        return picture, picture.group(transform=f"translate({theme.GUTTER},{top:g})")

    parts = []
    for some in cut:
        picture, drawing = part(len(some) * ROW, 0)
        _rows(drawing, tree, plane, look, some, plot, whole_name=True)
        parts.append(picture.svg())
    head, drawing = part(TOP, TOP)
    _head(drawing, plane, "", look)
    foot, drawing = part(BOTTOM, 0)
    time_axis(drawing, tree.axis, plot, 0)
    return Pieces(tuple(parts), head.svg(), foot.svg())


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
    look = _look(plane)
    height = len(shown) * ROW
    about = f"{plane.quantity} of {len(shown)} rows over time"
    picture = Vectors.picture(theme.GUTTER + plot + theme.MARGIN, TOP + height + BOTTOM, about)
    drawing = picture.group(transform=f"translate({theme.GUTTER},{TOP})")
    _head(drawing, plane, _place(tree.rows, shown[0]), look)
    _rows(drawing, tree, plane, look, shown, plot)
    time_axis(drawing, tree.axis, plot, height)
    return picture.svg()


@dataclass(frozen=True, eq=False, slots=True)
class _Look:
    """How the values of a plane are drawn: what fills each row, whether each has its own scale, and both signs."""

    full: FloatArray
    own: bool
    signed: bool


def _look(plane: Plane) -> _Look:
    full = full_scales(plane.values)
    return _Look(full, dwarfs(full, plane.scale), bool(np.nanmin(plane.values, initial=0.0) < 0))


def _rows(
    drawing: Vectors,
    tree: LayerTree,
    plane: Plane,
    look: _Look,
    shown: Sequence[int],
    plot: int,
    *,
    whole_name: bool = False,
) -> None:
    """Draw rows below each other; with `whole_name` the first says in which module it is."""
    for place, k in enumerate(shown):
        bad = None if plane.nonfinite is None else plane.nonfinite[k]
        scale = float(look.full[k]) if look.own else plane.scale
        _bands(drawing, plane.values[k], scale, bad, plot, place * ROW)
        row = tree.rows[k]
        if whole_name and place == 0 and row.depth > 0:
            above = ".".join((_place(tree.rows, k).removeprefix("in "), row.label))
            row = replace(row, label=above, depth=0)
        _name(drawing, row, plane.values[k], place * ROW, row.depth * indent_of(tree.rows), signed=look.signed)
    stage_lines(drawing, tree.stages, tree.axis, plot, len(shown) * ROW)


def _bands(drawing: Vectors, values: FloatArray, scale: float, bad: BoolArray | None, plot: int, y: int) -> None:
    drawing.line([(0, y + ROW_HEIGHT), (plot, y + ROW_HEIGHT)], theme.GRID)
    bands = drawing.group(transform=f"translate(0,{y}) scale({plot / len(values):.5f},1)")
    for colour, path in horizon_paths(values, scale, ROW_HEIGHT):
        bands.path(path, colour)
    if bad is not None and bad.any():
        bands.path(bar_path(bad, ROW_HEIGHT), theme.LOST)


def indent_of(rows: Sequence[TreeRow]) -> float:
    """Return by how many pixels a row stands farther right than its module: the deepest keep room for their names."""
    return min(MOST_INDENT, WIDEST_INDENT / max(1, *(row.depth for row in rows)))


def _name(drawing: Vectors, row: TreeRow, values: FloatArray, y: int, indent: float, *, signed: bool) -> None:
    """Draw the name of a row and its last value."""
    base = y + ROW_HEIGHT / 2 + 4
    label = f"{row.label}  {row.detail}" if row.detail else row.label
    weight = "bold" if row.is_module else "normal"
    last = values[np.isfinite(values)][-1:]
    value = float(last[0]) if last.size else 0.0
    told = short(value) if last.size else ""
    room = theme.GUTTER - max(62, 24 + CHARACTER * len(told)) - indent
    shown = fitted(label, room * 12 / 11, from_end=row.depth == 0)
    drawing.words(indent - theme.GUTTER, base, shown, theme.INK, font_weight=weight, font_size="11")
    if told:
        colour = theme.HORIZON_NEGATIVE[1] if value < 0 else theme.HORIZON_POSITIVE[2]
        drawing.words(-8, base, told, colour if signed else theme.INK, "end", font_size="11")


def _place(rows: Sequence[TreeRow], first: int) -> str:
    """Return in which module the rows of a page begin; "" for none."""
    above = []
    at = rows[first].parent
    while at >= 0:
        above.append(rows[at].label)
        at = rows[at].parent
    return f"in {'.'.join(above[::-1])}" if above else ""


def _head(drawing: Vectors, plane: Plane, place: str, look: _Look) -> None:
    """Draw the line above the rows: the colours, what they stand for, and where the values belong."""
    colours = [*theme.HORIZON_NEGATIVE[::-1], *theme.HORIZON_POSITIVE] if look.signed else [*theme.HORIZON_POSITIVE]
    words = f"{plane.quantity}, {'each row on its own scale' if look.own else f'full at {short(plane.scale)}'}"
    for k, colour in enumerate(colours):
        drawing.box(14 * k, -20, 14, 10, colour)
    drawing.words(14 * len(colours) + 8, -11, words, theme.INK, font_size="11")
    drawing.words(-theme.GUTTER, -11, place, room=theme.GUTTER - 70, font_size="11")
    drawing.words(-8, -11, "last value", at="end", font_size="11")


def short(value: float) -> str:
    """Return a number, even a very small one, in a few characters."""
    return number_text(value, 2 if abs(value) < 0.001 else 3)
