"""Divides the cube's pane between its three faces and its words."""

from __future__ import annotations

from enum import IntEnum

from dtui.dataclass_on_use import dataclass
from dtui.model.cube import Cube
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.grid.cells import LayerColumns, first_line, layer_columns

LEAST_WIDTH = 110
"""Columns of the screen under which the faces are tabs."""
WORDS = 4
"""Rows of words below a tab."""
TALL, TALLEST = 3, 6
"""Most terminal rows of a class: as far as there is room, and where there are more than all else fills."""
TALLEST_LAYER = 3
WORDS_BESIDE = 12
"""Rows that taller classes leave for the words below classes × layers."""


class Face(IntEnum):
    """A face of the cube."""

    CLASSES = 0
    LAYERS = 1
    GRID = 2


@dataclass(frozen=True, slots=True)
class CubePlace:
    """Where the faces stand.

    Attributes:
        first: First row of the grid that is shown.
        classes: Number of rows of classes, 0 where they are not shown.
        tall: Terminal rows of each.
        top: Terminal row of the first of them.
        layer_top: Terminal row of the first row of layers.
        layers: Terminal rows of all layers, 0 where they are not shown.
        layer_tall: Terminal rows of each, where each has at least one.
        columns: Where the layers stand beside the classes; None where they do not.
        words: x, y, width and height of the words.
    """

    first: int
    classes: int
    tall: int
    top: int
    layer_top: int
    layers: int
    columns: LayerColumns | None
    words: tuple[int, int, int, int]
    layer_tall: int = 1

    @property
    def bottom(self) -> int:
        """Terminal row after the last row of classes."""
        return self.top + self.classes * self.tall

    def row_at(self, y: int) -> int | None:
        """Return the row of the grid at a terminal row; None where there is none."""
        return self.first + (y - self.top) // self.tall if self.top <= y < self.bottom else None

    def layer_row_at(self, y: int, groups: int) -> int | None:
        """Return the row of layers at a terminal row, the first of those that share it; None where there is none."""
        if not self.layer_top <= y < self.layer_top + self.layers:
            return None
        return min(groups - 1, (y - self.layer_top) * groups // self.layers)


def beside(width: int, layers: int) -> int:
    """Return the columns of classes × layers beside the faces with time; 0 where the faces are tabs."""
    return 0 if width < LEAST_WIDTH else max(width * 3 // 10, min(2 * layers + 4, width * 2 // 5))


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


def cube_place(cube: Cube, row: int, tab: Face | None, frame: Frame) -> CubePlace:
    """Return where everything stands in a pane.

    Args:
        cube: What is shown.
        row: The picked row.
        tab: The face that is shown alone; None for all three.
        frame: Size of the pane.
    """
    height, is_tabs = frame.height, tab is not None
    rows, layers = len(cube.grid.rows), cube.grid.counts.shape[1]
    classes, room = (
        _class_room(height, rows, is_tabs=is_tabs),
        _layer_room(height, rows, is_tabs=is_tabs),
    )
    first = first_line(rows, classes, row)
    groups = len(cube.layer_groups)
    for_layers = room if is_tabs else height - 3 - classes * TALL
    layer_tall = max(1, min(TALLEST_LAYER, for_layers // max(1, groups)))
    lines = min(room, groups * layer_tall)
    for_classes = (height - WORDS - 3) // classes if is_tabs else (height - 3 - lines) // classes
    most = TALL if is_tabs else max(TALL, min(TALLEST, (height - 4 - WORDS_BESIDE) // classes))
    tall = max(1, min(most, for_classes))
    if is_tabs:
        face, words = tab, (2, height - WORDS, frame.width - 4, WORDS)
        if face is Face.LAYERS:
            return CubePlace(first, 0, 1, 2, 1, lines, None, words, layer_tall)
        columns = layer_columns(layers, frame.gutter, frame.plot_width - 1) if face is Face.GRID else None
        return CubePlace(first, classes, tall, 2, 0, 0, columns, words)
    left = frame.gutter + frame.plot_width + 2
    columns = layer_columns(layers, left, frame.right - 3)
    below = 2 + classes * tall + 2
    words = (left, below, frame.right - 3, height - below)
    return CubePlace(first, classes, tall, 2, 3 + classes * tall, lines, columns, words, layer_tall)
