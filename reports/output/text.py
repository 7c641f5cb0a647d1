"""Writes a report as plain text, for mail and logs.

Owns the layout in characters: a sentence describes each chart, tables stay tables.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterator

from dtui.reports.document import Chapter, Fact, Item, Paragraph, Report, Table

WIDTH = 100
LONGEST_CELL = 40


def render_text(report: Report) -> str:
    """Return the report as lines of at most WIDTH characters, tables excepted.

    Args:
        report: What to show; its names are harmless to show already.

    Returns:
        Text that ends with a line break; the same for the same report.

    Source: dtui.
    """
    return "\n\n".join("\n".join(_chapter(chapter)) for chapter in report.chapters) + "\n"


def _chapter(chapter: Chapter) -> Iterator[str]:
    title = f"{chapter.title} ({chapter.status})"
    yield title
    yield "=" * _columns(title)
    if chapter.invented:
        yield "INVENTED: no training made this run; its numbers were made up for a benchmark."
    yield ""
    yield from _facts(chapter.facts)
    for finding in chapter.findings:
        yield from textwrap.wrap(f"! {finding}", WIDTH, subsequent_indent="  ")
    if not chapter.sections:
        yield ""
        yield "Nothing has been recorded yet."
    for section in chapter.sections:
        yield ""
        yield section.title
        yield "-" * _columns(section.title)
        for item in section.items:
            yield from _item(item)
    if chapter.details:
        yield ""
        yield "How it was made"
        yield "---------------"
        yield from _facts(chapter.details)


def _facts(facts: tuple[Fact, ...]) -> Iterator[str]:
    widest = max((_columns(fact.name) for fact in facts), default=0)
    for fact in facts:
        yield f"{_padded(fact.name, widest)}  {fact.value}{f'  ({fact.detail})' if fact.detail else ''}"


def _item(item: Item) -> Iterator[str]:
    if isinstance(item, Table):
        yield from _table(item)
    else:
        yield from textwrap.wrap(item.text if isinstance(item, Paragraph) else item.description, WIDTH)


def _table(table: Table) -> Iterator[str]:
    lines = [table.columns, *([_cut(cell) for cell in row.cells] for row in table.rows)]
    widths = [max(_columns(line[k]) for line in lines) for k in range(len(table.columns))]
    for line in lines:
        cells = [
            _padded(cell, width, right=numeric)
            for cell, width, numeric in zip(line, widths, table.numeric, strict=True)
        ]
        yield "  ".join(cells).rstrip()
    if table.note:
        yield table.note


def _cut(cell: str) -> str:
    return cell if len(cell) <= LONGEST_CELL else cell[: LONGEST_CELL - 1] + "…"


def _columns(text: str) -> int:
    """Return how many terminal columns a text takes: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _padded(text: str, columns: int, *, right: bool = False) -> str:
    room = " " * (columns - _columns(text))
    return room + text if right else text + room
