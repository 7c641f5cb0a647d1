"""How the screen is divided, as a pure function of its size.

Owns the rows and columns of every pane. A second copy would ask the run for more rows than are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

from dtui.tui.renderables.canvas.frame import gutter_for
from dtui.tui.renderables.panes.classes import class_row_height

SMALLEST = (60, 16)
RIBBON_ROWS = 3
BARS = 3
"""Top bar, time axis and key bar."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows and columns of what is on screen; 0 rows where a pane is hidden.

    Attributes:
        width: Columns of the screen.
        height: Rows of the screen.
        gutter: Columns left of the time axis.
        curves: Rows of the error curves.
        ribbon: Rows of the anomaly ribbon.
        upper: Rows of the tree or the classes.
        lower: Rows of the filters or the images.
        two_rows: Whether a tree row takes two rows.
    """

    width: int
    height: int
    gutter: int = 34
    curves: int = 0
    ribbon: int = RIBBON_ROWS
    upper: int = 0
    lower: int = 0
    two_rows: bool = False

    @property
    def is_too_small(self) -> bool:
        """Whether the screen is smaller than what can be used."""
        return self.width < SMALLEST[0] or self.height < SMALLEST[1]

    @property
    def columns(self) -> int:
        """Columns of the time axis."""
        return max(1, self.width - self.gutter)

    @property
    def tree_rows(self) -> int:
        """Rows of the tree that are visible at once, >= 1."""
        return max(1, (self.upper - 1) // (2 if self.two_rows else 1))

    @property
    def class_rows(self) -> int:
        """Rows of the Classes pane that are visible at once, >= 1."""
        return max(1, (self.upper - 1) // class_row_height(self.upper))

    @property
    def pixels(self) -> int:
        """Pixel rows of the lower pane, >= 1."""
        return max(1, 2 * (self.lower - 1))


def divide(
    width: int,
    height: int,
    *,
    needed: int,
    is_upper: bool = True,
    maximised: bool = False,
    two_rows: bool = False,
) -> Layout:
    """Divide a screen.

    Args:
        width: Columns.
        height: Rows.
        needed: Rows that the upper pane can fill at most, with its header: it gets no more than that.
        is_upper: Whether the upper pane has the keyboard.
        maximised: Whether that pane has the screen to itself.
        two_rows: Whether a tree row takes two rows.
    """
    curves = 0 if height < 28 else 5 if height < 40 else min(12, 9 + (height - 50) // 10 if height >= 50 else 9)
    if maximised:
        left = max(0, height - BARS - RIBBON_ROWS)
        upper, lower = (left, 0) if is_upper else (0, left)
        return Layout(width, height, gutter_for(width), 0, RIBBON_ROWS, upper, lower, two_rows)
    left = max(0, height - BARS - RIBBON_ROWS - curves)
    upper = min(left // 2, max(needed, 6))
    return Layout(width, height, gutter_for(width), curves, RIBBON_ROWS, upper, left - upper, two_rows)
