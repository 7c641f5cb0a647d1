"""Draws the correlation: classes with incidents × layers, as shades or in detail with mini-sets as bars."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.cube import GridCell, IncidentGrid
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame, gutter_for
from dtui.tui.renderables.canvas.palettes import ramp
from dtui.tui.renderables.canvas.primitives import EIGHTHS
from dtui.tui.renderables.parts.chrome import draw_header, draw_legend, select_gutter
from dtui.tui.renderables.parts.grid.cells import (
    CellsPlace,
    LayerColumns,
    count_steps,
    draw_brackets,
    draw_cells,
    draw_pointer,
    first_line,
    layer_columns,
    paint_cell,
)
from dtui.tui.renderables.parts.grid.words import cell_lines, draw_lines
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Correlation"
TALL_ROW, TALLEST_ROW = 3, 6
TIMES, COUNTS = "iteration", "in all"
LEAST_WORDS, MOST_WORDS = 4, 8
"""Rows below the grid for the picked cell, where the pane has them."""


@dataclass(frozen=True, slots=True)
class GridLook:
    """Names and words.

    Attributes:
        names: Of the rows, harmless to show.
        layers: Of all layers; data from outside.
        title: What counts, such as "10 filters of largest update ratio".
        sentences: What happened at the incidents of the picked row; data from outside.
        more: What is said behind the title, as much as has room.
    """

    names: tuple[str, ...]
    layers: tuple[str, ...]
    title: str
    sentences: tuple[str, ...] = ()
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CorrelationPicture(Picture):
    """The grid under a header; the picked cell in words below it.

    Attributes:
        grid: With at least one row.
        look: Names and words.
        picked: Row and layer.
        is_detailed: Whether mini-sets are drawn as bars, a row for each incident.
        least: Least importance of the mini-sets in detail.
        cell: The picked cell in detail; None while it loads.
    """

    grid: IncidentGrid
    look: GridLook
    picked: tuple[int, int]
    is_detailed: bool = False
    least: int = 1
    cell: GridCell | None = None

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, grid and words."""
        cells = Cells(frame.width, frame.height, frame.theme)
        _draw_header(cells, frame, self)
        if frame.height < 4 or frame.plot_width < 4:
            return cells
        place = place_of(self, frame.width, frame.height, frame.gutter)
        if self.is_detailed:
            _draw_detail(cells, frame, self, place)
        else:
            _draw_abstract(cells, frame, self, place)
        size, look = (frame.width - 4, frame.height - place.bottom), self.look
        lines = cell_lines(self.grid, look.names, look.layers, self.picked, self.cell, look.sentences, size)
        draw_lines(cells, frame, 2, place.bottom, *size, lines)
        return cells


@dataclass(frozen=True, slots=True)
class GridPlace:
    """Where the rows and layers of the grid stand.

    Attributes:
        lines: Row of the grid and event of each line; the event is None where a line is a whole row.
        first: First line that is shown.
        shown: Number of lines that are shown.
        tall: Terminal rows of a line.
        columns: Where the layers stand when all are equally wide.
        spans: First column and width of each layer in detail, 0 where it has no anomaly filters.
        bottom: First row of the words below.
    """

    lines: tuple[tuple[int, int | None], ...]
    first: int
    shown: int
    tall: int
    columns: LayerColumns
    spans: tuple[tuple[int, int], ...]
    bottom: int

    def line_at(self, y: int) -> int | None:
        """Return the line at a terminal row; None where there is none."""
        line = self.first + (y - 2) // self.tall
        return line if y >= 2 and line < self.first + self.shown else None

    def layer_at(self, x: int, is_detailed: bool) -> int | None:
        """Return the layer at a column; None where there is none."""
        if not is_detailed:
            return self.columns.layer_at(x)
        spans = enumerate(self.spans)
        return next((layer for layer, (left, width) in spans if left <= x < left + width), None)


def rows_needed(grid: IncidentGrid, is_detailed: bool, width: int) -> int:
    """Return the rows of a pane that shows the whole grid, as high as it may be, and any cell in words."""
    columns = layer_columns(grid.counts.shape[1], gutter_for(width), max(1, width - gutter_for(width) - 1))
    lines = sum(len(row.events) for row in grid.rows) if is_detailed else len(grid.rows)
    said = max(len(row.events) for row in grid.rows)
    words = max(LEAST_WORDS, min(MOST_WORDS, 2 + int(grid.counts.max(initial=0)) + said))
    return 4 + lines * _tallest(columns, is_detailed) + words


