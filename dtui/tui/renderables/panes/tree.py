"""Draws the network hierarchy with a chart of one statistic in each row."""

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
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.row_dots import box_spans, line_spans

TITLE = "Layers"
BANDS = 3
"""Of a horizon graph, on either side of zero."""


class ChartKind(Enum):
    """How a tree row shows its series."""

    HORIZON = "horizon"
    LINE = "line"
    BOX = "box"


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A visible row of the tree.

    Attributes:
        node: The tree node in the row.
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
        two_row: Whether a row of the tree takes two rows of the terminal.
    """

    title: str = ""
    chart: ChartKind = ChartKind.HORIZON
    two_row: bool = False

    @property
    def tall(self) -> int:
        """Terminal rows of a row."""
        return 2 if self.two_row else 1


@dataclass(frozen=True, slots=True)
class TreePicture(Picture):
    """The hierarchy: header, rows from `top` on with their charts, and each row's value at the cursor in the gutter.

    Attributes:
        rows: All visible rows of the tree, in order.
        top: Index of the first row on screen.
        selected: Index of the selected row.
        series: By node index, over any axis; nodes without a series have an empty chart. None while it loads.
        look: Chart kind, title.
        quartiles: First and third quartile for ChartKind.BOX, whose `series` is the median.
        stages: Learning-rate stages, dashed verticals.
    """

    rows: Sequence[TreeRow]
    top: int = 0
    selected: int = -1
    series: NodeSeries | None = None
    look: TreeLook = TreeLook()
    quartiles: tuple[NodeSeries, NodeSeries] | None = None
    stages: tuple[Stage, ...] = ()
    crosshair = True

    def shown(self, height: int) -> Sequence[TreeRow]:
        """Return the rows that a pane of `height` rows shows under its header."""
        return self.rows[self.top : self.top + max(0, height - 1) // self.look.tall]

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, rows, charts and readout."""
        cells = Cells(frame.width, frame.height, frame.theme)
        shown, tall = self.shown(frame.height), self.look.tall
        _draw_tree_header(cells, frame, self)
        _draw_charts(cells, frame, self)
        for index, row in enumerate(shown):
            y = 1 + index * tall
            if self.top + index == self.selected:
                select_gutter(cells, frame, y, tall)
            _draw_name(cells, frame, row, y, self.top + index == self.selected)
        draw_thumb(cells, frame, self.top, len(shown), len(self.rows))
        draw_stages(cells, frame, self.stages, 1, frame.height)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite each row's value at the cursor. An open module shows none, because the rows below it do."""
        x, _, width, _ = tree_readout_region(frame)
        column, series, theme = frame.column_of(iteration), self.series, frame.theme
        if width == 0:
            return
        shown = self.shown(frame.height)
        values = np.full(len(shown), np.nan)
        if column is not None and series is not None and frame.axis is not None:
            axis = frame.axis.with_columns(frame.plot_width)
            at = resample(series.values, series.axis, axis)[:, column - frame.gutter]
            by_node = dict(zip(series.nodes, at.tolist(), strict=True))
            values = np.array([by_node.get(row.node.index, np.nan) for row in shown])
        for index, (row, value) in enumerate(zip(shown, values.tolist(), strict=True)):
            colour = theme.faint if np.isnan(value) else theme.positive[2] if value >= 0 else theme.negative[2]
            text = "" if row.is_open or series is None else number(value, signed=series.statistic not in NEVER_NEGATIVE)
            write_value(cells, x + width, 1 + index * self.look.tall, text, colour, room=width)


def tree_readout_region(frame: Frame) -> Region:
    """Return the cells that the readout may change; width 0 where the gutter is too narrow for values."""
    if frame.gutter < VALUE_GUTTER:
        return 0, 1, 0, 0
    width = min(7, max(0, frame.width - (frame.gutter - 9)))
    return frame.gutter - 9, 1, width, max(0, frame.height - 1)


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


