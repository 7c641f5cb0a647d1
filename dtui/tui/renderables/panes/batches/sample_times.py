"""Draws on the time axis when the samples that stand out were trained on, below the loss and what fired."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, Curves
from dtui.model.findings.batches import BatchAnswer, StandoutSample
from dtui.number_text import counted
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.primitives import resample
from dtui.tui.renderables.parts.chrome import draw_header, number, select_gutter
from dtui.tui.renderables.parts.column_chart import draw_columns
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Over time"
LOSS = "loss"
LEAST_LOSS, MOST_LOSS = 4, 20
"""Rows of the loss."""
MOST_TALL = 4
"""Rows of a sample."""
FIRED, HELD = "█", "│"


@dataclass(frozen=True, eq=False, slots=True)
class SampleTimesPicture(Picture):
    """The loss, what fired, and a row for each sample.

    Attributes:
        found: Who stands out.
        samples: Those that have a row.
        selected: Place of the picked one.
        curves: Among them the loss, over any axis; None while they load.
    """

    found: BatchAnswer
    samples: tuple[StandoutSample, ...]
    selected: int
    curves: Curves | None
    crosshair = True

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw it all."""
        cells = Cells(frame.width, frame.height, frame.theme)
        self._draw_header(cells, frame)
        if frame.axis is None or frame.plot_width < 1:
            return cells
        high, tall = self._rows(frame)
        if high:
            self._draw_loss(cells, frame, 1, high)
        y = 1 + high
        fired = self._columns(frame, self.found.fired)
        words = (counted(len(self.found.fired), self.found.unit), "")
        self._draw_row(cells, frame, y, tall, words, fired, fired, frame.theme.warning)
        for place, one in enumerate(self.samples):
            y += tall
            if place == self.selected:
                select_gutter(cells, frame, y, tall)
            words = (str(one.sample), f"{len(one.before)} of its {counted(one.batches, 'batch', 'batches')}")
            held, before = self._columns(frame, one.held), self._columns(frame, one.before)
            self._draw_row(cells, frame, y, tall, words, held, before, frame.theme.incorrect)
        return cells

    def _draw_header(self, cells: Cells, frame: Frame) -> None:
        theme, unit = frame.theme, self.found.unit
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        article = "an" if unit[0] in "aeiou" else "a"
        legend = [(f"{FIRED} right before {article} {unit}", theme.incorrect), (f"{HELD} another batch", theme.muted)]
        legend = legend if self.samples else []
        begin = frame.width - sum(text_width(words) + 2 for words, _ in legend)
        words = "when those that stand out were trained on" if self.samples else f"the loss, and the {unit}s"
        cells.text(x + 2, 0, words, theme.muted, limit=max(0, begin - x - 4))
        for words, colour in legend if begin > x + 2 else ():
            begin = cells.text(begin, 0, words, colour) + 2

    def _rows(self, frame: Frame) -> tuple[int, int]:
        """Return the rows of the loss, and those of what fired and of each sample."""
        count, left = 1 + len(self.samples), frame.height - 1
        has_loss = self.curves is not None and LOSS in self.curves.extremes
        high = min(MOST_LOSS, max(LEAST_LOSS, left // 2)) if has_loss and left - count >= LEAST_LOSS else 0
        return high, max(1, min(MOST_TALL, (left - high) // count))

    def _draw_loss(self, cells: Cells, frame: Frame, y: int, rows: int) -> None:
        """Draw the largest loss of each column, lit where the picked sample was trained on."""
        assert frame.axis is not None
        assert self.curves is not None
        theme, axis = frame.theme, frame.axis.with_columns(frame.plot_width)
        values = resample(self.curves.extremes[LOSS][1], self.curves.axis, axis)
        picked = self.samples[self.selected] if self.samples else None
        lit = self._columns(frame, picked.held if picked is not None else ())
        draw_columns(cells, frame, frame.gutter, y, rows - 1, values, lit)
        name = "largest loss"
        cells.text(1, y, name, theme.text, bold=True, limit=max(0, frame.gutter - 1))
        if picked is not None:
            cells.text(2, y + 1, f"lit: batches with {picked.sample}", theme.flag, limit=max(0, frame.gutter - 10))
        finite = values[np.isfinite(values)]
        for row, value in ((y, finite.max()), (y + rows - 2, finite.min())) if len(finite) else ():
            said = number(float(value))
            if frame.gutter - 2 - text_width(said) > (text_width(name) if row == y else 0):
                cells.text(frame.gutter - 1 - text_width(said), row, said, theme.muted)

    def _columns(self, frame: Frame, iterations: Sequence[int]) -> BoolArray:
        """Return which columns of the axis hold any of some iterations, shape (columns,)."""
        assert frame.axis is not None
        found = np.zeros(frame.plot_width, np.bool_)
        places = frame.axis.with_columns(frame.plot_width).columns_of(np.array(iterations, np.int64))
        found[places[(places >= 0) & (places < frame.plot_width)]] = True
        return found

    @staticmethod
    def _draw_row(
        cells: Cells,
        frame: Frame,
        y: int,
        tall: int,
        words: tuple[str, str],
        held: BoolArray,
        lit: BoolArray,
        colour: int,
    ) -> None:
        """Draw a row of marks in `tall` rows, the last of them empty where there is one to spare."""
        theme, name, rest = frame.theme, *words
        if y >= frame.height:
            return
        end = cells.text(2, y, name, theme.text, bold=True, limit=max(0, frame.gutter - 3))
        cells.text(end + 1, y, rest, theme.muted, limit=max(0, frame.gutter - end - 2))
        rows = slice(y, min(frame.height, y + max(1, tall - 1)))
        plot = slice(frame.gutter, frame.gutter + frame.plot_width)
        glyphs = np.where(lit, ord(FIRED), np.where(held, ord(HELD), ord(" "))).astype(np.uint32)
        cells.ch[rows, plot] = glyphs
        cells.fg[rows, plot] = np.where(lit, np.uint32(colour), np.uint32(theme.muted))
