"""Writes the index of a night as one page: no script, no other file, readable in any mail program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dtui.number_text import counted
from dtui.reports.charts.pictures.scale import percent
from dtui.reports.nightly.entry import Entry, Outcome
from dtui.reports.nightly.index import COUNTED, Index, Row
from dtui.reports.nightly.making import COLUMNS
from dtui.reports.output.html import render_static_page
from dtui.safe_text import safe

WIDTH, HEIGHT, FOOT = 180.0, 34.0, 8.0
"""Of a small curve in pixels, and of the strip below it where incidents are marked."""
LONGEST_LINE = 400
MOST_DETAILS = 4
_HEADINGS = {
    Outcome.LOOK: (
        "Look at these",
        "Incidents that nobody has dismissed, trainings that ended early, layers that do not learn.",
    ),
    Outcome.FAILED: ("Could not be judged", "There is no new report. The night tries again."),
    Outcome.UNSURE: ("Judged in part", "Nothing was found, but some checks could not run."),
    Outcome.FINE: ("Nothing to look at", "Every check ran and found nothing."),
    Outcome.EMPTY: ("Nothing recorded yet", ""),
}
_SIGNS = {Outcome.LOOK: "▲", Outcome.FAILED: "✖", Outcome.UNSURE: "◐", Outcome.FINE: "✓", Outcome.EMPTY: "○"}
_STATUS_SIGNS = {"live": "●", "done": "■", "incomplete": "□", "crashed": "✖"}


@dataclass(frozen=True, slots=True)
class Curve:
    """A small curve, ready to draw.

    Attributes:
        pieces: Points of each unbroken piece, as SVG wants them.
        last: The last point, as (x, y).
        marks: x of each mark.
        described: What it shows, in words.
    """

    pieces: tuple[str, ...]
    last: tuple[float, float]
    marks: tuple[float, ...]
    described: str


@dataclass(frozen=True, slots=True)
class Line:
    """A run, ready to show: every string is harmless, and not yet escaped."""

    name: str
    link: str
    status: str
    sign: str
    invented: bool
    headline: str
    details: tuple[str, ...]
    since_title: str
    since: tuple[str, ...]
    is_new: bool
    curve: Curve | None
    error: str
    error_name: str
    best: str
    score: str
    older: tuple[tuple[str, str], ...]


def render_page(index: Index) -> str:
    """Return the page as HTML, the same text for the same index."""
    groups = []
    for outcome in Outcome:
        lines = [_line(row) for row in index.rows if row.outcome is outcome]
        if lines:
            title, caption = _HEADINGS[outcome]
            groups.append(
                {
                    "id": str(outcome),
                    "sign": _SIGNS[outcome],
                    "counted": COUNTED[outcome],
                    "title": title,
                    "caption": caption,
                    "lines": lines,
                }
            )
    return render_static_page(
        "night.html.j2",
        "night.css",
        title=safe(index.title, 120),
        summary=_size(index),
        groups=groups,
        gone=[_line(row) for row in index.gone],
        missing=[f"{number}/{index.shards}" for number in index.missing],
        width=WIDTH,
        height=HEIGHT,
        foot=FOOT,
    )


def curve_of(entry: Entry) -> Curve | None:
    """Return the curve of a run's error; None for fewer than two points. It is logarithmic where it spans decades."""
    values = entry.curve
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return None
    scale = _scale(known)
    step = WIDTH / max(len(values) - 1, 1)
    points = [None if value is None else (k * step, scale(value)) for k, value in enumerate(values)]
    pieces: list[list[str]] = [[]]
    for point in points:
        if point is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{point[0]:.1f},{point[1]:.1f}")
    shown = tuple(" ".join(piece if len(piece) > 1 else piece * 2) for piece in pieces if piece)
    last = next(point for point in reversed(points) if point is not None)
    count = len(entry.marks)
    marked = f", {counted(count, 'place')} with an incident" if count else ""
    said = f"{entry.error_name} from {percent(known[0])} to {percent(known[-1])}, lowest {percent(min(known))}{marked}"
    marks = tuple(round(mark * WIDTH / (COLUMNS - 1), 1) for mark in entry.marks)
    return Curve(shown, (round(last[0], 1), round(last[1], 1)), marks, said)


class _scale:  # noqa: N801  reads as the function that it stands for
    """Maps an error to pixels from the top; logarithmic where the errors span a decade."""

    def __init__(self, known: Sequence[float]) -> None:
        positive = [value for value in known if value > 0]
        self._floor = min(positive, default=1.0)
        self._is_log = bool(positive) and max(positive) > 10 * self._floor
        self._low, self._high = self._place(min(known)), self._place(max(known))

    def __call__(self, value: float) -> float:
        span = self._high - self._low
        share = (self._place(value) - self._low) / span if span > 0 else 0.0
        return 2 + (HEIGHT - 4) * (1 - share)

    def _place(self, value: float) -> float:
        return math.log10(max(value, self._floor)) if self._is_log else value


def _line(row: Row) -> Line:
    entry = row.entry or Entry(row.outcome, "")
    details = entry.details if not row.reason else ()
    lacking = (lacking_pictures(entry.undrawn),) if entry.undrawn else ()
    room = MOST_DETAILS - len(lacking)
    return Line(
        name=safe(row.run.removesuffix(".dtui"), 120),
        link=row.report,
        status=safe(entry.status, 20),
        sign=_STATUS_SIGNS.get(entry.status, ""),
        invented=entry.invented,
        headline=safe(_headline(row, entry), LONGEST_LINE),
        details=tuple(safe(line, LONGEST_LINE) for line in (*details[:room], *lacking, *entry.problems)[:MOST_DETAILS]),
        since_title=safe(entry.since_title, LONGEST_LINE),
        since=tuple(safe(line, LONGEST_LINE) for line in entry.since),
        is_new=row.is_new,
        curve=curve_of(entry),
        error="" if entry.last_error is None else percent(entry.last_error),
        error_name=entry.error_name,
        best=""
        if entry.best_error is None or entry.best_at is None
        else f"best {percent(entry.best_error)} at {entry.best_at:,}",
        score=safe(entry.score, LONGEST_LINE),
        older=tuple((_progress(link), link) for link in row.older),
    )


def lacking_pictures(count: int) -> str:
    """Return what the index says of pictures that a report lacks."""
    return f"{counted(count, 'picture')} of this report could not be drawn; the next night tries again"


def _headline(row: Row, entry: Entry) -> str:
    """Return the sentence of a run, without what the heading above it says already."""
    said = row.reason or entry.headline.removeprefix("Look at this: ")
    is_sentence = said.split(" ")[0].isalpha()  # else it begins with the name of a file
    return said[:1].upper() + said[1:] if is_sentence else said


def _size(index: Index) -> str:
    fresh = sum(row.is_new for row in index.rows)
    runs = counted(len(index.rows), "run")
    return f"{runs}, {counted(fresh, 'new report')}" if fresh else f"{runs}, no new report"


def _progress(link: str) -> str:
    """Return to which iteration an older report goes, from its address."""
    number = link.split("/")[-2].partition("-")[0]
    return f"{int(number):,}" if number.isdigit() else number
