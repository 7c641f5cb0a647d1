"""One entry of the review in full: what happened in words, its evidence as a chart, its images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import ImageVerdict
from dtui.model.findings.incident_evidence import IncidentEvidence, TurnedWrong
from dtui.model.findings.review import NAMED_FILTERS, Entry
from dtui.model.findings.telling import Telling
from dtui.model.judging import Judging, as_groups
from dtui.model.layers import layer_called
from dtui.safe_text import safe
from dtui.tui.renderables.canvas import marks
from dtui.tui.renderables.canvas.cells import Cells, shorten, shorten_names, text_width
from dtui.tui.renderables.canvas.frame import Frame
from dtui.tui.renderables.panes.incident_ribbon import mark_colour
from dtui.tui.renderables.panes.message import wrap
from dtui.tui.renderables.panes.triage import words_of
from dtui.tui.renderables.parts.chrome import draw_header, number
from dtui.tui.renderables.parts.column_chart import draw_columns, draw_share_bars
from dtui.tui.renderables.parts.image_row import draw_image_row
from dtui.tui.renderables.parts.picture import Picture
from dtui.tui.renderables.parts.words.class_names import class_name
from dtui.tui.renderables.parts.words.judged_words import has_labels, score_name, wrong_colour

TITLE = "Evidence"
WIDE = 110
"""From this width on, chart and images stand beside the words."""
ROOMY = 200
"""From this width on, charts are twice as wide, and higher in a high pane."""
MOST_CHART_ROWS, ROOMY_CHART_ROWS = 9, 15
LEAST_CHART_ROWS = 5
MOST_FILTERS = 24
IMAGES_KEY = " · i shows them"
LASTING = {True: "still so at the end", False: "over at the end", None: ""}


@dataclass(frozen=True, slots=True)
class EntryDetailPicture(Picture):
    """The selected entry.

    Attributes:
        entry: Which.
        classes: Names by label; data from outside.
        evidence: What shows it; None while it loads, and for an anomaly.
        images: Some wrong images of its worst class, or of all where it names none, at its moment.
        turned: What turned wrong around an incident that names no class.
    """

    entry: Entry
    classes: tuple[str, ...]
    evidence: IncidentEvidence | None = None
    images: tuple[ImageVerdict, ...] = ()
    turned: TurnedWrong | None = None

    def draw(self, frame: Frame, iteration: int | None = None) -> Cells:
        """Draw words, then the chart and images in the room that is left."""
        cells = Cells(frame.width, frame.height, frame.theme)
        draw_header(cells, frame, TITLE, max(0, frame.width - 1))
        is_wide = frame.width >= WIDE
        room = frame.width * 2 // 5 if is_wide else frame.width - 4
        y = self._write_words(cells, frame, 1, room)
        y = self._draw_became(cells, frame, y, room)
        y = self._write_lines(cells, frame, y, room, self._rest(frame))
        if self.evidence is None:
            return cells
        if is_wide:
            x = room + 4
            most = 84 if frame.width < ROOMY else 168
            self._draw_charts(cells, frame, x, 1, min(most, frame.width - x - 1), frame.height - 1)
            y = max(y + 1, 2 + _chart_rows(frame) * len(self.evidence.series))
            draw_image_row(cells, frame, 2, y, self.images, self.classes)
        else:
            self._draw_charts(cells, frame, 2, y, frame.width - 4, frame.height - y)
        return cells

    def _write_words(self, cells: Cells, frame: Frame, y: int, room: int) -> int:
        theme, entry = frame.theme, self.entry
        cells.text(1, y, entry.sign, mark_colour(theme, entry, None), bold=True)
        for line in wrap(words_of(entry, self.classes), room - 1)[: max(1, frame.height - 2)]:
            cells.text(3, y, line, theme.bright, bold=True)
            y += 1
        when = [(line, theme.muted) for line in self._when(room - 1)]
        y = self._write_lines(cells, frame, y, room, (*when, *self._turned(frame), *self._batch(frame)))
        if entry.note and y < frame.height:
            cells.text(3, y, shorten(f"{marks.NOTED} {safe(entry.note, 200)}", room - 1), theme.flag)
            y += 1
        return y

    @staticmethod
    def _write_lines(cells: Cells, frame: Frame, y: int, room: int, lines: Sequence[tuple[str, int]]) -> int:
        """Write lines, each in its colour, as far as there is room; return the row below them."""
        for line, colour in lines:
            for part in wrap(line, room - 1)[: max(0, frame.height - y)]:
                cells.text(3, y, part, colour)
                y += 1
        return y

    def _rest(self, frame: Frame) -> Sequence[tuple[str, int]]:
        """Return what stands behind what its class became: what to look at next, the rule, and where it was."""
        rule = "" if self.evidence is None else self.evidence.rule
        muted = [(line, frame.theme.muted) for line in (rule, *self._where()) if line]
        return (*self._next(frame), *muted)

    def _turned(self, frame: Frame) -> Sequence[tuple[str, int]]:
        """Return how many images turned wrong around an incident that names no class, and its colour."""
        if self.turned is None:
            return ()
        is_more = self.turned.count > self.turned.usual
        return (
            (
                turned_words(self.turned, self.classes, self.entry.judging),
                frame.theme.text if is_more else frame.theme.muted,
            ),
        )

    def _batch(self, frame: Frame) -> Sequence[tuple[str, int]]:
        """Return what the batches before it say, and its colour; nothing where they were not recorded."""
        batch = None if self.evidence is None else self.evidence.batch
        if batch is None:
            return ()
        return ((f"data: {batch.sentence} · D lists them", frame.theme.text if batch.here else frame.theme.muted),)

    def _next(self, frame: Frame) -> Sequence[tuple[str, int]]:
        """Return what to look at next, and its colour; nothing for an anomaly, and for what was dismissed."""
        incident = self.entry.incident
        if incident is None or self.entry.status == "dismissed":
            return ()
        return ((f"next: {incident.next_step}", frame.theme.text),)

    def _when(self, room: int) -> list[str]:
        """Return when it was, of what kind it is, and whether it is still so; in one line where that has room."""
        entry, incident = self.entry, self.entry.incident
        at = f"{entry.iteration:,}" if entry.last <= entry.iteration else f"{entry.iteration:,} to {entry.last:,}"
        said, more = [f"iteration {at} · {entry.kind} · {entry.status}"], list[str]()
        if incident is not None:
            later = "" if incident.is_final else "later records may still change this"
            more = [safe(part, 200) for part in (LASTING[incident.persists], incident.moved_first, later) if part]
        joined = " · ".join([*said, *more])
        return [joined] if text_width(joined) <= room else [*said, " · ".join(more)]

    def _where(self) -> list[str]:
        """Return its filters, and the layers that moved."""
        entry, said = self.entry, list[str]()
        if entry.filters and entry.layer is not None:
            some = ", ".join(map(str, entry.filters[:MOST_FILTERS]))
            rest = len(entry.filters) - MOST_FILTERS
            more_filters = f" and {rest:,} more" if rest > 0 else ""
            more_filters = " and more" if len(entry.filters) >= NAMED_FILTERS else more_filters
            of = f"{more_filters} of {safe(layer_called(entry.layer), 120)}"
            said.append(f"filter{'s' * (len(entry.filters) > 1)} {some}{of}")
        if self.evidence is not None and self.evidence.moved:
            moved = (f"{safe(layer_called(move.layer), 120)} ×{number(move.times)}" for move in self.evidence.moved)
            said.append(f"moved more than usual: {' · '.join(moved)}")
        return said

    def _draw_became(self, cells: Cells, frame: Frame, y: int, room: int) -> int:
        evidence = self.evidence
        if evidence is None or evidence.label is None or not evidence.became or y + 1 >= frame.height:
            return y
        name = class_name(self.classes, evidence.label)
        at = f" at {evidence.moment:,}" if evidence.moment is not None else ""
        words = f"{name} was taken for{at}, of {evidence.judged:,} images:"
        if not has_labels(evidence.judging):
            words = f"{name}{at}, of {evidence.judged:,} items, by their {score_name(evidence.judging)}:"
        for line in wrap(words, room - 1)[: frame.height - 1 - y]:
            cells.text(3, y, line, frame.theme.text)
            y += 1
        shown = evidence.became[: 3 if frame.height < 16 else 5]
        bars = [
            (class_name(self.classes, pair.label), pair.count, wrong_colour(frame.theme, pair.label, evidence.judging))
            for pair in shown
        ]
        return y + draw_share_bars(cells, frame, 5, y, room - 4, bars, evidence.judged)

    def _draw_charts(self, cells: Cells, frame: Frame, x: int, y: int, width: int, height: int) -> None:
        """Draw as many charts below each other as there is room for."""
        series = self.evidence.series if self.evidence is not None else ()
        if width < 20:
            return
        for place, one in enumerate(series):
            rows = min(_chart_rows(frame), height // (len(series) - place))
            if rows < LEAST_CHART_ROWS:
                rows = min(_chart_rows(frame), height)
            if rows < LEAST_CHART_ROWS:
                return
            self._draw_chart(cells, frame, x, y, width, rows, one)
            y, height = y + rows, height - rows

    def _draw_chart(self, cells: Cells, frame: Frame, x: int, y: int, width: int, rows: int, series: Telling) -> None:
        """Draw title, columns and the iterations below, in `rows` rows."""
        theme, entry = frame.theme, self.entry
        scale = " · log scale" if series.spans_decades else f" · {series.rose}" if series.rose else ""
        title = shorten_names(safe(series.what, 120), max(0, width - text_width(scale)))
        cells.text(cells.text(x, y, title, theme.text), y, scale, theme.muted, limit=width)
        if not len(series.values):
            cells.text(x, y + 1, "not recorded around here", theme.muted, limit=width)
            return
        finite = series.values[np.isfinite(series.values)]
        low, high = (
            (_shown(float(edge), series) for edge in (finite.min(), finite.max())) if len(finite) else ("·", "·")
        )
        gutter = max(text_width(low), text_width(high)) + 1
        fits = max(1, width - gutter)
        begin = int(np.searchsorted(series.iterations, entry.iteration))
        skip = max(0, min(begin - fits // 2, len(series.values) - fits))
        values, iterations = series.values[skip:][:fits], series.iterations[skip:][:fits]
        wide = max(1, min(2 if frame.width < ROOMY else 4, fits // max(1, len(values))))
        height = rows - 3
        cells.text(x + gutter - 1 - text_width(high), y + 1, high, theme.muted)
        cells.text(x + gutter - 1 - text_width(low), y + height, low, theme.muted)
        lit = (iterations >= entry.iteration) & (iterations <= max(entry.iteration, entry.last))
        draw_columns(cells, frame, x + gutter, y + 1, height, values, lit, wide, series.spans_decades)
        _write_iterations(
            cells, frame, x + gutter, y + 1 + height, wide, iterations.tolist(), np.flatnonzero(lit).tolist()
        )


def _chart_rows(frame: Frame) -> int:
    """Return the most rows of a chart, with its title and iterations."""
    return ROOMY_CHART_ROWS if frame.width >= ROOMY and frame.height >= 50 else MOST_CHART_ROWS


def turned_words(turned: TurnedWrong, classes: tuple[str, ...], judging: Judging | None = None) -> str:
    """Return how many images turned wrong around an incident, of which classes, and how many usually do."""
    told = turned.told(lambda label: class_name(classes, label), judging)
    said = f"{told}{IMAGES_KEY * bool(turned.classes)}"
    if judging is not None and judging.other == 1:  # of one group alone nobody asks which
        return said
    return f"{as_groups('no class named', judging)}; {said}"


def _shown(value: float, series: Telling) -> str:
    return f"{value:.0%}" if series.unit == "share" else number(value)


def _write_iterations(
    cells: Cells, frame: Frame, x: int, y: int, wide: int, iterations: Sequence[int], lit: Sequence[int]
) -> None:
    """Write the first and the last iteration below the columns, and a mark where the entry begins."""
    theme = frame.theme
    last = f"{iterations[-1]:,}"
    end = x + wide * len(iterations)
    first_end = cells.text(x, y, f"{iterations[0]:,}", theme.muted)
    if end - text_width(last) > first_end + 1:
        cells.text(end - text_width(last), y, last, theme.muted)
    if lit:
        here = f"{marks.POINTER} {iterations[lit[0]]:,}"
        at = x + wide * lit[0]
        if first_end < at and at + text_width(here) < end - text_width(last):
            cells.text(at, y, here, theme.flag)
