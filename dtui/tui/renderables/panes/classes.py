"""Draws clusters and classes as error strips with anomaly triangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dtui.model import Anomaly, ClassErrors, FloatArray, Stage
from dtui.safe_text import safe
from dtui.tui.renderables.canvas.cells import Cells, text_width
from dtui.tui.renderables.canvas.frame import Frame, Region
from dtui.tui.renderables.canvas.palettes import ramp, to_lab
from dtui.tui.renderables.canvas.primitives import paint_pixels, quantise, resample
from dtui.tui.renderables.parts.anomaly_marks import draw_mark, strongest_marks
from dtui.tui.renderables.parts.chrome import (
    draw_header,
    draw_legend,
    draw_stages,
    draw_thumb,
    select_gutter,
    write_value,
)
from dtui.tui.renderables.parts.picture import Picture

TITLE = "Classes"
WIDE_GUTTER = 26
"""From this gutter on there is room for tenths of a percent and for counts."""


@dataclass(frozen=True, slots=True)
class ClassRow:
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
    crosshair = True

    @property
    def readout_of(self) -> object:
        """The exact errors at the cursor."""
        return self.errors_now

    def shown(self, height: int) -> Sequence[ClassRow]:
        """Return the rows that a pane of `height` rows shows under its header."""
        return self.rows[self.top : self.top + max(0, height - 1) // class_row_height(height)]

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, strips, triangles and readout."""
        cells = Cells(frame.width, frame.height, frame.theme)
        _draw_classes_header(cells, frame, self.title)
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
            _draw_class_name(cells, frame, row, y + tall - 1, is_selected)
        draw_thumb(cells, frame, self.top, len(shown), len(self.rows))
        draw_stages(cells, frame, self.stages, 1, frame.height)
        self.write_readout(cells, frame, iteration)
        return cells

    def write_readout(self, cells: Cells, frame: Frame, iteration: int | None) -> None:
        """Rewrite each row's error at the cursor in the gutter: the column's error until the exact one arrives."""
        x, _, width, _ = classes_readout_region(frame)
        if width < 4:
            return
        theme, tall = frame.theme, class_row_height(frame.height)
        digits = 1 if frame.gutter >= WIDE_GUTTER else 0
        for index, value in enumerate(_errors_at(frame, self, iteration)):
            text = "" if self.errors is None else "·" if np.isnan(value) else f"{value * 100:.{digits}f}%"
            colour = theme.faint if np.isnan(value) else theme.warning if value > 0.5 else theme.text
            write_value(cells, x + width, index * tall + tall, text, colour, room=width)


def classes_readout_region(frame: Frame) -> Region:
    """Return the cells that the readout may change."""
    width = 7 if frame.gutter >= WIDE_GUTTER else 4
    x = max(0, frame.gutter - width - 2)
    return x, 1, max(0, min(width, frame.width - x, frame.gutter - 2)), max(0, frame.height - 1)


def class_row_height(height: int) -> int:
    """Return the terminal rows that one class takes in a pane of `height` rows: 2, or 1 when it is compact."""
    return 2 if height >= 12 else 1


def _draw_classes_header(cells: Cells, frame: Frame, title: str) -> None:
    """Write name, title and legend; the legend loses its name if the title needs the room."""
    x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
    colours = ramp(frame.theme, "error", frame.output)
    stop = draw_legend(cells, frame, colours, "0", "100%", "error", left=x + 3 + text_width(title))
    if stop == frame.width:
        stop = draw_legend(cells, frame, colours, "0", "100%", "error", left=x + 1)
    cells.text(x + 2, 0, title, frame.theme.muted, limit=max(0, stop - x - 3))


def _errors_at(frame: Frame, picture: ClassesPicture, iteration: int | None) -> list[float]:
    """Return the error of each shown row at the cursor, NaN for none."""
    column, shown, now = frame.column_of(iteration), picture.shown(frame.height), picture.errors_now
    if column is None:
        return [float("nan")] * len(shown)
    values: list[float] = _errors_of(frame, shown, picture.errors)[:, column - frame.gutter].tolist()
    if now is None or now.axis.first != iteration:
        return values
    exact = dict(zip(now.groups, now.values[:, 0].tolist(), strict=True))
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
            cells.ch[y, mark.x], cells.fg[y, mark.x] = ord("▾" if mark.down else "▴"), colour
            cells.bold[y, mark.x] = 1


def _draw_class_name(cells: Cells, frame: Frame, row: ClassRow, y: int, is_selected: bool) -> None:
    """Write mark, name and number of classes of a row."""
    theme = frame.theme
    end = classes_readout_region(frame)[0] - 1
    if row.is_cluster:
        cells.text(1, y, "▾" if row.is_open else "▸", theme.accent if is_selected else theme.muted)
        if frame.gutter >= WIDE_GUTTER:
            count = f"{len(row.labels):,}×"
            cells.text(frame.gutter - 10 - text_width(count), y, count, theme.muted)
            end = frame.gutter - 11 - text_width(count)
    x = 3 if frame.gutter >= WIDE_GUTTER or row.is_cluster else 2
    colour = theme.bright if is_selected else theme.text
    cells.text(x, y, safe(row.name), colour, bold=is_selected or row.is_cluster, limit=max(0, end - x))
