"""The time axis row: tick labels, where the training was resumed, and the cursor's iteration as a badge."""

from __future__ import annotations

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.tui.renderables.canvas.cells import Cells
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.chrome import JOIN_GLYPH
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.scale import tick_step


@dataclass(frozen=True, slots=True)
class AxisPicture(Picture):
    """The time axis, one row, with the cursor's badge, which says if the training was resumed there, or not recorded.

    Attributes:
        joins: Iterations at which it was resumed.
        gaps: First and last iterations of which no record was kept; the badge says it where none stands in the column.
    """

    joins: tuple[int, ...] = ()
    gaps: tuple[tuple[int, int], ...] = ()
    is_all_readout = True

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw ticks, joins and badge."""
        theme = frame.theme
        cells = Cells(frame.width, frame.height, theme, theme.background)
        cells.text(1, 0, "iteration", theme.muted, limit=max(0, frame.gutter - 2))
        axis = frame.axis
        if axis is None or frame.plot_width < 4:
            return cells
        seams = {seam for join in self.joins if (seam := frame.column_of(join)) is not None}
        column = frame.column_of(iteration)
        is_missing = iteration is not None and any(first <= iteration <= last for first, last in self.gaps)
        words = " resumed here" if column in seams else " not recorded" if is_missing else ""
        badge = "" if iteration is None else f" {iteration:,}{words} "
        begin = end = -1
        if column is not None:
            begin = max(frame.gutter, min(column - len(badge) // 2, frame.width - len(badge)))
            end = begin + len(badge)
        widest = len(f"{int(axis.stop):,}")
        step = tick_step(axis.span, frame.plot_width, max(10, widest + 4))
        for tick in range(int(np.ceil(axis.first / step)) * step, int(np.ceil(axis.stop)), step):
            x = frame.column_of(tick)
            label = f"{tick:,}"
            if x is None or any(x <= seam < x + 2 + len(label) for seam in seams):
                continue
            if not begin <= x < end:
                cells.text(x, 0, "╵", theme.faint)
            stop = x + 1 + len(label)
            if stop <= frame.width and (stop < begin or x + 1 > end):
                cells.text(x + 1, 0, label, theme.muted)
        for seam in seams:
            if not begin <= seam < end:
                cells.text(seam, 0, JOIN_GLYPH, theme.accent)
        if column is not None:
            cells.text(begin, 0, badge, theme.badge_text, theme.badge, bold=True)
            cells.mark[0, begin : min(end, cells.width)] = 1
        return cells
