"""Draws the cube unfolded: classes × time above layers × time, and classes × layers at the right; or one as a tab."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from dtui.model import FloatArray
from dtui.model.cube import Cube, GridCell, Lit, any_of, group_of
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.palettes import band_colours, interpolate, ramp
from dtui.tui.renderables.canvas.primitives import paint_pixels, quantise, resample
from dtui.tui.renderables.panes.correlation import GridLook
from dtui.tui.renderables.parts.chrome import draw_header, select_gutter, write_value
from dtui.tui.renderables.parts.grid_parts import (
    NAMED,
    LayerColumns,
    cell_lines,
    count_steps,
    draw_brackets,
    draw_lines,
    draw_pointer,
    fade,
    first_line,
    layer_columns,
    paint_cell,
    paint_pick,
)
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Cube"
LEAST_WIDTH = 110
"""Columns of the screen under which the faces are tabs."""
TABS = ("classes × time", "layers × time", "classes × layers")
WORDS = 4
"""Rows of words below a tab."""
READOUT = 7
SHADES = 15


class Face(IntEnum):
    """A face of the cube."""

    CLASSES = 0
    LAYERS = 1
    GRID = 2


@dataclass(frozen=True, slots=True)
class CubePicture(Picture):
    """Three faces, with what belongs to the pick in its colours and the rest faded.

    Attributes:
        cube: On the axis of the screen; another one until the new answer arrives.
        look: Names of rows and layers; what the layers' face shows is `quantity`.
        lit: What belongs to the pick.
        face: The face with the keyboard.
        picked: Row and layer.
        said: What is picked, in words, such as "class 4".
        quantity: What layers × time shows, such as "norm of updates".
        cell: The picked cell in detail; None while it loads.
        is_tabs: Whether only `face` is shown.
    """

    cube: Cube
    look: GridLook
    lit: Lit
    face: Face
    picked: tuple[int, int]
    said: str
    quantity: str
    cell: GridCell | None = None
    is_tabs: bool = False
    is_all_readout = True

    @property
    def crosshair(self) -> float:  # type: ignore[override]
        """Where there is a face with time."""
        return 0.0 if self.is_tabs and self.face is Face.GRID else 0.17

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the faces, and the pick in words."""
        cells, place = Cells(frame.width, frame.height, frame.theme), cube_place(self, frame)
        if frame.height < 4 or frame.plot_width < 4:
            draw_header(cells, frame, TITLE)
            return cells
        if place.classes:
            _draw_classes(cells, frame, self, place, iteration)
        if place.layers:
            _draw_layers(cells, frame, self, place, iteration)
        if place.columns is not None:
            _draw_grid(cells, frame, self, place, place.columns)
        _draw_header(cells, frame, self)
        x, y, width, height = place.words
        look, grid = self.look, self.cube.grid
        lines = cell_lines(grid, look.names, look.layers, self.picked, self.cell, look.sentences, height - 1)
        lines = (((self.said, "flag"),), *lines) if self.said else lines
        draw_lines(cells, frame, x, y, width, height, lines)
        return cells


