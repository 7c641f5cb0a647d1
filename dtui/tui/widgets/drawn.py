"""The base of our widgets that show a grid of cells: only cells that have changed are painted again."""

from __future__ import annotations

import numpy as np
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.widgets.cell_strip import CellStrip

GAP = 6
"""Changed cells nearer than this are repainted as one stretch: a jump costs about as many bytes."""


class Drawn(Widget):
    """A widget that shows cells."""

    def __init__(self) -> None:
        """Begin without any."""
        super().__init__()
        self._cells: Cells | None = None
        self._output: Output | None = None

    @property
    def cells(self) -> Cells | None:
        """What it shows; None before the first drawing."""
        return self._cells

    def put(self, cells: Cells, output: Output) -> None:
        """Show cells; those are painted that differ from what is on the screen.

        Args:
            cells: They must not change afterwards.
            output: What the terminal can show.
        """
        old, self._cells, self._output = self._cells, cells, output
        if old is None or (old.width, old.height) != (cells.width, cells.height) or old.theme != cells.theme:
            self.refresh()
        elif regions := changed_regions(old, cells):
            self.refresh(*regions)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Return the rows that Textual wants."""
        cells, output = self._cells, self._output
        if cells is None or output is None:
            return [Strip.blank(crop.width, self.rich_style) for _ in range(crop.height)]
        strips: list[Strip] = []
        for y in range(crop.y, crop.bottom):
            if y >= cells.height:
                strips.append(Strip.blank(crop.width, self.rich_style))
                continue
            strip: Strip = CellStrip(cells.row(y).crop(crop.x, min(crop.right, cells.width)), output)
            if crop.right > cells.width:
                strip = strip.adjust_cell_length(crop.width, self.rich_style)
            strips.append(strip)
        return strips


def changed_regions(old: Cells, new: Cells) -> list[Region]:
    """Return rectangles that hold every cell in which two grids of one size differ.

    Stretches of a row stay separate if the gap between them is worth a cursor jump. Equal stretches of neighbouring
    rows become one rectangle.
    """
    differs = (old.ch != new.ch) | (old.fg != new.fg) | (old.bg != new.bg)
    differs |= (old.bold != new.bold) | (old.mark != new.mark)
    changed = differs.any(axis=1).tolist()
    regions: list[Region] = []
    open_spans: dict[tuple[int, int], int] = {}
    for y in range(new.height + 1):
        spans = _stretches(np.flatnonzero(differs[y])) if y < new.height and changed[y] else []
        for span in [span for span in open_spans if span not in spans]:
            top = open_spans.pop(span)
            regions.append(Region(span[0], top, span[1] - span[0], y - top))
        for span in spans:
            open_spans.setdefault(span, y)
    return regions


def _stretches(columns: np.ndarray[tuple[int], np.dtype[np.intp]]) -> list[tuple[int, int]]:
    breaks = np.flatnonzero(np.diff(columns) > GAP)
    starts = columns[np.r_[0, breaks + 1]]
    stops = columns[np.r_[breaks, len(columns) - 1]] + 1
    return list(zip(starts.tolist(), stops.tolist(), strict=True))
