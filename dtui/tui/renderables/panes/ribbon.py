"""The anomaly ribbon: a triangle for each column's strongest anomaly, lost above, gained below."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.dataclass_on_use import dataclass
from dtui.model import Anomaly, Stage
from dtui.model.findings.evidence import rules_of
from dtui.model.findings.review import Entry
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.parts.anomaly_marks import draw_mark, strongest_marks
from dtui.tui.renderables.parts.chrome import draw_header, draw_stages
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import class_name


@dataclass(frozen=True, slots=True)
class RibbonPicture(Picture):
    """The ribbon, made for 3 rows: label of the selected anomaly in row 0, lost ▼ in row 1, gained ▲ in row 2.

    Width and strength of colour grow with the share. Flagged anomalies and the selected one have the flag colour;
    dismissed ones are hidden. The gutter shows how many are still to review.

    Attributes:
        anomalies: In any order.
        entries: The same by event, as they are reviewed.
        selected: Id of the selected entry; its label is placed where it is not cut.
        classes: Names by label; data from outside.
        stages: Learning-rate stages, dashed verticals.
        nothing: Texts for a ribbon without anomalies, the longest first; the first that fits is shown.
        reading: The value of a curve at the crosshair in words, where nothing else on the screen says it.
    """

    anomalies: tuple[Anomaly, ...]
    entries: tuple[Entry, ...]
    selected: str | None
    classes: tuple[str, ...]
    stages: tuple[Stage, ...] = ()
    nothing: tuple[str, ...] = ("none found",)
    reading: str = ""
    crosshair = True

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw label, counts and triangles."""
        theme, anomalies = frame.theme, self.anomalies
        cells = Cells(frame.width, frame.height, theme)
        draw_header(cells, frame, "Anomalies", max(0, frame.gutter - 1))
        waiting = sum(entry.status == "new" for entry in self.entries)
        room = max(0, frame.gutter - 3)
        count = f"{waiting:,}/{len(self.entries):,}"
        if not anomalies:
            room = max(0, frame.width - 3)  # nothing else stands in this row
            count = next((words for words in self.nothing if text_width(words) <= room), self.nothing[-1])
        if anomalies:
            count += next((words for words in (" to review", " new") if text_width(count + words) <= room), "")
        end = cells.text(2, 1, count, theme.muted, limit=room)
        if write_reading(cells, frame, self.reading, end) and frame.gutter >= 26:
            x = cells.text(2, 2, marks.LOST.glyph, marks.LOST.of(theme))
            x = cells.text(x + 1, 2, "lost", theme.muted)
            x = cells.text(x + 2, 2, marks.GAINED.glyph, marks.GAINED.of(theme))
            cells.text(x + 1, 2, "gained", theme.muted)
        for mark in strongest_marks(frame, anomalies, self.selected):
            draw_mark(cells, frame, mark, 1 if mark.down else 2, self.selected)
        draw_stages(cells, frame, self.stages, 0, frame.height)
        chosen = next((entry for entry in self.entries if entry.id == self.selected), None)
        if chosen is not None:
            _draw_label(cells, frame, chosen.anomalies, self.classes)
        return cells


def write_reading(cells: Cells, frame: Frame, reading: str, end: int) -> bool:
    """Write a value at the crosshair into the gutter of a ribbon: behind the counts, which `end` there, or below.

    Return whether the row below is free. Of what is too long the name is cut, and not the number at its end.
    """
    if not reading:
        return True
    if end + 3 + text_width(reading) < frame.gutter:
        end = cells.text(end, 1, " · ", frame.theme.faint)
        cells.text(end, 1, reading, frame.theme.bright, bold=True)
        return True
    name, _, number = reading.rpartition(" ")
    room = max(0, frame.gutter - 3)
    words = f"{shorten(name, max(0, room - text_width(number) - 1))} {number}"
    cells.text(2, 2, words, frame.theme.bright, bold=True, limit=room)
    return False


def anomaly_at(frame: Frame, anomalies: Sequence[Anomaly], x: int, y: int) -> str | None:
    """Return the id of the anomaly drawn nearest to a cell, at most two columns away; None where there is none."""
    best: tuple[int, float, str] | None = None
    for mark in strongest_marks(frame, anomalies, None):
        distance = abs(mark.x - x)
        if distance <= 2 and (y == 0 or mark.down == (y == 1)):
            candidate = (distance, -mark.anomaly.size, mark.anomaly.id)
            best = candidate if best is None else min(best, candidate)
    return None if best is None else best[2]


def label_of(event: Sequence[Anomaly], classes: Sequence[str], room: int) -> str:
    """Return an event in words of at most `room` columns, such as "▼ cat lost 38% · left rule @1,204".

    A trigger of the flight recorder looks like "◆ layer3.conv1 filter 17 jumped @1,351". If room is short, the rule is
    left out first, then the end of the name.
    """
    anomaly = event[0]
    index, shown, rules = anomaly.class_index, anomaly.shown, rules_of(event)
    name = safe(anomaly.evidence.place or shown.subject) if index is None else class_name(classes, index)
    flag = f"{marks.FLAGGED} " if anomaly.status == "flagged" else ""
    head, at = f"{flag}{shown.sign} ", f" @{anomaly.iteration:,}"
    by = f" · {rules}" if rules else ""
    for tail in (f" {shown.verb}{by}{at}", f" {shown.verb}{at}"):
        if text_width(head + name + tail) <= room:
            return head + name + tail
    return shorten(head + shorten_names(name, max(3, room - text_width(head + tail))) + tail, room)


def _draw_label(cells: Cells, frame: Frame, event: Sequence[Anomaly], classes: Sequence[str]) -> None:
    """Write the label right of the event's column, or left of it, wherever it fits whole."""
    x = frame.column_of(event[0].iteration)
    if x is None:
        return
    theme = frame.theme
    right, left = frame.width - x - 3, x - frame.gutter - 1
    room = max(right, left)
    if room < 4:
        return
    label = label_of(event, classes, room)
    width = text_width(label)
    cells.text(x, 0, "╷", theme.flag)
    cells.text(x + 2 if width <= right else x - 1 - width, 0, label, theme.flag, bold=True)
