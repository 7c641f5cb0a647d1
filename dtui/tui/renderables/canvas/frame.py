"""The size, axis and colours that a pane is drawn with.

Owns where the gutter ends and the time axis begins.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import TimeAxis
from dtui.tui.renderables.canvas.output import Output
from dtui.tui.renderables.canvas.theme import Theme

Region = tuple[int, int, int, int]
"""x, y, width, height in cells."""


def gutter_for(width: int, is_wide: bool = False) -> int:
    """Return the gutter's columns on a screen of `width` columns: 34, under 120 columns 28, under 100 18.

    A screen with columns of numbers beside the names has a wide one, of 54, from 140 columns on.
    """
    if width >= 120:
        return 54 if is_wide and width >= 140 else 34
    return 28 if width >= 100 else 18


@dataclass(frozen=True, slots=True)
class Frame:
    """What a draw function needs to know besides its numbers.

    Attributes:
        width: Columns of the pane.
        height: Rows of the pane.
        gutter: Columns left of the time axis.
        axis: The time axis over `plot_width` columns; None where nothing has been recorded yet or the pane
            has none.
        theme: Colours.
        output: What the terminal can show.
        focused: Whether the pane has the keyboard.
        right: Columns right of the time axis.
    """

    width: int
    height: int
    gutter: int
    axis: TimeAxis | None
    theme: Theme
    output: Output
    focused: bool = False
    right: int = 0

    @property
    def plot_width(self) -> int:
        """Columns of the time axis in this pane, >= 0."""
        return max(0, self.width - self.gutter - self.right)

    def column_of(self, iteration: int | None) -> int | None:
        """Return the pane's column that shows an iteration, None where it is not on screen.

        This is where a crosshair stands.
        """
        if self.axis is None or iteration is None or self.plot_width < 1:
            return None
        column = self.axis.with_columns(self.plot_width).column_of(iteration)
        return self.gutter + column if 0 <= column < self.plot_width else None

    def columns_of(self, iterations: Sequence[int]) -> list[int | None]:
        """Return `column_of` each of many iterations."""
        if self.axis is None or self.plot_width < 1:
            return [None] * len(iterations)
        columns = self.axis.with_columns(self.plot_width).columns_of(np.array(iterations, np.int64)).tolist()
        return [self.gutter + column if 0 <= column < self.plot_width else None for column in columns]
