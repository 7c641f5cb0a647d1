"""Draws the network hierarchy with a chart of one statistic in each row, and in words what stands out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from math import isfinite

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, NodeSeries, RunState, Stage, TimeAxis
from dtui.model.findings.state import Standing
from dtui.model.layers import UPDATE_RATIO, NodeBoxes, NodeHistograms, NormSeries
from dtui.tui.renderables.canvas.cells import Cells, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import CHANGED
from dtui.tui.renderables.canvas.primitives import resample
from dtui.tui.renderables.panes.layers.tree_charts import (
    Charted,
    ChartKind,
    draw_boxes,
    draw_histograms,
    draw_ratios,
    draw_series,
    rows_at,
)
from dtui.tui.renderables.panes.layers.tree_gutter import (
    NOTHING_BESIDE,
    BesideSeries,
    Readout,
    TreeRow,
    columns,
    draw_counts,
    draw_name,
    draw_titles,
    write_columns,
    write_distribution,
)
from dtui.tui.renderables.panes.layers.tree_header import TITLE, draw_tree_header
from dtui.tui.renderables.panes.layers.tree_words import fitting, network_lines, ratio_words
from dtui.tui.renderables.parts.chrome import draw_stages, draw_thumb, mark_nonfinite, number, select_gutter
from dtui.tui.renderables.parts.picture import Picture

__all__ = ["TITLE", "ChartKind", "TreeLook", "TreePicture", "TreeRow", "info_rows"]

WORDY, QUITE_WORDY = 6, 8
"""From so many rows on the pane has a line in words at its foot, and one under its header."""


def info_rows(height: int) -> tuple[int, int]:
    """Return the rows above and below the tree in a pane of `height` rows, with the header."""
    return (2 if height >= QUITE_WORDY else 1), int(height >= WORDY)


@dataclass(frozen=True, slots=True)
class TreeLook:
    """How the tree is drawn.

    Attributes:
        title: What the rows show, such as "mean of weights".
        chart: Kind of chart.
        tall: Rows of the terminal that a row of the tree takes.
        filters: Filters of the whole network.
        flagged: Iteration of the selected incident, whose mark stands out; None for none.
        starts: In words where the weights of the selected layer would start; "" where that is not shown.
        has_ratios: Whether update ratios can be told: updates were recorded.
    """

    title: str = ""
    chart: ChartKind = ChartKind.HORIZON
    tall: int = 1
    filters: int = 0
    flagged: int | None = None
    starts: str = ""
    has_ratios: bool = True


@dataclass(frozen=True, slots=True)
class TreeNow:
    """The exact numbers at one iteration, each on an axis of one column; None for what was not asked for."""

    iteration: int
    chart: Charted | None
    ratios: NodeSeries | None
    beside: BesideSeries


@dataclass(frozen=True, slots=True)
class TreePicture(Picture):
    """The hierarchy: header, state of the network, rows from `top` on with their charts, and the selected row in words.

    Attributes:
        rows: The rows of the tree from the first on the screen on, in order.
        top: Index of that one among all rows.
        selected: Index of the selected row among all rows.
        chart: The numbers, by node, over any axis; nodes without any have an empty chart. None while they load.
        look: Chart kind, title.
        ratios: Update ratios by node; None while they load, or where they were not recorded.
        beside: Of what is shown behind layers: normalisation layers and parameters.
        state: What stands out at the end; None while it loads.
        stages: Learning-rate stages, dashed verticals.
        total: Number of all rows; 0 if there are none but these.
        now: Exact numbers at an iteration; used if that is the cursor.
    """

    rows: Sequence[TreeRow]
    top: int = 0
    selected: int = -1
    chart: Charted | None = None
    look: TreeLook = TreeLook()
    ratios: NodeSeries | None = None
    beside: BesideSeries = NOTHING_BESIDE
    state: RunState | None = None
    stages: tuple[Stage, ...] = ()
    total: int = 0
    now: TreeNow | None = field(default=None, compare=False)
    crosshair = True

    @property
    def readout_of(self) -> object:
        """The exact numbers at the cursor."""
        return self.now

    def shown(self, height: int) -> Sequence[TreeRow]:
        """Return the rows that a pane of `height` rows shows."""
        above, below = info_rows(height)
        return self.rows[: max(0, height - above - below) // self.look.tall]

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, rows, charts and readout."""
        cells = Cells(frame.width, frame.height, frame.theme)
        shown, tall, above = self.shown(frame.height), self.look.tall, info_rows(frame.height)[0]
        draw_tree_header(cells, frame, self.chart, self.look.title, self.look.chart)
        draw_titles(cells, frame, is_ratio=_is_ratio(self.chart))
        if above > 1:
            line = fitting(network_lines(self.state, self.look.filters), frame.width - 2)
            entries = () if self.state is None else self.state.entries
            stands_out = any(entry.standing is not Standing.UNTRAINED for entry in entries)
            colour = frame.theme.warning if stands_out else frame.theme.muted
            cells.text(1, 1, line, colour, limit=max(0, frame.width - 2))
        _draw_charts(cells, frame, self, shown, above)
        for index, row in enumerate(shown):
            y, is_selected = above + index * tall, self.top + index == self.selected
            if is_selected:
                select_gutter(cells, frame, y, tall)
            draw_name(cells, frame, row, y, is_selected)
            draw_counts(cells, frame, row, y, is_ratio=_is_ratio(self.chart))
        total, below = self.total or len(self.rows), info_rows(frame.height)[1]
        draw_thumb(cells, frame, self.top, len(shown), total, above, below=below)
        draw_stages(cells, frame, self.stages, above, frame.height - info_rows(frame.height)[1])
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite each row's numbers at the cursor, and the words on the selected row."""
        above, below = info_rows(frame.height)
        shown, ends = self.shown(frame.height), columns(frame, _is_ratio(self.chart))
        for index, row in enumerate(shown):
            readout = self._readout(frame, row, iteration)
            y = above + index * self.look.tall
            write_columns(cells, frame, row, y, readout, ends)
            if isinstance(self.chart, NodeHistograms) and not row.is_open:
                write_distribution(cells, frame, y, self.look.tall, readout)
        if below:
            self._write_words(cells, frame, iteration)

    def _write_words(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        theme, y = frame.theme, frame.height - 1
        cells.clear(0, y, frame.width)
        cells.bg[y], cells.mark[y] = theme.panel, 0
        if not 0 <= self.selected - self.top < len(self.rows) or iteration is None:
            return
        row = self.rows[self.selected - self.top]
        readout = self._readout(frame, row, iteration)
        room = max(0, min(frame.width * 2 // 5, frame.width - 2))
        x = cells.text(1, y, shorten_names(row.about, room), theme.accent)
        for words in self._about(row, readout, iteration):
            part = next((one for one in words if x + text_width(one) < frame.width), "")
            if part:
                x = cells.text(x, y, part, theme.text)

    def _about(self, row: TreeRow, readout: Readout, iteration: int) -> Iterator[Sequence[str]]:
        """Yield what is said of a row behind its name, each part ever shorter: what is told first is never left out."""
        look, tells_dead = self.look, self.state is not None and self.state.tells("dead filters")
        is_ratio, value = _is_ratio(self.chart), _value_words(look, readout)
        if row.norm is not None:
            series = self.beside.of(row.norm)
            yield (f" at {iteration:,}" + ("" if series is None else f": {series.title} {number(readout.value)}"),)
            if series is not None and series.statistic != UPDATE_RATIO and np.isfinite(readout.ratio):
                yield (f" · update ratio {number(readout.ratio)}",)
            return
        if look.starts:
            yield (f" at {iteration:,}: {value}",)
            yield (f" · {look.starts}",)
            return
        if self.ratios is None and look.has_ratios:
            yield (f" at {iteration:,}",)  # they load
        else:
            said = ratio_words(readout.ratio, row.is_frozen, look.has_ratios)
            yield (*(f" at {iteration:,}: {words}" for words in said), *(f": {words}" for words in said))
        if tells_dead:
            yield (f" · {row.dead or 'none'} of {row.node.filters:,} dead",)
        if row.moving:
            yield (f" · {row.moving} still moving",)
        if value and look.title and not is_ratio:
            yield (f" · {value}",)

    def _readout(self, frame: Frame, row: TreeRow, iteration: int | None) -> Readout:
        """Return the numbers of a row at the cursor: those of its column until the exact ones arrive."""
        column = frame.column_of(iteration)
        if column is None or frame.axis is None or frame.plot_width < 1:
            return Readout()
        at, place = frame.axis.with_columns(frame.plot_width), column - frame.gutter
        pooled = _reading(self.chart, self.ratios, self.beside, row, at, place)
        now = self.now
        if now is None or now.iteration != iteration:
            return pooled
        moment = TimeAxis(now.iteration, now.iteration + 1, 1)
        exact = _reading(now.chart, now.ratios, now.beside, row, moment, 0)
        return exact if _is_known(exact, pooled) else pooled


def _is_known(exact: Readout, pooled: Readout) -> bool:
    """Whether exact numbers are of what is drawn, and there are any; a live run's are behind by a record."""
    is_same = (exact.statistic, exact.source) == (pooled.statistic, pooled.source)
    return is_same and (exact.shares is not None or isfinite(exact.value) or isfinite(exact.ratio))


def _reading(
    chart: Charted | None, ratios: NodeSeries | None, beside: BesideSeries, row: TreeRow, at: TimeAxis, place: int
) -> Readout:
    """Return the numbers of a row in a column of an axis."""
    if row.norm is not None:
        value, ratio = (_beside_value(series, row.norm, at, place) for series in (beside.of(row.norm), beside.ratios))
        return Readout(value, ratio)
    ratio = _value_of(ratios, row, at, place) if ratios is not None else float("nan")
    index = row.node.index
    if isinstance(chart, NodeSeries):
        return Readout(_value_of(chart, row, at, place), ratio, chart.statistic)
    if isinstance(chart, NodeBoxes) and index in chart.nodes:
        median = resample(chart.values[2, chart.nodes.index(index)], chart.axis, at)
        return Readout(float(median[place]), ratio, "median")
    if isinstance(chart, NodeHistograms) and index in chart.nodes:
        own = chart.nodes.index(index)
        shares = resample(chart.shares[own], chart.axis, at)[:, place]
        return Readout(ratio=ratio, shares=shares, edges=chart.edges[own], source=chart.source)
    return Readout(ratio=ratio)


def _value_words(look: TreeLook, readout: Readout) -> str:
    """Return the value at the cursor in words, "" for none."""
    if not np.isfinite(readout.value):
        return ""
    what = "median" if look.chart is ChartKind.BOX else look.title.partition(" · ")[0]
    return f"{what} {number(readout.value)}"


def _beside_value(series: NormSeries | None, row: int, at: TimeAxis, place: int) -> float:
    if series is None or row not in series.norms:
        return float("nan")
    values: FloatArray = resample(series.values[series.norms.index(row)], series.axis, at)
    return float(values[place])


def _value_of(series: NodeSeries, row: TreeRow, at: TimeAxis, place: int) -> float:
    if row.node.index not in series.nodes:
        return float("nan")
    values: FloatArray = resample(series.values[series.nodes.index(row.node.index)], series.axis, at)
    return float(values[place])


def _is_ratio(chart: Charted | None) -> bool:
    return isinstance(chart, NodeSeries) and chart.statistic == UPDATE_RATIO


def _draw_charts(cells: Cells, frame: Frame, picture: TreePicture, shown: Sequence[TreeRow], above: int) -> None:
    """Draw the chart of every row; an open module gets a faint line instead."""
    if frame.axis is None or frame.plot_width < 1 or not shown:
        return
    chart, tall, kind = picture.chart, picture.look.tall, picture.look.chart
    places = [_place(row, chart) for row in shown]
    if isinstance(chart, NodeSeries):
        values = rows_at(chart.values, chart.axis, frame, places)
        if _is_ratio(chart):
            draw_ratios(cells, frame, above, values, tall)
        else:
            draw_series(cells, frame, above, values / (chart.scale if kind is ChartKind.HORIZON else 1), tall, kind)
        if chart.nonfinite is not None:
            counted = rows_at(chart.nonfinite.astype(np.float64), chart.axis, frame, places) > 0
            mark_nonfinite(cells, frame, np.repeat(counted, tall, 0), above)
    elif isinstance(chart, NodeBoxes):
        values = np.stack([rows_at(part, chart.axis, frame, places) for part in chart.values])
        draw_boxes(cells, frame, above, values, chart, tall)
    elif isinstance(chart, NodeHistograms):
        shares = rows_at(chart.shares, chart.axis, frame, places)
        if shares.ndim == 3:
            draw_histograms(cells, frame, above, shares, tall)
    _draw_beside(cells, frame, picture, shown, above)
    for index, row in enumerate(shown):
        y = above + index * tall
        if row.is_open:
            _rule_off(cells, frame, y, tall)
        _mark_incidents(cells, frame, row, y, picture.look.flagged)


def _draw_beside(cells: Cells, frame: Frame, picture: TreePicture, shown: Sequence[TreeRow], above: int) -> None:
    """Draw a horizon graph in the rows behind layers, or the colours of an update ratio: theirs is another statistic
    than that of layers."""
    tall = picture.look.tall
    for index, row in enumerate(shown):
        series = None if row.norm is None else picture.beside.of(row.norm)
        if series is None or row.norm is None:
            continue
        own, y = series.norms.index(row.norm), above + index * tall
        values = rows_at(series.values[own : own + 1], series.axis, frame, [0])
        if series.statistic == UPDATE_RATIO:
            draw_ratios(cells, frame, y, values, tall)
        else:
            draw_series(cells, frame, y, values / series.scale, tall, ChartKind.HORIZON)


def _place(row: TreeRow, chart: Charted | None) -> int | None:
    """Return the place of a row among the nodes of a chart; None for an open module, and for one without numbers."""
    if chart is None or row.is_open or row.norm is not None or row.node.index not in chart.nodes:
        return None
    return chart.nodes.index(row.node.index)


def _rule_off(cells: Cells, frame: Frame, y: int, tall: int) -> None:
    blank = np.full((tall, frame.plot_width), 32, np.uint32)
    cells.paste(frame.gutter, y, blank, bg=np.full_like(blank, frame.theme.panel))
    cells.mark[y : y + tall, frame.gutter :] = 0
    cells.text(frame.gutter, y, "─" * frame.plot_width, frame.theme.line)


def _mark_incidents(cells: Cells, frame: Frame, row: TreeRow, y: int, flagged: int | None) -> None:
    """Put a mark on the iterations of the incidents that name the row's layers."""
    if row.is_open:
        return
    theme = frame.theme
    for iteration in sorted(row.incidents, key=lambda one: one == flagged):
        x = frame.column_of(iteration)
        if x is not None and y < cells.height:
            colour = theme.flag if iteration == flagged else theme.bright
            cells.text(x, y, CHANGED.glyph, colour, theme.panel, bold=True)
