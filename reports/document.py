"""Defines the content of a report, independent of its format.

Owns the frozen values that sections make and renderers read.

Every string in these values is already harmless to show (`dtui.safe_text`), but not escaped: each renderer escapes for
its own format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Spec = dict[str, Any]
"""A Vega or Vega-Lite specification: JSON values only, no NaN."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of information about a run.

    Attributes:
        name: What it is, such as "validation error".
        value: The value with its unit, ready to show.
        detail: Addition in smaller letters; empty for none.
    """

    name: str
    value: str
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart as a specification.

    Attributes:
        id: Unique within the report; letters, digits and hyphens.
        title: Short heading, may be empty.
        mode: "vega" or "vega-lite".
        specify: Makes the specification. A report without charts does not call it, and so needs no Altair.
        description: The content of the chart in words, for readers who cannot see it.
        paper: Makes the pictures for paper, as specifications or as SVG text, each of which fits a page and asks for
            no pointer; None where `specify` at another width will do.
    """

    id: str
    title: str
    mode: str
    specify: Callable[[], Spec]
    description: str
    paper: Callable[[], tuple[Spec | str, ...]] | None = None

    @cached_property
    def spec(self) -> Spec:
        """The specification; its initial width is `spec["width"]` pixels."""
        return self.specify()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table.

    Attributes:
        cells: One text a column.
        id: Anchor that others link to; empty for none.
        iteration: The iteration that it is about, None for none.
        kind: A word that a renderer may colour by, such as "gained" or "lost"; empty for none.
    """

    cells: tuple[str, ...]
    id: str = ""
    iteration: int | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows and columns of text.

    Attributes:
        columns: Headings.
        numeric: Whether each column holds numbers, which stand at the right.
        rows: In reading order.
        note: Note below the table, such as how many rows were left out; empty for none.
        title: Short heading; empty for none.
    """

    columns: tuple[str, ...]
    numeric: tuple[bool, ...]
    rows: tuple[Row, ...]
    note: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence in place of a chart or a table."""

    text: str


Item = Chart | Table | Paragraph


@dataclass(frozen=True, eq=False, slots=True)
class Section:
    """One part of the report on a run.

    Attributes:
        id: Unique within the report.
        title: Heading.
        caption: One or two sentences on how to read it.
        items: Pictures and tables in reading order.
        hint: What a pointer does in it, for readers who have one; empty for nothing.
    """

    id: str
    title: str
    caption: str
    items: tuple[Item, ...]
    hint: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Chapter:
    """Everything about one run.

    Attributes:
        id: Unique within the report.
        title: Name of the run.
        status: "live", "done", "incomplete" or "crashed".
        invented: Whether the run is invented, not made by a training.
        facts: The most important facts, in reading order.
        sections: In reading order.
        details: Further facts that most readers skip, such as the hyper-parameters.
        findings: Trouble in the run, one line each: NaN or Inf, files that cannot be read.
        recorded: When the recording began, ISO 8601 with offset; empty where that is not known.
    """

    id: str
    title: str
    status: str
    invented: bool
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    details: tuple[Fact, ...] = ()
    findings: tuple[str, ...] = ()
    recorded: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class Report:
    """A whole document on one run or several.

    Attributes:
        title: Of the document.
        chapters: One a run, in the order asked for.
    """

    title: str
    chapters: tuple[Chapter, ...]

    def charts(self) -> tuple[Chart, ...]:
        """Return all pictures in reading order."""
        return tuple(
            item
            for chapter in self.chapters
            for section in chapter.sections
            for item in section.items
            if isinstance(item, Chart)
        )


Drawings = Mapping[str, str]
"""Chart id to its picture as SVG text; a chart that could not be drawn is missing."""
