"""Draws the cube: layers × time in front, classes × time on top, layers × classes at the right, as one SVG.

Owns its geometry. The picture is complete without scripts; `static/cube.js` links its faces, and unfolds it.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from dtui.model.cube import Cube
from dtui.model.judging import as_groups
from dtui.number_text import counted
from dtui.reports.charts import theme
from dtui.reports.charts.correlation import GridSheet
from dtui.reports.charts.raster import LEVELS, error_picture, ramp, shade_picture
from dtui.reports.charts.vectors import CHARACTER, SIZE, Vectors, colour_of, fitted, short
from dtui.reports.document import Picture

WIDE, NARROW = 1100, 360
DEPTH = (0.74, 0.56)
"""Pixels right and up for a pixel of depth."""
TOP = 44.0
"""Pixels above the cube: the key of its shades."""
MOST_LIFT = 2.0
"""Pixels by which the names of classes are lifted at most, so that the lowest stands free of the first layer's."""
FOOT = 44.0
"""Pixels below the front face: ticks and the name of the axis."""


@dataclass(frozen=True, slots=True)
class Box:
    """The sizes of the cube in pixels.

    Attributes:
        left: Left of the front face: names.
        width: Of the front face: time.
        row: Of a row of layers.
        layers: Number of rows of layers.
        unit: Depth of a class.
        classes: Number of classes.
    """

    left: float
    width: float
    row: float
    layers: int
    unit: float
    classes: int

    @property
    def height(self) -> float:
        """Of the front face."""
        return self.row * self.layers

    @property
    def depth(self) -> float:
        """Of the whole cube."""
        return self.unit * self.classes

    def faces(self, flat: float) -> dict[str, tuple[float, ...]]:
        """Return the matrix of each face: oblique (0) or unfolded (1)."""
        x, y = (DEPTH[0] * (1 - flat), DEPTH[1] + (1 - DEPTH[1]) * flat)
        across, down = DEPTH[0] + (1 - DEPTH[0]) * flat, -DEPTH[1] * (1 - flat)
        gap = 10 * flat
        return {
            "front": (1, 0, 0, 1, 0, 0),
            "top": (1, 0, x, -y, 0, -gap),
            "right": (across, down, 0, 1, self.width + gap, 0),
        }


@dataclass(frozen=True, eq=False)
class CubeSheet:
    """What the picture shows.

    Attributes:
        cube: The cube; each row of the grid has a row of its own, layers may share one.
        grid: Its grid with names, and the rows that are shown.
        quantity: What the front face shows, such as "norm of updates".
    """

    cube: Cube
    grid: GridSheet
    quantity: str

    @property
    def layer_names(self) -> tuple[str, ...]:
        """The name of each row of layers."""
        names = self.grid.layers
        return tuple(names[own[0]] + (f" … {names[own[-1]]}" if len(own) > 1 else "") for own in self.cube.layer_groups)


def cube_picture(id: str, sheet: CubeSheet, description: str) -> Picture:
    """Return the cube for a wide and a narrow page.

    Source: DeepTracker (ACM TIST 2018), cube.
    """
    sizes = (WIDE, NARROW, theme.PAPER_WIDTH)
    wide, narrow, paper = (_drawn(width, sheet, description) for width in sizes)
    return Picture(id, "", description, wide, WIDE, narrow, paper=paper)


def _box(width: int, sheet: CubeSheet) -> Box:
    classes, layers = max(1, len(sheet.grid.rows)), max(1, len(sheet.layer_names))
    if width == WIDE:
        unit, row = min(34.0, max(20.0, 260 / classes)), min(20.0, max(11.0, 480 / layers))
        left = min(150.0, CHARACTER * max(map(len, sheet.layer_names), default=0) + 16)
    else:
        unit, row = min(20.0, max(9.0, 110 / classes)), min(14.0, max(6.0, 300 / layers))
        longest = CHARACTER * max(map(len, sheet.layer_names), default=0) + 16
        left = min(130.0, longest) if width == theme.PAPER_WIDTH else 82.0
    for place, one in enumerate(sheet.grid.rows):
        letters = CHARACTER * (len(sheet.grid.names[one]) + 1) * _size(width) / SIZE
        wanted = letters + 13 - DEPTH[0] * (place + 0.5) * unit  # the top leans to the right
        left = max(left, min(150.0 if width == WIDE else 93.0, wanted))
    return Box(left, width - left - 24 - unit * classes, row, layers, unit, classes)


def _size(width: int) -> float:
    """Return the size of the names."""
    return 9.0 if width == NARROW else 11.0


def _drawn(width: int, sheet: CubeSheet, description: str) -> str:
    box = _box(width, sheet)
    rise = DEPTH[1] * box.depth
    drawing = Vectors.picture(
        width, rise + TOP + box.height + FOOT, description, data_cube=_data(box, sheet), tabindex="0"
    )
    inner = drawing.group(transform=f"translate({short(box.left)} {short(rise + TOP)})", data_part="inner")
    matrices = box.faces(0)
    faces = {
        name: inner.group(data_face=name, transform=f"matrix({' '.join(short(one) for one in matrices[name])})")
        for name in ("right", "top", "front")
    }
    _front(faces["front"], box, sheet)
    _top(faces["top"], box, sheet)
    _right(faces["right"], box, sheet)
    _names(inner, box, sheet, _size(width))
    _key(drawing, width, sheet)
    return drawing.svg()


