"""The cube pane: classes × time, layers × time and classes × layers, with what belongs to the pick lit in all three."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.model import TimeAxis
from dtui.model.cube import Cube as Faces
from dtui.model.cube import CubeRequest, IncidentGrid, Pick
from dtui.model.judging import as_groups
from dtui.query import RunQuery
from dtui.query.relations.cube import light
from dtui.safe_text import safe
from dtui.tui.panes.grid import (
    CellQuestion,
    GridOptions,
    GridPane,
    GridQuestion,
    layer_names,
    moving_layers,
    with_layer,
    with_row,
)
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.cube import TITLE, CubePicture
from dtui.tui.renderables.parts.grid.places import Face, beside, layer_rows
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.state.actions import BarItem
from dtui.tui.state.key_steps import cycling, next_of
from dtui.tui.state.navigate import cursor_to_column, move_columns, move_records, shown
from dtui.tui.state.numbers import Numbers, over_time
from dtui.tui.state.pane import Scene, Step
from dtui.tui.state.questions import Question
from dtui.tui.state.run_view import axis_limits
from dtui.tui.state.selection import Selection

AROUND = 20
"""Records on either side of an incident in the window around it."""
QUANTITIES = (
    ("norm2", "updates", "norm of updates"),
    ("norm2", "gradients", "norm of gradients"),
    ("norm2", "weights", "norm of weights"),
    ("std", "weights", "standard deviation of weights"),
    ("mean", "weights", "size of the mean weight"),
)
"""What layers × time can show, against the usual."""
ACROSS = ("column_left", "column_right")
CELL, ROW, LAYER, TIME = "cell", "row", "layer", "time"


@dataclass(frozen=True, slots=True)
class CubeOptions:
    """The choices of this pane.

    Attributes:
        face: The face with the keyboard.
        pick: What is picked: a row, a layer, an iteration, or a cell of the face.
        quantity: Place in QUANTITIES.
    """

    face: Face = Face.CLASSES
    pick: str = CELL
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class CubeQuestion(Question[Faces]):
    """The three faces."""

    request: CubeRequest
    grid: GridQuestion
    about = "cube"

    def prepare(self, query: RunQuery, seconds: float) -> bool:
        """Look for incidents."""
        return query.prepare_incidents(seconds)

    def ask(self, query: RunQuery) -> Faces:
        """Return them."""
        return query.cube(self.request, self.grid.choice)


class CubeNowQuestion(CubeQuestion):
    """The exact values at the cursor: the axis is one column of one iteration."""

    about = "cube at the cursor"


class Cube(GridPane):
    """Three faces in one pane; Tab goes from one to the next, and the keys move in the one with the keyboard."""

    name = "faces"
    title = TITLE
    bar = (
        (("pane",), "face"),
        (("mark",), "row or cell"),
        (("other_view",), "around"),
        (("fold_toggle",), "go there"),
        (("statistic",), "statistic"),
        (("sort",), "sort"),
        (ACROSS, "cursor"),
    )

    @property
    def steps(self) -> Mapping[str, Step]:
        """Move in the face with the keyboard, and step through what is shown."""
        return {
            **super().steps,
            "pane": _next_face,
            "column_left": partial(self._across, by=-1),
            "column_right": partial(self._across, by=1),
            "column_left_ten": partial(self._across, by=-10),
            "column_right_ten": partial(self._across, by=10),
            "record_before": partial(_in_time, step=partial(move_records, by=-1)),
            "record_after": partial(_in_time, step=partial(move_records, by=1)),
            "other_view": _around,
            "statistic": cycling(CubeOptions, "quantity", tuple(range(len(QUANTITIES)))),
            "statistic_back": cycling(CubeOptions, "quantity", tuple(range(len(QUANTITIES))), -1),
        }

    def keys(self, scene: Scene) -> Sequence[BarItem]:
        """Return them; across classes × layers are the layers."""
        is_grid = scene.selection.get(CubeOptions).face is Face.GRID
        return [(ids, "layer" if ids == ACROSS and is_grid else words) for ids, words in super().keys(scene)]

    # --- what it shows

    def beside(self, scene: Scene) -> int:
        """Return the columns of classes × layers."""
        return beside(scene.size[0], len(layer_names(scene)))

    def grid(self, scene: Scene) -> IncidentGrid | None:
        """Return the grid of the faces at hand; before them, that of the question."""
        cube = scene.answers.get(CubeQuestion)
        return super().grid(scene) if cube is None else cube.grid

    def wanted(self, scene: Scene) -> Iterator[Question[Any]]:
        """Ask for the grid, the picked cell, and the faces."""
        yield from super().wanted(scene)
        grid = self.grid(scene)
        if not self.height(scene) or grid is None or not grid.rows:
            return
        statistic, source, _ = QUANTITIES[scene.selection.get(CubeOptions).quantity]
        rows = layer_rows(self.height(scene), len(grid.rows), grid.counts.shape[1], is_tabs=_is_tabs(scene))
        order = scene.selection.get(GridOptions).order
        request = CubeRequest(scene.axis, statistic, source, len(grid.rows), rows, grid.counts.shape[1], order)
        yield CubeQuestion(request, self.question(scene))
        moment = TimeAxis(scene.selection.cursor, scene.selection.cursor + 1, 1)
        yield CubeNowQuestion(replace(request, axis=moment), self.question(scene))

    def picture(self, scene: Scene) -> Picture:
        """Return the faces at hand, or why there are none."""
        cube = scene.answers.get(CubeQuestion)
        if cube is None or not cube.grid.rows:
            return self.nothing(scene)
        grid = cube.grid
        options, picked = scene.selection.get(CubeOptions), (self.grid_row(scene), self.layer(scene))
        look, pick = self.look(scene, grid), self.pick(scene)
        said, lit = _said(scene, look.names, look.layers, pick), light(grid, pick)
        if pick.span is not None and not lit.events.any():  # what belongs to its class or layer, or all of it
            said, lit = f"{said}: no incident here", light(grid, replace(pick, span=None))
        return CubePicture(
            cube,
            look,
            lit,
            options.face,
            picked,
            said,
            QUANTITIES[options.quantity][2],
            scene.answers.get(CellQuestion),
            _is_tabs(scene),
            scene.view.info.judging,
            scene.answers.get(CubeNowQuestion),
        )

    def pick(self, scene: Scene) -> Pick:
        """Return what is picked, of the kind that the last key or press picked."""
        options, row, layer = scene.selection.get(CubeOptions), self.grid_row(scene), self.layer(scene)
        column = scene.axis.column_of(scene.selection.cursor)
        first = scene.axis.first + column * scene.axis.column_span
        span = (min(first, scene.selection.cursor), max(first + scene.axis.column_span, scene.selection.cursor + 1.0))
        if options.pick == ROW:
            return Pick(row=row)
        if options.pick == LAYER:
            return Pick(layer=layer)
        if options.pick == TIME:
            return Pick(span=span)
        return {
            Face.CLASSES: Pick(row=row, span=span),
            Face.LAYERS: Pick(layer=layer, span=span),
            Face.GRID: Pick(row=row, layer=layer),
        }[options.face]

    # --- its rows: those of the face with the keyboard

    def rows(self, scene: Scene) -> int:
        """Return the rows of the face."""
        if scene.selection.get(CubeOptions).face is Face.LAYERS:
            cube = scene.answers.get(CubeQuestion)
            return 0 if cube is None else cube.grid.counts.shape[1]
        return super().rows(scene)

    def row(self, scene: Scene) -> int:
        """Return the picked row of the face."""
        is_layer = scene.selection.get(CubeOptions).face is Face.LAYERS
        return self.layer(scene) if is_layer else self.grid_row(scene)

    def select(self, scene: Scene, row: int) -> Selection:
        """Return the selection on a class or layer, which becomes the pick."""
        face, grid = scene.selection.get(CubeOptions).face, self.grid(scene)
        if grid is None or not grid.rows:
            return scene.selection
        if face is Face.LAYERS:
            return _picking(with_layer(scene, row), LAYER)
        if face is Face.GRID:
            return _picking(self.picked(scene, row, self.layer(scene)), CELL)
        return _picking(with_row(scene.selection, grid, row), ROW)

    def page(self, scene: Scene) -> int:
        """Return half of the pane."""
        return max(1, self.height(scene) // 4)

    def mark(self, scene: Scene) -> Selection:
        """Pick the cell in place of its row or column; then the row, and the column."""
        face = scene.selection.get(CubeOptions).face
        kinds = {Face.CLASSES: (CELL, ROW, TIME), Face.LAYERS: (CELL, LAYER, TIME), Face.GRID: (CELL, ROW, LAYER)}[face]
        return _picking(scene.selection, next_of(kinds, scene.selection.get(CubeOptions).pick))

    def _across(self, scene: Scene, by: int) -> Selection:
        """Move across the face: in time, or over layers."""
        if scene.selection.get(CubeOptions).face is Face.GRID:
            return _picking(moving_layers(self, by)(scene), CELL)
        return _picking(move_columns(scene, by), TIME)

    def press(self, scene: Scene, frame: Frame, x: int, y: int) -> Selection | None:
        """Pick the pressed cell, or on the gutter its row, and give its face the keyboard."""
        scene, grid = scene.at(scene.with_pane(self)), self.grid(scene)
        picture = self.picture(scene)
        if grid is None or not isinstance(picture, CubePicture):
            return scene.selection
        place = picture.place(frame)
        row, layers = place.row_at(y), place.layer_row_at(y, len(picture.cube.layer_groups))
        layer = place.columns.layer_at(x) if place.columns is not None else None
        if row is not None and layer is not None:
            return _on_face(self.picked(scene, row, layer), Face.GRID, CELL)
        is_time = frame.gutter <= x < frame.gutter + frame.plot_width
        if row is not None and (is_time or x < frame.gutter):
            scene = scene.at(with_row(scene.selection, grid, row))
            there = cursor_to_column(scene, x - frame.gutter) if is_time else scene.selection
            return _on_face(
                there,
                Face.CLASSES if place.columns is None or not _is_tabs(scene) else Face.GRID,
                CELL if is_time else ROW,
            )
        if layers is not None and (is_time or x < frame.gutter):
            scene = scene.at(with_layer(scene, picture.cube.layer_groups[layers][0]))
            there = cursor_to_column(scene, x - frame.gutter) if is_time else scene.selection
            return _on_face(there, Face.LAYERS, CELL if is_time else LAYER)
        return scene.selection

    def numbers(self, scene: Scene) -> Numbers | None:
        """Return the face with the keyboard: errors of classes, values of layers, or anomaly filters."""
        cube, options = scene.answers.get(CubeQuestion), scene.selection.get(CubeOptions)
        if cube is None or not cube.grid.rows or options.face is Face.GRID:
            return super().numbers(scene)
        look, axis = self.look(scene, cube.grid), cube.request.axis
        if options.face is Face.CLASSES:
            what = as_groups("error, share of wrong images", scene.view.info.judging)
            return over_time(what, axis, look.names, list(cube.errors))
        layers = [look.layers[group[0]] for group in cube.layer_groups]
        return over_time(QUANTITIES[options.quantity][2], axis, layers, list(cube.values))

    def choices(self, scene: Scene) -> Iterator[tuple[str, str, Step]]:
        """Offer what layers × time can show, and the orders of the classes."""
        yield from super().choices(scene)
        for place, (_, _, words) in enumerate(QUANTITIES):
            step = cycling(CubeOptions, "quantity", (place,))
            yield f"cube: {words}", "Show it of the layers, against its usual.", step

    def said(self, before: Selection, scene: Scene) -> str:
        """Say which statistic and which time are shown."""
        old, new = before.get(CubeOptions), scene.selection.get(CubeOptions)
        if old.quantity != new.quantity:
            return f"layers × time: {QUANTITIES[new.quantity][2]} against its usual"
        return ""


def _is_tabs(scene: Scene) -> bool:
    return beside(scene.size[0], 0) == 0


def _picking(selection: Selection, pick: str) -> Selection:
    return selection.put(replace(selection.get(CubeOptions), pick=pick))


def _on_face(selection: Selection, face: Face, pick: str) -> Selection:
    return selection.put(replace(selection.get(CubeOptions), face=face, pick=pick))


def _next_face(scene: Scene) -> Selection:
    """Give the next face the keyboard; the pick stays, as far as the face can hold it."""
    options = scene.selection.get(CubeOptions)
    return scene.selection.put(replace(options, face=Face((options.face + 1) % len(Face))))


def _in_time(scene: Scene, step: Step) -> Selection:
    return _picking(step(scene), TIME)


def _around(scene: Scene) -> Selection:
    """Show the time around the selected incident, or else the crosshair; or the whole run again."""
    selection, view = scene.selection, scene.view
    if selection.window is not None:
        return selection.changed(window=None)
    entry = view.find_entry(selection.entry)
    first, last = (
        (selection.cursor,) * 2 if entry is None or not entry.is_at(selection.cursor) else (entry.iteration, entry.last)
    )
    low, high = axis_limits(view)
    room = AROUND * max(1, view.metadata.every)
    begin, stop = max(low, first - room), min(high, last + room)
    return selection if begin <= low and stop >= high else shown(selection.changed(window=(begin, stop)), scene)


def _said(scene: Scene, names: tuple[str, ...], layers: tuple[str, ...], pick: Pick) -> str:
    """Return in words what is picked."""
    parts = [] if pick.row is None else [names[pick.row]]
    parts += [] if pick.layer is None else [safe(layers[pick.layer], 40)]
    said = [" × ".join(parts)] if parts else []
    said += [] if pick.span is None else [f"at {scene.selection.cursor:,}"]
    return " ".join(("picked:", *said))