@dataclass(frozen=True, slots=True)
class CubePlace:
    """Where the faces stand.

    Attributes:
        first: First row of the grid that is shown.
        classes: Number of rows of classes, 0 where they are not shown.
        top: Terminal row of the first of them.
        layer_top: Terminal row of the first row of layers.
        layers: Terminal rows of layers, 0 where they are not shown.
        columns: Where the layers stand beside the classes; None where they do not.
        words: x, y, width and height of the words.
    """

    first: int
    classes: int
    top: int
    layer_top: int
    layers: int
    columns: LayerColumns | None
    words: tuple[int, int, int, int]

    def row_at(self, y: int) -> int | None:
        """Return the row of the grid at a terminal row; None where there is none."""
        return self.first + y - self.top if self.top <= y < self.top + self.classes else None

    def layer_row_at(self, y: int, groups: int) -> int | None:
        """Return the row of layers at a terminal row, the first of those that share it; None where there is none."""
        if not self.layer_top <= y < self.layer_top + self.layers:
            return None
        return min(groups - 1, (y - self.layer_top) * groups // self.layers)


def beside(width: int) -> int:
    """Return the columns of classes × layers beside the faces with time; 0 where the faces are tabs."""
    return 0 if width < LEAST_WIDTH else max(30, width * 3 // 10)


def layer_rows(height: int, rows: int, layers: int, *, is_tabs: bool) -> int:
    """Return how many rows of layers a pane of a height shows: a terminal row each, or two where they do not fit."""
    room = _layer_room(height, rows, is_tabs=is_tabs)
    return layers if layers <= room else min(layers, 2 * room)


def _class_room(height: int, rows: int, *, is_tabs: bool) -> int:
    return min(rows, max(1, height - 2 - WORDS if is_tabs else (height - 3) * 2 // 5))


def _layer_room(height: int, rows: int, *, is_tabs: bool) -> int:
    if is_tabs:
        return max(1, height - 1 - WORDS)
    return max(1, height - 3 - _class_room(height, rows, is_tabs=False))


def cube_place(picture: CubePicture, frame: Frame) -> CubePlace:
    """Return where everything stands in a pane."""
    cube, height = picture.cube, frame.height
    rows, layers = len(cube.grid.rows), cube.grid.counts.shape[1]
    classes, room = (
        _class_room(height, rows, is_tabs=picture.is_tabs),
        _layer_room(height, rows, is_tabs=picture.is_tabs),
    )
    first = first_line(rows, classes, picture.picked[0])
    lines = min(room, len(cube.layer_groups) if len(cube.layer_groups) <= room else room)
    if picture.is_tabs:
        face, words = picture.face, (2, height - WORDS, frame.width - 4, WORDS)
        if face is Face.LAYERS:
            return CubePlace(first, 0, 2, 1, lines, None, words)
        columns = layer_columns(layers, frame.gutter, frame.plot_width - 1) if face is Face.GRID else None
        return CubePlace(first, classes, 2, 0, 0, columns, words)
    left = frame.gutter + frame.plot_width + 2
    columns = layer_columns(layers, left, frame.right - 3)
    below = 2 + classes + 2
    words = (left, below, frame.right - 3, height - below)
    return CubePlace(first, classes, 2, 3 + classes, lines, columns, words)


def _draw_header(cells: Cells, frame: Frame, picture: CubePicture) -> None:
    theme = frame.theme
    x = draw_header(cells, frame, TITLE) + 2
    if picture.is_tabs:
        for face, words in enumerate(TABS):
            ink, is_here = (theme.bright, True) if face == picture.face else (theme.faint, False)
            x = (
                cells.text(
                    x, 0, f"[{words}]" if is_here else f" {words} ", ink, bold=is_here, limit=max(0, frame.width - x)
                )
                + 1
            )


def _face_title(cells: Cells, frame: Frame, x: int, y: int, words: str, is_here: bool, limit: int) -> None:
    """Write the name of a face, with a bar before it if it has the keyboard."""
    theme = frame.theme
    ink = theme.bright if is_here and frame.focused else theme.muted
    if is_here and frame.focused and x > 1:
        cells.text(x - 2, y, "▌", theme.accent)
    cells.text(x, y, words, ink, bold=is_here, limit=max(0, limit))


def _draw_classes(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace, iteration: int | None) -> None:
    cube, theme, rows = picture.cube, frame.theme, range(place.first, place.first + place.classes)
    has_time = place.columns is None or not picture.is_tabs
    if has_time:
        if not picture.is_tabs:
            _face_title(cells, frame, frame.gutter + 2, 0, TABS[0], picture.face is Face.CLASSES, frame.plot_width - 2)
        _class_legend(cells, frame)
        axis = frame.axis.with_columns(frame.plot_width) if frame.axis is not None else cube.request.axis
        errors = resample(cube.errors, cube.request.axis, axis)[list(rows)]
        colours = ramp(theme, "error", frame.output)
        steps = quantise(errors, len(colours))
        paint_pixels(cells, frame.gutter, place.top, np.repeat(steps, 2, axis=0), colours, frame.output)
        if frame.output.has_pixels:  # a thin gap tells the rows apart
            area = (slice(place.top, place.top + place.classes), slice(frame.gutter, frame.gutter + frame.plot_width))
            cells.bg[area], cells.fg[area] = cells.fg[area], np.uint32(theme.panel)
            cells.ch[area] = np.where(steps >= 0, np.uint32(ord("▁")), np.uint32(32))
            cells.bg[area] = np.where(steps >= 0, cells.bg[area], np.uint32(theme.panel))
        lit_rows = picture.lit.rows[list(rows)]
        fade(cells, frame, place.top, frame.gutter, np.repeat(~lit_rows[:, None], frame.plot_width, axis=1))
        _mark_events(cells, frame, picture, place)
    _name_classes(cells, frame, picture, place, iteration, has_readout=has_time)


def _class_legend(cells: Cells, frame: Frame) -> None:
    colours = ramp(frame.theme, "error", frame.output)[:: max(1, len(ramp(frame.theme, "error", frame.output)) // 12)]
    end = frame.gutter + frame.plot_width
    words, high, length = "error 0", "100%", min(12, len(colours))
    x = end - length - text_width(words) - text_width(high) - 3
    if x <= frame.gutter or not frame.output.has_pixels:
        return
    x = cells.text(x, 1, words, frame.theme.faint) + 1
    cells.bg[1, x : x + length] = colours[:length]
    cells.text(x + length + 1, 1, high, frame.theme.faint)


def _mark_events(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace) -> None:
    """Draw the incidents on the strips of their rows."""
    grid, theme = picture.cube.grid, frame.theme
    for event, about in enumerate(grid.found.events):
        x, y = frame.column_of(about.iteration), int(grid.row_of[event]) - place.first
        if x is not None and 0 <= y < place.classes:
            is_lit = bool(picture.lit.events[event])
            cells.text(x, place.top + y, "▾", theme.flag if is_lit else theme.faint, bold=is_lit)
            cells.bg[place.top + y, x] = theme.panel


def _name_classes(
    cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace, iteration: int | None, *, has_readout: bool
) -> None:
    cube, theme = picture.cube, frame.theme
    column = frame.column_of(iteration) if has_readout else None
    axis = frame.axis.with_columns(frame.plot_width) if frame.axis is not None else cube.request.axis
    errors = resample(cube.errors, cube.request.axis, axis)
    for at, row in enumerate(range(place.first, place.first + place.classes)):
        y, is_lit = place.top + at, bool(picture.lit.rows[row])
        if row == picture.picked[0]:
            select_gutter(cells, frame, y)
        name, ink = picture.look.names[row], theme.text if is_lit else theme.faint
        if row == picture.picked[0]:
            ink = theme.bright
        room = frame.gutter - 3 - (READOUT if column is not None else 0)
        cells.text(2, y, name, ink, bold=is_lit, limit=max(4, room))
        if column is not None:
            error = float(errors[row, column - frame.gutter])
            shown = "·" if np.isnan(error) else f"{100 * error:.1f}%" if frame.gutter >= 26 else f"{100 * error:.0f}%"
            write_value(cells, frame.gutter - 2, y, shown, ink, room=min(READOUT, frame.gutter - 4 - text_width(name)))


def _draw_layers(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace, iteration: int | None) -> None:
    cube = picture.cube
    if not picture.is_tabs:
        x = frame.gutter + 2
        limit = frame.plot_width - 2
        _face_title(cells, frame, x, place.layer_top - 1, TABS[1], picture.face is Face.LAYERS, limit)
        after = x + text_width(TABS[1]) + 2
        _layer_legend(cells, frame, place.layer_top - 1, after, picture.quantity)
    axis = frame.axis.with_columns(frame.plot_width) if frame.axis is not None else cube.request.axis
    shades, groups = resample(cube.shades, cube.request.axis, axis), len(cube.layer_groups)
    pixels = np.arange(2 * place.layers) * groups // max(1, 2 * place.layers)
    colours = usual_colours(frame)
    steps = quantise((shades + 1) / 2, len(colours))[pixels]
    paint_pixels(cells, frame.gutter, place.layer_top, steps, colours, frame.output)
    lit = any_of(picture.lit.layers, cube.layer_groups)
    unlit_rows = ~lit[pixels].reshape(-1, 2).any(axis=1)
    fade(cells, frame, place.layer_top, frame.gutter, np.repeat(unlit_rows[:, None], frame.plot_width, axis=1))
    _mark_moved(cells, frame, picture, place)
    _name_layers(cells, frame, picture, place, shades, iteration)


def usual_colours(frame: Frame) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """Return the colours from a tenth of the usual over the usual, which is the panel's, to ten times."""
    positive, negative = band_colours(frame.theme, frame.output)
    stops = (*negative[::-1], frame.theme.line, *positive)
    return interpolate(stops, 2 * SHADES + 1)


def _layer_legend(cells: Cells, frame: Frame, y: int, left: int, quantity: str) -> None:
    colours = usual_colours(frame)[::2]
    end = frame.gutter + frame.plot_width
    for words in (f"{quantity} ÷10", "÷10"):
        high = "×10 of usual"
        x = end - len(colours) - text_width(words) - text_width(high) - 3
        if x > left and frame.output.has_pixels:
            x = cells.text(x, y, words, frame.theme.muted) + 1
            cells.bg[y, x : x + len(colours)] = colours
            cells.text(x + len(colours) + 1, y, high, frame.theme.muted)
            return
    cells.text(left, y, quantity, frame.theme.muted, limit=max(0, end - left))


def _mark_moved(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace) -> None:
    """Mark the layers that incidents moved: those that are lit stand out."""
    cube, theme = picture.cube, frame.theme
    grid, groups = cube.grid, len(cube.layer_groups)
    for event, about in enumerate(grid.found.events):
        x = frame.column_of(about.iteration)
        if x is None:
            continue
        for group, layers in enumerate(cube.layer_groups):
            if not grid.filters[event, list(layers)].any():
                continue
            y = place.layer_top + _line_of(group, groups, place.layers)
            is_lit = bool(picture.lit.events[event]) and bool(picture.lit.layers[list(layers)].any())
            if cells.ch[y, x] != ord(NAMED) or is_lit:
                cells.text(x, y, NAMED if is_lit else "·", theme.flag if is_lit else theme.muted, bold=is_lit)


def _line_of(group: int, groups: int, lines: int) -> int:
    """Return the terminal row, of so many, in which a row of layers begins."""
    return min(lines - 1, -(-group * 2 * lines // groups) // 2)


def _name_layers(
    cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace, shades: FloatArray, iteration: int | None
) -> None:
    """Write the name of the first layer of each terminal row; of the picked layer always its own."""
    cube, theme, groups = picture.cube, frame.theme, len(picture.cube.layer_groups)
    column, picked = frame.column_of(iteration), group_of(cube.layer_groups, picture.picked[1]) or 0
    lines: dict[int, int] = {}
    for group in range(groups):
        lines.setdefault(_line_of(group, groups, place.layers), group)
    lines[_line_of(picked, groups, place.layers)] = picked
    for line, group in lines.items():
        y, is_here = place.layer_top + line, group == picked
        if is_here:
            select_gutter(cells, frame, y)
        layer = picture.picked[1] if is_here else cube.layer_groups[group][0]
        is_lit = bool(picture.lit.layers[list(cube.layer_groups[group])].any())
        ink = theme.bright if is_here else theme.text if is_lit else theme.faint
        shade = np.nan if column is None else float(shades[group, column - frame.gutter])
        room = frame.gutter - 3 - (READOUT if np.isfinite(shade) else 0)
        name = safe(picture.look.layers[layer], 80)
        shown = name if text_width(name) <= room else "…" + name[len(name) - room + 1 :]
        cells.text(2, y, shown, ink, bold=is_lit)
        if np.isfinite(shade):
            write_value(cells, frame.gutter - 2, y, _times(shade), ink, room=READOUT - 1)


def _times(shade: float) -> str:
    """Return a shade as a factor, such as "×7.1" or "÷3.0"."""
    more = "+" if abs(shade) >= 1 else ""
    return f"{'×' if shade >= 0 else '÷'}{10 ** abs(shade):.2g}{more}"


def _draw_grid(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace, columns: LayerColumns) -> None:
    grid, theme = picture.cube.grid, frame.theme
    is_here = picture.face is Face.GRID
    if not picture.is_tabs:
        _face_title(cells, frame, columns.left, 0, TABS[2], is_here, frame.right - 2)
    layers = grid.counts.shape[1]
    draw_brackets(cells, frame, 1, picture.look.layers, columns.spans(layers))
    levels = len(ramp(theme, "correlation", frame.output))
    pooled = np.stack([grid.counts[:, list(group)].sum(axis=1) for group in columns.groups], axis=1)
    lit = np.stack([picture.lit.cells[:, list(group)].any(axis=1) for group in columns.groups], axis=1)
    steps = count_steps(pooled, int(pooled.max(initial=0)), levels)
    gap = 1 if columns.cell >= 3 else 0
    for at, row in enumerate(range(place.first, place.first + place.classes)):
        y = place.top + at
        for group, own in enumerate(columns.groups):
            x, count = columns.left + group * columns.cell, int(pooled[row, group])
            words = f"{count}" if count else "·"
            where = (x, y, columns.cell - gap, 1)
            paint_cell(
                cells,
                frame,
                where,
                int(steps[row, group]),
                words if columns.cell >= 2 else "",
                is_faded=not lit[row, group],
            )
            if not count:
                cells.fg[y, x : x + columns.cell] = theme.line
            if row == picture.picked[0] and picture.picked[1] in own:
                paint_pick(cells, frame, x, y, columns.cell - gap, f"{count}")
    x_picked, y = columns.x_of(picture.picked[1]), place.top + place.classes
    if x_picked is not None and y < cells.height:
        name = safe(picture.look.layers[picture.picked[1]], 60)
        draw_pointer(cells, frame, y, x_picked + (columns.cell - 1) // 2, name, cells.width - 1)
