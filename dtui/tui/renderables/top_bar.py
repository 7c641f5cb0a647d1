"""The top bar: run, size, screens and status in one row."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.model import RunInfo
from dtui.tui.renderables.cells import Cells
from dtui.tui.renderables.frame import Frame, Region


def draw_top_bar(frame: Frame, info: RunInfo | None, tabs: Sequence[tuple[str, str, str]], active: int) -> Cells:
    """Draw the top bar, one row; what does not fit gives way in a fixed order: size, long tab names, run name.

    Args:
        frame: Its axis is not used.
        info: The run; None while it loads.
        tabs: A key, a label and a short label for each screen.
        active: Index of the screen shown.
    """
    raise NotImplementedError


def tab_regions(frame: Frame, info: RunInfo | None, tabs: Sequence[tuple[str, str, str]], active: int) -> tuple[Region, ...]:
    """Return where each tab is, for clicks, as `draw_top_bar` places them; width 0 for one that did not fit."""
    raise NotImplementedError
