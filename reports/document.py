"""Defines the content of a report, independent of its format.

Owns the frozen values that sections make and renderers read.

Every string in these values is already harmless to show (`dtui.safe_text`), but not escaped: each renderer escapes for
its own format.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dtui.model import BoolArray, FilterCourses, FloatArray, TimeAxis

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


@dataclass(frozen=True, slots=True)
class TreeRow:
    """A module or a layer.

    Attributes:
        label: Shown name, within its module.
        name: Whole name.
        detail: Short addition, such as "3×3".
        kind: Class name.
        filters: Number of filters at or below it.
        parent: Position of its parent among the rows, -1 at the top.
        depth: 0 at the top.
        is_module: Whether it holds other rows.
    """

    label: str
    name: str
    detail: str
    kind: str
    filters: int
    parent: int
    depth: int
    is_module: bool


@dataclass(frozen=True, eq=False, slots=True)
class Plane:
    """One statistic of all rows of a hierarchy over time.

    Attributes:
        name: Of the statistic, such as "mean".
        source: What it is taken of, such as "weights".
        quantity: Both in words, such as "mean of weights".
        values: Shape (rows, columns); NaN where there is no value.
        scale: The absolute value that fills a horizon graph where all rows have one scale, > 0.
        nonfinite: Shape (rows, columns): NaN or Inf was counted, which a bar marks; None for nowhere.
    """

    name: str
    source: str
    quantity: str
    values: FloatArray
    scale: float
    nonfinite: BoolArray | None = None


@dataclass(frozen=True, eq=False, slots=True)
class LayerTree:
    """The network hierarchy over time, of many statistics between which a reader switches.

    Attributes:
        id: Unique within the report.
        description: What it shows, for readers who cannot see it.
        rows: Depth first, parents before children; at least one.
        planes: The statistics in the order of the switch; at least one.
        axis: The columns of all values.
        stages: Iterations at which the learning rate changed.
        printed: Positions of the statistics that paper shows.
    """

    id: str
    description: str
    rows: tuple[TreeRow, ...]
    planes: tuple[Plane, ...]
    axis: TimeAxis
    stages: Sequence[int]
    printed: tuple[int, ...] = (0,)


@dataclass(frozen=True, eq=False, slots=True)
class FilterMap:
    """Some filters of one layer over time.

    Attributes:
        layer: Its name.
        group: Why the layer is shown, such as "in incidents".
        filters: Number of filters of the layer, of which those shown stand out most.
        names: Of the filters shown.
        about: What is known about each, in a few words.
        courses: Their values, and the scales of the three normalisations.
    """

    layer: str
    group: str
    filters: int
    names: tuple[str, ...]
    about: tuple[str, ...]
    courses: FilterCourses


@dataclass(frozen=True, eq=False, slots=True)
class FilterMaps:
    """Filters over time as shades, of several layers between which a reader switches.

    Attributes:
        id: Unique within the report.
        description: What it shows, for readers who cannot see it.
        quantity: What the values are, in words.
        maps: The layers in the order of the switch; at least one, all with the same axis.
        stages: Iterations at which the learning rate changed.
        printed: How many of the layers paper shows.
    """

    id: str
    description: str
    quantity: str
    maps: tuple[FilterMap, ...]
    stages: Sequence[int]
    printed: int = 3


Item = Chart | LayerTree | FilterMaps | Table | Paragraph


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
