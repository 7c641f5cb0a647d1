"""Answers which filters change at the events of a class: the grid of layers × classes, and its mini-sets.

Events may come from any source; anomalies of classes are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from dtui.analysis.relations.correlation import distinct_filters
from dtui.analysis.relations.minisets import Part, partition
from dtui.errors import UsageError
from dtui.model import Anomaly, IntArray, Structure, read_only
from dtui.model.relations import Correlation, Event, FilterChoice, MiniSet
from dtui.query.classes.errors import check_labels
from dtui.query.data import RunData
from dtui.query.relations.anomaly_filters import FilterChanges, layer_of_filters
from dtui.query.tree import check_filter


def class_events(anomalies: Iterable[Anomaly]) -> tuple[Event, ...]:
    """Return the anomalies of classes as events, without those that a person dismissed.

    Both rules may mark one class at one iteration: that is one event, with the id of the stronger.
    """
    found: dict[tuple[int, int], Event] = {}
    for anomaly in sorted(anomalies, key=lambda one: -one.score):
        label = anomaly.class_index
        if label is not None and anomaly.status != "dismissed":
            found.setdefault((label, anomaly.iteration), Event(label, anomaly.iteration, anomaly.id))
    return tuple(sorted(found.values(), key=_column))


def correlate(
    data: RunData, changes: FilterChanges, events: Sequence[Event], choice: FilterChoice, least_importance: int
) -> Correlation:
    """Answer `RunQuery.correlation`."""
    if least_importance < 1:
        raise UsageError(f"mini-sets: importance {least_importance}; use at least 1")
    check_labels(data, [event.label for event in events if event.label is not None])
    ordered = tuple(sorted(events, key=_column))
    places = changes.places(np.array([event.iteration for event in ordered], dtype=np.int64), choice)
    found = changes.at_places(places, choice)
    held = np.array(sorted(found), dtype=np.int64)
    record_of = np.where(places >= 0, np.searchsorted(held, places), -1)
    sets = [found[place].filters for place in held.tolist()]
    labels = tuple(dict.fromkeys(event.label for event in ordered))
    column = {label: at for at, label in enumerate(labels)}
    column_of = np.array([column[event.label] for event in ordered], dtype=np.int64)
    layer_of = layer_of_filters(data.structure)
    occurrences = np.bincount(record_of[record_of >= 0], minlength=len(held))
    every = [_mini_set(part, layer_of, data.structure, occurrences) for part in partition(sets, layer_of)]
    kept = [one for one in every if one.importance >= least_importance]
    kept.sort(key=lambda one: (one.layer, -one.importance, one.filters[0]))
    layers = len(data.structure.layers)
    counts = distinct_filters(sets, record_of, column_of, len(labels), layer_of, layers)
    totals = distinct_filters(sets, record_of, np.zeros_like(column_of), 1, layer_of, layers)[:, 0]
    return Correlation(
        choice=choice,
        labels=labels,
        counts=read_only(counts),
        totals=read_only(totals),
        events=ordered,
        records=read_only(data.records[held]),
        record_of=read_only(record_of),
        mini_sets=tuple(kept),
        left_out=len(every) - len(kept),
    )


def events_of_filter(
    data: RunData, changes: FilterChanges, layer: int, filter: int, events: Sequence[Event], choice: FilterChoice
) -> tuple[Event, ...]:
    """Answer `RunQuery.events_of_filter`."""
    own = check_filter(data, layer, filter)
    ordered = sorted(events, key=_column)
    places = changes.places(np.array([event.iteration for event in ordered], dtype=np.int64), choice)
    found = changes.at_places(places, choice)
    holds = {place for place, changed in found.items() if own.first_filter + filter in changed.filters}
    return tuple(event for event, place in zip(ordered, places.tolist(), strict=True) if place in holds)


def _mini_set(part: Part, layer_of: IntArray, structure: Structure, occurrences: IntArray) -> MiniSet:
    layer = structure.layers[int(layer_of[part.filters[0]])]
    return MiniSet(
        layer=layer.index,
        filters=tuple((part.filters - layer.first_filter).tolist()),
        records=tuple(part.sets.tolist()),
        occurrences=int(occurrences[part.sets].sum()),
    )


def _column(event: Event) -> tuple[bool, int, int, str]:
    """Order by class, then by iteration, then by id; events of no class last."""
    return event.label is None, event.label or 0, event.iteration, event.id
