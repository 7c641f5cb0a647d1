"""The list of runs: one row each, with how far it is, how it goes, and what is set in it and not in all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import RunStatus
from dtui.model.compare import RunList, RunRow, value_in_words
from dtui.run_path import SUFFIX
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.theme import Theme
from dtui.tui.renderables.panes.message import wrap
from dtui.tui.renderables.parts.chrome import draw_header, draw_thumb
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.sparkline import sparkline

TITLE = "Runs"
FOOTER = 2
"""Fewest rows below the list, on the selected run; it takes what the list leaves."""
WIDE = 110
STATUS_MARKS = {
    RunStatus.LIVE: marks.LIVE,
    RunStatus.DONE: marks.DONE,
    RunStatus.INCOMPLETE: marks.INCOMPLETE,
    RunStatus.CRASHED: marks.CRASHED,
}


@dataclass(frozen=True, slots=True)
class RunsPicture(Picture):
    """A list of runs under a header with the names of its columns.

    Attributes:
        runs: The list.
        top: Index of the first row on screen.
        selected: Index of the selected row.
        marked: Paths of marked runs.
        opened: Path of the run on the other screens.
    """

    runs: RunList
    top: int
    selected: int
    marked: frozenset[str]
    opened: str

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, rows and footer."""
        theme, rows = frame.theme, self.runs.rows
        cells = Cells(frame.width, frame.height, theme)
        columns = columns_for(frame.width, rows)
        self._draw_header(cells, frame, columns)
        shown = rows[self.top : self.top + max(0, frame.height - 1 - FOOTER)]
        for y, row in enumerate(shown, 1):
            self._draw_row(cells, frame, row, y, columns)
        footer = self._footer(max(1, frame.width - 3), max(FOOTER, frame.height - 2 - len(shown)))
        for y, (line, colour) in enumerate(footer, frame.height - max(FOOTER, len(footer))):
            if y > 0:
                cells.text(2, y, line, {"warn": theme.warning}.get(colour, theme.muted), limit=max(0, frame.width - 3))
        draw_thumb(cells, frame, self.top, len(shown), len(rows))
        return cells

    def _draw_header(self, cells: Cells, frame: Frame, columns: Sequence[Column]) -> None:
        theme, rows = frame.theme, self.runs.rows
        live = sum(row.info is not None and row.info.status is RunStatus.LIVE for row in rows)
        x = draw_header(cells, frame, f"{TITLE} {len(rows):,}", max(0, frame.width - 1))
        if live:
            cells.text(x + 1, 0, f"· {live:,} live", theme.live, limit=max(0, columns[1].x - x - 2))
        for column in columns[1:]:
            at = column.x + column.width - text_width(column.title) if column.is_right else column.x
            if at > x + 1:
                cells.text(at, 0, column.title, theme.muted, limit=max(0, frame.width - at))

    def _draw_row(self, cells: Cells, frame: Frame, row: RunRow, y: int, columns: Sequence[Column]) -> None:
        theme, is_selected = frame.theme, self.top + y - 1 == self.selected
        if is_selected:
            cells.bg[y, :] = theme.selection
            cells.mark[y, :] = 1
            cells.text(0, y, "▌", theme.accent)
        if row.path in self.marked:
            cells.text(1, y, marks.MARKED.glyph, marks.MARKED.of(theme), bold=True)
        name = columns[0]
        colour = theme.bright if is_selected or row.path == self.opened else theme.text
        if row.path == self.opened:
            cells.text(2, y, marks.CHOSEN.glyph, marks.CHOSEN.of(theme), bold=True)
        cells.text(name.x, y, shorten(name_of(row), name.width), colour, bold=is_selected)
        if row.info is None:
            words, colour = _unread(row, theme)
            cells.text(columns[1].x, y, shorten(words, max(0, frame.width - columns[1].x - 1)), colour)
            return
        for column in columns[1:]:
            self._draw_cell(cells, frame, row, y, column)

    def _draw_cell(self, cells: Cells, frame: Frame, row: RunRow, y: int, column: Column) -> None:
        theme, info = frame.theme, row.info
        assert info is not None
        text, colour = "", theme.text
        if column.key == "status":
            text = f"{STATUS_MARKS[info.status].glyph} {info.status}"
            colour = status_colour(theme, info.status)
        elif column.key == "iterations":
            text = "none yet" if info.last_iteration is None else f"{info.last_iteration:,}"
        elif column.key == "rate":
            text, colour = rate_in_words(row.rate), theme.muted
        elif column.key == "left":
            text, colour = duration(row.seconds_left), theme.muted
        elif column.key == "error":
            text, colour = error_of(row), theme.bright
        elif column.key == "curve" and row.sparkline is not None:
            text = sparkline(row.sparkline, column.width, frame.output.ascii)
            colour = theme.validation if row.sparkline_of != "train_error" else theme.train
        elif column.key == "incidents":
            text, colour = _incidents(row, theme, column.width)
        elif column.key == "size":
            text, colour = size_in_words(row.bytes), theme.muted
        elif column.key == "differs":
            text, colour = self.differing(row), theme.muted
        shown = shorten(text, column.width)
        at = column.x + column.width - text_width(shown) if column.is_right else column.x
        cells.text(at, y, shown, colour)

    def differing(self, row: RunRow) -> str:
        """Return what is set in a run and not in all, such as "lr 0.1 · batch 64"; safe to show."""
        return " · ".join(f"{safe(name, 40)} {safe(value, 60)}" for name, value in self.runs.differing(row.path))

    def _footer(self, room: int, most: int) -> list[tuple[str, str]]:
        """Return lines on the selected run, at most `most`: where it is and what is wrong; all that differs."""
        if not 0 <= self.selected < len(self.runs.rows):
            return []
        row = self.runs.rows[self.selected]
        first, colour = safe(row.path, 400), ""
        if row.error:
            first, colour = f"{name_of(row)}: {safe(row.error, 400)}", "warn"
        elif row.info is not None and row.info.reason:
            first, colour = f"{name_of(row)} {row.info.status}: {safe(row.info.reason, 400)}", "warn"
        return [(shorten(first, room), colour), *((line, "") for line in self._settings(row, room, most - 1))]

    def _settings(self, row: RunRow, room: int, most: int) -> list[str]:
        """Return what is set in a run and not in all: a line each, or where there are fewer, all in a row."""
        if self.runs.ready < len(self.runs.rows):
            return [f"reading {self.runs.ready:,} of {len(self.runs.rows):,} …"]
        told = self.differing(row)
        if not told:
            is_same = len(self.runs.rows) > 1 and self.runs.compared and not self.runs.differences
            return ["settings: the same in all"] if is_same else []
        pairs = [(safe(name, 40), safe(value, 200)) for name, value in self.runs.differing(row.path)]
        wide = max(text_width(name) for name, _ in pairs)
        if len(pairs) < most and text_width(f"differs: {told}") > room:
            return ["differs:", *(f"  {name}{' ' * (wide - text_width(name))}  {value}" for name, value in pairs)]
        lines = wrap(f"differs: {told}", room)
        rest = " ".join(lines[most - 1 :])
        return [*lines[: most - 1], *([shorten(rest, room)] if rest else [])]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the list."""

    key: str
    title: str
    x: int
    width: int
    is_right: bool = False


_NARROW = (("status", 9), ("iterations", 9), ("error", 6), ("curve", 10), ("incidents", 9))
_BROAD = (
    *(("status", 12), ("iterations", 10), ("rate", 9), ("left", 8), ("error", 8), ("curve", 20)),
    *(("incidents", 18), ("size", 8)),
)
_TITLES = {"curve": "its course", "differs": "what differs", "left": "left", "iterations": "iteration"}


def columns_for(width: int, rows: Sequence[RunRow]) -> tuple[Column, ...]:
    """Return the columns that fit into a width, the name first and what differs last."""
    widths = list(_BROAD if width >= WIDE else _NARROW)
    if not any(np.isfinite(row.rate) for row in rows):
        widths = [item for item in widths if item[0] not in ("rate", "left")]
    least = 4 + (16 if width >= 70 else 8) + 3
    for key in ("size", "rate", "left", "curve", "incidents", "iterations", "error"):
        if least + sum(size + 2 for _, size in widths) > width:
            widths = [item for item in widths if item[0] != key]
    longest = max((text_width(name_of(row)) for row in rows), default=4)
    fixed = sum(size + 2 for _, size in widths)
    name = max(16 if width >= 70 else 8, min(longest, 40 if width >= WIDE else 26, width - 4 - fixed))
    columns, x = [Column("name", "", 4, name)], 4 + name + 2
    for key, size in widths:
        is_right = key in ("iterations", "rate", "left", "error", "size")
        columns.append(Column(key, _TITLES.get(key, key), x, size, is_right))
        x += size + 2
    if width - x - 1 >= 8:
        columns.append(Column("differs", _TITLES["differs"], x, width - x - 1))
    return tuple(columns)


def name_of(row: RunRow) -> str:
    """Return the name of a run as its folder says it; safe to show."""
    return safe(PurePath(row.path).name.removesuffix(SUFFIX), 80)


def status_colour(theme: Theme, status: RunStatus) -> int:
    """Return the colour of a status."""
    return STATUS_MARKS[status].of(theme)


def error_of(row: RunRow) -> str:
    """Return the last error, or the loss where there is none."""
    for name in ("validation_error", "train_error", "loss"):
        if name in row.last:
            return value_in_words(name, row.last[name]) if np.isfinite(row.last[name]) else "NaN"
    return ""


def rate_in_words(rate: float) -> str:
    """Return iterations a second, or a minute where they are few; "" if not known."""
    if not np.isfinite(rate) or rate <= 0:
        return ""
    if rate < 0.1:
        return f"{60 * rate:.1f}/min"
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"


def duration(seconds: float) -> str:
    """Return a time in its two largest units, such as "2 h 05"; "" if not known."""
    if not np.isfinite(seconds):
        return ""
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h"
    if hours:
        return f"{hours} h {minutes % 60:02}"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"


def size_in_words(size: int) -> str:
    """Return bytes in kB, MB or GB; "" if not known."""
    if size <= 0:
        return ""
    for unit, least in (("GB", 1e9), ("MB", 1e6)):
        if size >= least:
            return f"{size / least:.3g} {unit}"
    return f"{max(1, round(size / 1e3))} kB"


def _unread(row: RunRow, theme: Theme) -> tuple[str, int]:
    if not row.is_read:
        return "…", theme.faint
    if row.is_claimed:
        return "claimed, nothing recorded yet", theme.muted
    return safe(row.error, 300), theme.warning


def _incidents(row: RunRow, theme: Theme, width: int) -> tuple[str, int]:
    counts = row.incidents
    if counts is None:
        return "…", theme.faint
    told = [f"{counts[status]:,} {status}" for status in ("new", "flagged") if counts.get(status)]
    if told:
        words = " · ".join(told)
        if text_width(words) > width:
            words = words.replace(" flagged", marks.FLAGGED.glyph)
        if text_width(words) > width:
            words = words.replace(" · ", " ")
        return words, theme.flag if counts.get("flagged") else theme.accent
    return ("all judged", theme.muted) if sum(counts.values()) else ("none", theme.muted)