def _draw_charts(cells: Cells, frame: Frame, picture: TreePicture) -> None:
    """Draw the chart of every row; an open module gets a faint line instead."""
    series, look, shown, tall = picture.series, picture.look, picture.shown(frame.height), picture.look.tall
    if frame.axis is None or frame.plot_width < 1 or not shown:
        return
    values = _rows_of(frame, shown, series, None if series is None else series.values)
    if look.chart is ChartKind.HORIZON:
        _draw_horizons(cells, frame, values / (series.scale if series is not None else 1.0), tall)
    else:
        if look.chart is ChartKind.LINE:
            low, high = line_spans(values)
        elif picture.quartiles is not None:
            low, high = box_spans(values, *(_rows_of(frame, shown, ends, ends.values) for ends in picture.quartiles))
        else:
            low, high = box_spans(values, values, values)
        for index in range(len(shown)):
            ch = braille_spans(low[index], high[index], tall)
            cells.paste(frame.gutter, 1 + index * tall, ch, np.full_like(ch, frame.theme.positive[1]))
    if series is not None and series.nonfinite is not None:
        counted = _rows_of(frame, shown, series, series.nonfinite.astype(np.float64)) > 0
        mark_nonfinite(cells, frame, np.repeat(counted, tall, 0))
    blank = np.full((tall, frame.plot_width), 32, np.uint32)
    for y in (1 + index * tall for index, row in enumerate(shown) if row.is_open):
        cells.paste(frame.gutter, y, blank, bg=np.full_like(blank, frame.theme.panel))
        cells.mark[y : y + tall, frame.gutter :] = 0
        cells.text(frame.gutter, y, "─" * frame.plot_width, frame.theme.line)


def _rows_of(
    frame: Frame, shown: Sequence[TreeRow], series: NodeSeries | None, of_nodes: FloatArray | None
) -> FloatArray:
    """Return the values of `of_nodes` for each shown row and column; NaN for open modules and unknown nodes.

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


def _draw_horizons(cells: Cells, frame: Frame, values: FloatArray, tall: int) -> None:
    """Draw folded bands; with few colours only one band; without colours, negative values hang from the top."""
    theme, output = frame.theme, frame.output
    if output.has_pixels:
        cells.paste(frame.gutter, 1, *fold_bands(values, tall, BANDS, theme.panel, *band_colours(theme, output)))
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


def _draw_tree_header(cells: Cells, frame: Frame, picture: TreePicture) -> None:
    """Write name, title and the legend of the bands with their values."""
    theme, series, look = frame.theme, picture.series, picture.look
    x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
    begin = frame.width
    if series is not None and look.chart is ChartKind.HORIZON:
        begin = _draw_band_legend(cells, frame, series, x)
    elif look.chart is not ChartKind.HORIZON:
        words = "quartiles and median" if look.chart is ChartKind.BOX else "line"
        words += ", each row on its own scale"
        if x + 2 + text_width(look.title) + 2 + len(words) < frame.width:
            begin = frame.width - len(words) - 1
            cells.text(begin, 0, words, theme.muted)
    end = cells.text(x + 2, 0, look.title, theme.muted, limit=max(0, begin - x - 3))
    if series is not None and series.nonfinite is not None and end + text_width(NONFINITE_WORDS) + 3 < begin:
        cells.text(end + 2, 0, NONFINITE_WORDS, theme.warning)


def _draw_band_legend(cells: Cells, frame: Frame, series: NodeSeries, left: int) -> int:
    """Draw negative and positive bands between the values at which they end; return the column where it begins."""
    theme = frame.theme
    bands = BANDS if frame.output.has_pixels else 1
    low, high = number(-series.scale), number(series.scale, signed=True)
    if frame.output.has_pixels:
        positive, negative = band_colours(theme, frame.output)
        colours = [*negative[::-1], theme.panel, *positive]
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
