"""Draws incidents × layers: as shades with counts, and in detail with mini-sets as bars.

Owns the layout of both pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dtui.model.cube import IncidentGrid, RowKind, module_groups
from dtui.model.judging import Judging, as_groups
from dtui.reports.charts import theme
from dtui.reports.charts.vectors import CHARACTER, SIZE, Vectors, colour_of, fitted
from dtui.reports.document import Picture

WIDE, NARROW = 1100, 360
SIZES = (WIDE, NARROW, theme.PAPER_WIDTH)
ROW = 20.0
"""Pixels of a row of the abstract picture, and of one incident in detail."""
PAPER_ROW = 15.0
"""The same on paper."""
MARGIN = 64.0
"""Pixels at the right end, for the counts of the rows."""
BARS = 34.0
"""Pixels of the counts of the layers below."""
LEAST_NUMBER = 15.0
"""Pixels of a cell from which on it has its number in it."""
LEAST_NAME = 10.0
"""Pixels of a column from which on the layer has its name below it."""
LEAST_LETTERS = 5
"""What is left of the name of a module, after its dots; of fewer letters nobody knows it."""
EMPTY = "#f3f5f8"
"""Of a cell without anomaly filters."""
NAMED = "◆"
"""Stands in a cell whose layer the incident itself names."""


@dataclass(frozen=True, eq=False)
class GridSheet:
    """What both pictures show.

    Attributes:
        grid: The grid.
        rows: Places of the rows that are shown.
        names: Name of every row of the grid, harmless to show.
        layers: Names of all layers, harmless to show.
        judging: What decides what is right; None where class scores do.
    """

    grid: IncidentGrid
    rows: tuple[int, ...]
    names: tuple[str, ...]
    layers: tuple[str, ...]
    judging: Judging | None = None

    @property
    def most(self) -> int:
        """The largest count of a cell that is shown, >= 1."""
        return max(1, int(self.grid.counts[list(self.rows)].max(initial=0)))


def row_name(kind: RowKind, label: int | None, classes: Sequence[str], judging: Judging | None = None) -> str:
    """Return what a row is called, class or group."""
    if kind is RowKind.ALL:
        return as_groups("all classes", judging)
    if label is None:
        return as_groups("no class", judging)
    name = classes[label] if label < len(classes) else str(label)
    return f"{as_groups('class', judging)} {name}" if name.isdigit() else name


def abstract_grid(id: str, sheet: GridSheet, description: str) -> Picture:
    """Return classes × layers as shades: the more anomaly filters, the darker.

    Source: DeepTracker (ACM TIST 2018), correlation view, abstract.
    """
    wide, narrow, paper = (_abstract(width, sheet, description) for width in SIZES)
    title = as_groups("Which layers moved when which class broke", sheet.judging)
    return Picture(id, title, description, wide, WIDE, narrow, paper=paper)


def detailed_grid(id: str, sheet: GridSheet, description: str) -> Picture:
    """Return the same in detail: a row an incident, a bar a mini-set.

    A layer is as wide as its anomaly filters are many, and a mini-set as wide as its filters; the darker a bar, the
    more important the mini-set.

    Source: DeepTracker (ACM TIST 2018), correlation view, detailed.
    """
    wide, narrow, paper = (_detailed(width, sheet, description) for width in SIZES)
    return Picture(id, "The same in detail: filters that move together", description, wide, WIDE, narrow, paper=paper)


def _row(width: int) -> float:
    return PAPER_ROW if width == theme.PAPER_WIDTH else ROW


# --- abstract
def _abstract(width: int, sheet: GridSheet, description: str) -> str:
    gutter, layers, pitch = _gutter(width, sheet), len(sheet.layers), _row(width)
    column = (width - gutter - MARGIN) / max(1, layers)
    foot = _foot(column, sheet.layers)
    top, bottom = 40.0, 40.0 + pitch * len(sheet.rows)
    drawing = Vectors.picture(width, bottom + 6 + BARS + foot, description)
    _legend(drawing, width, 0, sheet.most, "anomaly filters")
    _brackets(drawing, gutter, top, [column] * layers, sheet.layers)
    for place, row in enumerate(sheet.rows):
        y = top + place * pitch
        drawing.words(gutter - 8, y + pitch / 2 + 4, sheet.names[row], theme.INK, "end", gutter - 12)
        drawing.box(gutter, y, column * layers - 1, pitch - 1, EMPTY)
        for layer in range(layers):
            _cell(drawing, sheet, row, layer, gutter + layer * column, y, (column, pitch))
        total = int(sheet.grid.counts[row].sum())
        drawing.words(width - MARGIN + 8, y + pitch / 2 + 4, f"{total:,}", theme.INK)
    if column > 6:
        for layer in range(1, layers):
            x = gutter + layer * column - 0.5
            drawing.line([(x, top), (x, bottom)], "#ffffff")
    drawing.words(width - MARGIN + 8, top - 8, "in all", theme.MUTED, font_size="11")
    _totals(drawing, sheet, gutter, bottom + 6, column)
    _layer_names(
        drawing, [gutter + (layer + 0.5) * column for layer in range(layers)], bottom + 12 + BARS, column, sheet.layers
    )
    return drawing.svg()


def _cell(
    drawing: Vectors, sheet: GridSheet, row: int, layer: int, x: float, y: float, size: tuple[float, float]
) -> None:
    column, pitch = size
    count, named = int(sheet.grid.counts[row, layer]), bool(sheet.grid.named[row, layer])
    if not count and not named:
        return
    share = _share(count, sheet.most)
    colour = colour_of(theme.CORRELATION_STOPS, share) if count else EMPTY
    filters = "1 filter" if count == 1 else f"{count} filters"
    said = f"{sheet.names[row]} × {sheet.layers[layer]}: {filters}" if count else ""
    gap = 1.0 if column > 6 else 0.0
    drawing.box(x, y, column - gap, pitch - 1, colour, said + (", named by the incident" if named and said else ""))
    ink = "#ffffff" if share > 0.45 else theme.INK
    if named:
        mark = f"{NAMED} {count}" if count and column >= 2 * LEAST_NUMBER else NAMED
        drawing.words(
            x + (column - gap) / 2, y + pitch / 2 + 4, mark, ink if count else theme.LOST, "middle", font_size="11"
        )
    elif count and column >= LEAST_NUMBER:
        drawing.words(x + (column - gap) / 2, y + pitch / 2 + 4, f"{count}", ink, "middle", font_size="11")


def _share(count: int, most: int) -> float:
    """Return the shade of a count: even a single filter is told from none."""
    return 0.0 if not count else 0.25 + 0.65 * (count - 1) / max(1, most - 1)


def _totals(drawing: Vectors, sheet: GridSheet, left: float, top: float, column: float) -> None:
    """Draw how many filters each layer has over all rows, as bars with numbers where there is room."""
    totals = sheet.grid.found.totals
    most = max(1, int(totals.max(initial=0)))
    drawing.words(left - 8, top + 12, "all incidents", theme.MUTED, "end", left - 12)
    for layer, total in enumerate(totals.tolist()):
        if not total:
            continue
        x, height = left + layer * column, 18 * total / most
        drawing.box(x, top, column - 1, height, theme.TRAIN, f"{sheet.layers[layer]}: {total}")
        if column >= LEAST_NUMBER:
            drawing.words(x + column / 2, top + height + 11, f"{total}", theme.MUTED, "middle", font_size="11")


# --- in detail
def _detailed(width: int, sheet: GridSheet, description: str) -> str:
    grid = sheet.grid
    layers = [layer for layer, total in enumerate(grid.found.totals.tolist()) if total]
    gutter, events = _gutter(width, sheet), [(row, event) for row in sheet.rows for event in grid.rows[row].events]
    room = width - gutter - MARGIN - 4.0 * len(layers)
    unit = room / max(1, sum(int(grid.found.totals[layer]) for layer in layers))
    widths = [unit * int(grid.found.totals[layer]) + 4.0 for layer in layers]
    names = [sheet.layers[layer] for layer in layers]
    foot = _foot(min(widths, default=0.0), names)
    pitch = _row(width)
    top, bottom = 40.0, 40.0 + pitch * len(events)
    drawing = Vectors.picture(width, bottom + 12 + foot, description)
    most = max((one.importance for one in grid.found.mini_sets), default=1)
    _legend(drawing, width, 1, most, "importance")
    _brackets(drawing, gutter, top, widths, names)
    drawing.words(width - MARGIN + 4, top - 8, "iteration", theme.MUTED, font_size="11")
    last = None
    for place, (row, event) in enumerate(events):
        y = top + place * pitch
        if row != last:
            drawing.line([(0, y), (width, y)], theme.FAINT)
            drawing.words(gutter - 8, y + pitch / 2 + 4, sheet.names[row], theme.INK, "end", gutter - 12)
        last = row
        drawing.words(
            width - MARGIN + 4, y + pitch / 2 + 4, f"{grid.found.events[event].iteration:,}", theme.INK, font_size="11"
        )
    drawing.line([(0, bottom), (width, bottom)], theme.FAINT)
    x = gutter
    for layer, own in zip(layers, widths, strict=True):
        drawing.line([(x, top), (x, bottom)], theme.GRID)
        _bars(drawing, sheet, layer, (x + 2, top), (unit, pitch), [event for _, event in events], most)
        x += own
    drawing.line([(x, top), (x, bottom)], theme.GRID)
    middles = [gutter + sum(widths[:place]) + own / 2 for place, own in enumerate(widths)]
    _layer_names(drawing, middles, bottom + 12, min(widths, default=0.0), names)
    return drawing.svg()


def _bars(
    drawing: Vectors,
    sheet: GridSheet,
    layer: int,
    corner: tuple[float, float],
    sizes: tuple[float, float],
    events: Sequence[int],
    most: int,
) -> None:
    """Draw the mini-sets of a layer side by side, each at every incident at which it moved."""
    (x, top), (unit, pitch) = corner, sizes
    for one in sheet.grid.mini_sets_of(layer):
        size = unit * len(one.filters)
        colour = colour_of(theme.CORRELATION_STOPS, _share(one.importance, most))
        filters = ", ".join(str(filter) for filter in one.filters[:12]) + (" …" if len(one.filters) > 12 else "")
        said = f"{sheet.layers[layer]} filters {filters}: importance {one.importance}"
        rows = [place for place, event in enumerate(events) if sheet.grid.holds(one, event)]
        if len(rows) > 1:
            middle = x + size / 2
            drawing.line([(middle, top + rows[0] * pitch), (middle, top + (rows[-1] + 1) * pitch)], theme.FAINT)
        for place in rows:
            gap = 1.0 if size > 4 else 0.0
            drawing.box(x, top + place * pitch + 2, size - gap, pitch - 4, colour, said)
        x += size


# --- both
def _gutter(width: int, sheet: GridSheet) -> float:
    """Return the pixels for the names of the rows."""
    longest = max((len(sheet.names[row]) for row in sheet.rows), default=0)
    return min(CHARACTER * max(longest, 13) + 14, 180.0 if width == WIDE else 104.0)


def _foot(column: float, names: Sequence[str]) -> float:
    """Return the pixels for the names of the layers below; 0 where they have no room."""
    if column < LEAST_NAME:
        return 0.0
    return 12 + min(CHARACTER * max((len(name) for name in names), default=0), 150.0) * 0.9


def _layer_names(drawing: Vectors, middles: Sequence[float], top: float, column: float, names: Sequence[str]) -> None:
    if column < LEAST_NAME:
        return
    for x, name in zip(middles, names, strict=True):
        turned = f"rotate(-65 {x + 4:.1f} {top:.1f})"
        shown = fitted(name, 150.0 * SIZE / 11, from_end=True)
        drawing.words(x + 4, top, shown, theme.INK, "end", transform=turned, font_size="11")


def _brackets(drawing: Vectors, left: float, top: float, widths: Sequence[float], names: Sequence[str]) -> None:
    """Draw the modules of neighbouring layers above them."""
    place, x = 0, left
    for name, count in module_groups(tuple(names)):
        width = sum(widths[place : place + count])
        if names[place] == name:  # a layer outside modules: its name stands below
            x, place = x + width, place + count
            continue
        drawing.line(
            [(x + 1, top - 4), (x + 1, top - 8), (x + width - 2, top - 8), (x + width - 2, top - 4)], theme.FAINT
        )
        shown = fitted(name, (width - CHARACTER) * SIZE / 11, from_end=True)  # neighbours do not touch
        if shown == name or len(shown) > LEAST_LETTERS:
            drawing.words(x + width / 2, top - 12, shown, theme.MUTED, "middle", font_size="11")
        x, place = x + width, place + count


def _legend(drawing: Vectors, width: int, low: int, most: int, words: str) -> None:
    """Draw the shades between two numbers at the top right."""
    right = width - 8 - CHARACTER * len(f"{most}")
    for step in range(24):
        colour = colour_of(theme.CORRELATION_STOPS, 0.25 + 0.65 * step / 23)
        drawing.box(right - 5 - 4 * (24 - step), 2, 4.2, 10, colour)
    drawing.words(right, 11, f"{most}", theme.MUTED)
    drawing.words(right - 5 - 96 - 6, 11, f"{words} {max(low, 1)}", theme.MUTED, "end")
