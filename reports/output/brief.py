"""Chooses what a short report says: it is read in a mail or beside a pull request, where nobody scrolls.

Owns what of the document is short; `mail` and `markdown` write it down.
"""

from __future__ import annotations

from dataclasses import dataclass

from dtui.reports.document import Card, Chapter, Opening, Table

INCIDENTS = "incidents"
"""The only section that a short report needs."""


@dataclass(frozen=True, slots=True)
class Line:
    """One incident in a line.

    Attributes:
        number: Its number in the report.
        at: Its iteration, with commas.
        text: What happened.
        remark: "still so at the end", a person's decision, or both; "" for none.
        next_step: What to look at next; "" where that is not told.
    """

    number: int
    at: str
    text: str
    remark: str
    next_step: str = ""


def incident_lines(chapter: Chapter) -> tuple[Line, ...]:
    """Return every incident that the chapter lists, in the order of time."""
    items = [item for part in chapter.sections if part.id.endswith(f"-{INCIDENTS}") for item in part.items]
    lines = [_of_card(item) for item in items if isinstance(item, Card)]
    for item in items:
        if isinstance(item, Table):
            for row in item.rows:
                number, at, text, status = row.cells
                lines.append(Line(int(number), at, text, "" if status == "new" else status))
    return tuple(sorted(lines, key=lambda line: line.number))


def worst_numbers(chapter: Chapter) -> tuple[int, ...]:
    """Return the numbers of the incidents that the verdict names, the worst first."""
    return () if chapter.opening is None else tuple(said.number for said in chapter.opening.worst if said.number)


def told_first(opening: Opening) -> tuple[str, ...]:
    """Return the sentences below a verdict: what is about no incident, as those have lines of their own."""
    parted = () if any(said.number for said in opening.worst) else tuple(said.text for said in opening.worst)
    return (*parted, *opening.remarks)


def _of_card(card: Card) -> Line:
    remarks = [card.standing if card.standing.startswith("still") else "", card.status if card.status != "new" else ""]
    return Line(card.number, f"{card.iteration:,}", card.title, ", ".join(filter(None, remarks)), card.next_step)
