"""Layers or classes of two runs in pairs: both over time, and below them how far apart they are."""

from __future__ import annotations

from dataclasses import field

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray
from dtui.model.compare import NOT_FINITE, PairedColumns, PairedRows, value_in_words
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.palettes import ramp
from dtui.tui.renderables.canvas.primitives import paint_pixels, quantise, resample
from dtui.tui.renderables.parts.chrome import draw_header, draw_legend, draw_thumb, number, select_gutter
from dtui.tui.renderables.parts.picture import Picture

FULL = 20.0
"""Spreads, the usual distance, that have the strongest shade."""
ROOMY = 100
"""From this width on the legend says in what distances are."""


@dataclass(frozen=True, slots=True)
class ComparedRowsPicture(Picture):
    """Rows of two runs: one row each with the distance, or three: A, B and the distance.

    Attributes:
        title: Name of the pane.
        rows: The paired rows.
        order: Row numbers in the order in which they are listed.
        top: Place in `order` of the first on screen.
        selected: Place of the selected one.
        columns: Of the rows on screen; None while they load.
        is_paired: Whether a row takes three rows of the terminal.
        words: What they are sorted by.
        now: The rows on an axis of one column and one iteration; used if that is the cursor.
    """

    title: str
    rows: PairedRows
    order: tuple[int, ...]
    top: int
    selected: int
    columns: PairedColumns | None
    is_paired: bool
    words: str = "farthest apart first"
    now: PairedColumns | None = field(default=None, compare=False)
    crosshair = True

    @property
    def readout_of(self) -> object:
        """The values at the cursor."""
        return self.now

    @property
    def tall(self) -> int:
        """Terminal rows of a row."""
        return 3 if self.is_paired else 1

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, strips, names and readout."""
        theme = frame.theme
        cells = Cells(frame.width, frame.height, theme)
        self._draw_header(cells, frame)
        shown = self.order[self.top : self.top + max(0, frame.height - 1) // self.tall]
        for index, row in enumerate(shown):
            y, is_selected = 1 + index * self.tall, self.top + index == self.selected
            self._draw_strips(cells, frame, row, y)
            if is_selected:
                select_gutter(cells, frame, y, self.tall)
            cells.text(2, y, self._name(frame, row), theme.bright if is_selected else theme.text, bold=is_selected)
            if self.is_paired and frame.gutter >= 14:
                cells.text(frame.gutter - 10, y, "A", theme.validation, bold=True)
                cells.text(frame.gutter - 10, y + 1, "B", theme.train, bold=True)
                cells.text(4, y + 2, "distance", theme.muted, limit=max(0, frame.gutter - 14))
        draw_thumb(cells, frame, self.top, len(shown), len(self.order))
        self.write_readout(cells, frame, iteration)
        return cells

    def _name(self, frame: Frame, row: int) -> str:
        """Return a name as wide as there is room; of a long one the end, which tells layers apart."""
        room = max(4, frame.gutter - 13 if self.is_paired else frame.gutter - 4)
        name = safe(self.rows.names[row], 80)
        return name if text_width(name) <= room else "…" + shorten(name[::-1], room)[:-1][::-1]

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the values at the cursor in the gutter, and those of the selected row in the header."""
        column, theme = frame.column_of(iteration), frame.theme
        shown = self.order[self.top : self.top + max(0, frame.height - 1) // self.tall]
        x = frame.gutter - 2
        for index, row in enumerate(shown):
            a, b, distance = self._at(frame, row, column, iteration)
            y = 1 + index * self.tall
            texts = [*((self._value(a), self._value(b)) if self.is_paired else ()), _distance(distance)]
            free = 7 if self.is_paired else min(7, x - 3 - text_width(self._name(frame, row)))
            for line, text in enumerate(texts):
                if free > 0:
                    cells.clear(x - free, y + line, free)
                if text_width(text) <= free:
                    cells.text(x - text_width(text), y + line, text, theme.muted if text == "·" else theme.bright)
        self._write_selected(cells, frame, column, iteration)

    def _write_selected(self, cells: Cells, frame: Frame, column: int | None, iteration: int | None) -> None:
        """Write both values of the selected row into the header: one row a pair has no other place for them."""
        if self.is_paired or not 0 <= self.selected < len(self.order) or frame.height < 1:
            return
        row, theme = self.order[self.selected], frame.theme
        begin = 1 + len(self.title) + 2
        room = max(0, self._legend_begin(frame) - begin - 2)
        cells.clear(begin, 0, room)
        a, b, distance = self._at(frame, row, column, iteration)
        apart = "no distance" if np.isnan(distance) else f"{_distance(distance)} apart"
        tail = f": A {self._value(a)} B {self._value(b)}, {apart}"
        if np.isnan(a) and np.isnan(b):
            tail = ": no value here"
        if text_width(tail) + 4 > room:
            return
        name = shorten_names(safe(self.rows.names[row], 80), room - text_width(tail))
        cells.text(begin, 0, name + tail, theme.text)

    def _value(self, value: float) -> str:
        if np.isnan(value) or not self.rows.are_classes:
            return number(value) if np.isnan(value) or value < NOT_FINITE else "NaN"
        return value_in_words("error", value).replace(" %", "%")

    def _at(self, frame: Frame, row: int, column: int | None, iteration: int | None) -> tuple[float, float, float]:
        """Return both values of a row and their distance at the cursor, or else in its column; NaN where none is."""
        now = self.now
        if now is not None and now.axis.first == iteration and row in now.rows:
            place = now.rows.index(row)
            return float(now.a[place, 0]), float(now.b[place, 0]), float(now.distance[place, 0])
        if column is None or self.columns is None or row not in self.columns.rows or frame.axis is None:
            return (float("nan"),) * 3
        place, axis = self.columns.rows.index(row), frame.axis.with_columns(frame.plot_width)
        found = [
            float(resample(values[place : place + 1], self.columns.axis, axis)[0, column - frame.gutter])
            for values in (self.columns.a, self.columns.b, self.columns.distance)
        ]
        return found[0], found[1], found[2]

    def _legend_begin(self, frame: Frame) -> int:
        return frame.width - (44 if frame.width >= ROOMY else 26)

    def _draw_header(self, cells: Cells, frame: Frame) -> None:
        theme = frame.theme
        x = draw_header(cells, frame, self.title, max(0, frame.width - 1))
        colours = ramp(theme, "magnitude", frame.output)
        most = f"{FULL:.0f}+ × usual" if frame.width >= ROOMY else f"{FULL:.0f}+"
        draw_legend(cells, frame, colours, "0", most, "distance", left=max(x + 1, self._legend_begin(frame) - 1))
        if self.is_paired:
            words = f"{self.rows.measure}, {self.words}"
            cells.text(x + 2, 0, words, theme.muted, limit=max(0, self._legend_begin(frame) - x - 3))

    def _draw_strips(self, cells: Cells, frame: Frame, row: int, y: int) -> None:
        if self.columns is None or row not in self.columns.rows or frame.axis is None or frame.plot_width < 1:
            return
        place, axis = self.columns.rows.index(row), frame.axis.with_columns(frame.plot_width)
        a, b, distance = (
            resample(values[place : place + 1], self.columns.axis, axis)
            for values in (self.columns.a, self.columns.b, self.columns.distance)
        )
        strips = [("magnitude", distance[0] / FULL)]
        if self.is_paired:
            kind = "error" if self.rows.are_classes else "correlation"
            strips = [*((kind, part) for part in _shades(self.rows.are_classes, a[0], b[0])), *strips]
        for line, (name, shades) in enumerate(strips):
            if y + line < cells.height:
                colours = ramp(frame.theme, name, frame.output)
                steps = quantise(shades, len(colours))
                steps = np.where(steps == 0, 1, steps)  # the weakest is nearly the panel's: it would read as no value
                paint_pixels(cells, frame.gutter, y + line, np.stack([steps, steps]), colours, frame.output)


def _distance(value: float) -> str:
    return "·" if np.isnan(value) else f"{value:.1f}" if value < 999 else ">999"


def _shades(are_shares: bool, a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return both on one scale: errors as they are, others by their logarithms over both."""
    if are_shares:
        return a, b
    with np.errstate(divide="ignore", invalid="ignore"):
        both = np.log(np.stack([a, b]))
    finite = both[np.isfinite(both)]
    if not finite.size:
        return np.full(a.shape, np.nan), np.full(b.shape, np.nan)
    low, high = np.quantile(finite, [0.02, 0.98])
    shades = np.clip((both - low) / max(float(high - low), 1e-6), 0, 1)
    return shades[0], shades[1]
