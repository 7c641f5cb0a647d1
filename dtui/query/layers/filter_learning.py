"""Finds which filters no longer learn, and which began to learn late."""

from __future__ import annotations

import numpy as np

from dtui.analysis.filters import DEAD_RECORDS, NEVER, find_dead, find_late, first_clear_change
from dtui.dataclass_on_use import dataclass
from dtui.model import RECORDS_A_BIN, BoolArray, IntArray
from dtui.query.data import RunData

SEARCHED_FIRST = 64
SEARCHED_AT_ONCE = 1_024


@dataclass(eq=False, slots=True)
class _FirstChange:
    """Progress of the search for the first clear change of a layer's filters, and the records found so far.

    Searched is counted in steps of `span` records: one, or a bin of a long run.
    """

    span: int
    searched: int
    filters: IntArray
    layer: int
    generation: int

    @property
    def is_settled(self) -> bool:
        """Whether every first change has been found."""
        return self.layer != NEVER and bool((self.filters != NEVER).all())


class FilterLearning:
    """Judges the filters of a layer. It remembers when they first changed, because later records do not alter that."""

    def __init__(self, data: RunData) -> None:
        """Answer from a run's data."""
        self._data = data
        self._first_changes: dict[int, _FirstChange] = {}

    def dead(self, layer: int) -> BoolArray:
        """Return which filters of a layer no longer learn at the end of the run, shape (filters,)."""
        if not self._data.records_filters("gradient_norm", "update_norm"):
            return np.zeros(self._data.structure.layers[layer].filters, np.bool_)
        records = len(self._data.records)
        last = slice(max(0, records - DEAD_RECORDS - 1), records)
        rows, read = self._data.structure.layers[layer].filter_rows, self._data.reader.read_filters
        gradients, updates = read("gradient_norm", rows, last), read("update_norm", rows, last)
        if gradients.shape[1] and np.isnan(gradients[:, -1]).all():  # a closing record has none where they were cleared
            gradients, updates = gradients[:, :-1], updates[:, :-1]
        return find_dead(gradients[:, -DEAD_RECORDS:], updates[:, -DEAD_RECORDS:])

    def began(self, layer: int) -> IntArray:
        """Return the position of the record at which each filter first changed clearly, NEVER where it did not."""
        self.late_starters(layer)
        return self._first_changes[layer].filters

    def late_starters(self, layer: int) -> BoolArray:
        """Return which filters of a layer began to change long after their layer did, shape (filters,)."""
        data, reader = self._data, self._data.reader
        if not data.records_filters("update_ratio"):
            return np.zeros(data.structure.layers[layer].filters, np.bool_)
        rows, span = data.structure.layers[layer].filter_rows, RECORDS_A_BIN if data.is_long else 1
        read, steps = (reader.read_filter_bins if data.is_long else reader.read_filters), len(data.records) // span
        known = self._first_changes.get(layer)
        if known is None or known.searched > steps or (known.span, known.generation) != (span, data.generation):
            never = np.full(rows.stop - rows.start, NEVER, dtype=np.int64)
            known = _FirstChange(span, 0, never, NEVER, data.generation)
            self._first_changes[layer] = known
        while known.searched < steps and not known.is_settled:
            at_once = min(max(SEARCHED_FIRST, known.searched), SEARCHED_AT_ONCE)
            part = slice(known.searched, min(known.searched + at_once, steps))
            filters, own = first_clear_change(read("update_ratio", rows, part))
            found = (known.filters == NEVER) & (filters != NEVER)
            known.filters[found] = (filters[found] + part.start) * span
            if known.layer == NEVER and own != NEVER:
                known.layer = (own + part.start) * span
            known.searched = part.stop
        return find_late(known.filters, known.layer, len(data.records))
