"""The list of what people review: one row for each entry, with where it is and its evidence as a small curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from dtui.dataclass_on_use import dataclass
from dtui.model.findings.evidence import rules_of
from dtui.model.findings.review import Entry
from dtui.model.findings.telling import Telling
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.incident_ribbon import mark_colour
from dtui.tui.renderables.parts.chrome import draw_header, draw_thumb
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.sparkline import sparkline

TITLE = "Triage"
STATUS_WIDTH = 9
FOOTER_INDENT = 3
EVIDENCE_WIDTH = 21
WIDE = 110
"""From this width on the evidence has a column of its own."""


@dataclass(frozen=True, slots=True)
class TriagePicture(Picture):
    """A list of entries under a header.

    Attributes:
        entries: All, in their order.
        top: Index of the first on screen.
        selected: Index of the selected one; -1 for none.
        marked: Ids of marked entries.
        classes: Names by label; data from outside.
        evidence: By id: the telling series around the entry.
        title: Words beside the pane's name.
        footer: Lines below the entries, in quiet letters.
        reason: Why the training ended as it should not have, above them; data from outside, "" for nothing.
    """

    entries: Sequence[Entry]
    top: int
    selected: int
    marked: frozenset[str]
    classes: tuple[str, ...]
    evidence: Mapping[str, Telling] = field(default_factory=dict)
    title: str = ""
    footer: tuple[str, ...] = ()
    reason: str = ""

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw header, rows and footer."""
        theme = frame.theme
        cells = Cells(frame.width, frame.height, theme)
        x = draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        cells.text(x + 2, 0, self.title, theme.muted, limit=max(0, frame.width - x - 3))
        if frame.width >= WIDE and any(entry.id in self.evidence for entry in self.entries):
            cells.text(frame.width - 2 - EVIDENCE_WIDTH, 0, "evidence, ±20 records", theme.muted)
        reason = [(self.reason, theme.crashed)] if self.reason else []
        footer = [*reason, *((line, theme.muted) for line in self.footer)]
        shown = self.entries[self.top : self.top + max(0, frame.height - 1 - len(footer))]
        at_width = max((text_width(_at(entry)) for entry in self.entries), default=0)
        for y, entry in enumerate(shown, 1):
            self._draw_row(cells, frame, entry, y, at_width)
        for y, (line, colour) in enumerate(footer, 1 + len(shown)):
            cells.text(FOOTER_INDENT, y, line, colour, limit=max(0, frame.width - FOOTER_INDENT - 1))
        draw_thumb(cells, frame, self.top, len(shown), len(self.entries), column=frame.width - 1)
        return cells

    def _draw_row(self, cells: Cells, frame: Frame, entry: Entry, y: int, at_width: int) -> None:
        theme, is_selected = frame.theme, self.top + y - 1 == self.selected
        is_quiet = entry.status == "dismissed"
        if is_selected:
            cells.bg[y, :] = theme.selection
            cells.mark[y, :] = 1
            cells.text(0, y, "▌", theme.accent)
        if entry.id in self.marked:
            cells.text(1, y, marks.MARKED.glyph, marks.MARKED.of(theme), bold=True)
        colour = theme.faint if is_quiet else theme.bright if is_selected else theme.text
        x = cells.text(2, y, entry.sign, theme.faint if is_quiet else mark_colour(theme, entry, None), bold=True) + 1
        status_colour = theme.flag if entry.status == "flagged" else theme.faint if is_quiet else theme.accent
        if frame.width >= 70:
            cells.text(x, y, entry.status, status_colour, limit=STATUS_WIDTH)
            x += STATUS_WIDTH + 1
        elif entry.status == "flagged":
            x = cells.text(x, y, marks.FLAGGED.glyph, marks.FLAGGED.of(theme)) + 1
        cells.text(x + at_width - text_width(_at(entry)), y, _at(entry), theme.muted)
        x += at_width + 2
        stop = frame.width - 2
        if frame.width >= WIDE:
            stop -= EVIDENCE_WIDTH + 2
            series = self.evidence.get(entry.id)
            if series is not None and not is_quiet:
                cells.text(stop + 2, y, sparkline(series.values, EVIDENCE_WIDTH, frame.output.ascii), theme.validation)
        if entry.note:
            note = f"{marks.NOTED} {safe(entry.note, 60)}"
            room = min(text_width(note), max(0, (stop - x) // 3))
            cells.text(stop - room, y, shorten(note, room), theme.flag)
            stop -= room + 2
        cells.text(x, y, shorten_names(words_of(entry, self.classes), max(0, stop - x)), colour, bold=is_selected)


def words_of(entry: Entry, classes: Sequence[str]) -> str:
    """Return what happened in one line: an incident's sentence, or where and what."""
    if entry.incident is not None:
        return safe(entry.incident.sentence, 400)
    place = safe(entry.place(classes))
    if not entry.anomalies:
        return f"{place}: {entry.kind}"
    shown, by = entry.anomalies[0].shown, rules_of(entry.anomalies)
    return " ".join(filter(None, (place, shown.verb, shown.detail, f"· {by}" if by else "")))


def _at(entry: Entry) -> str:
    first, last = f"{entry.iteration:,}", f"{entry.last:,}"
    return first if entry.last <= entry.iteration else f"{first}–{last}"
