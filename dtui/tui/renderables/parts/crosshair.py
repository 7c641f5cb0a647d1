"""Draws the crosshair: one lit column through every pane."""

from __future__ import annotations

from dtui.tui.renderables.canvas.cells import CellRow
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.palettes import is_panel_like
from dtui.tui.renderables.canvas.primitives import blend_one

GREY = 0x7F7F7F


def light_row(row: CellRow, x: int, frame: Frame, strength: float = 0.17) -> CellRow:
    """Return a copy of a row with the crosshair at column `x`; a pane's cells themselves never hold it.

    A terminal with 16 colours shows a grey column, one without colours a reversed one.

    Args:
        row: A whole row of a pane.
        x: Column, as `Frame.column_of` gives it; outside the row nothing changes.
        frame: Theme and output of the pane.
        strength: How far colours go towards the theme's crosshair colour, [0, 1]; 0.32 over pixel maps.
    """
    if not 0 <= x < len(row.ch):
        return row
    lit = row.copy()
    if frame.output.mode is ColorMode.NONE:
        lit.mark[x] ^= 1
    elif frame.output.mode is ColorMode.PALETTE_16:
        if is_panel_like(int(row.bg[x])):
            lit.bg[x] = GREY
            lit.mark[x] = 0
    else:
        lit.fg[x] = blend_one(int(row.fg[x]), frame.theme.crosshair, strength)
        lit.bg[x] = blend_one(int(row.bg[x]), frame.theme.crosshair, strength)
    return lit
