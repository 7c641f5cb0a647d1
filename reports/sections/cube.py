"""The section on the cube: layers × time, classes × time and layers × classes, tied at their edges."""

from __future__ import annotations

import numpy as np

from dtui.errors import NotRecordedError
from dtui.model.cube import Cube, CubeRequest
from dtui.number_text import counted
from dtui.reports.charts.cube import CubeSheet, cube_picture
from dtui.reports.document import Paragraph, Section
from dtui.reports.sections.correlation import sheet_of
from dtui.reports.sections.registry import View, section

MOST_CLASSES = 14
MOST_LAYERS = 60
MOST_COLUMNS = 400
SHOWN = (("norm2", "updates", "norm of updates"), ("norm2", "weights", "norm of weights"))
"""What layers × time shows: the first of these that the run holds."""


@section("cube", order=120, screen="cube")
def cube_section(view: View) -> Section | None:
    """Return the cube and a sentence on what meets at its edges."""
    if view.info.records == 0:
        return None
    id_, title = f"{view.prefix}-cube", "Cube"
    try:
        cube, quantity = _asked(view)
    except NotRecordedError as error:
        return Section(id_, title, "", (Paragraph(f"{view.lacking(error)}."),))
    if not cube.grid.rows and "incidents" in view.shown:  # which says that there is none
        return None
    if not cube.grid.rows:
        return Section(id_, title, "", (Paragraph("No incident, so there is nothing to tie together."),))
    sheet = CubeSheet(cube, sheet_of(cube.grid, view, MOST_CLASSES), quantity)
    said = _sentence(sheet)
    caption = (
        f"In front the {quantity} of each layer against its usual, the 20 records before; on top the error of each "
        f"{view.group} with incidents; at the right the filters that changed most, which tie both together. "
        "Red marks are incidents and the layers that they moved; bars are mini-sets, as thick as they are large."
    )
    left_out = len(cube.grid.rows) - len(sheet.grid.rows)
    if left_out > 0:
        caption += f" {left_out} {view.of_groups('classes')} with fewer anomaly filters are left out."
    return Section(id_, title, caption, (cube_picture(f"{id_}-picture", sheet, said), Paragraph(said)))


def _asked(view: View) -> tuple[Cube, str]:
    """Return the cube, and what its front shows in words.

    Raises:
        NotRecordedError: The run holds none of these statistics, or no changes of filters.
    """
    axis = view.full_axis.with_columns(min(MOST_COLUMNS, view.full_axis.columns))
    lacking: NotRecordedError | None = None
    for statistic, source, quantity in SHOWN:
        request = CubeRequest(axis, statistic, source, 100_000, MOST_LAYERS, MOST_LAYERS, "count")
        try:
            return view.query.cube(request), quantity
        except NotRecordedError as error:
            lacking = error
    raise lacking or NotRecordedError("nothing of layers is recorded")


def _sentence(sheet: CubeSheet) -> str:
    """Say in words what the picture shows."""
    grid, cube = sheet.grid.grid, sheet.cube
    strongest = max(range(len(grid.found.events)), key=lambda event: int(grid.filters[event].max(initial=0)))
    event = grid.found.events[strongest]
    layer = int(grid.filters[strongest].argmax())
    row = next(place for place, group in enumerate(cube.layer_groups) if layer in group)
    column = cube.request.axis.column_of(event.iteration)
    events, moved = len(grid.found.events), int(np.count_nonzero(grid.filters.any(axis=0)))
    said = [
        f"{counted(events, 'incident')} in {counted(len(grid.rows), 'row')}, with filters that moved in "
        f"{moved:,} of {counted(len(sheet.grid.layers), 'layer')}.",
        f"At {event.iteration:,} ({sheet.grid.names[int(grid.row_of[strongest])]}) most filters moved in "
        f"{sheet.grid.layers[layer]}: {int(grid.filters[strongest, layer])}.",
    ]
    shade = cube.shades[row, column] if 0 <= column < cube.shades.shape[1] else np.nan
    if np.isfinite(shade) and shade > 0.02:  # a watch is one iteration after the record before: far below the usual
        times = 10 ** float(shade)
        amount = "ten times its usual or more" if shade >= 1 else f"{times:.1f} times its usual"
        said.append(f"Its {sheet.quantity} was {amount} there.")
    return " ".join(said)
