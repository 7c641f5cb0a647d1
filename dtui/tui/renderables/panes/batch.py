"""Draws the samples of a batch, and those that stand before more triggers than chance allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dtui.dataclass_on_use import dataclass
from dtui.model import IntArray
from dtui.model.findings.batches import BatchAnswer, KeptBatch
from dtui.number_text import counted, number_text
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.message import wrap
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Batch"
MOST_STANDOUTS = 8
WIDE = 100
"""From this width on, who stands out is beside the samples."""


@dataclass(frozen=True, eq=False, slots=True)
class BatchPicture(Picture):
    """The batch at the crosshair.

    Attributes:
        found: The batch, those before it, and who stands out.
    """

    found: BatchAnswer

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw who stands out first, then the samples, then those of the batches before."""
        cells, theme, found = Cells(frame.width, frame.height, frame.theme), frame.theme, self.found
        x = draw_header(cells, frame, f"{TITLE} of {found.batch.iteration:,}", max(0, frame.width - 1))
        cells.text(x + 2, 0, shorten(self._title(), max(0, frame.width - x - 3)), theme.muted)
        is_wide = frame.width >= WIDE
        below = self._draw_standouts(cells, frame, 1, frame.width // 2 if is_wide else frame.width)
        left, top = (frame.width // 2 + 1, 1) if is_wide else (0, below + 1)
        self._draw_batches(cells, frame, left + 1, top)
        return cells

    def _title(self) -> str:
        batch = self.found.batch
        left = f", the first {len(batch.samples):,} kept" if batch.left_out else ""
        asked = "" if self.found.is_exact else f" · the nearest kept before {self.found.asked:,}"
        return f"{counted(batch.count, 'sample')}{left}{asked}"

    def _draw_standouts(self, cells: Cells, frame: Frame, y: int, width: int) -> int:
        """Draw a line for each sample that stands out, and return the row below."""
        theme, found = frame.theme, self.found
        for line in wrap(found.heading, max(1, width - 3)):
            cells.text(2, y, line, theme.text)
            y += 1
        room = max(1, frame.height - y - (0 if width < frame.width else 3))
        shown = found.standouts[: min(MOST_STANDOUTS, room)]
        names = [str(one.sample) for one in shown]
        widest = max(map(text_width, names), default=0)
        for one, name in zip(shown, names, strict=True):
            at = found.place_of(one)
            is_here = at is not None
            colour = theme.incorrect if is_here else theme.muted
            where = "this batch" if at == found.batch.iteration else f"that of {at or 0:,}"
            here = f"  ← in {where}" if is_here else ""
            end = cells.text(4 + widest - text_width(name), y, name, colour, bold=is_here)
            words = f"  {one.times:,} of {one.of:,} {found.unit}s · by chance {number_text(one.chance, 1)}{here}"
            cells.text(end, y, shorten(words, max(0, width - end - 1)), theme.text if is_here else theme.muted)
            y += 1
        rest = len(found.standouts) - len(shown)
        if rest > 0 and y < frame.height:
            cells.text(4, y, f"and {rest:,} more", theme.muted, limit=max(0, width - 5))
            y += 1
        return y

    def _draw_batches(self, cells: Cells, frame: Frame, x: int, y: int) -> None:
        theme, room = frame.theme, max(8, frame.width - x - 2)
        named = {one.sample for one in self.found.standouts}
        y = self._draw_ids(cells, frame, x, y, room, _ordered(self.found.batch.samples, named), named, theme.bright)
        if self.found.before and y + 2 < frame.height:
            y += 1
            cells.text(x, y, "the batches before it:", theme.muted, limit=room)
        rows = max(1, (frame.height - 1 - y) // max(1, len(self.found.before)))
        for batch in self.found.before:
            if y + 1 >= frame.height:
                return
            y = self._draw_before(cells, frame, x, y + 1, room, batch, named, rows)

    def _draw_before(
        self, cells: Cells, frame: Frame, x: int, y: int, room: int, batch: KeptBatch, named: set[int], rows: int
    ) -> int:
        """Draw a batch before in at most `rows` rows, its own number first; return the last row."""
        begin = cells.text(x, y, f"{batch.iteration:,}  ", frame.theme.muted)
        if sorted(batch.samples) == sorted(self.found.batch.samples):
            cells.text(begin, y, "the same samples", frame.theme.warning, limit=room - (begin - x))
            return y
        samples = _ordered(batch.samples, named)
        return self._draw_ids(cells, frame, begin, y, room - (begin - x), samples, named, frame.theme.muted, rows)

    def _draw_ids(
        self,
        cells: Cells,
        frame: Frame,
        x: int,
        y: int,
        room: int,
        samples: Iterable[int],
        named: set[int],
        colour: int,
        rows: int | None = None,
    ) -> int:
        """Draw ids in lines of `room` columns, and return the last row."""
        samples, at = list(samples), x
        last = frame.height - 1 if rows is None else min(frame.height - 1, y + rows - 1)
        for place, sample in enumerate(samples):
            text = str(sample)
            more = f"… {len(samples) - place:,} more"
            is_last = place == len(samples) - 1
            needed = text_width(text) + (0 if is_last or y < last else 1 + text_width(more))
            if at + needed > x + room:
                if y >= last:
                    cells.text(at, y, more, frame.theme.muted, limit=max(0, x + room - at))
                    return y
                at, y = x, y + 1
            is_named = sample in named
            cells.text(at, y, text, frame.theme.incorrect if is_named else colour, bold=is_named)
            at += text_width(text) + 1
        return y


def _ordered(samples: IntArray, named: set[int]) -> Iterator[int]:
    """Yield ids, those that stand out first, so that no short line cuts them off."""
    ids = [int(one) for one in samples]
    yield from (one for one in ids if one in named)
    yield from (one for one in ids if one not in named)
