"""Draws batches as a table: iteration, loss with a bar, and the ids of the samples, of which as many as fit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import IntArray
from dtui.model.findings.batches import BatchAnswer, KeptBatch
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.chrome import number
from dtui.tui.renderables.parts.here_line import share_bar

LOSS, BAR = 6, 10
"""Columns of a loss in figures, and of its bar."""
WITH_BARS = 100
"""From this width on a loss has a bar."""
MOST_ROWS = 3
"""Rows that the ids of a batch before ask for."""


@dataclass(frozen=True, eq=False, slots=True)
class BatchRows:
    """Where the columns of the table stand in a pane.

    Attributes:
        found: The batch and those before it.
        width: Columns of the pane.
    """

    found: BatchAnswer
    width: int

    @property
    def batches(self) -> tuple[KeptBatch, ...]:
        """This batch, and those before it."""
        return (self.found.batch, *self.found.before)

    @property
    def has_losses(self) -> bool:
        """Whether the loss of any of them is known."""
        return any(np.isfinite(one.loss) for one in self.batches)

    @property
    def name_end(self) -> int:
        """The column behind the iterations."""
        return 1 + max(len("batch"), *(len(f"{one.iteration:,}") for one in self.batches))

    @property
    def begin(self) -> int:
        """The column where ids begin."""
        bar = BAR + 1 if self.width >= WITH_BARS else 0
        return self.name_end + 2 + (LOSS + 2 + bar if self.has_losses else 0)

    def needed(self) -> int:
        """Return the rows that it asks for, its heads among them."""
        room = max(1, self.width - self.begin - 1)
        lines = [sum(len(str(one)) + 1 for one in batch.samples.tolist()) // room + 1 for batch in self.batches]
        return 1 + lines[0] + sum(min(MOST_ROWS, line) for line in lines[1:])

    def draw(self, cells: Cells, frame: Frame, y: int) -> None:
        """Draw it from row `y` on: all ids of this batch first, and the others share the rows that are left."""
        if y + 1 >= frame.height:
            y -= 1  # the ids come before the heads
        else:
            self._draw_heads(cells, frame, y)
        y = self._draw_batch(cells, frame, y + 1, self.found.batch, frame.height)
        rows = max(1, (frame.height - 1 - y) // max(1, len(self.found.before)))
        for batch in self.found.before:
            if y + 1 >= frame.height:
                return
            y = self._draw_batch(cells, frame, y + 1, batch, rows)

    def _draw_heads(self, cells: Cells, frame: Frame, y: int) -> None:
        muted = frame.theme.muted
        cells.text(self.name_end - len("batch"), y, "batch", muted)
        if self.has_losses:
            cells.text(self.name_end + 2 + LOSS - len("loss"), y, "loss", muted)
        cells.text(self.begin, y, "samples", muted, limit=max(0, self.width - self.begin))

    def _draw_batch(self, cells: Cells, frame: Frame, y: int, batch: KeptBatch, rows: int) -> int:
        """Draw a batch in at most `rows` rows, and return the last one."""
        theme, own = frame.theme, self.found.batch
        named = {one.sample for one in self.found.standouts}
        is_own, is_lit = batch is own, not named.isdisjoint(batch.samples.tolist())
        name = f"{batch.iteration:,}"
        colour = theme.bright if is_own else theme.muted
        cells.text(self.name_end - len(name), y, name, colour, bold=is_own)
        if np.isfinite(batch.loss):
            said, end = number(batch.loss), self.name_end + 2 + LOSS
            cells.text(end - text_width(said), y, said, theme.bright if is_own else theme.text, bold=is_own)
            most = max((one.loss for one in self.batches if np.isfinite(one.loss)), default=0.0)
            if self.width >= WITH_BARS and 0 < batch.loss <= most:
                cells.text(end + 1, y, share_bar(batch.loss / most, BAR), theme.incorrect if is_lit else theme.train)
        if not is_own and sorted(batch.samples) == sorted(own.samples):
            cells.text(self.begin, y, "the same samples", theme.warning, limit=max(0, self.width - self.begin))
            return y
        return self._draw_ids(cells, frame, y, list(_ordered(batch.samples, named)), named, colour, rows)

    def _draw_ids(
        self, cells: Cells, frame: Frame, y: int, samples: list[int], named: set[int], colour: int, rows: int
    ) -> int:
        """Draw ids in at most `rows` rows, and return the last one."""
        at, stop, last = self.begin, self.width - 1, min(frame.height - 1, y + rows - 1)
        for place, sample in enumerate(samples):
            text, more = str(sample), f"… {len(samples) - place:,} more"
            is_last = place == len(samples) - 1
            needed = text_width(text) + (0 if is_last or y < last else 1 + text_width(more))
            if at + needed > stop:
                if y >= last:
                    cells.text(at, y, more, frame.theme.muted, limit=max(0, stop - at))
                    return y
                at, y = self.begin, y + 1
            is_named = sample in named
            cells.text(at, y, text, frame.theme.incorrect if is_named else colour, bold=is_named)
            at += text_width(text) + 1
        return y


def _ordered(samples: IntArray, named: set[int]) -> Iterator[int]:
    """Yield ids, those that stand out first, so that no short line cuts them off."""
    ids = [int(one) for one in samples]
    yield from (one for one in ids if one in named)
    yield from (one for one in ids if one not in named)
