"""Two runs beside each other: where they part in words, marks along the time axis, and their errors overlaid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray
from dtui.model.compare import Comparison, PairedColumns, value_in_words
from dtui.model.findings.review import of_incident
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.marks import PARTED
from dtui.tui.renderables.canvas.output import ColorMode
from dtui.tui.renderables.canvas.primitives import resample
from dtui.tui.renderables.canvas.theme import Theme
from dtui.tui.renderables.panes.incident_ribbon import mark_colour
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.plotext_adapter import plot_lines
from dtui.tui.renderables.parts.scale import Scale, linear_scale

TITLE = "Compare"
LEAST_CHART = 3
"""Rows without which no curves are drawn."""
LEAST_HEIGHT = 5
"""Rows without which the other run's incidents are left out."""
WORDS = 2
"""Most rows of the verdict."""
ROOMY, MOST_SETTINGS = 16, 4
"""From this height on, what differs may take so many rows."""


@dataclass(frozen=True, slots=True)
class ComparingPicture(Picture):
    """The head of a comparison.

    Attributes:
        comparison: The two runs.
        current: Which divergence the crosshair is on or after, from 0; -1 before the first.
        curve: The error of both (else the loss), one row; None while it loads, or where there is none.
        curve_name: Its name.
        now: The same on an axis of one column and one iteration; used if that is the cursor.
    """

    comparison: Comparison
    current: int
    curve: PairedColumns | None = None
    curve_name: str = ""
    now: PairedColumns | None = field(default=None, compare=False)
    crosshair = True

    @property
    def readout_of(self) -> object:
        """The values at the cursor."""
        return self.now

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw words, marks and curves, each where there is room."""
        theme, found = frame.theme, self.comparison
        cells = Cells(frame.width, frame.height, theme)
        self._draw_header(cells, frame)
        room = max(0, frame.width - 3)
        marks = 2 if frame.height >= LEAST_HEIGHT else 1
        rows_left = max(1, frame.height - 1 - marks)
        is_later = self.current > 0
        verdict = _wrapped(safe(found.verdict, 600), room, 1 if rows_left < 3 or is_later else WORDS)
        lines = [(line, theme.muted if is_later else theme.flag, not is_later) for line in verdict]
        if is_later:
            here = f"{self.current + 1} of {len(found.divergences)}: {safe(found.divergences[self.current].words, 400)}"
            lines = [*lines, (shorten(here, room), theme.flag, True)][-rows_left:]
        most = MOST_SETTINGS if frame.height >= ROOMY else 1
        for line, colour in _settings_lines(found, theme):
            lines += [(part, colour, False) for part in _wrapped(line, room, most)]
        lines = lines[: max(0, rows_left)]
        for y, (line, colour, is_bold) in enumerate(lines, 1):
            cells.text(2, y, line, colour, bold=is_bold, limit=room)
        y = 1 + len(lines)
        self._draw_divergences(cells, frame, y)
        if marks == 2:
            self._draw_incidents(cells, frame, y + 1)
        self._draw_curves(cells, frame, y + 2)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite both values at the cursor, at the right end of the header."""
        theme = frame.theme
        words = self._here(frame, iteration)
        begin = frame.width - 1 - sum(text_width(word) for word, _ in words)
        room = min(40, frame.width - self._header_end(frame) - 1)
        if frame.height < 1 or room < 8:
            return
        cells.clear(frame.width - room, 0, room)
        if begin < frame.width - room:
            return
        for word, which in words:
            colour = (theme.muted, theme.validation, theme.train)[which]
            begin = cells.text(begin, 0, word, colour, bold=which > 0)

    def _here(self, frame: Frame, iteration: int | None) -> list[tuple[str, int]]:
        column = frame.column_of(iteration)
        if column is None or self.curve is None or frame.axis is None:
            return []
        axis, now = frame.axis.with_columns(frame.plot_width), self.now
        if now is not None and now.axis.first == iteration:
            both = [now.a[0, 0], now.b[0, 0]]
        else:
            both = [resample(values, self.curve.axis, axis)[0, column - frame.gutter] for values in self._values()]
        told = [value_in_words(self.curve_name, float(value)) for value in both]
        return [(f"{self._curve_words} here ", 0), (f"A {told[0]}", 1), ("  ", 0), (f"B {told[1]}", 2)]

    @property
    def _curve_words(self) -> str:
        return self.curve_name.replace("validation_", "").replace("_", " ")

    def _values(self) -> tuple[FloatArray, FloatArray]:
        assert self.curve is not None
        return self.curve.a, self.curve.b

    # --- words
    def _names(self, frame: Frame) -> list[tuple[str, int]]:
        theme, found = frame.theme, self.comparison
        names = [safe(info.run, 60) for info in found.infos]
        readout = text_width(self._curve_words) + len(" here A 0.00000  B 0.00000")
        most = max(6, (frame.width - (60 if frame.width >= 100 else 21 + readout)) // 2)
        short = [_told_apart(names[place], names[1 - place], most) for place in (0, 1)]
        words = [("A ", theme.validation), (short[0], theme.text), ("  B ", theme.train), (short[1], theme.text)]
        if frame.width >= 100:
            words.append((f"   by {found.alignment.words}", theme.muted))
        return words

    def _header_end(self, frame: Frame) -> int:
        return 1 + len(TITLE) + 2 + sum(text_width(word) for word, _ in self._names(frame)) + 2

    def _draw_header(self, cells: Cells, frame: Frame) -> None:
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1)) + 2
        for word, colour in self._names(frame):
            x = cells.text(x, 0, word, colour, bold=word.strip() in ("A", "B"), limit=max(0, frame.width - x))

    # --- along the axis
    def _draw_divergences(self, cells: Cells, frame: Frame, y: int) -> None:
        theme, found = frame.theme, self.comparison.divergences
        if frame.gutter >= 28:
            words = f"{len(found)} divergence{'s' * (len(found) != 1)}"
            words = f"{self.current + 1} of {words}" if self.current >= 0 else f"{words}, n: next"
        else:
            words = f"parted {self.current + 1} of {len(found)}" if self.current >= 0 else f"parted {len(found)}×"
        cells.text(2, y, words if found else "no divergence", theme.muted, limit=max(0, frame.gutter - 3))
        for place, one in enumerate(found):
            x = frame.column_of(one.iteration)
            if x is not None:
                colour = theme.flag if place == self.current else theme.warning
                cells.text(x, y, PARTED.glyph, colour, bold=True)

    def _draw_incidents(self, cells: Cells, frame: Frame, y: int) -> None:
        theme, found = frame.theme, self.comparison
        entries = [of_incident(one) for one in found.incidents[1]]
        cells.text(2, y, "B", theme.train, bold=True)
        words = f"{len(entries) or 'no'} incident{'s' * (len(entries) != 1)}"
        beyond = sum(at is None for at in found.incidents_at)
        if frame.gutter >= 28:
            words += f", {beyond} beyond A" if beyond else "; A's above"
        cells.text(4, y, words, theme.muted, limit=max(0, frame.gutter - 5))
        for entry, at in zip(entries, found.incidents_at, strict=True):
            x = frame.column_of(at)
            if x is not None and entry.status != "dismissed":
                cells.text(x, y, entry.sign, mark_colour(theme, entry, None), bold=True)

    def _draw_curves(self, cells: Cells, frame: Frame, top: int) -> None:
        rows, columns, theme = frame.height - top, frame.plot_width, frame.theme
        if rows < LEAST_CHART or columns < 2 or self.curve is None or frame.axis is None:
            return
        axis = frame.axis.with_columns(columns)
        series = [np.repeat(resample(values, self.curve.axis, axis)[0], 2) for values in self._values()]
        is_share = self.curve_name.endswith("error")
        scale = linear_scale(np.concatenate(series), is_share, 1.0 if is_share else np.inf)
        # A lies on top: where they are the same one line is seen, and where B goes another way, its own.
        heights, colours = [scale.heights(one) for one in reversed(series)], [theme.train, theme.validation]
        is_plain = frame.output.mode is ColorMode.NONE
        ch, fg = plot_lines(heights, colours, scale.low, scale.high, columns, rows, theme.panel, is_plain)
        cells.paste(frame.gutter, top, ch, fg)
        self._draw_scale(cells, frame, scale, top, rows)

    def _draw_scale(self, cells: Cells, frame: Frame, scale: Scale, top: int, rows: int) -> None:
        theme = frame.theme
        name = self.curve_name.replace("_", " ")
        cells.text(2, top, shorten(name, max(0, frame.gutter - 10)), theme.text)
        for share, label in scale.ticks if rows >= 5 else (scale.ticks[0], scale.ticks[-1]):
            y = top + round((1 - share) * (rows - 1))
            cells.text(frame.gutter - 1 - len(label), y, label, theme.muted)
            cells.text(frame.gutter - 1, y, "┤", theme.faint)


