"""Writes a report as Markdown, for issues and pull requests.

Owns the only place where text becomes Markdown: a name is never markup, a mention, a reference or a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from dtui.number_text import unparted
from dtui.reports.document import (
    Card,
    Chapter,
    Chart,
    Fact,
    Facts,
    Gallery,
    Item,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
)
from dtui.reports.writing_direction import isolated

_MARKUP = re.compile(r"([\\`*_\[\]<>&|~$])")
_FIRST = re.compile(r"^(\s*)(#{1,6}(?=\s|$)|[+\-](?=\s|$)|=(?==*$)|-(?=-*$)|\d+[.)](?=\s|$))")
_REFERENCE = re.compile(r"(@|#(?=\d)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.))", re.IGNORECASE)
_NOTHING = "<!-- -->"
"""Stands between two characters that GitHub would take for a mention, a reference or a link."""


def render_markdown(report: Report) -> str:
    """Return the report as Markdown: the verdict, the facts, what changed, then its sections.

    Args:
        report: What to show; its names are harmless to show already.

    Returns:
        Text that ends with a line break; the same for the same report.

    Source: dtui.
    """
    return "\n".join(line for chapter in report.chapters for line in _chapter(chapter)).rstrip("\n") + "\n"


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is: no markup, no mention of people, no link."""
    shown = _MARKUP.sub(r"\\\1", isolated(unparted(text)))
    shown = _FIRST.sub(lambda found: f"{found[1]}{found[2][:-1]}\\{found[2][-1]}", shown)
    return _REFERENCE.sub(lambda found: found[1] + _NOTHING, shown)


def _chapter(chapter: Chapter) -> Iterator[str]:
    yield f"# {escaped(chapter.title)} ({chapter.status})"
    yield ""
    if chapter.invented:
        yield "**INVENTED**: no training made this run; its numbers were made up for a benchmark."
        yield ""
    opening = chapter.opening
    if opening is not None:
        yield f"**{escaped(opening.headline)}**"
        yield ""
        for said in opening.worst:
            step = f" Next: {said.next_step}." if said.next_step else ""
            yield f"- {escaped(f'{said.text}{step}')}"
        if opening.worst:
            yield ""
        yield from (f"{escaped(remark)}  " for remark in opening.remarks)
        yield ""
    yield from _facts(chapter.facts)
    for finding in chapter.findings:
        yield f"> {escaped(finding)}"
        yield ""
    if opening is not None and opening.since_title:
        yield f"**{escaped(opening.since_title)}**"
        yield ""
        yield from (f"- {escaped(line)}" for line in opening.since)
        yield ""
    if opening is not None and opening.strip is not None:
        yield escaped(opening.strip.description)
        yield ""
    for section in chapter.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[str]:
    yield f"## {escaped(section.title)}"
    yield ""
    if section.command:
        yield from _code(section.command)
    for item in section.told:
        yield from _item(item)


def _item(item: Item) -> Iterator[str]:
    if isinstance(item, Table):
        yield from _titled(item.title)
        yield from _table(item)
    elif isinstance(item, Facts):
        yield from _titled(item.title)
        yield from _facts(item.facts)
    elif isinstance(item, Card):
        yield from _card(item)
    elif isinstance(item, Gallery):
        yield from _titled(item.title)
        yield from (f"- {escaped(image.description)}" for image in item.images)
        yield ""
    else:
        yield from _titled(item.title if isinstance(item, Chart | Picture) else "")
        yield escaped(item.text if isinstance(item, Paragraph) else item.description)
        yield ""


def _card(card: Card) -> Iterator[str]:
    yield f"### {card.number}. At {card.iteration:,}{f' ({escaped(card.marks)})' if card.marks else ''}"
    yield ""
    yield f"{escaped(card.title)}."
    yield ""
    yield from (f"- {escaped(fact.name)}: {escaped(fact.value)}" for fact in card.facts)
    yield from (f"- {escaped(picture.title)}: {escaped(picture.description)}" for picture in card.pictures)
    yield ""
    if card.command:
        yield from _code(card.command)


def _code(text: str) -> Iterator[str]:
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (fence, text, fence, "")


def _titled(title: str) -> Iterator[str]:
    if title:
        yield f"**{escaped(title)}**"
        yield ""


def _facts(facts: tuple[Fact, ...]) -> Iterator[str]:
    if not facts:
        return
    yield "| | | |"
    yield "|---|---|---|"
    for fact in facts:
        yield f"| {escaped(fact.name)} | **{escaped(fact.value)}** | {escaped(fact.detail)} |"
    yield ""


def _table(table: Table) -> Iterator[str]:
    yield f"| {' | '.join(map(escaped, table.columns))} |"
    yield f"|{'|'.join('---:' if numeric else '---' for numeric in table.numeric)}|"
    for row in table.rows:
        yield f"| {' | '.join(map(escaped, row.cells))} |"
    yield ""
    if table.note:
        yield escaped(table.note)
        yield ""
