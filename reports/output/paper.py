"""Shortens a chapter for paper, where nobody folds or scrolls: what repeats becomes a line, and long lists end earlier.

Owns how much of each item is printed. What is left out is counted, and stands in the HTML report.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dtui.number_text import counted
from dtui.reports.document import Card, Chapter, Gallery, Item, Paragraph, Picture, Row, Section, Table

CARDS = 8
"""Incidents with pictures, the worst; the others have a line each."""
ROWS, NARROW_ROWS = 16, 28
"""Rows of a table, and of one so narrow that its halves stand side by side."""
NARROW = 50
"""Characters of the longest cells of a row of such a table, at most."""
IMAGES, OF_MANY = 12, 6
"""Images of a gallery, and of one among many galleries."""
GALLERIES = 3
SLACK = 1.25
"""A list that is longer than its limit by less than this factor is printed whole."""


def on_paper(chapter: Chapter) -> Chapter:
    """Return a chapter as it is printed."""
    return replace(chapter, sections=tuple(map(_section, chapter.sections)))


def _section(section: Section) -> Section:
    galleries = sum(isinstance(item, Gallery) for item in section.items)
    items = [_item(item, galleries) for item in _told(tuple(_cards(section.items)))]
    return replace(section, items=tuple(items))


def _told(items: tuple[Item, ...]) -> Iterator[Item]:
    """Give all items, the words on a picture before it, so that no page parts them, and none that its caption says."""
    said = {item.description for item in items if isinstance(item, Picture) and item.title}
    rest = [item for item in items if not (isinstance(item, Paragraph) and item.text in said)]
    while rest:
        item = rest.pop(0)
        if isinstance(item, Picture) and not item.title and rest and isinstance(rest[0], Paragraph):
            yield rest.pop(0)
        yield item


def _cards(items: tuple[Item, ...]) -> Iterator[Item]:
    """Give all items, the cards behind the worst as the rows of a table in place of the last card."""
    cards = [item for item in items if isinstance(item, Card)]
    worst = sorted(cards, key=lambda card: (card.rank == 0, card.rank, card.number))
    kept = worst if len(cards) <= SLACK * CARDS else worst[:CARDS]
    rows = tuple(
        Row((str(card.number), f"{card.iteration:,}", card.title, card.marks)) for card in cards if card not in kept
    )
    for item in items:
        if not isinstance(item, Card) or item in kept:
            yield item
        if item is (cards[-1] if cards else None) and rows:
            columns, numeric = ("number", "iteration", "what", ""), (True, True, False, False)
            title = f"The {len(rows):,} less strange ones, without their pictures"
            yield Table(columns, numeric, rows, title=title)


def _item(item: Item, galleries: int) -> Item:
    if isinstance(item, Table):
        return _table(item)
    if isinstance(item, Gallery):
        most = OF_MANY if galleries > GALLERIES else IMAGES
        left = len(item.images) - most
        if left > 0:
            return replace(
                item, images=item.images[:most], note=f"{left:,} more in the HTML report. {item.note}".strip()
            )
    return item


def _table(table: Table) -> Table:
    longest = [max((len(row.cells[k]) for row in table.rows), default=0) for k in range(len(table.columns))]
    most = NARROW_ROWS if sum(longest) <= NARROW else ROWS
    left = len(table.rows) - most
    if left <= (SLACK - 1) * most:
        return table
    return replace(
        table, rows=table.rows[:most], note=f"{counted(left, 'more row')} in the HTML report. {table.note}".strip()
    )
