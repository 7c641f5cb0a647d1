"""The time axis row: tick labels and the cursor's iteration as a badge."""

from __future__ import annotations

from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame


def draw_axis(frame: Frame, iteration: int | None) -> Cells:
    """Draw the axis, one row.

    Args:
        frame: With the axis to label.
        iteration: The cursor; None, or off screen, for no badge.
    """
    raise NotImplementedError
