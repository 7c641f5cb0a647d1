"""Draws the samples of a batch and of those before it, and those that stand before more triggers than chance allows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.batches import BatchAnswer, StandoutSample
from dtui.number_text import counted, number_text
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.batches.batch_rows import BatchRows
from dtui.tui.renderables.panes.layers.tree_words import fitting
from dtui.tui.renderables.panes.message import wrap
from dtui.tui.renderables.parts.chrome import draw_header, number
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Batch"
MOST_STANDOUTS = 8
UNLIKE = 1.5
"""A loss more than so many times that of others is not like theirs."""


@dataclass(frozen=True, eq=False, slots=True)
class BatchPicture(Picture):
    """The batch at the crosshair.

    Attributes:
        found: The batch, those before it, and who stands out.
        selected: Place of the picked sample among those that stand out; -1 for none.
    """

    found: BatchAnswer
    selected: int = -1

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw who stands out first, then the samples of this batch, then those of the batches before."""
        cells, theme, found = Cells(frame.width, frame.height, frame.theme), frame.theme, self.found
        x = draw_header(cells, frame, f"{TITLE} of {found.batch.iteration:,}", max(0, frame.width - 1))
        room = max(0, frame.width - x - 3)
        cells.text(x + 2, 0, shorten(fitting(self._titles(), room), room), theme.muted)
        y = self._draw_standouts(cells, frame)
        BatchRows(found, frame.width).draw(cells, frame, y + 1)
        return cells

    def _titles(self) -> Sequence[str]:
        """Return what is said of the batch, ever shorter."""
        batch, usual = self.found.batch, _usual_loss(self.found)
        size = f"{counted(batch.count, 'sample')}{f', the first {len(batch.samples):,} kept' * bool(batch.left_out)}"
        asked = [] if self.found.is_exact else [f"the nearest kept before {self.found.asked:,}"]
        if not (np.isfinite(batch.loss) and usual > 0):
            return (" · ".join((size, *asked)),)
        loss, times = f"loss {number(batch.loss)}", batch.loss / usual
        said = (f"{loss}, {_beside(times)} those before it", f"{loss}, ×{number(times)}")
        return [" · ".join((size, one, *asked)) for one in said]

    def _draw_standouts(self, cells: Cells, frame: Frame) -> int:
        """Draw a line for each sample that stands out, and return the row below."""
        theme, found, y, width = frame.theme, self.found, 1, frame.width
        for line in heading_of(found, width):
            cells.text(2, y, line, theme.text)
            y += 1
        shown = found.standouts[: min(MOST_STANDOUTS, max(1, frame.height - y - 3))]
        widest = max((text_width(str(one.sample)) for one in shown), default=0)
        for place, one in enumerate(shown):
            if place == self.selected and y < frame.height:
                cells.bg[y] = theme.selection
                cells.mark[y] = 1
                cells.text(0, y, "▌", theme.accent)
            self._draw_standout(cells, frame, y, one, widest)
            y += 1
        rest = len(found.standouts) - len(shown)
        if rest > 0 and y < frame.height:
            cells.text(4, y, f"and {rest:,} more", theme.muted, limit=max(0, width - 5))
            y += 1
        return y

    def _draw_standout(self, cells: Cells, frame: Frame, y: int, one: StandoutSample, widest: int) -> None:
        theme, found = frame.theme, self.found
        at, name = found.place_of(one), str(one.sample)
        is_here = at is not None
        where = "this batch" if at == found.batch.iteration else f"that of {at or 0:,}"
        here = f"  ← in {where}" if is_here else ""
        x = cells.text(
            4 + widest - text_width(name), y, name, theme.incorrect if is_here else theme.muted, bold=is_here
        )
        times, room = f"  {one.times:,} of {one.of:,} {found.unit}s", max(0, frame.width - x - 1)
        words = fitting((f"{times} · by chance {number_text(one.chance, 1)}{here}", f"{times}{here}"), room)
        cells.text(x, y, shorten(words, room), theme.text if is_here else theme.muted)


def heading_of(found: BatchAnswer, width: int) -> Sequence[str]:
    """Return what is said above those who stand out, in lines of a pane so wide."""
    return wrap(found.heading, max(1, width - 3))


def rows_needed(found: BatchAnswer, width: int) -> int:
    """Return the rows of everything in a pane so wide."""
    named = min(MOST_STANDOUTS, len(found.standouts)) + (len(found.standouts) > MOST_STANDOUTS)
    return 2 + len(heading_of(found, width)) + named + BatchRows(found, width).needed()


def _beside(times: float) -> str:
    """Return how a loss lies to the median of others."""
    if times > UNLIKE:
        return f"{number(times)} times the median of"
    return "as that of" if times > 1 / UNLIKE else "lower than that of"


def _usual_loss(found: BatchAnswer) -> float:
    """Return the median loss of the batches before; NaN where none is known."""
    known = [one.loss for one in found.before if np.isfinite(one.loss)]
    return float(np.median(known)) if known else np.nan
