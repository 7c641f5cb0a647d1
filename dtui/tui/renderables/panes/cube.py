"""Draws the cube unfolded: classes × time above layers × time, and classes × layers at the right; or one as a tab."""

from __future__ import annotations

from dataclasses import field, replace

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, IntArray
from dtui.model.cube import Cube, GridCell, Lit, any_of, group_of
from dtui.model.judging import Judging, as_groups
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, UintArray, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import FELL
from dtui.tui.renderables.canvas.palettes import ramp
from dtui.tui.renderables.canvas.primitives import last_known, paint_pixels, quantise, resample
from dtui.tui.renderables.panes.correlation import GridLook
from dtui.tui.renderables.parts.chrome import draw_header, select_gutter, write_value
from dtui.tui.renderables.parts.grid.cells import (
    NAMED,
    CellsPlace,
    LayerColumns,
    draw_brackets,
    draw_cells,
    draw_pointer,
    ending_of,
    fade,
)
from dtui.tui.renderables.parts.grid.legends import class_legend, layer_legend, usual_colours
from dtui.tui.renderables.parts.grid.places import CubePlace, Face, cube_place
from dtui.tui.renderables.parts.grid.words import cell_lines, draw_lines
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Cube"
TABS = ("classes × time", "layers × time", "classes × layers")
READOUT = 7


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
        judging: What decides what is right; None where class scores do.
        now: The cube on an axis of one column and one iteration; used if that is the cursor.
    """

    cube: Cube
    look: GridLook
    lit: Lit
    face: Face
    picked: tuple[int, int]
    said: str = field(compare=False)
    quantity: str
    cell: GridCell | None = field(default=None, compare=False)
    is_tabs: bool = False
    judging: Judging | None = None
    now: Cube | None = field(default=None, compare=False)

    @property
    def readout_of(self) -> object:
        """The values at the cursor, and the words."""
        return self.now, self.cell, self.said

    def now_at(self, iteration: int | None) -> Cube | None:
        """Return the exact values, if they are those of an iteration and of the cube that is shown."""
        now, cube = self.now, self.cube
        if now is None or now.grid is not cube.grid or now.request.axis.first != iteration:
            return None
        return now if replace(now.request, axis=cube.request.axis) == cube.request else None

    @property
    def tabs(self) -> tuple[str, ...]:
        """What the faces are called."""
        return tuple(as_groups(words, self.judging) for words in TABS)

    @property
    def crosshair(self) -> float:  # type: ignore[override]
        """Where there is a face with time."""
        return 0.0 if self.is_tabs and self.face is Face.GRID else 0.17

    def place(self, frame: Frame) -> CubePlace:
        """Return where everything stands in a pane."""
        return cube_place(self.cube, self.picked[0], self.face if self.is_tabs else None, frame)

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the faces, and the pick in words."""
        cells, place = Cells(frame.width, frame.height, frame.theme), self.place(frame)
        if frame.height < 4 or frame.plot_width < 4:
            draw_header(cells, frame, TITLE)
            return cells
        if place.classes:
            _draw_classes(cells, frame, self, place)
        if place.layers:
            _draw_layers(cells, frame, self, place)
        if place.columns is not None:
            _draw_grid(cells, frame, self, place, place.columns)
        _draw_header(cells, frame, self)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the names with their values at the cursor, and the words; the faces stay."""
        if frame.height < 4 or frame.plot_width < 4:
            return
        place = self.place(frame)
        if place.classes:
            _clear(cells, 2, place.top, frame.gutter - 3, place.classes * place.tall)
            has_time = place.columns is None or not self.is_tabs
            _name_classes(cells, frame, self, place, iteration, has_readout=has_time)
        if place.layers:
            _clear(cells, 2, place.layer_top, frame.gutter - 3, place.layers)
            _name_layers(cells, frame, self, place, iteration)
        x, y, width, height = place.words
        _clear(cells, x, y, width, height)
        look, grid = self.look, self.cube.grid
        lines = cell_lines(grid, look.names, look.layers, self.picked, self.cell, look.sentences, (width, height - 1))
        lines = (((self.said, "flag"),), *lines) if self.said else lines
        draw_lines(cells, frame, x, y, width, height, lines)


def _clear(cells: Cells, x: int, y: int, width: int, height: int) -> None:
    """Blank a rectangle as it was before anything was written."""
    cells.clear(x, y, width, height)
    cells.fg[y : y + max(0, height), x : x + max(0, width)] = cells.theme.text


def _on_axis(cube: Cube, frame: Frame, values: FloatArray) -> FloatArray:
    """Return values of the cube, shape (rows, columns), over the columns of the pane; NaN before its axis is known."""
    if frame.axis is None:
        return np.full((len(values), frame.plot_width), np.nan)
    return resample(values, cube.request.axis, frame.axis.with_columns(frame.plot_width))


def _draw_header(cells: Cells, frame: Frame, picture: CubePicture) -> None:
    theme = frame.theme
    x = draw_header(cells, frame, TITLE) + 2
    if picture.is_tabs:
        for face, words in enumerate(picture.tabs):
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


def _draw_classes(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace) -> None:
    cube, rows = picture.cube, range(place.first, place.first + place.classes)
    has_time = place.columns is None or not picture.is_tabs
    if has_time:
        if not picture.is_tabs:
            _face_title(
                cells, frame, frame.gutter + 2, 0, picture.tabs[0], picture.face is Face.CLASSES, frame.plot_width - 2
            )
        class_legend(cells, frame)
        errors = _on_axis(cube, frame, cube.errors)[list(rows)]
        colours = ramp(frame.theme, "error", frame.output)
        steps = np.repeat(quantise(errors, len(colours)), place.tall, axis=0)
        if frame.axis is not None:
            _paint_strips(cells, frame, place, steps, colours)
        unlit = np.repeat(~picture.lit.rows[list(rows)], place.tall)
        fade(cells, frame, place.top, frame.gutter, np.repeat(unlit[:, None], frame.plot_width, axis=1))
        _mark_events(cells, frame, picture, place)


def _paint_strips(cells: Cells, frame: Frame, place: CubePlace, steps: IntArray, colours: UintArray) -> None:
    """Paint the strips of classes, shape (terminal rows, columns), with a thin gap below each."""
    if not frame.output.has_pixels:
        paint_pixels(cells, frame.gutter, place.top, np.repeat(steps, 2, axis=0), colours, frame.output)
        return
    area = (slice(place.top, place.bottom), slice(frame.gutter, frame.gutter + frame.plot_width))
    known, is_last = steps >= 0, np.arange(len(steps)) % place.tall == place.tall - 1
    cells.bg[area] = np.where(known, colours[np.maximum(steps, 0)], np.uint32(frame.theme.panel))
    cells.ch[area] = np.where(known & is_last[:, None], np.uint32(ord("▁")), np.uint32(32))
    cells.fg[area] = frame.theme.panel


def _mark_events(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace) -> None:
    """Draw the incidents on the strips of their rows."""
    grid, theme = picture.cube.grid, frame.theme
    for event, about in enumerate(grid.found.events):
        x, y = frame.column_of(about.iteration), int(grid.row_of[event]) - place.first
        if x is not None and 0 <= y < place.classes:
            is_lit = bool(picture.lit.events[event])
            at = min(cells.height - 1, place.top + y * place.tall + place.tall // 2)
            cells.text(x, at, FELL.glyph, theme.flag if is_lit else theme.faint, bold=is_lit)
            cells.bg[at, x] = theme.panel


def _name_classes(
    cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace, iteration: int | None, *, has_readout: bool
) -> None:
    cube, theme = picture.cube, frame.theme
    column = frame.column_of(iteration) if has_readout else None
    now = picture.now_at(iteration)
    errors = cube.errors if now is not None else _on_axis(cube, frame, cube.errors)
    for at, row in enumerate(range(place.first, place.first + place.classes)):
        top, is_lit = place.top + at * place.tall, bool(picture.lit.rows[row])
        y = top + (place.tall - 1) // 2
        if row == picture.picked[0]:
            select_gutter(cells, frame, top, place.tall)
        name, ink = picture.look.names[row], theme.text if is_lit else theme.muted
        if row == picture.picked[0]:
            ink = theme.bright
        room = frame.gutter - 3
        if column is not None:
            shown_at = last_known(errors[row : row + 1], column - frame.gutter) if now is None else now.errors[row]
            error, is_wide = float(shown_at[0]), frame.gutter >= 26
            shown = "·" if np.isnan(error) else f"{100 * error:.1f}%" if is_wide else f"{100 * error:.0f}%"
            write_value(cells, frame.gutter - (2 if is_wide else 1), y, shown, ink, room=len(shown))
            room -= READOUT if is_wide else len(shown) + 1
        cells.text(2, y, name, ink, bold=is_lit, limit=max(4, room))


def _draw_layers(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace) -> None:
    cube = picture.cube
    if not picture.is_tabs:
        x = frame.gutter + 2
        limit = frame.plot_width - 2
        _face_title(cells, frame, x, place.layer_top - 1, picture.tabs[1], picture.face is Face.LAYERS, limit)
        after = x + text_width(picture.tabs[1]) + 2
        layer_legend(cells, frame, place.layer_top - 1, after, picture.quantity)
    shades, groups = _on_axis(cube, frame, cube.shades), len(cube.layer_groups)
    pixels = np.arange(2 * place.layers) * groups // max(1, 2 * place.layers)
    colours = usual_colours(frame)
    steps = quantise((shades + 1) / 2, len(colours))[pixels]
    if frame.axis is not None:
        paint_pixels(cells, frame.gutter, place.layer_top, steps, colours, frame.output)
    lit = any_of(picture.lit.layers, cube.layer_groups)
    unlit_rows = ~np.any(lit[pixels].reshape(-1, 2), axis=1, keepdims=True)
    fade(cells, frame, place.layer_top, frame.gutter, np.repeat(unlit_rows, frame.plot_width, axis=1))
    _mark_moved(cells, frame, picture, place)


def _mark_moved(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace) -> None:
    """Mark the layers that incidents moved or name: those that are lit stand out."""
    cube, theme = picture.cube, frame.theme
    grid, groups = cube.grid, len(cube.layer_groups)
    moved = any_of(grid.touched, cube.layer_groups)
    lit = any_of(picture.lit.layers, cube.layer_groups)
    columns = [frame.column_of(about.iteration) for about in grid.found.events]
    for event, group in zip(*(places.tolist() for places in np.nonzero(moved)), strict=True):
        x, y = columns[event], place.layer_top + _line_of(group, groups, place.layers) + (place.layer_tall - 1) // 2
        if x is None or y >= cells.height:
            continue
        is_lit = bool(picture.lit.events[event] and lit[group])
        if cells.ch[y, x] != ord(NAMED) or is_lit:
            ground = theme.panel if is_lit else None
            cells.text(x, y, NAMED if is_lit else "·", theme.flag if is_lit else theme.muted, ground, bold=is_lit)


def _line_of(group: int, groups: int, lines: int) -> int:
    """Return the terminal row, of so many, in which a row of layers begins."""
    return min(lines - 1, -(-group * 2 * lines // groups) // 2)


def _name_layers(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace, iteration: int | None) -> None:
    """Write the name of the first layer of each terminal row; of the picked layer always its own."""
    cube, theme, groups = picture.cube, frame.theme, len(picture.cube.layer_groups)
    now, lit = picture.now_at(iteration), any_of(picture.lit.layers, cube.layer_groups)
    shades = cube.shades if now is not None else _on_axis(cube, frame, cube.shades)
    column, picked = frame.column_of(iteration), group_of(cube.layer_groups, picture.picked[1]) or 0
    lines: dict[int, int] = {}
    for group in range(groups):
        lines.setdefault(_line_of(group, groups, place.layers), group)
    lines[_line_of(picked, groups, place.layers)] = picked
    for line, group in lines.items():
        y, is_here = place.layer_top + line, group == picked
        if is_here:
            select_gutter(cells, frame, y, place.layer_tall)
        y += (place.layer_tall - 1) // 2
        layer = picture.picked[1] if is_here else cube.layer_groups[group][0]
        is_lit = bool(lit[group])
        ink = theme.bright if is_here else theme.text if is_lit else theme.muted
        shade = np.nan
        if column is not None:
            shade = float(shades[group, column - frame.gutter] if now is None else now.shades[group, 0])
        room = frame.gutter - 3 - (READOUT if np.isfinite(shade) else 0)
        name = safe(picture.look.layers[layer], 80)
        cells.text(2, y, ending_of(name, room), ink, bold=is_lit, limit=max(0, room))
        if np.isfinite(shade):
            write_value(cells, frame.gutter - 2, y, _times(shade), ink, room=READOUT - 1)


def _times(shade: float) -> str:
    """Return a shade as a factor, such as "×7.1" or "÷3.0"."""
    more, factor = "+" if abs(shade) >= 1 else "", f"{10 ** min(abs(shade), 1.0):.2g}"
    return f"{'×' if shade >= 0 or factor == '1' else '÷'}{factor}{more}"


def _draw_grid(cells: Cells, frame: Frame, picture: CubePicture, place: CubePlace, columns: LayerColumns) -> None:
    grid, is_here = picture.cube.grid, picture.face is Face.GRID
    if not picture.is_tabs:
        _face_title(cells, frame, columns.left, 0, picture.tabs[2], is_here, frame.right - 2)
    layers = grid.counts.shape[1]
    draw_brackets(cells, frame, 1, picture.look.layers, columns.spans(layers))
    rows = tuple(range(place.first, place.first + place.classes))
    draw_cells(cells, frame, grid, CellsPlace(columns, place.top, place.tall, rows), picture.picked, picture.lit.cells)
    x_picked = columns.x_of(picture.picked[1])
    y = place.bottom
    if x_picked is not None and y < cells.height:
        x, layer = x_picked + (columns.cell - 1) // 2, picture.look.layers[picture.picked[1]]
        draw_pointer(cells, frame, y, x, layer, (1 if picture.is_tabs else columns.left, cells.width - 1))
