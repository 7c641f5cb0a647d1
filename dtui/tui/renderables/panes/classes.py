"""Draws clusters and classes as error strips with anomaly triangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import NamedTuple

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import Anomaly, ClassErrors, FloatArray, Stage
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.palettes import ramp, to_lab
from dtui.tui.renderables.canvas.primitives import last_known, paint_pixels, quantise, resample
from dtui.tui.renderables.parts.anomaly_marks import draw_mark, strongest_marks
from dtui.tui.renderables.parts.chrome import (
    draw_header,
    draw_legend,
    draw_stages,
    draw_thumb,
    select_gutter,
)
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Classes"
WIDE_GUTTER = 26
"""From this gutter on there is room for tenths of a percent and for counts."""


class ClassRow(NamedTuple):
    """A visible row: a cluster, or a class of an open cluster.

    Attributes:
        name: Of the cluster or the class; data from outside.
        labels: Labels of its classes (one for a class); a group of ClassErrors.
        is_open: Whether a cluster's classes are visible; False for a class.
        is_cluster: Whether it can be opened.
    """

    name: str
    labels: tuple[int, ...]
    is_open: bool
    is_cluster: bool


@dataclass(frozen=True, slots=True)
class ClassesPicture(Picture):
    """Error strips with their anomalies under a header with legend, from row `top` on; the gutter has the errors.

    A row takes two rows of the terminal (triangles above the strip), or one in a low pane (`class_row_height`).

    Attributes:
        rows: All visible rows, in order.
        top: Index of the first row on screen.
        selected: Index of the selected row.
        errors: By group of labels, over any axis; rows without a group have an empty strip. None while it loads.
        anomalies: Those of classes are drawn; dismissed ones are hidden.
        anomaly: Id of the anomaly under review.
        stages: Learning-rate stages, dashed verticals.
        title: Words beside the pane's name.
        errors_now: Exact errors, on an axis of one column and one iteration; used if that is the cursor.
        worst: Name (data from outside) and error of the worst class at the cursor; None for none.
        empty: What to say where there are no rows.
        name: Of the pane.
    """

    rows: Sequence[ClassRow]
    top: int
    selected: int
    errors: ClassErrors | None
    anomalies: tuple[Anomaly, ...] = ()
    anomaly: str | None = None
    stages: tuple[Stage, ...] = ()
    title: str = "clusters by error"
    errors_now: ClassErrors | None = field(default=None, compare=False)
    worst: tuple[str, float] | None = field(default=None, compare=False)
    empty: str = ""
    name: str = TITLE
    crosshair = True

    @property
    def readout_of(self) -> object:
        """The exact errors at the cursor, and the worst."""
        return self.errors_now, self.worst

    def shown(self, height: int) -> Sequence[ClassRow]:
        """Return the rows that a pane of `height` rows shows under its header."""
        return self.rows[self.top : self.top + max(0, height - 1) // class_row_height(height)]

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, strips, triangles and readout."""
        cells = Cells(frame.width, frame.height, frame.theme)
        tall, shown = class_row_height(frame.height), self.shown(frame.height)
        values = _errors_of(frame, shown, self.errors)
        by_class: dict[int, list[Anomaly]] = {}
        for anomaly in self.anomalies:
            if anomaly.class_index is not None:
                by_class.setdefault(anomaly.class_index, []).append(anomaly)
        for index, row in enumerate(shown):
            y, is_selected = 1 + index * tall, self.top + index == self.selected
            if frame.axis is not None and frame.plot_width > 0:
                gap = "▁" if tall == 1 else " " if row.is_cluster else "▂"
                _draw_strip(cells, frame, values[index], y + tall - 1, gap)
                own = [anomaly for label in row.labels for anomaly in by_class.get(label, ())]
                _draw_class_marks(cells, frame, own, y, tall, self.anomaly)
            if is_selected:
                select_gutter(cells, frame, y, tall)
        if not self.rows:
            cells.text(2, 1, self.empty, frame.theme.muted, limit=max(0, frame.width - 3))
        draw_thumb(cells, frame, self.top, len(shown), len(self.rows))
        draw_stages(cells, frame, self.stages, 1, frame.height)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite the header, and each row's name and error at the cursor: the column's until the exact one arrives."""
        _draw_classes_header(cells, frame, self)
        tall = class_row_height(frame.height)
        values = _errors_at(frame, self, iteration)
        for index, (row, value) in enumerate(zip(self.shown(frame.height), values, strict=True)):
            is_selected = self.top + index == self.selected
            _write_class(cells, frame, row, 1 + index * tall, None if self.errors is None else value, is_selected)

    def cluster_above(self) -> str:
        """Return the name of the cluster that the first row on screen belongs to; "" if that row is its name."""
        above = [row for row in self.rows[: self.top + 1] if row.is_cluster]
        is_hidden = bool(above) and self.top < len(self.rows) and not self.rows[self.top].is_cluster
        return above[-1].name if is_hidden else ""


def class_row_height(height: int) -> int:
    """Return the terminal rows that one class takes in a pane of `height` rows: 2, or 1 when it is compact."""
    return 2 if height >= 12 else 1


def _draw_classes_header(cells: Cells, frame: Frame, picture: ClassesPicture) -> None:
    """Write name, cluster, worst class, title and legend; the legend loses its name if the words need the room."""
    theme, words = frame.theme, []
    if picture.cluster_above():
        words.append((f"{marks.OPENED} {safe(picture.cluster_above())}", theme.accent))
    if picture.worst is not None:
        name, error = picture.worst
        words.append((f"worst here {shorten(safe(name), 24)}: {error:.0%}", theme.text))
    words.append((picture.title, theme.muted))
    cells.clear(0, 0, cells.width)
    if cells.height:
        cells.bg[0] = theme.panel
    x = draw_header(cells, frame, picture.name, max(0, frame.width - 1))
    colours = ramp(theme, "error", frame.output)
    needed = x + 3 + sum(text_width(text) + 3 for text, _ in words)
    stop = draw_legend(cells, frame, colours, "0", "100%", "error", left=needed)
    if stop == frame.width:
        least = x + 3 + (text_width(words[0][0]) if len(words) > 1 else 0)
        stop = draw_legend(cells, frame, colours, "0", "100%", "error", left=least)
    for index, (text, colour) in enumerate(words):
        room = stop - x - 3
        if index and text_width(text) > room:
            break
        x = cells.text(x + (2 if index == 0 else 3), 0, text, colour, limit=max(0, room))
        if index + 1 < len(words) and text_width(words[index + 1][0]) <= stop - x - 3:
            cells.text(x + 1, 0, "·", theme.faint)


def _errors_at(frame: Frame, picture: ClassesPicture, iteration: int | None) -> list[float]:
    """Return the error of each shown row at the last validation up to the cursor, NaN for none."""
    column, shown, now = frame.column_of(iteration), picture.shown(frame.height), picture.errors_now
    if column is None:
        return [float("nan")] * len(shown)
    values: list[float] = last_known(_errors_of(frame, shown, picture.errors), column - frame.gutter).tolist()
    if now is None or now.axis.first != iteration:
        return values
    pairs = zip(now.groups, now.values[:, 0].tolist(), strict=True)
    exact = {group: value for group, value in pairs if np.isfinite(value)}
    return [exact.get(row.labels, value) for row, value in zip(shown, values, strict=True)]


def _errors_of(frame: Frame, shown: Sequence[ClassRow], errors: ClassErrors | None) -> FloatArray:
    """Return the errors of each shown row over the frame's columns; NaN for rows without a group."""
    values = np.full((len(shown), frame.plot_width), np.nan)
    if errors is None or frame.axis is None or frame.plot_width < 1:
        return values
    resampled = resample(errors.values, errors.axis, frame.axis.with_columns(frame.plot_width))
    where = {tuple(group): index for index, group in enumerate(errors.groups)}
    for index, row in enumerate(shown):
        if row.labels in where:
            values[index] = resampled[where[row.labels]]
    return values


