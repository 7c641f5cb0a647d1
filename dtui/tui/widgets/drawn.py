"""The base of our widgets that show a grid of cells: only cells that have changed are painted again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from dtui.tui.renderables.canvas.cells import WIDE_TAIL, Cells
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.widgets.cell_strip import CellStrip

Paint = Callable[[Widget, Cells, Output], bool]
"""Paints the cells of a widget, or returns that it cannot."""
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

    def put(self, cells: Cells, output: Output, at_once: Paint | None = None) -> None:
        """Show cells; those are painted that differ from what is on the screen.

        Args:
            cells: They must not change afterwards.
            output: What the terminal can show.
            at_once: Paints them without Textual, if it can.
        """
        old, self._cells, self._output = self._cells, cells, output
        if not self.display or (at_once is not None and at_once(self, cells, output)):
            return  # one that is hidden is painted when it is shown
        whole = Region(0, 0, cells.width, cells.height)
        if old is None or (old.width, old.height) != (cells.width, cells.height) or old.theme != cells.theme:
            self.refresh(whole)
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
    if (is_tail := new.ch[:, 1:] == WIDE_TAIL).any():  # half a wide glyph cannot be painted
        differs[:, :-1] |= differs[:, 1:] & is_tail
        differs[:, 1:] |= differs[:, :-1] & is_tail
    ys, xs = np.nonzero(differs)
    if not len(ys):
        return []
    ends = np.flatnonzero((np.diff(ys) != 0) | (np.diff(xs) > GAP))
    begins, ends = np.concatenate(([0], ends + 1)), np.concatenate((ends, [len(ys) - 1]))
    spans = zip(ys[begins].tolist(), xs[begins].tolist(), (xs[ends] + 1).tolist(), strict=True)
    regions: list[Region] = []
    growing: dict[tuple[int, int], Region] = {}
    for y, x, stop in spans:
        above = growing.get((x, stop))
        if above is not None and above.bottom == y:
            growing[x, stop] = Region(x, above.y, stop - x, y + 1 - above.y)
            continue
        if above is not None:
            regions.append(above)
        growing[x, stop] = Region(x, y, stop - x, 1)
    return [*regions, *growing.values()]
