"""Draws what the correlation and the cube share: shades of cells, brackets of modules, and a cell in words.

Owns the names of rows and the columns that layers take.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, IntArray
from dtui.model.cube import GridRow, IncidentGrid, RowKind, any_of, module_groups, neighbours, sum_of
from dtui.model.judging import Judging, as_groups
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, UintArray, shorten_left, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import CHANGED, POINTER
from dtui.tui.renderables.canvas.palettes import ramp, to_lab
from dtui.tui.renderables.canvas.primitives import blend_one, shade_glyphs, shading_colours

NAMED = CHANGED.glyph
"""Stands in a cell whose layer the incident itself names."""
WIDEST_CELL = 16
LONGEST_POINTED = 60
"""Columns of the name of a layer that is pointed at."""
FADE = 0.7
"""How far colours go towards the panel where nothing belongs to the pick."""


def row_words(row: GridRow, classes: Sequence[str], judging: Judging | None = None) -> str:
    """Return what a row is called, class or group; the name of a class comes from outside and is made harmless here."""
    if row.kind is RowKind.ALL:
        return as_groups("all classes", judging)
    if row.label is None:
        return as_groups("no class", judging)
    name = classes[row.label] if row.label < len(classes) else str(row.label)
    return f"{as_groups('class', judging)} {name}" if name.isdigit() else safe(name)


def ending_of(text: str, room: int) -> str:
    """Return a text cut at its beginning with an ellipsis, so that it takes at most `room` columns.

    Layers of one module differ at the end of their names.
    """
    if text_width(text) <= room:
        return text
    kept = ""
    for character in reversed(text):
        if text_width(character + kept) >= room:
            break
        kept = character + kept
    return f"…{kept}" if room > 0 else ""


@dataclass(frozen=True, slots=True)
class LayerColumns:
    """Where layers stand side by side.

    Attributes:
        left: First column.
        cell: Columns of each, >= 1.
        groups: Layers that share a column, where there are more than columns.
    """

    left: int
    cell: int
    groups: tuple[tuple[int, ...], ...]

    @property
    def width(self) -> int:
        """All columns."""
        return self.cell * len(self.groups)

    def spans(self, layers: int) -> list[tuple[int, int]]:
        """Return the first column and width of each layer; layers that share a column have the same."""
        at = {layer: place for place, group in enumerate(self.groups) for layer in group}
        return [(self.left + at[layer] * self.cell, self.cell) for layer in range(layers)]

    def x_of(self, layer: int) -> int | None:
        """Return the first column of a layer."""
        return next((self.left + at * self.cell for at, group in enumerate(self.groups) if layer in group), None)

    def layer_at(self, x: int) -> int | None:
        """Return the first layer that stands at a column; None where there is none."""
        at = (x - self.left) // self.cell
        return self.groups[at][0] if x >= self.left and at < len(self.groups) else None


def layer_columns(layers: int, left: int, width: int) -> LayerColumns:
    """Return the columns of some layers in a width: as wide as they fit, up to a limit."""
    groups = neighbours(layers, max(1, width))
    return LayerColumns(left, max(1, min(WIDEST_CELL, width // max(1, len(groups)))), groups)


def first_line(lines: int, room: int, at: int) -> int:
    """Return the first line that is shown so that line `at` is, near the middle where there are more than fit."""
    return max(0, min(at - room // 2, lines - room))


def count_steps(counts: IntArray, most: int, levels: int) -> IntArray:
    """Return the ramp step of counts, -1 for none; a single one is already told from none."""
    shares = 0.3 + 0.7 * (counts - 1) / max(1, most - 1)
    result: IntArray = np.where(counts > 0, np.minimum((shares * levels).astype(np.int64), levels - 1), -1)
    return result


@dataclass(frozen=True, eq=False, slots=True)
class CellsPlace:
    """Where the cells of the grid are drawn.

    Attributes:
        columns: Where the layers stand.
        top: Terminal row of the first line.
        tall: Terminal rows of a line, a blank one below each where there are 3.
        rows: Row of the grid of each line.
    """

    columns: LayerColumns
    top: int
    tall: int
    rows: Sequence[int]


def draw_cells(
    cells: Cells, frame: Frame, grid: IncidentGrid, place: CellsPlace, picked: tuple[int, int], lit: BoolArray | None
) -> None:
    """Draw counts as shades and numbers, and the picked cell as a badge.

    Args:
        cells: To draw into.
        frame: Theme and output.
        grid: The grid.
        place: Where the cells are drawn.
        picked: Row and layer.
        lit: What belongs to the pick, shape (R, L); None for everything.
    """
    columns, tall = place.columns, place.tall
    groups = columns.groups
    counts, named = sum_of(grid.counts, groups), any_of(grid.named, groups)
    shown = np.ones_like(named) if lit is None else any_of(lit, groups)
    steps = count_steps(counts, int(counts.max(initial=0)), len(ramp(frame.theme, "correlation", frame.output)))
    width, height = columns.cell - (1 if columns.cell >= 4 else 0), tall - (1 if tall >= 3 else 0)
    middle = (tall - 1) // 2
    if columns.cell >= 2:
        lines = slice(place.top + middle, place.top + len(place.rows) * tall, tall)
        dots = (lines, slice(columns.left + (width - 1) // 2, columns.left + columns.width, columns.cell))
        cells.ch[dots], cells.fg[dots] = ord("·"), frame.theme.line
    rows = np.array(place.rows, dtype=np.int64)
    for at, group in zip(*(where.tolist() for where in np.nonzero((counts > 0)[rows] | named[rows])), strict=True):
        row, x, y = place.rows[at], columns.left + group * columns.cell, place.top + at * tall
        words = cell_words(int(counts[row, group]), bool(named[row, group]), width)
        paint_cell(
            cells, frame, (x, y, width, height), int(steps[row, group]), words, middle, is_faded=not shown[row, group]
        )
    if picked[0] in place.rows and (left := columns.x_of(picked[1])) is not None:
        group, y = (left - columns.left) // columns.cell, place.top + place.rows.index(picked[0]) * tall
        count = int(counts[picked[0], group])
        words = cell_words(count, bool(named[picked[0], group]), width) or ("" if count else "0")
        paint_pick(cells, frame, (left, y, width, height), words, middle)


def cell_words(count: int, is_named: bool, width: int) -> str:
    """Return what stands in a cell: its count, and a mark if an incident names the layer; "" where there is no room."""
    if is_named:
        both = f"{count}{NAMED}"
        return both if count and width >= len(both) else NAMED
    return f"{count}" if count and width >= len(f"{count}") and width > 1 else ""


def paint_cell(
    cells: Cells,
    frame: Frame,
    place: tuple[int, int, int, int],
    step: int,
    words: str,
    line: int = 0,
    *,
    is_faded: bool = False,
) -> None:
    """Fill a cell with a step of the ramp and centre words in it.

    Args:
        cells: To paint into.
        frame: Theme and output.
        place: x, y, width and height.
        step: Of the "correlation" ramp, -1 for none.
        words: What stands in it where it has room; "" for nothing.
        line: In which of its rows.
        is_faded: Whether it does not belong to the pick.
    """
    x, y, width, height = place
    theme, colours = frame.theme, ramp(frame.theme, "correlation", frame.output)
    rows, columns = slice(y, min(y + height, cells.height)), slice(x, min(x + width, cells.width))
    ground = theme.panel
    if frame.output.has_pixels:
        ground = theme.panel if step < 0 else int(colours[step])
        ground = blend_one(ground, theme.panel, FADE) if is_faded else ground
        cells.ch[rows, columns], cells.bg[rows, columns] = 32, ground
    elif step >= 0:
        steps = np.full((1,), step, np.int64)
        cells.ch[rows, columns] = shade_glyphs(steps, len(colours), frame.output.ascii)[0]
        cells.fg[rows, columns] = shading_colours(steps, colours, frame.output)[0]
    if words and text_width(words) <= width:
        ink = theme.panel if _differ(ground, theme.panel) else theme.muted if is_faded else theme.bright
        cells.text(x + (width - text_width(words)) // 2, y + line, words, ink)


@lru_cache(maxsize=1_024)
def _differ(ground: int, panel: int) -> bool:
    """Whether words in the panel's colour can be read on a ground."""
    lightness = [float(to_lab(np.array(colour, np.uint32))[0]) for colour in (ground, panel)]
    return abs(lightness[0] - lightness[1]) > 45


