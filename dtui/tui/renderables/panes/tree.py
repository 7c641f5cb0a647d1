"""The network hierarchy with a chart of one statistic in each row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np

from dtui.model import FloatArray, NodeSeries, Stage, TreeNode
from dtui.model.statistics import LAYERS, Drawn
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.palettes import band_colours
from dtui.tui.renderables.canvas.primitives import braille_spans, fold_bands, resample
from dtui.tui.renderables.parts.chrome import (
    NONFINITE_WORDS,
    draw_header,
    draw_stages,
    draw_thumb,
    mark_nonfinite,
    number,
    select_gutter,
    write_value,
)
from dtui.tui.renderables.parts.row_dots import box_spans, line_spans


class ChartKind(Enum):
    """How a tree row shows its series."""

    HORIZON = "horizon"
    LINE = "line"
    BOX = "box"


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A visible row of the tree.

    Attributes:
        node: What it shows.
        is_open: Whether its children are visible; False for a layer.
        is_module: Whether it can be opened.
    """

    node: TreeNode
    is_open: bool
    is_module: bool


@dataclass(frozen=True, slots=True)
class TreeLook:
    """How the tree is drawn.

    Attributes:
        title: What the rows show, such as "mean of weights".
        chart: Kind of chart.
        bands: Horizon bands, 1 to 3.
        two_row: Whether a row of the tree takes two rows of the terminal.
    """

    title: str = ""
    chart: ChartKind = ChartKind.HORIZON
    bands: int = 3
    two_row: bool = False


def draw_tree(
    frame: Frame,
    rows: Sequence[TreeRow],
    top: int,
    selected: int,
    series: NodeSeries | None,
    look: TreeLook,
    quartiles: tuple[NodeSeries, NodeSeries] | None = None,
    stages: Sequence[Stage] = (),
    iteration: int | None = None,
) -> Cells:
    """Draw header, rows from `top` on, their charts and the readout at `iteration`.

    Args:
        frame: Any size; series over another axis are resampled to the frame's.
        rows: All visible rows of the tree, in order.
        top: Index of the first row on screen.
        selected: Index of the selected row.
        series: By node index; nodes without a series have an empty chart. None while it loads.
        look: Chart kind, bands, title.
        quartiles: First and third quartile for ChartKind.BOX, whose `series` is the median.
        stages: Learning-rate stages, dashed verticals.
        iteration: The cursor, None for none.
    """
    cells = Cells(frame.width, frame.height, frame.theme)
    shown = rows[top : top + tree_rows_shown(frame.height, look)]
    tall = 2 if look.two_row else 1
    _draw_tree_header(cells, frame, series, look)
    _draw_charts(cells, frame, shown, series, look, quartiles)
    for index, row in enumerate(shown):
        y = 1 + index * tall
        if top + index == selected:
            select_gutter(cells, frame, y, tall)
        _draw_name(cells, frame, row, y, top + index == selected)
    draw_thumb(cells, frame, top, len(shown), len(rows))
    draw_stages(cells, frame, stages, 1, frame.height)
    write_tree_readout(cells, frame, rows, top, selected, series, look, iteration)
    return cells


def write_tree_readout(
    cells: Cells,
    frame: Frame,
    rows: Sequence[TreeRow],
    top: int,
    selected: int,
    series: NodeSeries | None,
    look: TreeLook,
    iteration: int | None,
) -> None:
    """Rewrite each row's value at the cursor, in the gutter; an open module shows none, its rows do."""
    x, _, width, _ = tree_readout_region(frame)
    column = frame.column_of(iteration)
    if width == 0:
        return
    tall = 2 if look.two_row else 1
    shown = rows[top : top + tree_rows_shown(frame.height, look)]
    values = np.full(len(shown), np.nan)
    if column is not None and series is not None and frame.axis is not None:
        at = resample(series.values, series.axis, frame.axis.with_columns(frame.plot_width))[:, column - frame.gutter]
        by_node = dict(zip(series.nodes, at.tolist(), strict=True))
        values = np.array([by_node.get(row.node.index, np.nan) for row in shown])
    theme = frame.theme
    for index, (row, value) in enumerate(zip(shown, values.tolist(), strict=True)):
        colour = theme.faint if np.isnan(value) else theme.positive[2] if value >= 0 else theme.negative[2]
        text = "" if row.is_open or series is None else number(value, signed=series.statistic not in NEVER_NEGATIVE)
        write_value(cells, x + width, 1 + index * tall, text, colour, room=width)