def _draw_strip(cells: Cells, frame: Frame, values: FloatArray, y: int, gap: str) -> None:
    """Draw one error strip. Below it is `gap`, a lower block in the panel's colour."""
    if y >= cells.height:
        return
    colours = ramp(frame.theme, "error", frame.output)
    steps = quantise(values, len(colours))
    if frame.output.has_pixels:
        known = steps >= 0
        target = slice(frame.gutter, frame.gutter + len(steps))
        cells.bg[y, target] = np.where(known, colours[np.maximum(steps, 0)], np.uint32(frame.theme.panel))
        cells.ch[y, target] = np.where(known, np.uint32(ord(gap)), np.uint32(32))
        cells.fg[y, target] = frame.theme.panel
    else:
        paint_pixels(cells, frame.gutter, y, np.stack([steps, steps]), colours, frame.output)


def _draw_class_marks(
    cells: Cells, frame: Frame, anomalies: Sequence[Anomaly], y: int, tall: int, selected: str | None
) -> None:
    """Draw a row's anomalies above its strip, or as arrow heads on it where the row is one row high."""
    for mark in strongest_marks(frame, anomalies, selected, one_row=True):
        if tall == 2:
            draw_mark(cells, frame, mark, y, selected)
        elif y < cells.height:
            special = mark.anomaly.status == "flagged" or mark.anomaly.id == selected
            strip = float(to_lab(cells.bg[y, mark.x])[0])
            colour = frame.theme.flag if special else frame.theme.bright
            if abs(strip - float(to_lab(np.array(colour, np.uint32))[0])) < 35:
                colour = frame.theme.panel
            cells.ch[y, mark.x], cells.fg[y, mark.x] = ord((marks.FELL if mark.down else marks.ROSE).glyph), colour
            cells.bold[y, mark.x] = 1


