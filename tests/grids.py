"""An invented grid of incidents × layers, and the cube of it, for front ends whose query is invented too."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from dtui.analysis.relations.minisets import partition
from dtui.model import Cause, Incident, Layer
from dtui.model.cube import CellEvent, CellFilter, Cube, CubeRequest, GridCell, IncidentGrid, neighbours
from dtui.model.relations import Correlation, Event, FilterChoice, MiniSet
from dtui.query.relations.cube import _incidents_in_columns, incident_grid


def incidents(iterations: Sequence[int], classes: int, layers: Sequence[Layer]) -> tuple[Incident, ...]:
    """Return an incident at each iteration: of class 0, of the network, of a layer, of class 1, and so on."""
    kinds = ("class", "network", "filter", "class")
    found = []
    for place, at in enumerate(iterations):
        kind = kinds[place % 4]
        label = (place // 2) % max(1, classes)
        layer = layers[place % len(layers)].name
        found.append(
            Incident(
                id=f"incident-{at}-{kind}",
                cause={"class": Cause.CLASS, "network": Cause.UPDATE, "filter": Cause.FILTER}[kind],
                first=at,
                last=at,
                layers=(layer,) if kind == "filter" else (),
                filters=(0,) if kind == "filter" else (),
                classes=(label,) if kind == "class" and classes else (),
                evidence=(),
                sentence=f"{kind} {label} at {at}",
                score=float(place),
            )
        )
    return tuple(found)


def correlation(events: Sequence[Event], layers: Sequence[Layer], choice: FilterChoice | None = None) -> Correlation:
    """Return a correlation in which the filters of an event follow from its iteration; every third shares a set."""
    choice = choice or FilterChoice()
    ordered = sorted(events, key=lambda one: (one.label is None, one.label or 0, one.iteration, one.id))
    records = sorted({event.iteration for event in ordered})
    layer_of = np.repeat(np.arange(len(layers)), [layer.filters for layer in layers])
    most = min(choice.count or 10, len(layer_of))
    sets = [
        np.random.default_rng(place // 2).permutation(len(layer_of))[: most - place % 2]
        for place in range(len(records))
    ]
    record_of = np.array([records.index(event.iteration) for event in ordered], dtype=np.int64)
    occurrences = np.bincount(record_of, minlength=len(records))
    made = []
    for part in partition(sets, layer_of):
        layer = layers[int(layer_of[part.filters[0]])]
        filters = tuple((part.filters - layer.first_filter).tolist())
        made.append(MiniSet(layer.index, filters, tuple(part.sets.tolist()), int(occurrences[part.sets].sum())))
    made.sort(key=lambda one: (one.layer, -one.importance, one.filters[0]))
    totals = np.zeros(len(layers), dtype=np.int64)
    for one in made:
        totals[one.layer] += len(one.filters)
    return Correlation(
        choice=choice,
        labels=tuple(dict.fromkeys(event.label for event in ordered)),
        counts=np.zeros((len(layers), 0), dtype=np.int64),
        totals=totals,
        events=tuple(ordered),
        records=np.array(records, dtype=np.int64),
        record_of=record_of,
        mini_sets=tuple(made),
    )


def grid(
    found: Sequence[Incident], layers: Sequence[Layer], choice: FilterChoice | None = None, order: str = "class"
) -> IncidentGrid:
    """Return the grid of some incidents."""
    data = SimpleNamespace(structure=SimpleNamespace(layers=tuple(layers)))
    return incident_grid(data, found, lambda events: correlation(events, layers, choice), order)  # type: ignore[arg-type]


def cell(made: IncidentGrid, row: int, layer: int) -> GridCell:
    """Return a cell whose filters changed by amounts that follow from their places."""
    events = []
    for event in made.events_of(row, layer):
        filters = sorted(f for one in made.mini_sets_of(layer) if made.holds(one, event) for f in one.filters)
        changed = tuple(CellFilter(f, 0.5 / (1 + k), 9.5 - k, 40.0 / (1 + k)) for k, f in enumerate(filters))
        about = made.found.events[event]
        events.append(CellEvent(event, about.id, about.iteration, about.iteration, changed))
    return GridCell(row, layer, tuple(events))


def cube(made: IncidentGrid, request: CubeRequest) -> Cube:
    """Return a cube over smooth numbers."""
    layers, columns = made.filters.shape[1], request.axis.columns
    class_groups = neighbours(len(made.rows), request.class_rows)
    layer_groups, column_groups = neighbours(layers, request.layer_rows), neighbours(layers, request.layer_columns)
    moved, events = _incidents_in_columns(made, request)
    times = request.axis.first + (np.arange(columns) + 0.5) * request.axis.column_span
    shades = np.array([np.sin(times / 90 + place) for place in range(len(layer_groups))]).reshape(-1, columns)
    errors = np.array([np.exp(-times / (200 + 60 * place)) for place in range(len(class_groups))]).reshape(-1, columns)
    counts = [
        [max(made.counts[row, list(some)].sum() for row in group) for some in column_groups] for group in class_groups
    ]
    return Cube(
        request=request,
        grid=made,
        class_groups=class_groups,
        layer_groups=layer_groups,
        column_groups=column_groups,
        errors=errors,
        events=np.array([events[list(group)].sum(axis=0) for group in class_groups]).reshape(-1, columns),
        values=shades * 0.01,
        shades=shades,
        moved=np.array([moved[list(group)].sum(axis=0) for group in layer_groups]).reshape(-1, columns),
        counts=np.array(counts, dtype=np.int64).reshape(len(class_groups), len(column_groups)),
    )