def _front(face: Vectors, box: Box, sheet: CubeSheet) -> None:
    cube = sheet.cube
    face.box(0, 0, box.width, box.height, "#f3f5f8")
    if cube.shades.size:
        face.image(
            0, 0, box.width, box.height, shade_picture((cube.shades + 1) / 2, theme.USUAL_STOPS), data_shades="front"
        )
    for row in range(1, box.layers):
        face.line([(0, row * box.row), (box.width, row * box.row)], "#ffffff", 0.5, stroke_opacity="0.7")
    marks = face.group(data_part="marks")
    touched = sheet.grid.grid.touched
    for event, at in _events(sheet):
        x = _time(at, cube, box)
        for row, group in enumerate(cube.layer_groups):
            if touched[event, list(group)].any():
                count = int(sheet.grid.grid.filters[event, list(group)].sum())
                moved = counted(count, "anomaly filter") if count else "named by the incident"
                wide = 3.0 if box.width > 300 else 2.0
                said = f"{sheet.layer_names[row]} at {at:,}: {moved}"
                more = {"stroke": "#ffffff", "stroke_width": "0.6", "data_event": str(event)}
                marks.box(x - wide / 2, row * box.row + 1, wide, box.row - 2, theme.LOST, said, **more)
    _frame(face, box.width, box.height)
    step = _tick_step(cube.request.axis.span, 4 if box.width > 300 else 2)
    at = int(np.ceil(cube.request.axis.first / step)) * step
    while at < cube.request.axis.stop:
        x = _time(at, cube, box)
        face.line([(x, box.height), (x, box.height + 5)], theme.MUTED)
        face.words(x, box.height + 18, f"{at:,}", theme.MUTED, "middle", font_size="11")
        at += step
    face.words(box.width / 2, box.height + 36, "iteration", theme.MUTED, "middle")


def _top(face: Vectors, box: Box, sheet: CubeSheet) -> None:
    cube, rows = sheet.cube, sheet.grid.rows
    face.box(0, 0, box.width, box.depth, "#f3f5f8")
    errors = cube.errors[list(rows)]
    if np.isfinite(errors).any():
        face.image(0, 0, box.width, box.depth, error_picture(errors), data_shades="top")
    for place in range(1, box.classes):
        face.line([(0, place * box.unit), (box.width, place * box.unit)], "#ffffff", 0.8)
    marks = face.group(data_part="marks")
    for event, at in _events(sheet):
        row, x = rows.index(int(sheet.grid.grid.row_of[event])), _time(at, cube, box)
        low, high = (row + 0.15) * box.unit, (row + 0.85) * box.unit
        half = min(5.0, box.unit / 3)
        more = {"stroke": "#ffffff", "stroke_width": "0.6", "data_event": str(event)}
        marks.shape([(x - half, high), (x + half, high), (x, low)], theme.LOST, **more)
    _frame(face, box.width, box.depth)


def _right(face: Vectors, box: Box, sheet: CubeSheet) -> None:
    grid, rows = sheet.grid.grid, sheet.grid.rows
    face.box(0, 0, box.depth, box.height, "#f3f5f8")
    counts = np.array([[grid.counts[row, list(group)].sum() for row in rows] for group in sheet.cube.layer_groups])
    most = max(1, int(counts.max(initial=0)))
    for layer in range(box.layers):
        for place, row in enumerate(rows):
            count = int(counts[layer, place])
            if not count:
                continue
            colour = colour_of(theme.CORRELATION_STOPS, 0.12 + 0.33 * count / most)
            filters = counted(count, "anomaly filter")
            said = f"{sheet.grid.names[row]} × {sheet.layer_names[layer]}: {filters}"
            face.box(place * box.unit, layer * box.row, box.unit, box.row, colour, said)
    marks = face.group(data_part="marks")
    for layer, group in enumerate(sheet.cube.layer_groups):
        for place, row in enumerate(rows):
            _mini_sets(marks, box, sheet, (layer, group), (place, row))
    for layer in range(1, box.layers):
        face.line([(0, layer * box.row), (box.depth, layer * box.row)], "#ffffff", 0.8)
    for place in range(1, box.classes):
        face.line([(place * box.unit, 0), (place * box.unit, box.height)], "#ffffff", 0.8)
    _frame(face, box.depth, box.height)


def _mini_sets(
    marks: Vectors, box: Box, sheet: CubeSheet, layer: tuple[int, tuple[int, ...]], row: tuple[int, int]
) -> None:
    """Draw the mini-sets of a cell as bars: as thick as they are large, a column for each incident of the row."""
    grid = sheet.grid.grid
    sets = [one for own in layer[1] for one in grid.mini_sets_of(own)]
    total = max(1, sum(len(one.filters) for one in sets))
    events = grid.rows[row[1]].events
    wide = (box.unit - 2) / len(events)
    y = layer[0] * box.row + 1
    for one in sets:
        thick = (box.row - 2) * len(one.filters) / total
        for column, event in enumerate(events):
            if grid.holds(one, event):
                x = row[0] * box.unit + 1 + column * wide
                colour = colour_of(theme.CORRELATION_STOPS, 0.75)
                marks.box(x, y, wide, max(0.8, thick - 0.4), colour, data_event=str(event))
        y += thick


