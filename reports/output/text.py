"""Writes a report as plain text, for mail and logs.

Owns the layout in characters: a sentence describes each chart, tables stay tables.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from dtui.number_text import NO_BREAK, unparted
from dtui.reports.document import Card, Chapter, Chart, Fact, Facts, Gallery, Item, Picture, Report, Table
from dtui.reports.output.brief import told_first
from dtui.reports.rows import FilterMaps, LayerTree
from dtui.safe_text import text_columns

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
    return "\n\n".join("\n".join(chapter_lines(chapter)) for chapter in report.chapters) + "\n"


def chapter_lines(chapter: Chapter) -> Iterator[str]:
    """Return a chapter line by line, with all of its sections."""
    title = f"{chapter.title} ({chapter.status})"
    yield title
    yield "=" * text_columns(title)
    if chapter.invented:
        yield "INVENTED: no training made this run; its numbers were made up for a benchmark."
    if chapter.opening is not None:
        for said in (chapter.opening.headline, *told_first(chapter.opening)):
            yield from wrapped(said)
    yield ""
    yield from _facts(chapter.facts)
    if chapter.opening is not None and chapter.opening.since_title:
        yield ""
        yield from wrapped(chapter.opening.since_title)
        for change in chapter.opening.since:
            yield from wrapped(f"  {change}", "    ")
    for finding in chapter.findings:
        yield from wrapped(f"! {finding}", "  ")
    if not chapter.sections:
        yield ""
        yield "Nothing has been recorded yet."
    for section in chapter.sections:
        yield ""
        yield section.title
        yield "-" * text_columns(section.title)
        if section.command:
            yield section.command
        for item in section.told:
            yield from _item(item)


def _facts(facts: tuple[Fact, ...]) -> Iterator[str]:
    widest = max((text_columns(fact.name) for fact in facts), default=0)
    for fact in facts:
        yield f"{padded(fact.name, widest)}  {fact.value}{f'  ({fact.detail})' if fact.detail else ''}"


def _item(item: Item) -> Iterator[str]:
    if isinstance(item, Table):
        yield from _titled(item.title)
        yield from _table(item)
    elif isinstance(item, Facts):
        yield from _titled(item.title)
        yield from _facts(item.facts)
    elif isinstance(item, Gallery):
        yield from _titled(item.title)
        for image in item.images:
            yield from wrapped(f"  {image.description}", "    ")
    elif isinstance(item, Card):
        yield from _card(item)
    elif isinstance(item, Chart | Picture):
        yield from _titled(item.title)
        yield from wrapped(item.description)
    elif isinstance(item, LayerTree | FilterMaps):
        yield from wrapped(item.description)
    else:
        yield from wrapped(item.text)


def _titled(title: str) -> Iterator[str]:
    if title:
        yield f"[{title}]"


def _card(card: Card) -> Iterator[str]:
    head = f"{card.number}. {card.iteration:,}: {card.title}{f' [{card.marks}]' if card.marks else ''}"
    yield from wrapped(head, "   ")
    for fact in card.facts:
        yield from wrapped(f"   {fact.name}: {fact.value}", "     ")
    for picture in card.pictures:
        yield from wrapped(f"   {picture.title}: {picture.description}", "     ")
    if card.command:
        yield f"   {card.command}"


def _table(table: Table) -> Iterator[str]:
    lines = [table.columns, *([_cut(cell) for cell in row.cells] for row in table.rows)]
    widths = [max(text_columns(line[k]) for line in lines) for k in range(len(table.columns))]
    for line in lines:
        cells = [
            padded(cell, width, right=numeric) for cell, width, numeric in zip(line, widths, table.numeric, strict=True)
        ]
        yield "  ".join(cells).rstrip()
    if table.note:
        yield table.note


def _cut(cell: str) -> str:
    return cell if len(cell) <= LONGEST_CELL else cell[: LONGEST_CELL - 1] + "…"


def wrapped(text: str, indent: str = "", width: int = WIDTH) -> list[str]:
    """Return a text in lines, those behind the first with an indent; none parts a number and its unit."""
    lines = textwrap.wrap(unparted(text), width, subsequent_indent=indent)
    return [line.replace(NO_BREAK, " ") for line in lines]


def padded(text: str, columns: int, *, right: bool = False) -> str:
    """Return a text with spaces behind it, or before it, so that it takes so many columns."""
    room = " " * (columns - text_columns(text))
    return room + text if right else text + room