def tree_readout_region(frame: Frame) -> Region:
    """Return the cells that `write_tree_readout` may change; width 0 where the gutter is too narrow for values."""
    if frame.gutter < VALUE_GUTTER:
        return 0, 1, 0, 0
    width = min(7, max(0, frame.width - (frame.gutter - 9)))
    return frame.gutter - 9, 1, width, max(0, frame.height - 1)


def tree_rows_shown(height: int, look: TreeLook) -> int:
    """Return how many tree rows a pane of `height` rows shows under its header, >= 0."""
    return max(0, height - 1) // (2 if look.two_row else 1)


def tree_row_at(y: int, top: int, look: TreeLook) -> int | None:
    """Return the tree row drawn at terminal row `y` of the pane; None for the header."""
    return None if y < 1 else top + (y - 1) // (2 if look.two_row else 1)


NEVER_NEGATIVE = tuple(name for name, one in LAYERS.items() if one.drawn is not Drawn.SIGNED)
"""Statistics whose charts need no bands below zero and whose values no sign."""

VALUE_GUTTER = 26
"""From this gutter on there is room for values."""

COUNT_GUTTER = 34
"""From this gutter on there is room for filter counts as well."""


def _draw_name(cells: Cells, frame: Frame, row: TreeRow, y: int, is_selected: bool) -> None:
    """Write mark, name and count of a row, from the left edge to its value."""
    theme, node = frame.theme, row.node
    end = frame.gutter - 2
    if frame.gutter >= VALUE_GUTTER:
        end = frame.gutter - 10
    if frame.gutter >= COUNT_GUTTER:
        count = f"{len(node.layers)}×" if row.is_module else f"{node.filters:,}"
        cells.text(frame.gutter - 10 - text_width(count), y, count, theme.muted)
        end = frame.gutter - 11 - max(5, text_width(count))
    step = 2 if frame.gutter >= COUNT_GUTTER else 1
    x = 1 + min(step * node.depth, max(0, end - 12))
    if row.is_module:
        mark, colour = "▾" if row.is_open else "▸", theme.accent if is_selected else theme.muted
    else:
        mark, colour = "■", theme.module if node.kind.startswith("Linear") else theme.layer
    cells.text(x, y, mark, colour)
    room = max(0, end - x - 2)
    name, detail = safe(node.label), safe(node.detail)
    with_detail = bool(detail) and text_width(name) + 1 + text_width(detail) <= room
    x = cells.text(
        x + 2,
        y,
        name if with_detail else shorten(name, room),
        theme.bright if is_selected else theme.text,
        bold=is_selected or (row.is_module and node.depth == 0),
    )
    if with_detail:
        cells.text(x + 1, y, detail, theme.text if is_selected else theme.muted)


def _draw_charts(
    cells: Cells,
    frame: Frame,
    shown: Sequence[TreeRow],
    series: NodeSeries | None,
    look: TreeLook,
    quartiles: tuple[NodeSeries, NodeSeries] | None,
) -> None:
    """Draw the chart of every row that is not an open module, and a faint line for one that is."""
    if frame.axis is None or frame.plot_width < 1 or not shown:
        return
    tall = 2 if look.two_row else 1
    values = _rows_of(frame, shown, series, None if series is None else series.values)
    if look.chart is ChartKind.HORIZON:
        _draw_horizons(cells, frame, values / (series.scale if series is not None else 1.0), look, tall)
    else:
        if look.chart is ChartKind.BOX and quartiles is not None:
            first, third = (_rows_of(frame, shown, ends, ends.values) for ends in quartiles)
            low, high = box_spans(values, first, third)
        elif look.chart is ChartKind.BOX:
            low, high = box_spans(values, values, values)
        else:
            low, high = line_spans(values)
        for index in range(len(shown)):
            ch = braille_spans(low[index], high[index], tall)
            cells.paste(frame.gutter, 1 + index * tall, ch, np.full_like(ch, frame.theme.positive[1]))
    if series is not None and series.nonfinite is not None:
        counted = _rows_of(frame, shown, series, series.nonfinite.astype(np.float64)) > 0
        mark_nonfinite(cells, frame, np.repeat(counted, tall, 0))
    for index, row in enumerate(shown):
        if row.is_open:
            y = 1 + index * tall
            cells.paste(
                frame.gutter,
                y,
                np.full((tall, frame.plot_width), 32, np.uint32),
                bg=np.full((tall, frame.plot_width), frame.theme.panel, np.uint32),
            )
            cells.mark[y : y + tall, frame.gutter :] = 0
            cells.text(frame.gutter, y, "─" * frame.plot_width, frame.theme.line)


