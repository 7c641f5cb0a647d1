"""Holds a run's raw numbers for the answers: read once, kept, and extended while the run grows.

Owns what is read from the store and when it is forgotten.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dtui.analysis.downsample import ColumnRecords, records_of_columns
from dtui.model import (
    RECORDS_A_BIN,
    BoolArray,
    FloatArray,
    IntArray,
    NormLayer,
    RunStatus,
    Structure,
    TimeAxis,
    Trigger,
)
from dtui.model.arrays import median_of
from dtui.model.scalars import Points, scalar_points
from dtui.model.statistics import Rows
from dtui.query.growing import Windows
from dtui.query.labels.validation_data import ValidationData

if TYPE_CHECKING:
    from dtui.store import RunReader

Arrays = tuple[NDArray[Any], ...]
LONG = 4_096
"""Records from which on filters are not kept whole: 2,048 filters of them are 32 MB a statistic."""
SAMPLED_BLOCKS = 8
SAMPLED_AT_ONCE = 64


def have(arrays: Arrays, *wanted: tuple[str, Sequence[int | None]]) -> bool:
    """Whether arrays from outside are as many as wanted, each of a kind of element ("f", "i", "u" or "b") and a shape.

    A length of None stands for any.
    """
    return len(arrays) == len(wanted) and all(
        array.dtype.kind == kind
        and array.ndim == len(shape)
        and all(length in (None, own) for length, own in zip(shape, array.shape, strict=True))
        for array, (kind, shape) in zip(arrays, wanted, strict=True)
    )


class Pictures(Protocol):
    """What pictures show that is kept in the run's cache."""

    def has(self, question: Hashable) -> bool:
        """Whether an answer is there; it may prove to be none that can be so."""

    def arrays(self, question: Hashable, find: Callable[[], Arrays], is_possible: Callable[[Arrays], bool]) -> Arrays:
        """Return the arrays that answer a question, as `RunData.pictured` says."""


