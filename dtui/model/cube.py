"""The grid of incidents × layers, and the cube: its three tied faces and what a pick in one lights in the others."""

from __future__ import annotations

from enum import StrEnum
from itertools import accumulate, chain, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import BoolArray, FloatArray, IntArray
from dtui.model.axis import TimeAxis
from dtui.model.layers import FilterCourse
from dtui.model.relations import Correlation, MiniSet


class RowKind(StrEnum):
    """What a row of the grid stands for."""

    CLASS = "class"
    ALL = "all"
    NO_CLASS = "no class"


@dataclass(frozen=True, slots=True)
class GridRow:
    """A row of the grid.

    Attributes:
        kind: A class, the whole network at once, or incidents that moved no class.
        label: Label of the class; None for the other two.
        events: Positions in `Correlation.events`, by iteration; at least one.
    """

    kind: RowKind
    label: int | None
    events: tuple[int, ...]


@dataclass(frozen=True, eq=False, slots=True)
class IncidentGrid:
    """Classes with incidents × layers: which filters changed most at the incidents. E events, R rows, L layers.

    Attributes:
        found: The events, one for each incident and class, and all mini-sets. The events of incidents of the whole
            network have no class.
        rows: In the requested order; the row of all classes and the row of no class are the last.
        row_of: Row of each event, shape (E,).
        filters: Anomaly filters of each event in each layer, shape (E, L).
        counts: Distinct anomaly filters in each cell, shape (R, L).
        named_at: Whether the incident of an event names the layer, shape (E, L).
    """

    found: Correlation
    rows: tuple[GridRow, ...]
    row_of: IntArray
    filters: IntArray
    counts: IntArray
    named_at: BoolArray

    @property
    def iterations(self) -> IntArray:
        """Iteration of each event, shape (E,)."""
        return np.array([event.iteration for event in self.found.events], dtype=np.int64)

    @property
    def named(self) -> BoolArray:
        """Whether an incident of the row names the layer, shape (R, L)."""
        rows: BoolArray = np.zeros(self.counts.shape, dtype=np.bool_)
        np.logical_or.at(rows, self.row_of, self.named_at)
        return rows

    @property
    def touched(self) -> BoolArray:
        """Whether an event has anomaly filters in the layer, or its incident names it, shape (E, L)."""
        return np.logical_or(self.filters > 0, self.named_at)

    def events_of(self, row: int, layer: int) -> tuple[int, ...]:
        """Return the events of a row that have anomaly filters in a layer."""
        return tuple(event for event in self.rows[row].events if self.filters[event, layer])

    def mini_sets_of(self, layer: int, least_importance: int = 1) -> tuple[MiniSet, ...]:
        """Return the mini-sets of a layer that are important enough, the most important first."""
        return tuple(one for one in self.found.mini_sets if one.layer == layer and one.importance >= least_importance)

    def holds(self, mini_set: MiniSet, event: int) -> bool:
        """Whether the filters of a mini-set are anomaly filters at an event."""
        return int(self.found.record_of[event]) in mini_set.records

    @property
    def importances(self) -> tuple[int, ...]:
        """Every importance that a mini-set has, ascending."""
        return tuple(sorted({one.importance for one in self.found.mini_sets}))


@dataclass(frozen=True, slots=True)
class CellFilter:
    """An anomaly filter in a cell of the grid.

    Attributes:
        filter: Index within the layer.
        change: How much it changed at the record, > 0.
        sigma: How far the logarithm of its change lies above the median of the 20 records before, in robust standard
            deviations; NaN if fewer than 5 of them are known.
        times: The change divided by its median over these records; NaN likewise.
    """

    filter: int
    change: float
    sigma: float
    times: float


