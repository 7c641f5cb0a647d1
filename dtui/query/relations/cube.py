"""Answers the grid of incidents × layers, its cells in detail, and the cube with its three tied faces.

Owns which row an incident belongs to, and what a pick lights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from dtui.analysis.detectors.stream.trailing import WINDOW, medians, robust_z
from dtui.analysis.downsample import pool_farthest
from dtui.analysis.relations.grid import (
    against_usual,
    belonging,
    distinct_of_rows,
    farthest_rows,
    filters_of_events,
)
from dtui.errors import UsageError
from dtui.model import FloatArray, Incident, IntArray, read_only
from dtui.model.cube import (
    CellEvent,
    CellFilter,
    Cube,
    CubeRequest,
    GridCell,
    GridRow,
    IncidentGrid,
    Lit,
    Pick,
    RowKind,
    neighbours,
)
from dtui.model.relations import Correlation, Event
from dtui.query.classes.errors import class_errors
from dtui.query.data import Arrays, RunData, have
from dtui.query.tree import check_layer

ORDERS = ("class", "time", "count")
"""Of the classes: by label, by their first incident, by falling number of anomaly filters."""
FLOOR = 0.15
"""Added to the spread of logarithms, as `FilterJump` does: a filter that hardly moved has nearly none."""
LEAST_CHANGE = 1e-12
LOOKED_BACK = 4_096
"""Records and watches before a change, among which those are that it is compared with."""


def grid_events(incidents: Sequence[Incident]) -> tuple[Event, ...]:
    """Return the incidents as events, without those that a person dismissed.

    An incident of the whole network is one event without a class, whichever classes it names: it is one bad step. Any
    other is one event a class, or one without a class.
    """
    left = [one for one in incidents if one.status != "dismissed"]
    return tuple(Event(label, one.first, one.id) for one in left for _, label in rows_of_incident(one))


def rows_of_incident(incident: Incident) -> tuple[tuple[RowKind, int | None], ...]:
    """Return the rows that an incident belongs to, each by its kind and class; the worst class first."""
    if incident.scope == "network":
        return ((RowKind.ALL, None),)
    return tuple((RowKind.CLASS, label) for label in incident.classes) or ((RowKind.NO_CLASS, None),)


def incident_grid(
    data: RunData, incidents: Sequence[Incident], correlate: Callable[[Sequence[Event]], Correlation], order: str
) -> IncidentGrid:
    """Answer `RunQuery.incident_grid`."""
    if order not in ORDERS:
        raise UsageError(f"order of classes {order!r} is unknown; use one of {', '.join(ORDERS)}")
    found = correlate(grid_events(incidents))
    by_id = {one.id: one for one in incidents}
    kinds = [_kind(event, by_id[event.id]) for event in found.events]
    of_row: dict[tuple[RowKind, int | None], list[int]] = {}
    for place, (event, kind) in enumerate(zip(found.events, kinds, strict=True)):
        of_row.setdefault((kind, event.label), []).append(place)
    layers = len(data.structure.layers)
    filters = filters_of_events(found.mini_sets, found.record_of, layers)
    keys = sorted(of_row, key=lambda key: (list(RowKind).index(key[0]), key[1] or 0))
    row_of = _row_of(keys, of_row, len(found.events))
    counts = distinct_of_rows(found.mini_sets, found.record_of, row_of, len(keys), layers)
    ranks = [_rank(order, found, of_row[key], counts[place]) for place, key in enumerate(keys)]
    places = sorted(range(len(keys)), key=lambda place: (list(RowKind).index(keys[place][0]), *ranks[place]))
    keys, counts = [keys[place] for place in places], counts[places]
    row_of = _row_of(keys, of_row, len(found.events))
    index = {layer.name: layer.index for layer in data.structure.layers}
    named_at = np.zeros((len(found.events), layers), dtype=np.bool_)
    for place, event in enumerate(found.events):
        named_at[place, [index[name] for name in by_id[event.id].layers if name in index]] = True
    return IncidentGrid(
        found=found,
        rows=tuple(GridRow(kind, label, tuple(of_row[kind, label])) for kind, label in keys),
        row_of=read_only(row_of),
        filters=read_only(filters),
        counts=read_only(counts),
        named_at=read_only(named_at),
    )


def _kind(event: Event, incident: Incident) -> RowKind:
    if event.label is not None:
        return RowKind.CLASS
    return RowKind.ALL if incident.scope == "network" else RowKind.NO_CLASS


def _row_of(
    keys: Sequence[tuple[RowKind, int | None]], of_row: dict[tuple[RowKind, int | None], list[int]], events: int
) -> IntArray:
    row_of: IntArray = np.zeros(events, dtype=np.int64)
    for row, key in enumerate(keys):
        row_of[of_row[key]] = row
    return row_of


def _rank(order: str, found: Correlation, events: Sequence[int], counts: IntArray) -> tuple[int, int]:
    """Return what a row is sorted by among those of its kind; rows that are equal stay by label."""
    first = min(found.events[event].iteration for event in events)
    return {"class": (0, 0), "time": (first, 0), "count": (-int(counts.sum()), first)}[order]


# --- a cell
def grid_cell(data: RunData, grid: IncidentGrid, row: int, layer: int) -> GridCell:
    """Answer `RunQuery.grid_cell`."""
    if not 0 <= row < len(grid.rows):
        raise UsageError(f"row {row} of the grid: it has {len(grid.rows)} rows")
    check_layer(data, layer)
    events = []
    for event in grid.events_of(row, layer):
        own = [one for one in grid.mini_sets_of(layer) if grid.holds(one, event)]
        filters = np.array(sorted(filter for one in own for filter in one.filters), dtype=np.int64)
        record = int(grid.found.records[grid.found.record_of[event]])
        about = grid.found.events[event]
        changed = _changed_filters(data, grid.found.choice.statistic, layer, filters, record)
        events.append(CellEvent(event, about.id, about.iteration, record, changed))
    return GridCell(row, layer, tuple(sorted(events, key=lambda event: event.iteration)))


def _changed_filters(
    data: RunData, statistic: str, layer: int, filters: IntArray, record: int
) -> tuple[CellFilter, ...]:
    """Return some filters of a layer with their changes at a record against those before; most changed first.

    A watch is compared with watches and a record with records, see `_against_usual`.
    """
    place = int(np.searchsorted(data.records, record))
    looked_back = max(0, place - LOOKED_BACK)
    before = looked_back + np.flatnonzero(data.is_watch[looked_back:place] == data.is_watch[place])[-WINDOW:]
    first = int(before[0]) if len(before) else place
    block = data.reader.read_filters(statistic, data.structure.layers[layer].filter_rows, slice(first, place + 1))
    values = block[:, [*(before - first).tolist(), place - first]].astype(np.float64)
    own = values[filters]
    past = np.full((len(filters), WINDOW), np.nan)
    past[:, WINDOW - len(before) :] = own[:, :-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithms, earlier = np.log(np.maximum(own[:, -1], LEAST_CHANGE)), np.log(np.maximum(past, LEAST_CHANGE))
        times = own[:, -1] / medians(past)
    sigmas, _ = robust_z(logarithms, earlier, FLOOR)
    found = [
        CellFilter(*one)
        for one in zip(filters.tolist(), own[:, -1].tolist(), sigmas.tolist(), times.tolist(), strict=True)
    ]
    return tuple(sorted(found, key=lambda one: (-one.change, one.filter)))


# --- the cube
def cube(data: RunData, grid: IncidentGrid, request: CubeRequest) -> Cube:
    """Answer `RunQuery.cube`."""
    for what, number in (
        ("rows of classes", request.class_rows),
        ("rows of layers", request.layer_rows),
        ("columns of layers", request.layer_columns),
    ):
        if number < 1:
            raise UsageError(f"cube: {number} {what}; use at least 1")
    _, stored = data.reader.contents.layer_statistic(request.statistic, request.source, data.reader.path)
    axis, layers = request.axis, len(data.structure.layers)
    class_groups = neighbours(len(grid.rows), request.class_rows)
    layer_groups, column_groups = neighbours(layers, request.layer_rows), neighbours(layers, request.layer_columns)
    every = tuple(range(len(data.layout.images)))
    labels = [_labels(row, every) for row in grid.rows]
    errors = class_errors(data, labels, axis).values

    def find() -> Arrays:
        values, held = data.layers(request.source, request.statistic), data.held(axis, stored.is_watched)
        usual = ("against usual", request.source, request.statistic)
        shades = data.remembered(usual, lambda: _against_usual(data, values))
        return pool_farthest(values, held), pool_farthest(shades, held)

    values, shades = data.pictured(
        ("cube", request.source, request.statistic, axis),
        find,
        lambda found: have(found, ("f", (layers, axis.columns)), ("f", (layers, axis.columns))),
    )
    moved, events = _incidents_in_columns(grid, request)
    counts = [
        grid.counts[list(group)][:, list(some)].sum(axis=1).max() for group in class_groups for some in column_groups
    ]
    return Cube(
        request=request,
        grid=grid,
        class_groups=class_groups,
        layer_groups=layer_groups,
        column_groups=column_groups,
        errors=read_only(farthest_rows(errors, class_groups)),
        events=read_only(
            np.array([events[list(group)].sum(axis=0) for group in class_groups]).reshape(-1, axis.columns)
        ),
        values=read_only(farthest_rows(values, layer_groups)),
        shades=read_only(farthest_rows(shades, layer_groups)),
        moved=read_only(np.array([moved[list(group)].sum(axis=0) for group in layer_groups]).reshape(-1, axis.columns)),
        counts=read_only(np.array(counts, dtype=np.int64).reshape(len(class_groups), len(column_groups))),
    )


def _against_usual(data: RunData, values: FloatArray) -> FloatArray:
    """Compare values with what was usual before, shape (L, n): records with records, and watches with watches.

    The change at a record is that of all iterations since the record before, the change at a watch that of one.
    """
    shades: FloatArray = np.empty(values.shape, dtype=np.float32)
    for places in (data.is_watch, ~data.is_watch):
        shades[:, places] = against_usual(values[:, places])
    return shades


@lru_cache(maxsize=8)
def light(grid: IncidentGrid, pick: Pick) -> Lit:
    """Return what belongs to a pick: the incidents that fit all of it, and their rows and layers."""
    return belonging(pick, grid.touched, grid.row_of, len(grid.rows), grid.iterations)


def _labels(row: GridRow, every: tuple[int, ...]) -> tuple[int, ...]:
    if row.kind is RowKind.ALL:
        return every
    return () if row.label is None else (row.label,)


def _incidents_in_columns(grid: IncidentGrid, request: CubeRequest) -> tuple[IntArray, IntArray]:
    """Return the anomaly filters of each layer, shape (L, columns), and incidents of each row, shape (R, columns)."""
    columns = request.axis.columns_of(grid.iterations)
    moved: IntArray = np.zeros((grid.filters.shape[1], request.axis.columns), dtype=np.int64)
    events: IntArray = np.zeros((len(grid.rows), request.axis.columns), dtype=np.int64)
    seen: set[tuple[int, int]] = set()
    for event, column in enumerate(columns.tolist()):
        if not 0 <= column < request.axis.columns:
            continue
        events[grid.row_of[event], column] += 1
        if (key := (int(grid.found.record_of[event]), column)) not in seen:  # events of one record share its filters
            seen.add(key)
            moved[:, column] += grid.filters[event]
    return moved, events
