"""One run of the list in full: its verdict with its incidents, its settings beside them, its curves below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, zip_longest

from dtui.dataclass_on_use import dataclass
from dtui.model.compare import RunRow, RunTold
from dtui.model.findings.review import of_incident
from dtui.model.findings.verdict import Level
from dtui.number_text import counted
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.axis import AxisPicture
from dtui.tui.renderables.panes.curves import CursorValues, CurvesPicture
from dtui.tui.renderables.panes.incident_ribbon import IncidentRibbonPicture, mark_colour
from dtui.tui.renderables.panes.message import wrap
from dtui.tui.renderables.panes.runs.run_list import name_of
from dtui.tui.renderables.parts.chrome import draw_header
from dtui.tui.renderables.parts.picture import Picture

WIDE = 110
"""From this width on the settings stand beside the verdict."""
RIBBON_ROWS, AXIS_ROWS = 3, 1
SETTINGS_COLUMN = 50
"""Columns of the screen that a column of settings needs."""
LEAST_CURVE, MOST_CURVE = 6, 14
"""Rows of a curve."""
FIRST_CURVES = ("loss", "learning_rate")
"""What is drawn below the errors first."""

Line = tuple[tuple[str, int, bool], ...]
"""Words with their colour, and whether they are bold, one after another."""


@dataclass(frozen=True, slots=True)
class PickedRunPicture(Picture):
    """Words, and in the room that is left the curves with the incidents on a time axis of their own.

    Attributes:
        title: Name of the pane.
        row: Its row of the list.
        told: What is told of it.
        differing: Names of the settings that are not the same in all runs.
        is_open: Whether it is the run whose errors stand above every screen.
    """

    title: str
    row: RunRow
    told: RunTold
    differing: frozenset[str] = frozenset()
    is_open: bool = False

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw words and curves."""
        cells, theme = Cells(frame.width, frame.height, frame.theme), frame.theme
        x = draw_header(cells, frame, self.title, max(0, frame.width - 1))
        cells.text(x + 2, 0, name_of(self.row), theme.accent, limit=max(0, frame.width - x - 3))
        left_room = frame.width * 3 // 5 if frame.width >= WIDE else frame.width - 4
        verdict, settings = self._verdict(frame, left_room), self._settings(frame, frame.width - left_room - 6)
        if frame.width < WIDE:
            settings = self._settings_in_a_row(frame, left_room)
            verdict = [*verdict, *settings][: frame.height - 1]
            settings = []
        room = frame.height - 1
        words = min(room, max(len(verdict), len(settings)))
        charts = self._charts(frame, room - min(words, max(len(verdict), room // 3)))
        words = min(words, room - sum(rows for _, rows in charts))
        verdict, settings = (_cut(lines, words, theme.muted) for lines in (verdict, settings))
        for y, (left, right) in enumerate(zip_longest(verdict, settings, fillvalue=()), 1):
            _write(cells, 2, y, left, left_room)
            _write(cells, left_room + 4, y, right, max(0, frame.width - left_room - 5))
        y = frame.height - sum(rows for _, rows in charts)
        for picture, rows in charts:
            cells.put(0, y, picture.draw(self._frame(frame, rows), self.told.verdict.last_iteration))
            y += rows
        return cells

    def _frame(self, frame: Frame, rows: int) -> Frame:
        """Return the frame of a chart: its axis is the whole run."""
        curves = self.told.curves
        axis = None if curves is None else curves.axis.with_columns(max(1, frame.width - frame.gutter))
        return replace(frame, height=rows, axis=axis, focused=False, right=0)

    def _verdict(self, frame: Frame, room: int) -> list[Line]:
        """Return the verdict as lines: its sentence, each incident, and what else must be known."""
        theme, verdict = frame.theme, self.told.verdict
        judging = None if self.row.info is None else self.row.info.judging
        colour = theme.flag if verdict.level is Level.LOOK else theme.bright
        lines: list[Line] = [((line, colour, True),) for line in wrap(verdict.headline, room)]
        for incident in verdict.worst:
            entry = of_incident(incident, judging)
            mark = marks.FLAGGED.glyph if entry.status == "flagged" else " "
            head = ((entry.sign, mark_colour(theme, entry, None), True), (mark, theme.flag, True))
            told = wrap(safe(incident.told, 400), room - 2)
            lines += [((*head, (told[0], theme.text, False))), *_indented(told[1:], theme.text)]
        for remark in verdict.remarks:
            lines += _indented(wrap(safe(remark, 400), room - 2), theme.muted)
        return lines

    def _pairs(self) -> list[tuple[str, str, bool]]:
        """Return name, value and whether it differs of each setting, those that differ first."""
        pairs = [
            (safe(name, 40), safe(value, 200), name in self.differing)
            for (kind, name), value in self.row.settings.items()
        ]
        return sorted(pairs, key=lambda pair: not pair[2])

    def _settings(self, frame: Frame, room: int) -> list[Line]:
        """Return a line for each setting, those that differ bright."""
        theme, pairs = frame.theme, self._pairs()
        wide = max((text_width(name) for name, _, _ in pairs), default=0)
        lines: list[Line] = []
        columns = max(1, room // SETTINGS_COLUMN)
        room = room // columns - (columns > 1)
        for name, value, differs in pairs:
            first, *rest = wrap(value, max(8, room - wide - 2)) or [""]
            ink = theme.text if differs else theme.faint
            head = (f"{name}{' ' * (wide - text_width(name))}  ", theme.muted, False)
            lines += [(head, (first, ink, False)), *(((" " * (wide + 2) + part, ink, False),) for part in rest)]
        tall = -(-len(lines) // columns)
        beside = zip_longest(
            *(lines[begin : begin + tall] for begin in range(0, len(lines), max(1, tall))), fillvalue=()
        )
        return [tuple(chain.from_iterable(_padded(part, room + 1, theme.muted) for part in parts)) for parts in beside]

    def _settings_in_a_row(self, frame: Frame, room: int) -> list[Line]:
        """Return all settings one after another."""
        told = " · ".join(f"{name} {value}" for name, value, _ in self._pairs())
        return [((line, frame.theme.muted, False),) for line in wrap(told, room)]

    def _charts(self, frame: Frame, room: int) -> list[tuple[Picture, int]]:
        """Return the curves that have room, with the incidents and the axis below them, and their rows.

        Of the open run those that do not stand above.
        """
        curves, verdict = self.told.curves, self.told.verdict
        left = room - RIBBON_ROWS - AXIS_ROWS
        if curves is None or left < LEAST_CURVE:
            return []
        judging = None if self.row.info is None else self.row.info.judging
        joins = () if self.row.info is None else self.row.info.joins
        at = verdict.last_iteration
        last = None if at is None else CursorValues(at, self.row.last)
        first = CurvesPicture(curves, values=last, joins=joins, is_judged=judging is not None)
        others = [name for name in curves.series if name not in first.plotted]
        others.sort(key=lambda name: (FIRST_CURVES.index(name) if name in FIRST_CURVES else len(FIRST_CURVES), name))
        alone = (replace(curves, series={name: curves.series[name]}) for name in others)
        below = (replace(first, curves=one, chosen=tuple(one.series)) for one in alone)
        shown = [*([] if self.is_open and others else [first]), *below][: left // LEAST_CURVE]
        rows = [min(MOST_CURVE, left // len(shown))] * len(shown)
        entries = tuple(sorted((of_incident(one, judging) for one in verdict.worst), key=lambda one: one.iteration))
        ribbon = IncidentRibbonPicture(entries, None, (), judging=judging)
        return [*zip(shown, rows, strict=True), (ribbon, RIBBON_ROWS), (AxisPicture(joins), AXIS_ROWS)]


def _indented(lines: Sequence[str], colour: int) -> list[Line]:
    return [(("  " + line, colour, False),) for line in lines]


def _padded(line: Line, width: int, colour: int) -> Line:
    """Return a line that is as wide as its column."""
    return (*line, (" " * max(0, width - sum(text_width(words) for words, _, _ in line)), colour, False))


def _cut(lines: Sequence[Line], most: int, colour: int) -> list[Line]:
    """Return at most so many lines; the last one says how many more there are."""
    if len(lines) <= most:
        return list(lines)
    return (
        [*lines[: most - 1], ((f"… and {counted(len(lines) - most + 1, 'more line')}", colour, False),)] if most else []
    )


def _write(cells: Cells, x: int, y: int, line: Line, room: int) -> None:
    for words, colour, bold in line:
        x, room = cells.text(x, y, shorten(words, max(0, room)), colour, bold=bold), room - text_width(words)
