"""Divides the screen, as a pure function of its size."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.frame import gutter_for

SMALLEST = (60, 16)
RIBBON_ROWS = 3
BARS = 3
"""Top bar, time axis and key bar."""
LEAST_ROWS = 6
"""Of a pane that has something to show, however little, where the screen has them."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Rows and columns of each part of the screen; a hidden pane has 0 rows.

    Attributes:
        width: Columns of the screen.
        height: Rows of the screen.
        gutter: Columns left of the time axis.
        curves: Rows of the error curves.
        panes: Rows of each of the screen's panes, from the top.
        right: Columns right of the time axis.
    """

    width: int
    height: int
    gutter: int = 34
    curves: int = 0
    panes: tuple[int, ...] = ()
    right: int = 0

    @property
    def is_too_small(self) -> bool:
        """Whether the screen is too small to use."""
        return self.width < SMALLEST[0] or self.height < SMALLEST[1]

    @property
    def columns(self) -> int:
        """Columns of the time axis."""
        return max(1, self.width - self.gutter - self.right)


def divide(
    width: int,
    height: int,
    needed: Sequence[int],
    maximised: int | None = None,
    is_wide: bool = False,
    fewest: Sequence[int] = (),
) -> Layout:
    """Divide a screen.

    Args:
        width: Columns.
        height: Rows.
        needed: Most rows that each pane can fill, with its header. A pane gets at most that, and more than its share
            only where another cannot fill its own; the last pane gets the rest. One that needs none is hidden.
        maximised: Place of the pane that has the screen to itself; None for none.
        is_wide: Whether the screen has a wide gutter.
        fewest: Of each pane that has no share, but gets what the others leave: the rows from which on it is shown. 0
            for one that has a share.
    """
    curves = 0 if height < 28 else 5 if height < 40 else min(12, 9 + (height - 50) // 10 if height >= 50 else 9)
    if maximised is not None:
        curves = 0
    left = max(0, height - BARS - RIBBON_ROWS - curves)
    if maximised is not None:
        panes = [left if place == maximised else 0 for place in range(len(needed))]
    else:
        wanted = _that_fit([max(rows, LEAST_ROWS) if rows else 0 for rows in needed], left, fewest)
        shown = [place for place, rows in enumerate(wanted) if rows] or [0]
        panes = [min(left // len(shown), rows) for rows in wanted]
        for place, rows in reversed(list(enumerate(wanted))):  # what one pane cannot fill, another gets
            panes[place] += max(0, min(left - sum(panes), rows - panes[place]))
        panes[shown[-1]] += left - sum(panes)
    return Layout(width, height, gutter_for(width, is_wide), curves, tuple(panes))


def _that_fit(wanted: Sequence[int], left: int, fewest: Sequence[int]) -> list[int]:
    """Return the rows that panes want: those without a share what the others leave, or none if that is too little."""
    least = [*fewest, *[0] * (len(wanted) - len(fewest))]
    spare = left - sum(rows for rows, few in zip(wanted, least, strict=True) if not few)
    fitting = list(wanted)
    for place, few in enumerate(least):
        if few:
            fitting[place] = min(wanted[place], spare) if spare >= few else 0
            spare -= fitting[place]
    return fitting
