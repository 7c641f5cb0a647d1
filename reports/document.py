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

from dtui.reports.rows import FilterMaps, LayerTree

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


@dataclass(frozen=True, eq=False, slots=True)
class Pieces:
    """A picture on paper that is cut between its rows, so that a page may end there; as specifications or SVG text.

    All parts are equally wide and stand below each other without a gap.

    Attributes:
        parts: From top to bottom, at least one.
        head: Above them, and again on top of each further page; None for nothing.
        foot: Below them, and again at the end of each page, such as the time axis; None for nothing.
    """

    parts: tuple[Spec | str, ...]
    head: Spec | str | None = None
    foot: Spec | str | None = None


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart as a specification.

    Attributes:
        id: Unique within the report; letters, digits and hyphens.
        title: Short heading, may be empty.
        mode: "vega" or "vega-lite".
        specify: Makes the specification. A report without charts does not call it, and so needs no Altair.
        description: The content of the chart in words, for readers who cannot see it.
        paper: Makes the pictures for paper, which ask for no pointer; None where `specify` at another width will do.
    """

    id: str
    title: str
    mode: str
    specify: Callable[[], Spec]
    description: str
    paper: Callable[[], tuple[Pieces, ...]] | None = None

    @cached_property
    def spec(self) -> Spec:
        """The specification; its initial width is `spec["width"]` pixels."""
        return self.specify()


@dataclass(frozen=True, slots=True)
class Picture:
    """A small picture that is drawn already: it needs no script and no converter.

    Attributes:
        id: Unique within the report.
        title: What it shows, in a few words; may be empty.
        description: What it shows, in a sentence with numbers, for readers who cannot see it.
        svg: SVG text for a white page, as wide as `width`: attributes only, no style, no script.
        width: Pixels at which its text has its right size.
        narrow: The same for a page of 360 pixels; "" where `svg` fits there.
        limits: First iteration and stop of its time axis; None without one. With one, each drawing says in
            `data-plot` how many pixels stand left and right of that axis, however wide a page draws it.
        paper: The same for paper, 700 pixels wide, whole or in pieces; "" where `svg` fits there.
    """

    id: str
    title: str
    description: str
    svg: str
    width: int
    narrow: str = ""
    limits: tuple[float, float] | None = None
    paper: str | Pieces = ""


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


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and values in two columns, such as the hyper-parameters.

    Attributes:
        facts: In reading order.
        title: Short heading; empty for none.
    """

    facts: tuple[Fact, ...]
    title: str = ""


NEXT = "next"


@dataclass(frozen=True, slots=True)
class Card:
    """One incident, with its evidence.

    Attributes:
        id: Anchor that others link to.
        number: Its number within the report, as the strip shows it; the first in time has 1.
        iteration: At which it begins.
        title: What happened, in one sentence without its full stop.
        standing: "still so at the end", "over" or ""; what is not known is not said.
        status: "new", "flagged" or "dismissed".
        facts: Its place, its classes, what moved first, people's notes; the one called `NEXT` is what to look at next.
        pictures: Its evidence, the most telling first.
        command: Shows it in the terminal; empty where no command can be written down.
        rank: Its place among the incidents to look at, the worst has 1; 0 for one that is none of them.
    """

    id: str
    number: int
    iteration: int
    title: str
    standing: str
    status: str
    facts: tuple[Fact, ...] = ()
    pictures: tuple[Picture, ...] = ()
    command: str = ""
    rank: int = 0

    @property
    def next_step(self) -> str:
        """What to look at next, "" where that is not told."""
        return next((fact.value for fact in self.facts if fact.name == NEXT), "")

    @property
    def marks(self) -> str:
        """Standing and decision in words, "" where there is nothing to say."""
        return ", ".join(word for word in (self.standing, "" if self.status == "new" else self.status) if word)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """One small image with its words.

    Attributes:
        picture: "data:image/png;base64,…"; empty where the run holds no pixels.
        title: The first line, such as its class.
        lines: Further lines.
        description: What is known about it, in a sentence, for readers who cannot see it.
    """

    picture: str
    title: str
    lines: tuple[str, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Gallery:
    """Images side by side.

    Attributes:
        title: Short heading.
        images: In reading order.
        note: Below them; empty for none.
    """

    title: str
    images: tuple[Thumbnail, ...]
    note: str = ""


Item = Chart | LayerTree | FilterMaps | Table | Paragraph | Facts | Card | Gallery | Picture


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence, the anchor of what it is about, the number of its incident (0 for none), and what to look at next."""

    text: str
    target: str = ""
    number: int = 0
    next_step: str = ""


@dataclass(frozen=True, slots=True)
class Opening:
    """What a reader must know first about a run.

    Attributes:
        level: "look", "unsure" or "fine".
        headline: The verdict in one sentence.
        worst: What to look at, the worst first, one sentence each.
        remarks: What else must be known, one sentence each.
        since: What changed since the last report, one line each; empty where no report is compared with.
        since_title: What it is compared with, such as "Since the last report, at iteration 1,200".
        strip: The error over the whole run, with the incidents; None without any error.
    """

    level: str
    headline: str
    worst: tuple[Said, ...] = ()
    remarks: tuple[str, ...] = ()
    since: tuple[str, ...] = ()
    since_title: str = ""
    strip: Picture | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Section:
    """One part of the report on a run.

    Attributes:
        id: Unique within the report.
        title: Heading.
        caption: One or two sentences on how to read it.
        items: Pictures and tables in reading order.
        hint: What a pointer does in it, for readers who have one; empty for nothing.
        command: Shows the same in the terminal; empty where no screen does.
    """

    id: str
    title: str
    caption: str
    items: tuple[Item, ...]
    hint: str = ""
    command: str = ""

    @property
    def told(self) -> tuple[Item, ...]:
        """The items for formats of words alone: without paragraphs that the words of a picture say already."""
        said = {item.description for item in self.items if isinstance(item, Picture)}
        return tuple(item for item in self.items if not (isinstance(item, Paragraph) and item.text in said))


@dataclass(frozen=True, eq=False, slots=True)
class Chapter:
    """Everything about one run.

    Attributes:
        id: Unique within the report.
        title: Name of the run.
        status: "live", "done", "incomplete" or "crashed".
        invented: Whether the run is invented, not made by a training.
        facts: The five facts that come first, in reading order.
        sections: In reading order.
        findings: Trouble in the run, one line each: NaN or Inf, files that cannot be read.
        opening: The verdict on the run; None where it could not be made.
        recorded: When the recording began, ISO 8601 with offset; empty where that is not known.
    """

    id: str
    title: str
    status: str
    invented: bool
    facts: tuple[Fact, ...]
    sections: tuple[Section, ...]
    findings: tuple[str, ...] = ()
    opening: Opening | None = None
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