class RunData(ValidationData):
    """A run's numbers as arrays over the whole run; each refresh reads only the new columns."""

    def __init__(self, reader: RunReader) -> None:
        """Take over a reader; nothing is read before the first question."""
        super().__init__(reader)
        self._windows = Windows()
        self.generation = 0
        """Changes whenever records no longer stand where they stood."""
        self._seen: tuple[IntArray, IntArray] = (self.records, self.validations)
        self._joins = reader.joins
        self._status = reader.status()
        self.detector_faults: dict[str, str] = {}
        """One line for each detector that failed when it was last asked, by its name."""
        self.pictures: Pictures | None = None
        """Those of a large run that has ended, within `RunQuery.keeping_pictures`."""

    # --- keeping and forgetting
    def refresh(self) -> bool:
        """Look for new data; return True if anything has changed."""
        changed, status = self.reader.refresh(), self.reader.status()
        changed, self._status = changed or status != self._status, status
        if changed:
            self._memory.clear()
            now, joins = (self.records, self.validations), self.reader.joins
            is_longer = all(np.array_equal(new[: len(old)], old) for new, old in zip(now, self._seen, strict=True))
            if joins != self._joins or not is_longer:
                # Records that were there are gone (a damaged part): nothing that was kept can be extended.
                # Watches that were put between them, or a training that went on from a checkpoint and may have recorded
                # the same iterations anew: nothing stands where it stood.
                self._growing.clear()
                self._windows.clear()
                self._labels_around.clear()
                self.generation += 1
                self.forget_judgements()
            self._seen, self._joins = now, joins
        return changed

    def free(self) -> None:
        """Free what was only needed for the last answers, also what `tidy` leaves: it is read or counted again."""
        super().free()
        self._windows.clear()

    def begin_answer(self, kind: str) -> None:
        """Begin an answer of a kind: arrays of earlier answers of this kind may be forgotten if it needs room."""
        self._growing.begin_answer(kind)
        self._windows.begin_answer(kind)

    def pictured(self, question: Hashable, find: Callable[[], Arrays], is_possible: Callable[[Arrays], bool]) -> Arrays:
        """Return what a picture shows: as it was kept, or else found.

        Args:
            question: All that the answer depends on besides the run; its `repr` is always the same.
            find: Finds the arrays, of numbers or booleans.
            is_possible: Is asked about arrays that were kept, which come from outside.
        """
        return find() if self.pictures is None else self.pictures.arrays(question, find, is_possible)

    # --- the run
    @property
    def structure(self) -> Structure:
        """The network."""
        return self.reader.structure

    @property
    def records(self) -> IntArray:
        """Iterations of the records and watches, shape (n,), ascending."""
        return self.reader.record_iterations

    @property
    def is_watch(self) -> BoolArray:
        """Which of the records are watches of the flight recorder, shape (n,)."""
        return self.reader.is_watch

    def held(self, axis: TimeAxis, is_watched: bool) -> ColumnRecords:
        """Return which records each column stands for.

        Args:
            axis: The columns.
            is_watched: Whether watches have a value of what is shown; if not, a column with only watches stands for the
                record before them.
        """
        if is_watched or not self.is_watch.any():
            return records_of_columns(axis, self.records, self.record_interval, self.breaks("records"))
        places = np.flatnonzero(~self.is_watch)
        held = records_of_columns(axis, self.records[places], self.record_interval, self.breaks("records"))
        if not len(places):
            return held
        last = places[np.maximum(held.stops - 1, 0)] + 1
        starts = places[np.minimum(held.starts, len(places) - 1)]
        return ColumnRecords(starts, np.where(held.has_value, last, starts))

    def held_validations(self, axis: TimeAxis) -> ColumnRecords:
        """Return which validations each column stands for."""
        return records_of_columns(axis, self.validations, self.validation_interval, self.breaks("validations"))

    def breaks(self, stream: str) -> IntArray:
        """Return the iterations from which on no value before stands, ascending: where the gaps of a stream begin.

        What was trained before a run was resumed, and not recorded, is missing in every stream.
        """
        seams = {seam - 1 for seam in self.reader.seams}
        first = sorted(gap.first for gap in self.reader.gaps if gap.stream == stream or gap.last in seams)
        return np.array(first, np.int64)

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """The triggers of the flight recorder, in order of recording; data from outside."""
        return self.reader.triggers

    @property
    def iterations(self) -> IntArray:
        """Iterations of records, watches and validations, and the first and last of values logged between; unsorted."""
        return np.concatenate([self.records, self.validations, *(at[[0, -1]] for at, _ in self.reader.logged.values())])

    @property
    def last_iteration(self) -> int:
        """The last iteration with any data; -1 if there is none."""
        return int(self.iterations.max(initial=-1))

    @property
    def has_closing_record(self) -> bool:
        """Whether the last record closed the run: it came sooner than a regular record, and nothing follows it."""
        last = self.records[~self.is_watch][-2:]
        if self.reader.status() is RunStatus.LIVE:
            return False
        return len(last) == 2 and last[1] - last[0] < self.record_interval and bool(last[1] == self.last_iteration)

    @property
    def record_interval(self) -> float:
        """Iterations from one record to the next, >= 1."""
        return float(max(1, self.reader.metadata.every))

    @property
    def validation_interval(self) -> float:
        """Iterations from one validation to the next, usually, >= 1."""
        steps = np.diff(self.validations)
        return median_of(steps) if len(steps) else self.record_interval

    # --- numbers
    def records_filters(self, *statistics: str) -> bool:
        """Whether the run holds all of these statistics of filters."""
        return all(name in self.reader.contents.filters for name in statistics)

    def records_layers(self, source: str, statistic: str) -> bool:
        """Whether the run holds this statistic of layers."""
        held = self.reader.contents
        return source in held.sources and statistic in held.layers

    def filters(self, statistic: str, layer: int) -> FloatArray:
        """Return a statistic of a layer's filters, shape (filters, n)."""
        rows = self.structure.layers[layer].filter_rows
        return self._growing.columns(
            ("filters", statistic, layer),
            len(self.records),
            lambda records: self.reader.read_filters(statistic, rows, records),
        )

    def filters_once(self, statistic: str, layer: int) -> FloatArray:
        """Return the same for an answer that is kept itself: of a run that has ended, the numbers are not kept too.

        All layers of a network together are more than all else that is kept.
        """
        rows = self.structure.layers[layer].filter_rows
        if self._status is RunStatus.LIVE or self._growing.size_of(("filters", statistic, layer)):
            return self.filters(statistic, layer)
        return self.reader.read_filters(statistic, rows, slice(0, len(self.records)))

    @property
    def is_long(self) -> bool:
        """Whether the run has so many records that filters are read in bins of records."""
        return len(self.records) > LONG

    def filter_bins(self, statistic: str, layer: int) -> FloatArray:
        """Return the value farthest from zero in every bin of records, shape (filters, bins)."""
        rows, read = self.structure.layers[layer].filter_rows, self.reader.read_filter_bins
        whole, rest = divmod(len(self.records), RECORDS_A_BIN)
        bins = self._growing.columns(("bins", statistic, layer), whole, lambda wanted: read(statistic, rows, wanted))
        return np.concatenate([bins, read(statistic, rows, slice(whole, whole + 1))], axis=1) if rest else bins

    def filters_overview(self, statistic: str, layer: int) -> FloatArray:
        """Return a statistic of a layer's filters over the whole run: every record, or every bin of a long run."""
        return self.filter_bins(statistic, layer) if self.is_long else self.filters(statistic, layer)

    def filters_sample(self, statistic: str, layer: int) -> FloatArray:
        """Return a statistic of a layer's filters at every record, or at a fixed sample of a long run's records."""
        if not self.is_long:
            return self.filters(statistic, layer)
        rows = self.structure.layers[layer].filter_rows
        last = len(self.records) // SAMPLED_AT_ONCE - 1
        starts = [SAMPLED_AT_ONCE * round(at * last / (SAMPLED_BLOCKS - 1)) for at in range(SAMPLED_BLOCKS)]
        blocks = [self.reader.read_filters(statistic, rows, slice(at, at + SAMPLED_AT_ONCE)) for at in starts]
        return np.concatenate(blocks, axis=1)

    def sampled_records(self) -> IntArray:
        """Return the iterations of the records that `filters_sample` holds, shape (n,)."""
        if not self.is_long:
            return self.records
        last = len(self.records) // SAMPLED_AT_ONCE - 1
        starts = [SAMPLED_AT_ONCE * round(at * last / (SAMPLED_BLOCKS - 1)) for at in range(SAMPLED_BLOCKS)]
        return np.concatenate([self.records[at : at + SAMPLED_AT_ONCE] for at in starts])

    def filters_within(self, statistic: str, layer: int, records: slice) -> tuple[FloatArray, int]:
        """Return a matrix that holds a statistic of a layer's filters at some records, and its first record."""
        if not self.is_long:
            return self.filters(statistic, layer), 0
        rows = self.structure.layers[layer].filter_rows
        return self._windows.columns(
            (statistic, layer),
            records,
            len(self.records),
            lambda wanted: self.reader.read_filters(statistic, rows, wanted),
        )

    def layers(self, source: str, statistic: str) -> FloatArray:
        """Return a statistic of all layers, shape (L, n)."""
        return self._growing.columns(
            ("layers", source, statistic),
            len(self.records),
            lambda records: self.reader.read_layers(source, statistic, records),
        )

    def modules(self, source: str, statistic: str) -> FloatArray:
        """Return a statistic of all modules, shape (M, n)."""
        return self._growing.columns(
            ("modules", source, statistic),
            len(self.records),
            lambda records: self.reader.read_modules(source, statistic, records),
        )

    @property
    def norm_layers(self) -> tuple[NormLayer, ...]:
        """The normalisation layers that are recorded, each with the layer that it follows; data from outside."""
        return self.structure.norms

    def records_norms(self, *statistics: str) -> bool:
        """Whether the run holds all of these statistics of normalisation layers."""
        held = self.reader.contents.of(Rows.NORMS)
        return all(name in held for name in statistics)

    def norms(self, statistic: str) -> FloatArray:
        """Return a statistic of all normalisation layers, shape (N, n), rows as in `norm_layers`; NaN in watches."""
        return self._growing.columns(
            ("norms", statistic), len(self.records), lambda records: self.reader.read_norms(statistic, records)
        )

    def parameters(self, statistic: str) -> FloatArray:
        """Return a statistic of all parameters outside the layers, shape (P, n); NaN in watches."""
        return self._growing.columns(
            ("parameters", statistic),
            len(self.records),
            lambda records: self.reader.read_parameters(statistic, records),
        )

    def adapters(self, statistic: str) -> FloatArray:
        """Return a statistic of all adapters, shape (A, n); NaN in watches."""
        return self._growing.columns(
            ("adapters", statistic),
            len(self.records),
            lambda records: self.reader.read_rows(Rows.ADAPTERS, statistic, records),
        )

    def scalar(self, name: str) -> FloatArray:
        """Return what each record holds of a scalar, shape (n,), NaN where it was not logged."""
        row: FloatArray = self._growing.columns(
            ("scalar", name), len(self.records), lambda records: self.reader.read_scalar(name, records)[None, :]
        )[0]
        return row

    def points(self, name: str) -> Points:
        """Return all values of a scalar and their iterations, also between records; see `scalar_points`."""

        def join() -> Points:
            return scalar_points(self.records, self.is_watch, self.scalar(name), self.reader.logged.get(name))

        return self.remembered(("points", name), join)

    def growing_columns(self, key: Hashable, count: int, read: Callable[[slice], FloatArray]) -> FloatArray:
        """Return an array over all records or validations, of which only the new columns are read."""
        return self._growing.columns(("columns", key), count, read)
