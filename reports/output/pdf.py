"""Writes a report as PDF, for print and mail.

Owns which values of a report the template gets, one function for each kind of item. The template draws them as data:
no text of a report becomes Typst markup.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.util import find_spec
from typing import Any, Self

from dtui.errors import MissingExtraError
from dtui.number_text import unparted
from dtui.reports.charts import theme
from dtui.reports.charts.rows.filter_maps import map_pieces
from dtui.reports.charts.rows.layer_tree import paper_rows, tree_pieces
from dtui.reports.document import (
    Card,
    Chapter,
    Chart,
    Fact,
    Facts,
    Gallery,
    Item,
    Opening,
    Paragraph,
    Picture,
    Pieces,
    Report,
    Section,
    Table,
)
from dtui.reports.output.child import Child
from dtui.reports.output.paper import on_paper
from dtui.reports.rows import FilterMaps, LayerTree
from dtui.reports.writing_direction import isolated
from dtui.safe_text import safe

TIME_LIMIT_SECONDS = 120.0
LONGEST_CELL = 400
"""Characters of a table's cell; a longer one would push the others off the page."""
LONG_CELL, WIDEST_CELL = 34, 120
"""Columns with a cell of more characters share the room that others leave, by the longest cell up to this length."""
WHOLE_ROWS, WHOLE = 12, 900
"""Most rows and characters of a table that stays on one page with its heading and its note: a quarter of a page."""
Data = dict[str, Any]
Printed = Mapping[str, tuple[Pieces, ...]]
"""Chart id to its pictures on paper, as SVG text; a chart that could not be drawn is missing."""
_LONG_WORD = re.compile(r"\S{12}")
_BREAKS = re.compile(
    r"[ \n\t]+|\d+(?:[.,]\d+)+[^ \n\t./_:,\-]{0,9}[./_:,\-]*|[^ \n\t./_:,\-]{1,20}[./_:,\-]*|[./_:,\-]{1,20}"
)
_SIZE = re.compile(r'<svg[^>]*?\bwidth="([\d.]+)"[^>]*?\bheight="([\d.]+)"')


def require_pdf() -> None:
    """Refuse early where no PDF can be made.

    Raises:
        MissingExtraError: A package of the extra `pdf` is not installed.
    """
    missing = [name for name in ("typst", "fontTools") if find_spec(name) is None]
    if missing:
        raise MissingExtraError(
            f"report: a PDF needs {' and '.join(missing)}, not installed; pip install '.[pdf]' in dtui's folder, "
            "or write .html and print that"
        )