@dataclass(frozen=True, slots=True)
class CellEvent:
    """What an incident moved in a layer.

    Attributes:
        event: Position in `Correlation.events`.
        id: Id of the incident.
        iteration: Of the incident.
        record: Iteration of the record whose changes are used.
        filters: The most changed first; at least one.
    """

    event: int
    id: str
    iteration: int
    record: int
    filters: tuple[CellFilter, ...]


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell of the grid in detail: the incidents of a row that have anomaly filters in a layer, by iteration."""

    row: int
    layer: int
    events: tuple[CellEvent, ...]

    @property
    def strongest(self) -> tuple[CellEvent, CellFilter] | None:
        """The filter that is farthest from its usual change, or changed most where that is not known; None if empty."""
        every = [(event, one) for event in self.events for one in event.filters]
        known = [pair for pair in every if np.isfinite(pair[1].sigma)]
        if known:
            return max(known, key=lambda pair: pair[1].sigma)
        return max(every, key=lambda pair: pair[1].change) if every else None


@dataclass(frozen=True, eq=False, slots=True)
class CellCourses:
    """What a cell of the grid did over the run.

    Attributes:
        axis: The columns.
        label: The class; None for all images.
        layer: Index of the layer.
        filters: Indices within the layer.
        error: Of the class, with that of all images as its median; without band and ranks. None where nothing was
            validated.
        moved: One statistic of each of the filters.
        of: Filters of the layer; 0 where none of them are in the cell.
    """

    axis: TimeAxis
    label: int | None
    layer: int
    filters: tuple[int, ...]
    error: FilterCourse | None
    moved: tuple[FilterCourse, ...]
    of: int

    @property
    def courses(self) -> tuple[FilterCourse, ...]:
        """The error, if there is one, then the filters."""
        return (*(() if self.error is None else (self.error,)), *self.moved)


@dataclass(frozen=True, slots=True)
class Pick:
    """What is picked in the cube: a row, a layer, a stretch of time, or several of them, which all must fit.

    Attributes:
        row: Row of the grid.
        layer: Index of the layer.
        span: First iteration and stop (exclusive).
    """

    row: int | None = None
    layer: int | None = None
    span: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Lit:
    """What belongs to a pick: the incidents that fit it, and the rows and layers of these.

    Attributes:
        events: Shape (E,).
        rows: Shape (R,). A picked row is always lit.
        layers: Shape (L,). A picked layer is always lit.
        cells: Shape (R, L): an incident that fits has anomaly filters there.
    """

    events: BoolArray
    rows: BoolArray
    layers: BoolArray
    cells: BoolArray


@dataclass(frozen=True, slots=True)
class CubeRequest:
    """Which cube, and how large.

    Attributes:
        axis: The columns of both faces with time.
        statistic: Of LAYER_STATISTICS.
        source: Of SOURCES.
        class_rows: Most rows of classes, >= 1.
        layer_rows: Most rows of layers in layers × time, >= 1.
        layer_columns: Most columns of layers in classes × layers, >= 1.
        order: Order of the classes, as in `RunQuery.incident_grid`.
    """

    axis: TimeAxis
    statistic: str = "norm2"
    source: str = "updates"
    class_rows: int = 40
    layer_rows: int = 80
    layer_columns: int = 80
    order: str = "class"


@dataclass(frozen=True, eq=False, slots=True)
class Cube:
    """Three tied faces. Rows and columns may stand for several neighbours, whose strongest value they show.

    Attributes:
        request: The request.
        grid: The grid of all incidents.
        class_groups: Rows of the grid in each row of classes, C of them.
        layer_groups: Layers in each row of layers × time, P of them.
        column_groups: Layers in each column of classes × layers, Q of them.
        errors: Classes × time: the largest error, shape (C, columns); the mean error of all images for the row of all
            classes, NaN for the row of no class and where there is no value.
        events: Classes × time: number of incidents, shape (C, columns).
        values: Layers × time: the value farthest from zero, shape (P, columns).
        shades: Layers × time: the size of the value against the layer's usual one, which is the median of the 20
            records before, on a logarithmic scale: 0 is the usual, 1 ten times as much or more, -1 a tenth or less.
            Shape (P, columns); NaN where nothing is usual yet.
        moved: Layers × time: anomaly filters at the incidents in the column, shape (P, columns).
        counts: Classes × layers: distinct anomaly filters in all layers of the column, of the row with most, shape
            (C, Q).
    """

    request: CubeRequest
    grid: IncidentGrid
    class_groups: tuple[tuple[int, ...], ...]
    layer_groups: tuple[tuple[int, ...], ...]
    column_groups: tuple[tuple[int, ...], ...]
    errors: FloatArray
    events: IntArray
    values: FloatArray
    shades: FloatArray
    moved: IntArray
    counts: IntArray

    def columns_of(self, lit: Lit) -> BoolArray:
        """Return the columns of time with an incident that is lit, shape (columns,)."""
        result: BoolArray = np.zeros(self.request.axis.columns, dtype=np.bool_)
        columns = self.request.axis.columns_of(self.grid.iterations[lit.events])
        result[columns[(columns >= 0) & (columns < len(result))]] = True
        return result


def any_of(flags: BoolArray, groups: tuple[tuple[int, ...], ...]) -> BoolArray:
    """Return whether any place of each group is set: of flags of shape (…, places) one of shape (…, groups)."""
    result: BoolArray = _each(np.logical_or, flags, groups)
    return result


def sum_of(counts: IntArray, groups: tuple[tuple[int, ...], ...]) -> IntArray:
    """Return the sum over each group: of counts of shape (…, places) one of shape (…, groups)."""
    result: IntArray = _each(np.add, counts, groups)
    return result


def _each(combine: np.ufunc, values: NDArray[Any], groups: tuple[tuple[int, ...], ...]) -> NDArray[Any]:
    """Return the places of each group combined; no group is empty."""
    if not groups:
        return values[..., :0]
    begins = [0, *accumulate(map(len, groups[:-1]))]
    combined: NDArray[Any] = combine.reduceat(values[..., list(chain.from_iterable(groups))], begins, axis=-1)
    return combined


def group_of(groups: tuple[tuple[int, ...], ...], place: int) -> int | None:
    """Return the group that holds a place; None if there is none."""
    return next((at for at, group in enumerate(groups) if place in group), None)


def neighbours(count: int, most: int) -> tuple[tuple[int, ...], ...]:
    """Return `count` places in at most `most` groups of neighbours, as evenly as they can be divided."""
    groups = max(0, min(count, most))
    edges = [at * count // groups for at in range(groups + 1)] if groups else []
    return tuple(tuple(range(first, stop)) for first, stop in pairwise(edges))


def module_groups(names: tuple[str, ...]) -> tuple[tuple[str, int], ...]:
    """Return the modules that neighbouring layers belong to, with their numbers of layers, in order.

    A module is named by the first part of the layers' names; one that holds more than half of all layers is divided by
    one part more, as long as it can be.

    Args:
        names: Dotted names of the layers; data from outside.
    """
    depths = dict.fromkeys(range(len(names)), 1)
    while True:
        groups = _grouped(names, depths)
        large = [group for _, group in groups if 2 * len(group) > len(names) and len(group) > 1]
        deeper = [place for group in large for place in group if names[place].count(".") >= depths[place]]
        if not deeper:
            return tuple((name, len(group)) for name, group in groups)
        for place in deeper:
            depths[place] += 1


def _grouped(names: tuple[str, ...], depths: dict[int, int]) -> list[tuple[str, list[int]]]:
    groups: list[tuple[str, list[int]]] = []
    for place, name in enumerate(names):
        module = ".".join(name.split(".")[: depths[place]])
        if groups and groups[-1][0] == module:
            groups[-1][1].append(place)
        else:
            groups.append((module, [place]))
    return groups