def _write_class(cells: Cells, frame: Frame, row: ClassRow, y: int, error: float | None, is_selected: bool) -> None:
    """Write a row's mark, name, number of classes and error into the gutter, the name first.

    Where the name has no room, the number of classes is left out, then digits of the error; in a row two rows high the
    name goes to the upper one. Only then it is cut.
    """
    theme, tall, is_wide = frame.theme, class_row_height(frame.height), frame.gutter >= WIDE_GUTTER
    left, right, bottom = 1, frame.gutter - 2, y + tall - 1
    if right - left < 4:
        return
    for line in range(y, y + tall):
        cells.clear(left, line, right - left)
    colour = theme.bright if is_selected else theme.text
    x = 3 if is_wide or row.is_cluster else 2
    name, room = safe(row.name), right - x
    values = _ways_to_say(error, is_wide)
    value = next((text for text in values if text_width(name) + 1 + text_width(text) <= room), values[-1])
    is_above = tall == 2 and text_width(name) + 1 + text_width(value) > room
    if row.is_cluster:
        mark = marks.OPENED if row.is_open else marks.CLOSED
        cells.text(1, bottom, mark.glyph, theme.accent if is_selected else mark.of(theme))
    limit = room if is_above else room - text_width(value) - (1 if value else 0)
    cells.text(x, y if is_above else bottom, name, colour, bold=is_selected or row.is_cluster, limit=max(0, limit))
    count = f"{len(row.labels):,}×" if row.is_cluster and is_wide else ""
    if count and text_width(name) + text_width(count) + 1 <= right - 8 - x:
        cells.text(right - 8 - text_width(count), bottom, count, theme.muted)
    if error is not None:
        value_colour = theme.faint if np.isnan(error) else theme.warning if error > 0.5 else theme.text
        cells.text(right - text_width(value), bottom, value, value_colour)


def _ways_to_say(error: float | None, is_wide: bool) -> tuple[str, ...]:
    """Return an error in words, the longest first; "" while it loads, "·" where there is none."""
    if error is None:
        return ("",)
    if np.isnan(error):
        return ("·",)
    short = f"{error * 100:.0f}"
    return (*((f"{error * 100:.1f}%",) if is_wide else ()), f"{short}%", short)
