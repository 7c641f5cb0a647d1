"""The section on incidents × layers: which filters changed most at which incident, in two pictures and in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.errors import NotRecordedError
from dtui.model.cube import CellEvent, CellFilter, GridCell, IncidentGrid, RowKind
from dtui.model.judging import as_groups
from dtui.model.layers import layer_called
from dtui.number_text import counted
from dtui.reports.charts.correlation import GridSheet, abstract_grid, detailed_grid, row_name
from dtui.reports.charts.pictures.scale import times
from dtui.reports.document import Item, Paragraph, Row, Section, Table
from dtui.reports.sections.registry import View, section
from dtui.safe_text import safe

MOST_ROWS = 40
"""Classes that are shown: those with the most anomaly filters."""
MOST_TABLED = 15
LEAST_SIGMA = 2.0
MOST_ASKED = 300
MOST_SAID = 4
MOST_FILTERS = 6


@section("correlation", order=110, screen="correlation")
def correlation_section(view: View) -> Section | None:
    """Return both pictures, a sentence on what stands out, and the strongest cells as a table."""
    if view.info.records == 0:
        return None
    id_, title = f"{view.prefix}-correlation", "Incidents × layers"
    try:
        grid = view.query.incident_grid(order="count")
    except NotRecordedError as error:
        return Section(id_, title, "", (Paragraph(f"{view.lacking(error)}."),))
    if not grid.rows and "incidents" in view.shown:  # which says that there is none
        return None
    if not grid.rows:
        return Section(id_, title, "", (Paragraph("No incident, so there is nothing to correlate."),))
    sheet = sheet_of(grid, view, MOST_ROWS)
    cells = _cells(view, sheet)
    said = _sentence(sheet, cells)
    items: list[Item] = [
        abstract_grid(f"{id_}-abstract", sheet, said),
        detailed_grid(f"{id_}-detail", sheet, _detail_words(sheet)),
        Paragraph(said),
    ]
    items += [] if (table := _table(sheet, cells)) is None else [table]
    caption = (
        f"The {grid.found.choice.count} filters that changed most at each incident, counted by layer. "
        f"A row is a {view.group} with incidents; a bad step of the whole network is in the row "
        f"“{view.of_groups('all classes')}”. ◆ marks a layer that the incident itself names."
    )
    if len(sheet.rows) < len(grid.rows):
        caption += f" {len(grid.rows) - len(sheet.rows)} {view.of_groups('classes')} with fewer filters are left out."
    return Section(id_, title, caption, tuple(items))


def sheet_of(grid: IncidentGrid, view: View, most: int) -> GridSheet:
    """Return the grid with names, and the rows that are shown: at most so many classes, and both other rows."""
    classes = [place for place, row in enumerate(grid.rows) if row.kind is RowKind.CLASS][:most]
    others = [place for place, row in enumerate(grid.rows) if row.kind is not RowKind.CLASS]
    names = tuple(row_name(row.kind, row.label, view.classes, view.info.judging) for row in grid.rows)
    layers = tuple(safe(layer.name, 120) for layer in view.query.structure().layers)
    return GridSheet(grid, (*classes, *others), names, layers, view.info.judging)


def _cells(view: View, sheet: GridSheet) -> tuple[GridCell, ...]:
    """Return the cells in detail, the most unusual first; of many incidents only those with the most filters."""
    grid = sheet.grid
    places = [(row, layer) for row in sheet.rows for layer in grid.counts[row].nonzero()[0].tolist()]
    places.sort(key=lambda place: -int(grid.counts[place]))
    cells = [view.query.grid_cell(grid, row, layer) for row, layer in places[:MOST_ASKED]]
    return tuple(sorted(cells, key=lambda cell: -_sigma(cell)))


def _sigma(cell: GridCell) -> float:
    strongest = cell.strongest
    return -1.0 if strongest is None or np.isnan(strongest[1].sigma) else strongest[1].sigma


def _sentence(sheet: GridSheet, cells: Sequence[GridCell]) -> str:
    """Say in words what the picture shows."""
    if not cells:
        return "No filter changed at any incident."
    first = {cell.row: cell for cell in reversed(cells)}
    said = [_moved(sheet, cell) for cell in sorted(first.values(), key=lambda cell: -_sigma(cell))[:MOST_SAID]]
    totals = sheet.grid.found.totals
    busiest = int(totals.argmax())
    most = counted(int(totals[busiest]), "filter")
    return f"{' '.join(said)} Over all incidents {layer_called(sheet.layers[busiest])} has the most, {most}."


def _moved(sheet: GridSheet, cell: GridCell) -> str:
    who = {
        RowKind.ALL: "At the bad step of the whole network",
        RowKind.NO_CLASS: as_groups("Where no class moved", sheet.judging),
    }.get(sheet.grid.rows[cell.row].kind, f"When {sheet.names[cell.row]} broke")
    strongest = cell.strongest
    if strongest is None:
        return ""
    event, one = strongest
    count = int(sheet.grid.counts[cell.row, cell.layer])
    among = "" if count == 1 else f", the strongest of {count} there"
    how = f" ({one.sigma:.1f} σ{among})" if one.sigma > 0 else ""
    return (
        f"{who} ({event.iteration:,}), filter {one.filter} of {layer_called(sheet.layers[cell.layer])} moved most{how}."
    )


def _detail_words(sheet: GridSheet) -> str:
    sets = sheet.grid.found.mini_sets
    again = [one for one in sets if one.occurrences > 1]
    if not sets:
        return "No filter changed at any incident."
    strongest = max(sets, key=lambda one: (one.importance, len(one.filters)))
    filters = ", ".join(str(filter) for filter in strongest.filters[:MOST_FILTERS])
    more = " and more" if len(strongest.filters) > MOST_FILTERS else ""
    return (
        f"{counted(len(sets), 'mini-set')}, {len(again)} of them at more than one incident. "
        f"The most important one is filters {filters}{more} of {layer_called(sheet.layers[strongest.layer])}."
    )


def _table(sheet: GridSheet, cells: Sequence[GridCell]) -> Table | None:
    """Return the incidents and layers with the most unusual filters, by falling σ; None where none is unusual."""
    found = [(_strongest(event), event, cell) for cell in cells for event in cell.events]
    found.sort(key=lambda one: (-(one[0].sigma if one[0].sigma == one[0].sigma else -1.0), one[1].iteration))
    unusual = [one for one in found if not one[0].sigma < LEAST_SIGMA]
    rows = tuple(_row(sheet, cell, event, strongest) for strongest, event, cell in unusual[:MOST_TABLED])
    if not rows:
        return None
    columns = (
        as_groups("class", sheet.judging),
        "iteration",
        "layer",
        "filters, most unusual first",
        "change against usual",
        "σ",
    )
    rest = len(found) - len(rows)
    note = "Of the first filter: its change against its own 20 records before, and how unusual that is."
    if rest:
        note += f" {rest} less unusual places are left out."
    return Table(columns, (False, True, False, False, True, True), rows, note, "Where each incident moved most")


def _strongest(event: CellEvent) -> CellFilter:
    known = [one for one in event.filters if not np.isnan(one.sigma)]
    return max(known, key=lambda one: one.sigma) if known else event.filters[0]


def _row(sheet: GridSheet, cell: GridCell, event: CellEvent, strongest: CellFilter) -> Row:
    ordered = sorted(event.filters, key=lambda one: (np.isnan(one.sigma), -np.nan_to_num(one.sigma), one.filter))
    filters = ", ".join(str(one.filter) for one in ordered[:MOST_FILTERS])
    more = f" and {len(ordered) - MOST_FILTERS} more" if len(ordered) > MOST_FILTERS else ""
    sigma = "" if np.isnan(strongest.sigma) else f"{strongest.sigma:.1f}"
    name, layer = sheet.names[cell.row], sheet.layers[cell.layer]
    cells = (name, f"{event.iteration:,}", layer, f"{filters}{more}", times(strongest.times), sigma)
    return Row(cells, iteration=event.iteration)