def _told_apart(name: str, other: str, width: int) -> str:
    """Return a name in a width; its end where its beginning is that of the other name, too."""
    if text_width(name) <= width or name[: width - 1] != other[: width - 1]:
        return shorten(name, width)
    return "…" + shorten(name[::-1], width)[:-1][::-1]


def _settings_lines(found: Comparison, theme: Theme) -> list[tuple[str, int]]:
    told = [f"{safe(one.name, 40)} {_or_none(one.values[0])} | {_or_none(one.values[1])}" for one in found.differences]
    lines = [("differs: " + " · ".join(told) if told else "settings: the same in both", theme.muted)]
    if found.not_compared:
        lines.append((f"not compared: {' · '.join(safe(one, 300) for one in found.not_compared)}", theme.warning))
    return lines


def _or_none(value: str | None) -> str:
    return "–" if value is None else safe(value, 60)


def _wrapped(text: str, width: int, most: int) -> Sequence[str]:
    """Return a text in at most `most` lines, broken at blanks; the last one is shortened."""
    lines: list[str] = []
    left = text
    while left and len(lines) < most - 1 and text_width(left) > width:
        cut = left[:width].rfind(" ")
        if cut <= 0:
            break
        lines.append(left[:cut])
        left = left[cut + 1 :]
    return [*lines, shorten(left, width)]
