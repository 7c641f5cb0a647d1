"""Answers which samples an update was trained on, and which samples stand out before triggers.

Owns which batches belong to a trigger: its own and the three before it, for the loss and the gradients fire on the mean
of four watches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from math import nan

import numpy as np

from dtui.analysis.relations.standouts import find_standouts
from dtui.dataclass_on_use import dataclass
from dtui.errors import NotRecordedError, UsageError
from dtui.model import Incident, IntArray
from dtui.model.arrays import distinct, is_among
from dtui.model.findings.batches import COLUMNS, BatchAnswer, KeptBatch, StandoutSample
from dtui.query.data import RunData

WIDTH = 4
"""Batches of a trigger."""
MOST_BEFORE = 8
"""Batches before the one that is asked for."""
MOST_KEPT = 256
"""Batches that are kept, of the last ones that were asked for."""
MOST_READ = 4_000_000
"""Ids that are read to see who stands out; of more batches an even choice is taken, beside those of triggers."""
AT_ONCE = 64
"""Batches in a stretch of that choice."""
LOSS = "loss"


@dataclass(frozen=True, eq=False, slots=True)
class _Frames:
    """Where the batches of a stream are: their iterations, ascending, and the columns that hold them."""

    iterations: IntArray
    ids: str
    count: str
    rows: int


class Batches:
    """The batches that a run kept."""

    def __init__(self, data: RunData, incidents: Sequence[Incident] = ()) -> None:
        """Look at what is there.

        Args:
            data: The run.
            incidents: They stand in for triggers in a run without any.

        Raises:
            NotRecordedError: The run keeps no samples.
        """
        self._data = data
        rows = {column.name: column.rows or 0 for column in data.reader.columns}
        self._frames = [
            _Frames(data.reader.column_iterations(ids), ids, count, rows[ids]) for ids, count in COLUMNS if ids in rows
        ]
        if not rows.keys() & {ids for ids, _ in COLUMNS}:
            raise NotRecordedError(
                f"{data.reader.path}: no samples of batches were recorded; record with batches=True to know them"
            )
        self._iterations = distinct(np.concatenate([frames.iterations for frames in self._frames]))
        triggers = sorted({trigger.iteration for trigger in data.triggers})
        begins = sorted({one.first for one in incidents if one.status != "dismissed"})
        self._events, self._unit = (triggers, "trigger") if triggers else (begins, "incident")
        steps = np.diff(self._iterations)
        self._step = int(steps.min()) if len(steps) else 1

    def at(self, iteration: int) -> BatchAnswer:
        """Return the batch of an iteration, or of the nearest kept one before it.

        Raises:
            UsageError: The run has no such iteration, or no batch at or before it.
            NotRecordedError: No batch was kept yet.
        """
        path, last = self._data.reader.path, self._data.last_iteration
        if not len(self._iterations):
            raise NotRecordedError(f"{path}: no batch was kept yet; the flight recorder keeps them around its triggers")
        first = int(self._iterations[0])
        if not 0 <= iteration <= last:
            raise UsageError(f"{path}: there is no iteration {iteration:,}; the run has 0 to {last:,}")
        if iteration < first:
            raise UsageError(f"{path}: no batch was kept at or before {iteration:,}; the first one is at {first:,}")
        place = int(np.searchsorted(self._iterations, iteration, side="right")) - 1
        row = self._row_before(place, MOST_BEFORE + 1)
        batches = [self._batch(int(self._iterations[one])) for one in row]
        standouts, fired = self.standouts()
        return BatchAnswer(iteration, batches[0], tuple(batches[1:]), standouts, len(fired), self._unit, fired)

    def near(self, incident: Incident) -> BatchAnswer | None:
        """Return the batch that came before an incident, None if none was kept right there.

        An incident that the flight recorder saw has that of its first trigger.
        """
        interval = max(1, int(self._data.record_interval))
        fired = [one for one in self._events if incident.first - interval < one <= max(incident.first, incident.last)]
        at = min(fired) if fired and self._unit == "trigger" else incident.first
        place = int(np.searchsorted(self._iterations, at, side="right")) - 1
        if place < 0 or at - self._iterations[place] >= self._step * WIDTH:
            return None
        answer = self.at(at)
        before = tuple(one for one in answer.before if one.iteration > answer.batch.iteration - WIDTH * self._step)
        return replace(answer, asked=at, before=before)

    def standouts(self) -> tuple[tuple[StandoutSample, ...], tuple[int, ...]]:
        """Return the samples that stand out, and the events that they were counted over."""
        return self._data.remembered(("standouts", tuple(self._events)), self._find_standouts)

    def _find_standouts(self) -> tuple[tuple[StandoutSample, ...], tuple[int, ...]]:
        windows = {event: row for event in self._events if (row := self._window(event))}
        wide = list(windows.values())
        if not wide:
            return (), ()
        own = sorted({row[0] for row in wide})
        every = sorted({place for row in wide for place in row})
        places = self._chosen(every)
        ids = dict(zip(places, self._read(self._iterations[places]), strict=True))
        batches = list(ids.values())
        best: dict[int, StandoutSample] = {}
        for chosen in (own, every):  # the trigger's own batch alone finds more, where that is the cause
            is_chosen = is_among(places, np.asarray(chosen))
            for one in find_standouts(batches, is_chosen):
                times = sum(any(one.sample in ids[place] for place in row) for row in wide)
                found = StandoutSample(one.sample, times, len(wide), one.total, min(1.0, 2 * one.chance))
                if one.sample not in best or found.chance < best[one.sample].chance:
                    best[one.sample] = found
        ordered = sorted(best.values(), key=lambda one: (one.chance, -one.times, one.sample))
        return tuple(self._with_places(ordered, ids, np.array(every))), tuple(windows)

    def _with_places(
        self, named: Sequence[StandoutSample], ids: Mapping[int, IntArray], leading: IntArray
    ) -> Iterator[StandoutSample]:
        """Yield samples with where they were trained on, from the ids of batches and the places that lead to events."""
        every = np.concatenate(list(ids.values()))
        places = np.repeat(np.array(list(ids), np.int64), [len(batch) for batch in ids.values()])
        is_wanted = is_among(every, np.array([one.sample for one in named], np.int64))
        every, places = every[is_wanted], places[is_wanted]
        for one in named:
            held = distinct(places[every == one.sample])
            before = held[is_among(held, leading)]
            yield replace(
                one, held=tuple(self._iterations[held].tolist()), before=tuple(self._iterations[before].tolist())
            )

    def _window(self, event: int) -> list[int]:
        """Return the places of an event's batches, the newest first; none if its own were not kept."""
        place = int(np.searchsorted(self._iterations, event, side="right")) - 1
        if place < 0 or event - self._iterations[place] >= self._step * WIDTH:
            return []
        return self._row_before(place, WIDTH)

    def _row_before(self, place: int, most: int) -> list[int]:
        """Return a place and those before it, one step apart, at most so many."""
        row = [place]
        while len(row) < most and row[-1] and self._iterations[row[-1]] - self._iterations[row[-1] - 1] <= self._step:
            row.append(row[-1] - 1)
        return row

    def _chosen(self, wanted: Sequence[int]) -> IntArray:
        """Return the places to read: those that are wanted, and as many others as may be, evenly spread."""
        count = len(self._iterations)
        most = MOST_READ // max(1, *(frames.rows for frames in self._frames))
        if count <= most:
            return np.arange(count)
        firsts = np.linspace(0, count - AT_ONCE, max(1, most // AT_ONCE)).astype(np.int64)
        others = (firsts[:, None] + np.arange(AT_ONCE)).reshape(-1)
        return distinct(np.concatenate([others, np.asarray(wanted, np.int64)]))

    def _batch(self, iteration: int) -> KeptBatch:
        """Return a kept batch; the last ones are not read again until the run changes."""
        read = self._data.remembered("kept batches", lambda: lru_cache(MOST_KEPT)(self._read_batch))
        return read(iteration)

    def _read_batch(self, iteration: int) -> KeptBatch:
        for frames in self._frames:
            place = int(np.searchsorted(frames.iterations, iteration))
            if place < len(frames.iterations) and frames.iterations[place] == iteration:
                count = self._data.reader.read_column(frames.count, slice(0, 1), slice(place, place + 1))
                samples = self._read(np.array([iteration]))[0]
                return KeptBatch(iteration, samples, max(len(samples), _whole(count)), self._loss(iteration))
        raise UsageError(f"{self._data.reader.path}: no batch was kept at {iteration:,}")

    def _loss(self, iteration: int) -> float:
        """Return the loss that was logged at an update; NaN where none was."""
        if LOSS not in self._data.reader.scalar_names():
            return nan
        iterations, values = self._data.points(LOSS)
        place = int(np.searchsorted(iterations, iteration))
        return float(values[place]) if place < len(iterations) and iterations[place] == iteration else nan

    def _read(self, iterations: IntArray) -> list[IntArray]:
        """Return the ids of batches, each shape (n,), in the order of their iterations."""
        found: dict[int, IntArray] = {}
        for frames in reversed(self._frames):
            places = np.flatnonzero(is_among(frames.iterations, iterations))
            for run in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
                if len(run):
                    stretch = slice(int(run[0]), int(run[-1]) + 1)
                    values = self._data.reader.read_column(frames.ids, slice(0, frames.rows), stretch)
                    for place, column in zip(run, values.T, strict=True):
                        known = column[(column >= 0) & (column < 1 << 53)]  # NaN is neither
                        found[int(frames.iterations[place])] = known.astype(np.int64)
        return [found[int(one)] for one in iterations]


def _whole(count: IntArray) -> int:
    """Return a stored count, 0 where it has no value."""
    value = int(count[0, 0])
    return value if 0 <= value < (1 << 32) - 1 else 0
