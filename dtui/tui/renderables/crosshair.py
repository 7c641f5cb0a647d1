"""The crosshair: one straight column of light through every pane."""

from __future__ import annotations

from dtui.tui.renderables.cells import CellRow
from dtui.tui.renderables.frame import Frame


def light_row(row: CellRow, x: int, frame: Frame, strength: float = 0.17) -> CellRow:
    """Return a copy of a row with the crosshair at column `x`; a pane's cells themselves never hold it.

    Args:
        row: A whole row of a pane.
        x: Column, as `Frame.column_of` gives it.
        frame: Theme and output of the pane.
        strength: How far colours go towards the theme's crosshair colour, [0, 1]; 0.32 over pixel maps.
    """
    raise NotImplementedError
