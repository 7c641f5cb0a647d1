"""The correlation and the cube over an invented grid, drawn in one call."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dtui.model import ImageVerdict, Layer, TimeAxis
from dtui.model.cube import CellCourses, CubeRequest, Pick
from dtui.model.layers import FilterCourse
from dtui.query.relations.cube import light
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.correlation import CorrelationPicture, GridLook
from dtui.tui.renderables.panes.cube import CubePicture
from dtui.tui.renderables.panes.layers.cell_course import CellCoursePicture
from dtui.tui.renderables.parts.grid.cells import row_words
from dtui.tui.renderables.parts.grid.places import Face
from tests import grids

LAYERS = tuple(Layer(k, f"stage{k // 4}.conv{k % 4}", "Conv2d", (12, 3, 3, 3), 12 * k) for k in range(9))
INCIDENTS = grids.incidents((100, 200, 300, 450, 620, 800), 3, LAYERS)
GRID = grids.grid(INCIDENTS, LAYERS)
CLASSES = ("cat", "dog", "3")


def look_of(
    name: str = "stage0.conv0", classes: tuple[str, ...] = CLASSES, sentences: tuple[str, ...] = ()
) -> GridLook:
    layers = (name, *(layer.name for layer in LAYERS[1:]))
    names = tuple(row_words(row, classes) for row in GRID.rows)
    return GridLook(names, layers, "10 filters of largest update ratio", sentences)


def correlation(picked=(0, 0), *, is_detailed=False, least=1, look=None, with_cell=True) -> CorrelationPicture:
    cell = grids.cell(GRID, *picked) if with_cell else None
    return CorrelationPicture(GRID, look or look_of(), picked, is_detailed, least, cell)


def cell_course(
    name: str = "stage0.conv0", fill: float | None = None, images: tuple[ImageVerdict, ...] = ()
) -> CellCoursePicture:
    axis = TimeAxis(0, 1000, 50)
    line = np.linspace(0.001, 1, 50) if fill is None else np.full(50, fill)
    moved = [FilterCourse("update_ratio", line, line / 2, line / 4, line * 2, np.full(50, at)) for at in (1, 2)]
    none = np.full(50, np.nan)
    error = FilterCourse("error", line, line / 2, none, none, np.zeros(50, np.int64))
    found = CellCourses(axis, 0, 0, (4, 17), error, tuple(moved), 64)
    return CellCoursePicture("Over time", (f"class cat × {safe(name)}",), (name, "dog"), found, images)


def cube(
    face: Face = Face.CLASSES,
    pick: Pick | None = None,
    *,
    picked=(0, 0),
    is_tabs=False,
    axis: TimeAxis | None = None,
    layer_rows=40,
    fill: float | None = None,
    look: GridLook | None = None,
) -> CubePicture:
    made = grids.cube(GRID, CubeRequest(axis or TimeAxis(0, 1000, 60), class_rows=99, layer_rows=layer_rows))
    if fill is not None:
        made = replace(made, errors=made.errors * 0 + fill, shades=made.shades * 0 + fill)
    lit = light(GRID, Pick() if pick is None else pick)
    cell = grids.cell(GRID, *picked)
    return CubePicture(made, look or look_of(), lit, face, picked, "picked: cat", "norm of updates", cell, is_tabs)


def draw_correlation(where: Frame, name: str, cursor: int | None, *, is_detailed: bool) -> Cells:
    look = look_of(name, (name, name, name), (name,))
    return correlation((1, 0), is_detailed=is_detailed, look=look).draw(where, cursor)


def draw_cube(where: Frame, name: str, fill: float | None, cursor: int | None, tab: Face | None) -> Cells:
    look = look_of(name, (name, name, name), (name,))
    if tab is None:
        where = replace(where, right=min(40, max(0, where.width - where.gutter - 4)))
    with np.errstate(invalid="ignore"):
        picture = cube(tab or Face.CLASSES, Pick(row=1), picked=(1, 0), is_tabs=tab is not None, fill=fill, look=look)
    return picture.draw(where, cursor)