def paint_pick(cells: Cells, frame: Frame, place: tuple[int, int, int, int], words: str, line: int = 0) -> None:
    """Paint the picked cell, at x, y of a width and height, as a badge with words in one of its rows."""
    x, y, width, height = place
    area = (slice(max(0, y), min(y + height, cells.height)), slice(x, min(x + width, cells.width)))
    cells.bg[area], cells.mark[area], cells.ch[area] = frame.theme.badge, 1, 32
    cells.text(x + (width - text_width(words)) // 2, y + line, words, frame.theme.badge_text, bold=True)


def draw_brackets(cells: Cells, frame: Frame, y: int, names: Sequence[str], spans: Sequence[tuple[int, int]]) -> None:
    """Draw the modules of neighbouring layers in one row above them.

    Args:
        cells: To draw into.
        frame: Theme.
        y: Row.
        names: Of the layers; data from outside.
        spans: First column and width of each.
    """
    place = 0
    for name, count in module_groups(tuple(names)):
        left, (last, wide) = spans[place][0], spans[place + count - 1]
        place, width = place + count, last + wide - left
        room = width if place == len(names) else width - 1  # a column between it and the next
        label = shorten_left(safe(name), max(1, room))
        if width >= text_width(label) + 4:
            cells.text(left, y, "╭" + "─" * (width - 2) + "╮", frame.theme.faint)
            label = f" {label} "
        elif text_width(label) > width or (count < 2 and text_width(label) < len(name)):
            cells.text(left, y, "╭" + "─" * max(0, width - 2) + "╮" if width > 1 else "╷", frame.theme.faint)
            continue
        cells.text(left + (width - text_width(label)) // 2, y, label, frame.theme.muted)


def draw_pointer(cells: Cells, frame: Frame, y: int, x: int, layer: str, bounds: tuple[int, int]) -> None:
    """Point at a column from below, with the name of the layer beside the arrow, at whichever side has room.

    Args:
        cells: To write on.
        frame: Theme.
        y: Row.
        x: The column.
        layer: Its name, which comes from outside; cut on the left where neither side has room.
        bounds: The first column that may be written on, and the one behind the last.
    """
    cells.text(x, y, POINTER.glyph, frame.theme.accent)
    name = safe(layer)
    before, behind = x - 1 - bounds[0], bounds[1] - x - 2
    is_behind = text_width(name) <= behind or behind >= before
    name = shorten_left(name, min(LONGEST_POINTED, max(0, behind if is_behind else before)))
    cells.text(x + 2 if is_behind else x - 1 - text_width(name), y, name, frame.theme.bright)


def fade(cells: Cells, frame: Frame, top: int, left: int, unlit: BoolArray) -> None:
    """Move the colours of some cells towards the panel.

    Args:
        cells: To change.
        frame: Theme and output; where there are few colours nothing changes.
        top: Row of the first cell.
        left: Column of the first cell.
        unlit: Shape (rows, columns).
    """
    if not frame.output.has_pixels:
        return
    area = (slice(top, top + unlit.shape[0]), slice(left, left + unlit.shape[1]))
    unlit = unlit[: cells.height - top, : cells.width - left]
    for array in (cells.fg, cells.bg):
        old = array[area]
        array[area] = np.where(unlit, _blend(old, frame.theme.panel, FADE), old)


def _blend(colours: UintArray, towards: int, strength: float) -> UintArray:
    mixed = np.zeros_like(colours)
    for shift in (16, 8, 0):
        old = (colours >> np.uint32(shift) & np.uint32(255)).astype(np.float64)
        new = np.rint(old + ((towards >> shift & 255) - old) * strength).astype(np.uint32)
        mixed |= new << np.uint32(shift)
    return mixed