class Typesetter:
    """Makes PDF files in a child process, one after another."""

    def __init__(self, time_limit_seconds: float = TIME_LIMIT_SECONDS, command: tuple[str, ...] = ()) -> None:
        """Set the limit for one document, and the command to start in place of the typesetting module."""
        typesetting = (sys.executable, "-P", "-m", "dtui.reports.output.typesetting_child")
        self._child = Child(command or typesetting, time_limit_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the child; a second call does nothing."""
        self._child.close()

    def render(self, report: Report, printed: Printed, failures: Mapping[str, str]) -> bytes:
        """Return the report as PDF.

        Args:
            report: What to show.
            printed: The charts as they are printed.
            failures: Why a chart has no picture, by chart id; shown in its place.

        Returns:
            The same bytes for the same arguments, on a machine with the same fonts.

        Raises:
            ReportError: It cannot be made: the time limit has passed, or the child has died.

        Source: dtui.
        """
        document = document_data(report, printed, failures)
        answer = self._child.ask({"document": document}, f"PDF of {report.title}", "typeset")
        return base64.b64decode(answer["pdf"])


def document_data(report: Report, printed: Printed, failures: Mapping[str, str]) -> Data:
    """Return what the template `report.typ` reads, as JSON values."""
    moments = [moment for chapter in report.chapters if (moment := _moment(chapter.recorded)) is not None]
    return {
        "title": report.title,
        "heading": pieces(report.title),
        "moment": max(moments, key=lambda moment: tuple(moment.values()), default=None),
        "chapters": [_chapter(on_paper(chapter), printed, failures) for chapter in report.chapters],
    }


def _moment(text: str) -> dict[str, int] | None:
    """Return the parts of an ISO 8601 time, in UTC; None if it is no such time."""
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return {name: getattr(moment, name) for name in ("year", "month", "day", "hour", "minute", "second")}


def pieces(text: str) -> list[str]:
    """Return a text to be drawn: in pieces between which a line may break, or whole if none of its words is long.

    Only lists of strings are drawn; a plain string of the data is a name for a machine or an alternative text.
    """
    kept = isolated(unparted(text))
    return _BREAKS.findall(kept) if _LONG_WORD.search(kept) else [kept]


def _chapter(chapter: Chapter, printed: Printed, failures: Mapping[str, str]) -> Data:
    def section(part: Section) -> Data:
        items = [data for item in part.items for data in _KINDS[type(item)](item, printed, failures)]
        words = {"title": pieces(part.title), "caption": pieces(part.caption), "command": pieces(part.command)}
        return {"id": part.id, **words, "items": items}

    return {
        "title": pieces(chapter.title),
        "status": chapter.status,
        "invented": chapter.invented,
        "opening": None if chapter.opening is None else _opening(chapter.opening, targets_of(chapter)),
        "facts": [_fact(fact) for fact in chapter.facts],
        "findings": [pieces(finding) for finding in chapter.findings],
        "sections": [section(part) for part in chapter.sections],
    }


def targets_of(chapter: Chapter) -> frozenset[str]:
    """Return the anchors that a link of the document can lead to: sections and incidents."""
    cards = (item.id for part in chapter.sections for item in part.items if isinstance(item, Card))
    return frozenset((*(part.id for part in chapter.sections), *cards))


def _opening(opening: Opening, targets: frozenset[str]) -> Data:
    return {
        "level": opening.level,
        "headline": pieces(opening.headline),
        "worst": [
            {
                "text": pieces(said.text),
                "target": said.target if said.target in targets else "",
                "number": said.number,
                "next": pieces(f"next: {said.next_step}" if said.next_step else ""),
            }
            for said in opening.worst
        ],
        "remarks": [pieces(remark) for remark in opening.remarks],
        "since_title": pieces(opening.since_title),
        "since": [pieces(line) for line in opening.since],
        "strip": None if opening.strip is None else _drawn(opening.strip),
    }


def _fact(fact: Fact) -> Data:
    return {"name": pieces(fact.name), "value": pieces(fact.value), "detail": pieces(fact.detail)}


def _chart(chart: Chart, printed: Printed, failures: Mapping[str, str]) -> Iterator[Data]:
    failure = safe(failures.get(chart.id, ""), 400)
    yield _pictures(chart.title, chart.description, printed.get(chart.id, ()), failure)


def _layer_tree(tree: LayerTree, *_: object) -> Iterator[Data]:
    for k in tree.printed:
        title = tree.planes[k].quantity
        shown = paper_rows(tree)
        of = f", {len(shown)} of {len(tree.rows)} rows: where incidents are" if len(shown) < len(tree.rows) else ""
        cut = tree_pieces(tree, tree.planes[k], shown)
        yield _pictures(f"{title[:1].upper()}{title[1:]}{of}", tree.description, (cut,))


def _filter_maps(maps: FilterMaps, *_: object) -> Iterator[Data]:
    for shown in maps.maps[: maps.printed]:
        yield _pictures(shown.layer, maps.description, (map_pieces(maps, shown),))


def _pictures(title: str, description: str, cut: Sequence[Pieces], failure: str = "") -> Data:
    return {
        "kind": "pictures",
        "title": pieces(title),
        "pictures": [_cut(one, description) for one in cut],
        "failure": pieces(failure),
    }


def _cut(picture: Pieces | str, description: str) -> Data:
    """Return a picture in its pieces, all of SVG text, with what it shows in words."""
    one = picture if isinstance(picture, Pieces) else Pieces((picture,))
    head, foot = (None if end is None else _picture(str(end)) for end in (one.head, one.foot))
    parts = [_picture(str(part)) for part in one.parts]
    tall = sum(part["height"] for part in (*parts, head, foot) if part is not None)
    return {"head": head, "foot": foot, "parts": parts, "description": description, "tall": tall}


def _picture(svg: str) -> Data:
    size = _SIZE.match(svg)
    width, height = (float(size[1]), float(size[2])) if size else (1.0, 1.0)
    return {"svg": isolated(svg), "width": width, "height": height}


def _drawn(picture: Picture) -> Data:
    """Return a small picture with its words."""
    words = {"title": pieces(picture.title), "said": pieces(picture.description)}
    fitting = picture.svg if picture.width <= theme.PAPER_WIDTH else picture.narrow or picture.svg
    return {**_cut(picture.paper or fitting, picture.description), **words}


def _small_picture(picture: Picture, *_: object) -> Iterator[Data]:
    yield {"kind": "small", "picture": _drawn(picture)}


def _facts(facts: Facts, *_: object) -> Iterator[Data]:
    yield {"kind": "facts", "title": pieces(facts.title), "facts": [_fact(fact) for fact in facts.facts]}


def _card(card: Card, *_: object) -> Iterator[Data]:
    yield {
        "kind": "card",
        "id": card.id,
        "number": card.number,
        "at": f"{card.iteration:,}",
        "title": pieces(card.title),
        "tags": [pieces(tag) for tag in (card.standing, "" if card.status == "new" else card.status) if tag],
        "lasting": card.standing.startswith("still"),
        "facts": [_fact(fact) for fact in card.facts],
        "pictures": [_drawn(picture) for picture in card.pictures],
        "command": pieces(card.command),
    }


def _gallery(gallery: Gallery, *_: object) -> Iterator[Data]:
    yield {
        "kind": "gallery",
        "title": pieces(gallery.title),
        "images": [
            {
                "picture": _thumbnail(image.picture),
                "title": pieces(image.title),
                "lines": [pieces(line) for line in image.lines],
                "description": image.description,
            }
            for image in gallery.images
        ],
        "note": pieces(gallery.note),
    }


def _thumbnail(url: str) -> Data | None:
    """Return an image of pixels as a picture; None for none. SVG takes a data URL, the template has no base64."""
    if not url:
        return None
    image = f'<image width="64" height="64" style="image-rendering:pixelated" href="{escape(url)}"/>'
    return _picture(f'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="64">{image}</svg>')


def _table(table: Table, *_: object) -> Iterator[Data]:
    rows = [{"cells": [pieces(safe(cell, LONGEST_CELL)) for cell in row.cells], "kind": row.kind} for row in table.rows]
    yield {
        "kind": "table",
        "title": pieces(table.title),
        "columns": [pieces(column) for column in table.columns],
        "numeric": list(table.numeric),
        "widths": _widths(table),
        "whole": len(table.rows) <= WHOLE_ROWS and sum(len(cell) for row in table.rows for cell in row.cells) <= WHOLE,
        "rows": rows,
        "note": pieces(table.note),
    }


def _widths(table: Table) -> list[int]:
    """Return the share of the room that is left which each column takes; 0 for a column as wide as its cells."""
    lengths = [max((len(row.cells[k]) for row in table.rows), default=0) for k in range(len(table.columns))]
    return [
        0 if numeric or length <= LONG_CELL else min(length, WIDEST_CELL)
        for length, numeric in zip(lengths, table.numeric, strict=True)
    ]


def _paragraph(paragraph: Paragraph, *_: object) -> Iterator[Data]:
    yield {"kind": "paragraph", "text": pieces(paragraph.text)}


_KINDS: dict[type[Item], Callable[[Any, Printed, Mapping[str, str]], Iterator[Data]]] = {
    Chart: _chart,
    LayerTree: _layer_tree,
    FilterMaps: _filter_maps,
    Table: _table,
    Paragraph: _paragraph,
    Facts: _facts,
    Card: _card,
    Gallery: _gallery,
    Picture: _small_picture,
}
"""One function a kind of item; `report.typ` has a drawer for each "kind" of what they yield."""