def _frame(face: Vectors, width: float, height: float) -> None:
    """Draw the edge of a face, and over it what takes the pointer."""
    face.group(data_part="over")
    face.box(0, 0, width, height, "none", stroke=theme.INK, stroke_width="0.8", pointer_events="all", data_part="hit")


def _names(inner: Vectors, box: Box, sheet: CubeSheet, size: float) -> None:
    """Write the layers left of the front, and the classes along the slanted edge of the top, so many that none meet."""
    group = inner.group(data_part="layers")
    every = math.ceil(size / box.row)
    for row, name in enumerate(sheet.layer_names):
        if row % every == 0:
            shown = fitted(name, (box.left - 16) * SIZE / size, from_end=True)
            group.words(-6, (row + 0.5) * box.row + 4, shown, theme.INK, "end", font_size=short(size))
    group = inner.group(data_part="classes")
    every = math.ceil(size / (box.unit * DEPTH[1]))
    lacking = [max(0.0, size - (k + 0.5) * box.unit * DEPTH[1] - box.row / 2) for k in range(box.classes)]
    first = next((k for k, one in enumerate(lacking) if one <= MOST_LIFT), 0)  # above the name of the first layer
    for place, row in enumerate(sheet.grid.rows):
        middle = (place + 0.5) * box.unit
        if place >= first and (place - first) % every == 0:
            x, y = DEPTH[0] * middle - 9, -DEPTH[1] * middle + 4 - lacking[first]
            room = box.left + DEPTH[0] * middle - 13
            more = {"data_depth": short(middle), "font_size": short(size)}
            group.words(x, y, sheet.grid.names[row], theme.INK, "end", room, **more)


def _key(drawing: Vectors, width: int, sheet: CubeSheet) -> None:
    """Write what the shades stand for, above the cube at the right."""
    lines = (
        (theme.ERROR_STOPS, as_groups("error of a class: 0 to 100 %", sheet.grid.judging)),
        (theme.USUAL_STOPS, f"{sheet.quantity}: a tenth of the usual to ten times"),
    )
    pitch, size = (4.0, 11) if width == WIDE else (2.0, 10)
    left = width - 24 - 20 * pitch
    for place, (stops, words) in enumerate(lines):
        for step in range(20):
            drawing.box(left + pitch * step, 4 + 16 * place, pitch + 0.2, 9, colour_of(stops, step / 19))
        drawing.words(left - 6, 13 + 16 * place, words, theme.MUTED, "end", font_size=str(size))


def _events(sheet: CubeSheet) -> list[tuple[int, int]]:
    """Return the events of the rows that are shown, with their iterations."""
    grid = sheet.grid.grid
    return [(event, grid.found.events[event].iteration) for row in sheet.grid.rows for event in grid.rows[row].events]


def _time(iteration: float, cube: Cube, box: Box) -> float:
    return (iteration + 0.5 - cube.request.axis.first) / cube.request.axis.span * box.width


def _tick_step(span: float, most: int) -> int:
    power = 10 ** int(np.floor(np.log10(max(1.0, span / most))))
    return int(next(power * step for step in (1, 2, 5, 10) if span / (power * step) <= most))


def _data(box: Box, sheet: CubeSheet) -> str:
    """Return what the script needs, as JSON."""
    grid, axis = sheet.grid.grid, sheet.cube.request.axis
    events, touched = [], grid.touched
    for event, at in _events(sheet):
        row = sheet.grid.rows.index(int(grid.row_of[event]))
        layers = {
            str(layer): int(grid.filters[event, list(group)].sum())
            for layer, group in enumerate(sheet.cube.layer_groups)
            if touched[event, list(group)].any()
        }
        events.append({"event": event, "at": at, "row": row, "layers": layers})
    return json.dumps(
        {
            "left": box.left,
            "width": box.width,
            "row": box.row,
            "unit": box.unit,
            "first": axis.first,
            "stop": axis.stop,
            "columns": axis.columns,
            "flat": {name: list(matrix) for name, matrix in box.faces(1).items()},
            "oblique": {name: list(matrix) for name, matrix in box.faces(0).items()},
            "rows": [sheet.grid.names[row] for row in sheet.grid.rows],
            "layers": sheet.layer_names,
            "events": events,
            "quantity": sheet.quantity,
            "errors": _palette(theme.ERROR_STOPS),
            "usual": _palette(theme.USUAL_STOPS),
        },
        separators=(",", ":"),
    )


def _palette(stops: tuple[str, ...]) -> list[int]:
    return [int(r) << 16 | int(g) << 8 | int(b) for r, g, b in ramp(stops, LEVELS)]
