"""Draws what was looked for in a run without incidents: each check, whether it could judge, and what it is set to."""

from __future__ import annotations

from dtui.dataclass_on_use import dataclass
from dtui.model import Check
from dtui.number_text import counted, number_text
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Looked for"
WITH_SETTINGS = 200
"""From this width on what a check is set to has a column."""
CHECKED = "checked, nothing found"


@dataclass(frozen=True, eq=False, slots=True)
class LookedForPicture(Picture):
    """A row for each check, those that could not judge last.

    Attributes:
        checks: All of them.
    """

    checks: tuple[Check, ...]

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw the rows; what has no room is counted."""
        cells, theme = Cells(frame.width, frame.height, frame.theme), frame.theme
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        ran = sum(not one.lacks for one in self.checks)
        wanted = sum(not (one.lacks and one.is_covered) for one in self.checks)
        said = f"{ran:,} of {counted(wanted, 'check')} ran"
        cells.text(x + 2, 0, said, theme.muted, limit=max(0, frame.width - x - 3))
        ordered = sorted(self.checks, key=lambda one: bool(one.lacks))
        rows = frame.height - 1
        shown = ordered if len(ordered) <= rows else ordered[: max(0, rows - 1)]
        told = 4 + max((text_width(one.title) for one in ordered), default=0)
        settings = told + 2 + max((text_width(_told(one)) for one in ordered), default=0)
        for y, one in enumerate(shown, 1):
            cells.text(2, y, one.title, theme.muted if one.lacks else theme.text, limit=max(0, frame.width - 3))
            room = max(0, frame.width - told - 1)
            cells.text(told, y, shorten(_told(one), room), theme.muted if one.lacks else theme.gained)
            if frame.width >= WITH_SETTINGS and one.thresholds:
                set_to = " · ".join(f"{name} {number_text(value, 6)}" for name, value in one.thresholds)
                room = max(0, frame.width - settings - 1)
                cells.text(settings, y, shorten(f"set to {set_to}", room), theme.muted)
        if len(shown) < len(ordered) and frame.height > 1:
            more = f"and {len(ordered) - len(shown):,} more"
            cells.text(2, frame.height - 1, more, theme.muted, limit=max(0, frame.width - 3))
        return cells


def _told(check: Check) -> str:
    if not check.lacks:
        return CHECKED
    return f"not checked: {check.lacks}{'; others find the same' if check.is_covered else ''}"