def _tallest(columns: LayerColumns, is_detailed: bool) -> int:
    """Return the rows of a line at its highest: in the grid at most as high as it is wide."""
    return 2 if is_detailed else max(TALL_ROW, min(TALLEST_ROW, columns.cell // 2))


def place_of(picture: CorrelationPicture, width: int, height: int, gutter: int) -> GridPlace:
    """Return where everything stands in a pane of some size."""
    grid, room = picture.grid, max(1, height - 4 - min(LEAST_WORDS, max(0, height - 8)))
    rows = range(len(grid.rows))
    lines: tuple[tuple[int, int | None], ...] = tuple((row, None) for row in rows)
    if picture.is_detailed:
        lines = tuple((row, event) for row in rows for event in grid.rows[row].events)
    columns = layer_columns(grid.counts.shape[1], gutter, max(1, width - gutter - 1))
    tall = max(1, min(_tallest(columns, picture.is_detailed), room // max(1, len(lines))))
    shown = min(len(lines), room // tall)
    at = next((place for place, (row, _) in enumerate(lines) if row == picture.picked[0]), 0)
    return GridPlace(
        lines,
        first_line(len(lines), shown, at),
        shown,
        tall,
        columns,
        _spans(grid, gutter, max(1, width - gutter - 1)),
        2 + shown * tall + 2,
    )


def _spans(grid: IncidentGrid, left: int, room: int) -> tuple[tuple[int, int], ...]:
    """Return first column and width of each layer, as wide as its anomaly filters are many; 0 without any."""
    totals = grid.found.totals.tolist()
    moved = sum(1 for total in totals if total)
    gap = 1 if 2 * moved <= room else 0
    unit = min(4.0, (room - gap * moved) / max(1, sum(totals)))
    spans, x = [], float(left)
    for total in totals:
        width = max(1, int(x + unit * total) - int(x)) if total else 0
        spans.append((int(x), width))
        x = (x + unit * total if unit * total >= 1 else x + width) + (gap if total else 0)
    return tuple(spans)


def _draw_header(cells: Cells, frame: Frame, picture: CorrelationPicture) -> None:
    x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
    colours = ramp(frame.theme, "correlation", frame.output)
    sets = picture.grid.importances
    high = f"{(sets[-1] if sets else 1) if picture.is_detailed else int(picture.grid.counts.max(initial=0))}"
    name = "importance" if picture.is_detailed else "anomaly filters"
    low = f"{picture.least}" if picture.is_detailed else "1"
    look, stop = picture.look, frame.width
    for parts in range(len(look.more), -1, -1):
        title = look.title + "".join(look.more[:parts])
        stop = draw_legend(cells, frame, colours, low, high, name, x + 3 + text_width(title), len(colours) // 3)
        if stop < frame.width:
            break
    if stop == frame.width:
        stop = draw_legend(cells, frame, colours, low, high, name, x + 1, len(colours) // 3)
    cells.text(x + 2, 0, title, frame.theme.muted, limit=max(0, stop - x - 3))


def _draw_rows(cells: Cells, frame: Frame, picture: CorrelationPicture, place: GridPlace) -> None:
    """Write names into the gutter, and beside them iterations and counts where all names have room."""
    grid, theme, before = picture.grid, frame.theme, None
    lines = place.lines[place.first : place.first + place.shown]
    names = max(text_width(picture.look.names[row]) for row, _ in lines)
    times = [_when(grid, row, event) for row, event in lines]
    longest = max(map(text_width, times))
    room = frame.gutter - 4 - min(names, frame.gutter - 4)
    has_words, has_counts = room >= 10 + longest, room >= 5
    edge = frame.gutter - (10 if has_words else 6)
    has_times = edge - longest > names + 3
    if has_words:
        cells.text(frame.gutter - 1 - text_width(COUNTS), 1, COUNTS, theme.faint)
        cells.text(edge - text_width(TIMES), 1, TIMES, theme.faint)
    for at, (row, event) in enumerate(lines):
        y = 2 + at * place.tall
        if row == picture.picked[0]:
            select_gutter(cells, frame, y, place.tall)
        y += (place.tall - 1) // 2
        if row != before:
            ink = theme.bright if row == picture.picked[0] else theme.text
            limit = frame.gutter - 3 - (6 if has_counts else 0)
            cells.text(2, y, picture.look.names[row], ink, bold=row == picture.picked[0], limit=limit)
        before = row
        count = int(grid.counts[row].sum()) if event is None else int(grid.filters[event].sum())
        if has_counts:
            cells.text(frame.gutter - 1 - len(f"{count:,}"), y, f"{count:,}", theme.text)
        if has_times:
            cells.text(edge - text_width(times[at]), y, times[at], theme.muted)


def _when(grid: IncidentGrid, row: int, event: int | None) -> str:
    """Return the iteration of a line, and how many more its row has."""
    events = grid.rows[row].events if event is None else (event,)
    first = f"{grid.found.events[events[0]].iteration:,}"
    return f"{first} +{len(events) - 1}" if len(events) > 1 else first


def _draw_abstract(cells: Cells, frame: Frame, picture: CorrelationPicture, place: GridPlace) -> None:
    grid, columns = picture.grid, place.columns
    draw_brackets(cells, frame, 1, picture.look.layers, columns.spans(grid.counts.shape[1]))
    _draw_rows(cells, frame, picture, place)
    rows = tuple(row for row, _ in place.lines[place.first : place.first + place.shown])
    draw_cells(cells, frame, grid, CellsPlace(columns, 2, place.tall, rows), picture.picked, None)
    _draw_foot(cells, frame, picture, place)


def _draw_foot(cells: Cells, frame: Frame, picture: CorrelationPicture, place: GridPlace) -> None:
    """Write how many filters each layer has over all incidents, and point at the picked one."""
    columns, y = place.columns, place.bottom - 2
    cells.text(2, y, "all incidents", frame.theme.muted, limit=frame.gutter - 3)
    totals = picture.grid.found.totals
    most = max(1, *(int(totals[list(group)].sum()) for group in columns.groups))
    for at, group in enumerate(columns.groups):
        total = int(totals[list(group)].sum())
        words = f"{total}"
        x = columns.left + at * columns.cell + (columns.cell - 1) // 2
        if total and columns.cell > len(f"{most}"):
            cells.text(x - (len(words) - 1) // 2, y, words, frame.theme.muted)
        elif total:
            block = "#" if frame.output.ascii else chr(int(EIGHTHS[max(1, round(8 * total / most))]))
            cells.text(x, y, block, frame.theme.train)
    left = columns.x_of(picture.picked[1])
    if left is not None:
        x, layer = left + (columns.cell - 1) // 2, picture.look.layers[picture.picked[1]]
        draw_pointer(cells, frame, y + 1, x, layer, (1, frame.width - 1))


def _draw_detail(cells: Cells, frame: Frame, picture: CorrelationPicture, place: GridPlace) -> None:
    _draw_rows(cells, frame, picture, place)
    bottom, hidden = 2 + place.shown * place.tall, 0
    for layer, (left, width) in enumerate(place.spans):
        if not width:
            continue
        hidden += _draw_mini_sets(cells, frame, picture, place, layer)
        if layer == picture.picked[1]:
            for y in range(2, bottom):
                for edge in (left - 1, left + width):
                    if frame.gutter <= edge < cells.width and cells.ch[y, edge] == 32:
                        cells.text(edge, y, "│", frame.theme.accent)
    there = [layer for layer, (_, width) in enumerate(place.spans) if width]
    draw_brackets(cells, frame, 1, [picture.look.layers[k] for k in there], [place.spans[k] for k in there])
    words = f"{hidden} less important mini-sets are hidden, < shows them" if hidden else ""
    cells.text(frame.gutter, bottom, words, frame.theme.muted, limit=max(0, frame.plot_width - 1))
    left, width = place.spans[picture.picked[1]]
    name = picture.look.layers[picture.picked[1]]
    draw_pointer(cells, frame, bottom + 1, left + max(0, width - 1) // 2, name, (1, frame.width - 1))


def _draw_mini_sets(cells: Cells, frame: Frame, picture: CorrelationPicture, place: GridPlace, layer: int) -> int:
    """Draw the mini-sets of a layer at the incidents that they moved at; return how many are too unimportant."""
    grid, (left, width) = picture.grid, place.spans[layer]
    colours = ramp(frame.theme, "correlation", frame.output)
    most = max(grid.importances, default=1)
    every, kept = grid.mini_sets_of(layer), grid.mini_sets_of(layer, picture.least)
    total, x = int(grid.found.totals[layer]), float(left)
    for one in every:
        stop = x + width * len(one.filters) / total
        first, size = int(x), max(1, int(stop) - int(x))
        x = stop
        if one not in kept:
            continue
        step = int(count_steps(np.array(one.importance), most, len(colours)))
        held = [at for at, (_, event) in enumerate(place.lines) if event is not None and grid.holds(one, event)]
        for at in held:
            if place.first <= at < place.first + place.shown:
                paint_cell(cells, frame, (first, 2 + (at - place.first) * place.tall, size, 1), step, "")
        _join(cells, frame, place, first + size // 2, held)
    return len(every) - len(kept)


def _join(cells: Cells, frame: Frame, place: GridPlace, x: int, held: Sequence[int]) -> None:
    """Draw a thin line between the incidents at which one mini-set moved."""
    if len(held) < 2:
        return
    for y in range(2 + (held[0] - place.first) * place.tall, 2 + (held[-1] - place.first) * place.tall):
        if 2 <= y < 2 + place.shown * place.tall and x < cells.width and cells.bg[y, x] == frame.theme.panel:
            cells.text(x, y, "│", frame.theme.faint)
