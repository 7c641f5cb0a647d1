"""Defines rows over time between whose planes a reader switches: the layers by statistic, and their filters by layer.

Owns the values that `reports/static/rows.js` draws in a page; paper and text show a part of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dtui.model import BoolArray, FilterCourses, FloatArray, TimeAxis


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
        starts: Where the standard deviation of its weights would start, in words; "" for nothing.
    """

    label: str
    name: str
    detail: str
    kind: str
    filters: int
    parent: int
    depth: int
    is_module: bool
    starts: str = ""


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
        named: Positions of the rows that incidents name, the worst incident's first.
    """

    id: str
    description: str
    rows: tuple[TreeRow, ...]
    planes: tuple[Plane, ...]
    axis: TimeAxis
    stages: Sequence[int]
    printed: tuple[int, ...] = (0,)
    named: tuple[int, ...] = ()


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
        printed_filters: How many filters of each.
    """

    id: str
    description: str
    quantity: str
    maps: tuple[FilterMap, ...]
    stages: Sequence[int]
    printed: int = 2
    printed_filters: int = 12
