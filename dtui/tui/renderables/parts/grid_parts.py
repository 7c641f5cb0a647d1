"""Draws what the correlation and the cube share: shades of cells, brackets of modules, and a cell in words.

Owns the names of rows and the columns that layers take.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dtui.model import BoolArray, IntArray
from dtui.model.cube import CellEvent, CellFilter, GridCell, GridRow, IncidentGrid, RowKind, module_groups, neighbours
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, UintArray, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.palettes import ramp, to_lab
from dtui.tui.renderables.canvas.primitives import blend_one, shade_glyphs, shading_colours
from dtui.tui.renderables.parts.chrome import number

NAMED = "◆"
"""Stands in a cell whose layer the incident itself names."""
WIDEST_CELL = 9
MOST_FILTERS = 12
MOST_OTHERS = 8
MOST_BLOCKS = 30
"""Of a bar: one for each σ."""
FADE = 0.7
"""How far colours go towards the panel where nothing belongs to the pick."""

Line = tuple[tuple[str, str], ...]
"""Words with the name of their colour in the theme, one after another."""


def row_words(row: GridRow, classes: Sequence[str]) -> str:
    """Return what a row is called; the name of a class comes from outside and is made harmless here."""
    if row.kind is RowKind.ALL:
        return "all classes"
    if row.label is None:
        return "no class"
    name = classes[row.label] if row.label < len(classes) else str(row.label)
    return f"class {name}" if name.isdigit() else safe(name)


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
    """Return the columns of some layers in a width: as wide as they fit, but not wider than a number needs."""
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


def paint_cell(
    cells: Cells, frame: Frame, place: tuple[int, int, int, int], step: int, words: str, *, is_faded: bool = False
) -> None:
    """Fill a cell with a step of the ramp and centre words in it.

    Args:
        cells: To paint into.
        frame: Theme and output.
        place: x, y, width and height.
        step: Of the "correlation" ramp, -1 for none.
        words: What stands in it where it has room; "" for nothing.
        is_faded: Whether it does not belong to the pick.
    """
    x, y, width, height = place
    theme, colours = frame.theme, ramp(frame.theme, "correlation", frame.output)
    rows, columns = slice(y, min(y + height, cells.height)), slice(x, min(x + width, cells.width))
    ground = int(theme.panel)
    if step >= 0 and frame.output.has_pixels:
        ground = int(colours[step]) if not is_faded else blend_one(int(colours[step]), theme.panel, FADE)
        cells.bg[rows, columns] = ground
    elif step >= 0:
        steps = np.full((1,), step, np.int64)
        cells.ch[rows, columns] = shade_glyphs(steps, len(colours), frame.output.ascii)[0]
        cells.fg[rows, columns] = shading_colours(steps, colours, frame.output)[0]
    if words and text_width(words) <= width:
        light = float(to_lab(np.array(ground, np.uint32))[0])
        panel_light = float(to_lab(np.array(theme.panel, np.uint32))[0])
        ink = theme.panel if abs(light - panel_light) > 45 and frame.output.has_pixels else theme.bright
        ink = blend_one(ink, theme.panel, FADE) if is_faded and ground == theme.panel else ink
        cells.text(x + (width - text_width(words)) // 2, y + (height - 1) // 2, words, ink)


def paint_pick(cells: Cells, frame: Frame, x: int, y: int, width: int, words: str) -> None:
    """Paint the picked cell as a badge."""
    for column in range(x, min(x + width, cells.width)):
        if 0 <= y < cells.height:
            cells.bg[y, column], cells.mark[y, column], cells.ch[y, column] = frame.theme.badge, 1, 32
    text = words if text_width(words) <= width else NAMED
    cells.text(x + (width - text_width(text)) // 2, y, text, frame.theme.badge_text, bold=True)


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
        label = safe(name, max(1, width))
        if width >= text_width(label) + 4:
            cells.text(left, y, "╭" + "─" * (width - 2) + "╮", frame.theme.faint)
            label = f" {label} "
        elif text_width(label) > width or (count < 2 and text_width(label) < len(name)):
            cells.text(left, y, "╭" + "─" * max(0, width - 2) + "╮" if width > 1 else "╷", frame.theme.faint)
            continue
        cells.text(left + (width - text_width(label)) // 2, y, label, frame.theme.muted)


def draw_pointer(cells: Cells, frame: Frame, y: int, x: int, words: str, stop: int) -> None:
    """Point at a column from below, with the name of the layer beside the arrow, at whichever side has room."""
    cells.text(x, y, "▲", frame.theme.accent)
    if x + 2 + text_width(words) <= stop:
        cells.text(x + 2, y, words, frame.theme.bright)
    else:
        cells.text(max(0, x - 1 - text_width(words)), y, words, frame.theme.bright)


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


# --- words
def cell_lines(
    grid: IncidentGrid,
    names: Sequence[str],
    layers: Sequence[str],
    picked: tuple[int, int],
    cell: GridCell | None,
    sentences: Sequence[str],
    room: int,
) -> tuple[Line, ...]:
    """Return a picked cell in words, the most important first.

    Args:
        grid: The grid.
        names: Of its rows, harmless.
        layers: Names of all layers; data from outside.
        picked: Row and layer.
        cell: The same in detail; None while it loads.
        sentences: What happened at the incidents of the row; data from outside.
        room: Terminal rows at hand: with many, each filter gets a line.
    """
    row, layer = picked
    count = int(grid.counts[row, layer])
    place = f"{names[row]} × {safe(layers[layer], 40)}"
    lines: list[Line] = []
    if not count:
        best = int(grid.counts[row].argmax())
        most = int(grid.counts[row, best])
        where = f"; most in {safe(layers[best], 40)}: {most}" if most else ""
        lines.append(((place, "bright"), (f"  none of the filters that changed most{where}", "muted")))
    else:
        events = len(grid.events_of(row, layer))
        what = f"{_counted(count, 'filter')} at {_counted(events, 'incident')}"
        lines.append(((place, "bright"), (f"  {what}", "text")))
    if grid.named[row, layer]:
        lines.append(((f"{NAMED} named by the incident itself", "flag"),))
    if cell is not None and (cell.row, cell.layer) == picked:
        for event in cell.events:
            lines += event_lines(event, room - len(lines) - len(sentences) - len(cell.events))
    lines += [((safe(sentence, 300), "muted"),) for sentence in sentences]
    others = [(int(count), at) for at, count in enumerate(grid.counts[row].tolist()) if count and at != layer]
    if others and room > len(lines):
        most = sorted(others, key=lambda one: (-one[0], one[1]))[:MOST_OTHERS]
        said = " · ".join(f"{safe(layers[at], 30)} {count}" for count, at in most)
        lines.append((("also in ", "muted"), (said, "text")))
    return tuple(lines)


def event_lines(event: CellEvent, room: int) -> list[Line]:
    """Return the filters of an incident with their changes against the usual: a line each, or all in one."""
    at = f"{event.iteration:>9,}  "
    shown = event.filters[:MOST_FILTERS]
    more = f"and {len(event.filters) - MOST_FILTERS} more" if len(event.filters) > MOST_FILTERS else ""
    if room >= len(shown):
        lines: list[Line] = []
        for place, one in enumerate(shown):
            bar = "" if not one.sigma > 0 else "▇" * min(MOST_BLOCKS, max(1, round(one.sigma)))
            times, sigma = _change(one)
            words = (f"filter {one.filter:<5}", "bright"), (f"{times:>9} {sigma:>7}  ", "text"), (bar, "positive_bar")
            lines.append(((at if not place else " " * len(at), "accent"), *words))
        return [*lines, ((" " * len(at) + more, "muted"),)] if more else lines
    parts: list[tuple[str, str]] = [(at, "accent")]
    for one in shown:
        parts += [(f"f{one.filter}", "bright"), (f" {' '.join(filter(None, _change(one)))}   ", "text")]
    return [(*parts, (more, "muted"))]


def _change(one: CellFilter) -> tuple[str, str]:
    """Return the change against the usual, and how unusual it is; "" where nothing is usual yet."""
    times = "" if np.isnan(one.times) else f"×{number(one.times)}"
    return times, "" if np.isnan(one.sigma) else f"{one.sigma:.1f}σ"


def draw_lines(cells: Cells, frame: Frame, x: int, y: int, width: int, height: int, lines: Sequence[Line]) -> None:
    """Write lines of words into a rectangle, wrapped between words; what does not fit is cut with an ellipsis."""
    bottom = min(cells.height, y + height)
    for line in lines:
        at = x
        for text, colour in line:
            for word in text.split(" "):
                wide = text_width(word)
                if at > x and at + wide > x + width and word:
                    y, at = y + 1, x + (2 if wide + 2 <= width else 0)
                if y >= bottom:
                    cells.text(x + width - 1, bottom - 1, "…", frame.theme.muted)
                    return
                at = cells.text(at, y, word, _ink(frame, colour), limit=max(0, x + width - at)) + 1
            at -= 1
        y += 1
        if y >= bottom:
            return


def _ink(frame: Frame, colour: str) -> int:
    ink: int = frame.theme.positive[1] if colour == "positive_bar" else getattr(frame.theme, colour)
    return ink


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
