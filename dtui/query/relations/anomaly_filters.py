"""Answers which filters changed most at some iterations.

Owns which record belongs to an iteration. Only the changes at those records are read.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence

import numpy as np

from dtui.analysis.relations.anomaly_filters import most_changed, most_changed_at_all
from dtui.dataclass_on_use import dataclass
from dtui.errors import UsageError
from dtui.model import BoolArray, FloatArray, IntArray, Layer, Structure, read_only
from dtui.model.relations import (
    CHANGES,
    FIRST_CONV,
    LAST_LINEAR,
    ChangedFilter,
    CommonFilters,
    Event,
    EventFilters,
    FilterChoice,
)
from dtui.query.data import RunData

READ_TOGETHER = 64
"""Records that lie in one chunk of a part are read at once."""
MOST_NAMED = 12
MOST_ITERATIONS = 64
"""Picked together: their changes are held at once."""


@dataclass(frozen=True, eq=False, slots=True)
class Changed:
    """The filters that changed most at one record: rows, the most changed first, and how much, each shape (n,)."""

    filters: IntArray
    changes: FloatArray


class FilterChanges:
    """Answers which filters changed most. Answers are kept for each record: later records do not alter them."""

    def __init__(self, data: RunData) -> None:
        self._data = data
        self._known: dict[int, Changed] = {}
        self._known_for: tuple[FilterChoice, int] | None = None

    def at_events(self, events: Sequence[Event], choice: FilterChoice) -> tuple[EventFilters, ...]:
        """Answer `RunQuery.anomaly_filters`."""
        places = self.places(np.array([event.iteration for event in events], dtype=np.int64), choice)
        found, records = self.at_places(places, choice), self._data.records
        nothing = Changed(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.float32))
        answers = []
        for event, place in zip(events, places.tolist(), strict=True):
            changed = found.get(place, nothing)
            record = int(records[place]) if place >= 0 else None
            answers.append(EventFilters(event, record, changed.filters, changed.changes))
        return tuple(answers)

    def at_all(self, iterations: Sequence[int], choice: FilterChoice) -> CommonFilters:
        """Answer `RunQuery.most_changed`."""
        asked = np.array(list(dict.fromkeys(iterations)), dtype=np.int64)
        if not len(asked):
            raise UsageError("filters: no iteration is given; give one or several")
        if len(asked) > MOST_ITERATIONS:
            raise UsageError(f"filters: {len(asked)} iterations are given; give at most {MOST_ITERATIONS}")
        places = self.places(asked, choice)
        for iteration, place in zip(asked.tolist(), places.tolist(), strict=True):
            if place < 0:
                raise UsageError(f"iteration {iteration}: {self._records_there()}")
        columns = dict(self._columns(np.unique(places), choice))
        changes = np.stack([columns[place] for place in places.tolist()], axis=1)
        layer_of, allowed = layer_of_filters(self._data.structure), self._allowed(choice)
        rows, ranks = most_changed_at_all(changes, layer_of, allowed, choice.count, choice.per_layer)
        layers = self._data.structure.layers
        return CommonFilters(
            choice=choice,
            iterations=tuple(asked.tolist()),
            records=tuple(self._data.records[places].tolist()),
            filters=tuple(
                ChangedFilter(
                    layer=int(layer_of[row]),
                    filter=int(row) - layers[layer_of[row]].first_filter,
                    ranks=tuple(own.tolist()),
                    changes=tuple(changes[row].tolist()),
                )
                for row, own in zip(rows, ranks, strict=True)
            ),
        )

    def _records_there(self) -> str:
        records = self._data.records
        if not len(records):
            return "the run has no records yet"
        return (
            f"no record is at it or within {self._reach():g} iterations before it; "
            f"the run has records from {int(records[0])} to {int(records[-1])}"
        )

    # --- records
    def places(self, iterations: IntArray, choice: FilterChoice) -> IntArray:
        """Return the position of the record that belongs to each iteration, shape (n,); -1 where there is none.

        It is the record or watch at the iteration itself, or else the last record before it. If that record is farther
        away than the usual distance between records, there is none: what changed since is not known.

        Raises:
            NotRecordedError: The run does not hold the statistic.
            UsageError: The choice makes no sense.
        """
        data = self._data
        check_choice(data, choice)
        stored = data.reader.contents.filter_statistic(choice.statistic, data.reader.path)
        every, regular = data.records, np.flatnonzero(~data.is_watch)
        before = np.searchsorted(every[regular], iterations, side="right") - 1
        places: IntArray = np.append(regular, -1)[before]  # position -1 is the appended one
        if len(regular):
            places = np.where(iterations - every[places] > self._reach(), -1, places)
        if stored.is_watched and len(every):
            exact = np.searchsorted(every, iterations, side="left")
            is_there = (exact < len(every)) & (every[np.minimum(exact, len(every) - 1)] == iterations)
            places = np.where(is_there, exact, places)
        return places

    def _reach(self) -> float:
        """Return how many iterations a record may lie before an event."""
        steps = np.diff(self._data.records[~self._data.is_watch])
        return max(self._data.record_interval, float(np.median(steps)) if len(steps) else 0.0)

    def at_places(self, places: IntArray, choice: FilterChoice) -> dict[int, Changed]:
        """Return the filters that changed most at some records, by position; -1 is skipped."""
        if self._known_for != (choice, self._data.generation):
            self._known, self._known_for = {}, (choice, self._data.generation)
        wanted = np.unique(places[places >= 0])
        new = np.array([place for place in wanted.tolist() if place not in self._known], dtype=np.int64)
        layer_of, allowed = layer_of_filters(self._data.structure), self._allowed(choice)
        for place, changes in self._columns(new, choice):
            rows = most_changed(changes, layer_of, allowed, choice.count, choice.per_layer)
            self._known[place] = Changed(read_only(rows), read_only(changes[rows]))
        return {place: self._known[place] for place in wanted.tolist()}

    def _columns(self, places: IntArray, choice: FilterChoice) -> Iterator[tuple[int, FloatArray]]:
        """Yield the changes of all filters at some records, ascending positions, each shape (F,)."""
        every = slice(0, self._data.structure.filters)
        for own in np.split(places, np.flatnonzero(np.diff(places // READ_TOGETHER)) + 1):
            if len(own):
                first = int(own[0])
                block = self._data.reader.read_filters(choice.statistic, every, slice(first, int(own[-1]) + 1))
                yield from ((place, block[:, place - first]) for place in own.tolist())

    def _allowed(self, choice: FilterChoice) -> BoolArray:
        """Return which filters may be chosen, shape (F,)."""
        left_out = excluded_layers(self._data.structure, choice.exclude)
        result: BoolArray = ~np.isin(layer_of_filters(self._data.structure), left_out)
        return result


def layer_of_filters(structure: Structure) -> IntArray:
    """Return the layer of each filter, shape (F,)."""
    result: IntArray = np.repeat(np.arange(len(structure.layers)), [layer.filters for layer in structure.layers])
    return result


def check_choice(data: RunData, choice: FilterChoice) -> None:
    """Refuse a choice of filters that makes no sense.

    Raises:
        UsageError: An unknown statistic or layer, or a number below 1.
    """
    if choice.statistic not in CHANGES:
        raise UsageError(f"change of filters {choice.statistic!r} is unknown; use one of {', '.join(CHANGES)}")
    for what, number in (("filters a record", choice.count), ("filters a layer", choice.per_layer)):
        if number is not None and number < 1:
            raise UsageError(f"{what}: {number}; use at least 1")
    excluded_layers(data.structure, choice.exclude)


def excluded_layers(structure: Structure, names: Sequence[str]) -> list[int]:
    """Return the indices of the layers with some names: own names, aliases, or a keyword for a layer.

    A keyword for a layer that the network does not have gives no index.

    Raises:
        UsageError: A name is none of these.
    """
    known = {name: layer.index for layer in structure.layers for name in (layer.name, *layer.aliases)}
    words = {FIRST_CONV: _first_conv(structure.layers), LAST_LINEAR: _first_linear(structure.layers[::-1])}
    found = []
    for name in names:
        if name in known:
            found.append(known[name])
        elif name in words:
            found += [layer.index for layer in words[name]]
        else:
            raise UsageError(f"no layer {name!r}; {layers_like(name, [*words, *known])}")
    return found


def _first_conv(layers: Sequence[Layer]) -> list[Layer]:
    return [layer for layer in layers if len(layer.shape) > 2][:1]


def _first_linear(layers: Sequence[Layer]) -> list[Layer]:
    return [layer for layer in layers if len(layer.shape) == 2][:1]


def layers_like(name: str, known: Sequence[str]) -> str:
    """Return the valid names, similar ones first, because a network has hundreds."""
    alike = difflib.get_close_matches(name, known, n=MOST_NAMED, cutoff=0.4)
    named = list(dict.fromkeys([*alike, *known]))[:MOST_NAMED]
    return f"use {', '.join(named)}" + (
        f" or one of {len(known) - len(named):,} more" if len(known) > len(named) else ""
    )
