"""The ribbon of incidents: one mark for each, with the selected one in words above."""

from __future__ import annotations

from collections.abc import Sequence

from dtui.dataclass_on_use import dataclass
from dtui.model import Stage
from dtui.model.findings.review import Entry
from dtui.model.judging import Judging, as_groups
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.canvas.theme import Theme
from dtui.tui.renderables.panes.ribbon import write_reading
from dtui.tui.renderables.parts.chrome import draw_header, draw_stages
from dtui.tui.renderables.parts.picture import Picture

LEGEND = ((marks.LOST, "class"), (marks.CHANGED, "layer"), (marks.NETWORK, "all"), (marks.NONFINITE, "NaN"))


@dataclass(frozen=True, slots=True)
class RibbonMark:
    """What one place of the ribbon shows: an entry, or several that would touch.

    Attributes:
        x: Column of the pane.
        entry: The one that gives sign and colour: the selected, a flagged, or the strongest.
        count: How many stand there.
    """

    x: int
    entry: Entry
    count: int = 1

    @property
    def text(self) -> str:
        """The sign, with the number where there are several."""
        return self.entry.sign if self.count == 1 else f"{self.entry.sign}{min(self.count, 99)}"


@dataclass(frozen=True, slots=True)
class IncidentRibbonPicture(Picture):
    """The ribbon, made for 3 rows: words in row 0, marks in row 1, how long each lasted in row 2.

    Attributes:
        entries: By iteration; dismissed ones are hidden.
        selected: Id of the selected entry.
        classes: Names by label; data from outside.
        stages: Learning-rate stages, dashed verticals.
        nothing: Texts for a ribbon without entries, the longest first; the first that fits is shown.
        judging: What decides what is right; None where class scores do.
        reading: The value of a curve at the crosshair in words, where nothing else on the screen says it.
    """

    entries: tuple[Entry, ...]
    selected: str | None
    classes: tuple[str, ...]
    stages: tuple[Stage, ...] = ()
    nothing: tuple[str, ...] = ("none found",)
    judging: Judging | None = None
    reading: str = ""
    crosshair = True

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw words, counts and marks."""
        theme = frame.theme
        cells = Cells(frame.width, frame.height, theme)
        draw_header(cells, frame, "Incidents", max(0, frame.gutter - 1))
        self._write_counts(cells, frame)
        draw_stages(cells, frame, self.stages, 0, frame.height)
        for entry in self.entries:
            _draw_span(cells, frame, entry, self.selected)
        for mark in marks_of(frame, self.entries, self.selected):
            cells.text(mark.x, 1, mark.text, mark_colour(theme, mark.entry, self.selected), bold=True)
        chosen = next((entry for entry in self.entries if entry.id == self.selected), None)
        if chosen is not None:
            _draw_words(cells, frame, chosen, self.classes)
        return cells

    def _write_counts(self, cells: Cells, frame: Frame) -> None:
        theme = frame.theme
        if not self.entries:
            room = max(0, frame.width - 3)
            words = next((text for text in self.nothing if text_width(text) <= room), self.nothing[-1])
            write_reading(cells, frame, self.reading, cells.text(2, 1, words, theme.muted, limit=room))
            return
        room = max(0, frame.gutter - 3)
        new = sum(entry.status == "new" for entry in self.entries)
        words = f"{new:,}/{len(self.entries):,}"
        words += next((more for more in (" to review", " new") if text_width(words + more) <= room), "")
        end = cells.text(2, 1, words, theme.muted, limit=room)
        if write_reading(cells, frame, self.reading, end) and frame.gutter >= 30:
            x = 2
            for mark, word in LEGEND:
                x = cells.text(x, 2, mark.glyph, mark.of(theme))
                x = cells.text(x + 1, 2, as_groups(word, self.judging), theme.muted) + 1


def marks_of(frame: Frame, entries: Sequence[Entry], selected: str | None) -> list[RibbonMark]:
    """Return the marks from left to right; neighbours that would touch become one with a number."""
    groups: list[list[tuple[int, Entry]]] = []
    for entry in entries:
        x = frame.column_of(entry.iteration)
        if x is None or entry.status == "dismissed":
            continue
        if groups and x - groups[-1][-1][0] <= 1:
            groups[-1].append((x, entry))
        else:
            groups.append([(x, entry)])
    marks = []
    for group in groups:
        x, entry = max(group, key=lambda found: (found[1].id == selected, found[1].status == "flagged", found[1].score))
        marks.append(RibbonMark(x if len(group) == 1 else group[0][0], entry, len(group)))
    return marks


def entry_at(frame: Frame, entries: Sequence[Entry], x: int) -> str | None:
    """Return the id of the entry drawn nearest to a column, at most two columns away; None where there is none."""
    near = [(abs(mark.x - x), -mark.entry.score, mark.entry.id) for mark in marks_of(frame, entries, None)]
    found = min(near, default=None)
    return found[2] if found is not None and found[0] <= 2 else None


def mark_colour(theme: Theme, entry: Entry, selected: str | None) -> int:
    """Return the colour of a mark: the flag's for what is flagged or selected."""
    return theme.flag if entry.status == "flagged" or entry.id == selected else _colour_of(theme, entry.sign)


def _colour_of(theme: Theme, sign: str) -> int:
    return marks.OF_SIGN.get(sign, marks.GAINED).of(theme)


def words_of(entry: Entry, classes: Sequence[str], room: int) -> str:
    """Return an entry in at most `room` columns: its sentence if it fits, else its place and kind, then less."""
    flag = f"{marks.FLAGGED} " if entry.status == "flagged" else ""
    at = f"@{entry.iteration:,}"
    place = safe(entry.place(classes))
    sentence = safe(entry.incident.sentence, 400) if entry.incident is not None else ""
    kind = entry.kind if entry.kind.startswith(place) else f"{place}: {entry.kind}"
    for words in (sentence, kind, place):
        text = f"{flag}{entry.sign} {words} {at}"
        if words and text_width(text) <= room:
            return text
    head, tail = f"{flag}{entry.sign} ", f" {at}"
    return shorten(head + shorten_names(place, max(3, room - text_width(head + tail))) + tail, room)


def _draw_span(cells: Cells, frame: Frame, entry: Entry, selected: str | None) -> None:
    """Draw a line below the mark as long as there was evidence, where it is longer than the mark."""
    begin, end = frame.column_of(entry.iteration), frame.column_of(entry.last)
    if entry.status == "dismissed" or (begin is None and end is None):
        return
    left = frame.gutter if begin is None else begin
    right = frame.width - 1 if end is None else end
    if right > left:
        cells.text(left, 2, "─" * (right - left + 1), mark_colour(frame.theme, entry, selected))


def _draw_words(cells: Cells, frame: Frame, entry: Entry, classes: Sequence[str]) -> None:
    """Write the selected entry right of its column, or left of it, wherever there is more room."""
    x = frame.column_of(entry.iteration)
    if x is None:
        return
    right, left = frame.width - x - 3, x - frame.gutter - 1
    if max(right, left) < 4:
        return
    words = words_of(entry, classes, max(right, left))
    cells.text(x, 0, "╷", frame.theme.flag)
    width = text_width(words)
    cells.text(x + 2 if width <= right else x - 1 - width, 0, words, frame.theme.flag, bold=True)