def _rows_of(
    frame: Frame, shown: Sequence[TreeRow], series: NodeSeries | None, of_nodes: FloatArray | None
) -> FloatArray:
    """Return what `of_nodes` has for each shown row over the frame's columns; NaN for open modules and unknown nodes.

    Args:
        frame: The pane.
        shown: Rows on screen.
        series: Which nodes `of_nodes` has, and over which axis.
        of_nodes: Shape (nodes, columns), None while it loads.
    """
    values = np.full((len(shown), frame.plot_width), np.nan)
    if series is None or of_nodes is None or frame.axis is None:
        return values
    resampled = resample(of_nodes, series.axis, frame.axis.with_columns(frame.plot_width))
    where = {node: index for index, node in enumerate(series.nodes)}
    for index, row in enumerate(shown):
        if row.node.index in where and not row.is_open:
            values[index] = resampled[where[row.node.index]]
    return values


def _draw_horizons(cells: Cells, frame: Frame, values: FloatArray, look: TreeLook, tall: int) -> None:
    """Draw folded bands; with few colours one band, and without any, negative values hang from above."""
    theme, output = frame.theme, frame.output
    if output.has_pixels:
        bands = max(1, min(3, look.bands))
        cells.paste(frame.gutter, 1, *fold_bands(values, tall, bands, theme.panel, *band_colours(theme, output)))
        return
    up, down = (theme.gained,), (theme.lost,)
    ch, fg, bg = fold_bands(values, tall, 1, theme.panel, up, down)
    if output.mode is ColorMode.NONE:
        negative = np.repeat(values < 0, tall, 0)
        if not output.ascii:
            hanging, _, _ = fold_bands(1 - np.minimum(np.abs(values), 1), tall, 1, theme.panel, up, up)
            ch = np.where(negative, hanging, ch)
        area = cells.mark[1 : 1 + len(negative), frame.gutter :]
        area[:] = negative[: area.shape[0], : area.shape[1]]
    cells.paste(frame.gutter, 1, ch, fg, bg)


def _draw_tree_header(cells: Cells, frame: Frame, series: NodeSeries | None, look: TreeLook) -> None:
    """Write name, title and the legend of the bands with their values."""
    theme = frame.theme
    x = draw_header(cells, frame, "Layers", max(0, frame.width - 1))
    begin = frame.width
    if series is not None and look.chart is ChartKind.HORIZON:
        begin = _draw_band_legend(cells, frame, series, look, x)
    elif look.chart is not ChartKind.HORIZON:
        words = "quartiles and median" if look.chart is ChartKind.BOX else "line"
        words += ", each row on its own scale"
        if x + 2 + text_width(look.title) + 2 + len(words) < frame.width:
            begin = frame.width - len(words) - 1
            cells.text(begin, 0, words, theme.muted)
    end = cells.text(x + 2, 0, look.title, theme.muted, limit=max(0, begin - x - 3))
    if series is not None and series.nonfinite is not None and end + text_width(NONFINITE_WORDS) + 3 < begin:
        cells.text(end + 2, 0, NONFINITE_WORDS, theme.warning)


def _draw_band_legend(cells: Cells, frame: Frame, series: NodeSeries, look: TreeLook, left: int) -> int:
    """Draw negative and positive bands between the values at which they end; return the column where it begins."""
    theme = frame.theme
    bands = max(1, min(3, look.bands)) if frame.output.has_pixels else 1
    low, high = number(-series.scale), number(series.scale, signed=True)
    if frame.output.has_pixels:
        positive, negative = band_colours(theme, frame.output)
        colours = [*negative[::-1][:bands], theme.panel, *positive[3 - bands :]]
        patches = ["██"] * len(colours)
    else:
        colours, patches = [theme.lost, theme.panel, theme.gained], ["▀▀", "  ", "▄▄"]
    if series.statistic in NEVER_NEGATIVE:
        low, high, colours, patches = "0", number(series.scale), colours[-bands:], patches[-bands:]
    width = text_width(low) + 2 * len(colours) + text_width(high) + 3
    begin = frame.width - width
    if begin <= left + 2 or cells.height < 1:
        return frame.width
    x = cells.text(begin, 0, low, theme.muted) + 1
    for colour, patch in zip(colours, patches, strict=True):
        cells.text(x, 0, patch if colour != theme.panel else "  ", colour)
        cells.mark[0, x : x + 2] = frame.output.ascii and colour == theme.lost
        x += 2
    cells.text(x + 1, 0, high, theme.muted)
    return begin
