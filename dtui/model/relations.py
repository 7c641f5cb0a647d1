"""Relations between filters, layers and classes: anomaly filters, mini-sets, and the grid of layers × classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model.arrays import FloatArray, IntArray

CHANGES = ("update_ratio", "cosine_distance", "update_norm")
"""Statistics of filters that say how much one changed from one record to the next; the first is the default."""
FIRST_CONV = "first-conv"
LAST_LINEAR = "last-linear"
"""Stand for a layer among those to leave out: the first convolution, the last fully connected layer."""


@dataclass(frozen=True, slots=True)
class FilterChoice:
    """How the filters that changed most at a record are chosen.

    Attributes:
        statistic: Of CHANGES.
        count: Most filters per record in the whole network, >= 1; None for no limit.
        per_layer: Most filters per record and layer, >= 1; None for no limit.
        exclude: Layers that are left out: their names, or FIRST_CONV or LAST_LINEAR.
    """

    statistic: str = CHANGES[0]
    count: int | None = 10
    per_layer: int | None = None
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at an iteration, from any source. The columns of the correlation are made of events.

    Attributes:
        label: Label of its class; None if it has none.
        iteration: Iteration at which it happened.
        id: Its id elsewhere, such as the id of an anomaly.
    """

    label: int | None
    iteration: int
    id: str = ""


@dataclass(frozen=True, eq=False, slots=True)
class EventFilters:
    """The anomaly filters of an event.

    Attributes:
        event: The event; one of those in the question.
        record: Iteration of the record whose changes are used; None if there is no record close before the event.
        filters: Rows on the flat filter axis, the most changed first, shape (n,).
        changes: How much each changed, shape (n,), > 0; Inf where weights were lost to Inf.
    """

    event: Event
    record: int | None
    filters: IntArray
    changes: FloatArray


@dataclass(frozen=True, slots=True)
class ChangedFilter:
    """A filter that changed much at each of some records.

    Attributes:
        layer: Index of its layer.
        filter: Index within the layer.
        ranks: Its place among all filters at each record, 1 for the most changed; equal changes have equal ranks.
        changes: How much it changed at each, > 0.
    """

    layer: int
    filter: int
    ranks: tuple[int, ...]
    changes: tuple[float, ...]

    @property
    def rank(self) -> int:
        """The worst of its ranks: at every record it ranked at least this high."""
        return max(self.ranks)

    @property
    def change(self) -> float:
        """The smallest of its changes."""
        return min(self.changes)


@dataclass(frozen=True, eq=False, slots=True)
class CommonFilters:
    """The filters that changed most at all of some iterations.

    Attributes:
        choice: The choice in the question.
        iterations: The iterations in the question.
        records: Iterations of the records that were used, one for each of `iterations`.
        filters: By worst rank, then by the sum of ranks, then by row.
    """

    choice: FilterChoice
    iterations: tuple[int, ...]
    records: tuple[int, ...]
    filters: tuple[ChangedFilter, ...]


@dataclass(frozen=True, slots=True)
class MiniSet:
    """Filters of one layer that always occur together among the anomaly filters.

    Attributes:
        layer: Index of the layer.
        filters: Indices within the layer, ascending.
        records: Positions in `Correlation.records` of the records at which they are anomaly filters, ascending.
        occurrences: Events at those records.
    """

    layer: int
    filters: tuple[int, ...]
    records: tuple[int, ...]
    occurrences: int

    @property
    def importance(self) -> int:
        """Occurrences × number of filters."""
        return self.occurrences * len(self.filters)


@dataclass(frozen=True, eq=False, slots=True)
class Correlation:
    """The grid of layers × classes: filters that changed most at the events of each class. L layers, E events.

    Attributes:
        choice: Which filters count.
        labels: Of the classes that have an event, ascending, K of them; None at the end for events of no class.
        counts: Distinct anomaly filters of each layer over the events of each class, shape (L, K). For a module, see
            `row`.
        totals: Distinct anomaly filters of each layer over all events, shape (L,).
        events: By class, then by iteration, then by id; events without a class last.
        records: Iterations of the records that were used, shape (n,), ascending.
        record_of: Position in `records` of each event, shape (E,), -1 where there is no record close before it.
        mini_sets: By layer, then by falling importance, then by first filter; each has at least the requested
            importance.
        left_out: Number of less important mini-sets, which are left out.
    """

    choice: FilterChoice
    labels: tuple[int | None, ...]
    counts: IntArray
    totals: IntArray
    events: tuple[Event, ...]
    records: IntArray
    record_of: IntArray
    mini_sets: tuple[MiniSet, ...]
    left_out: int = 0

    def columns_of(self, mini_set: MiniSet) -> IntArray:
        """Return the positions of the events at which a mini-set occurs, ascending, shape (occurrences,)."""
        result: IntArray = np.flatnonzero(np.isin(self.record_of, mini_set.records))
        return result

    def row(self, layers: Sequence[int]) -> IntArray:
        """Return the distinct anomaly filters of some layers together, such as those of a module, shape (K,)."""
        result: IntArray = self.counts[list(layers)].sum(axis=0)
        return result
