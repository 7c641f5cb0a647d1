"""Records one run: measures the network, and hands the measurements to the writer's thread.

Owns the beginning of a run, which waits until the shapes of all layers are known, and its end.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from numpy.typing import NDArray
from torch import nn

from dtui.model import Column, RunStatus, Structure
from dtui.record.batches.used import UsedSamples
from dtui.record.flight.flight_recorder import Flight
from dtui.record.flight.plan import WatchPlan
from dtui.record.measure.compiled import load_kernels
from dtui.record.measure.measurer import Measurer
from dtui.record.measure.statistics import Deriver
from dtui.record.network.layers import LayerProbe
from dtui.record.start.resume import Start
from dtui.record.start.starting_network import StartingNetwork
from dtui.record.training.distributed import CLOSING_SECONDS, Exchange, PartMissingError
from dtui.record.training.looks import Looks
from dtui.record.training.scalar_log import OwnIterations, ScalarLog, writing
from dtui.record.training.skipped_updates import SkippedUpdates
from dtui.record.validation.activations.of_run import Activations
from dtui.record.writing.failure_guard import RECORDS, WATCHES, Boundary
from dtui.record.writing.stopping import StopSignal
from dtui.record.writing.warn import warn_once
from dtui.record.writing.writer_thread import Job, Sink, Store

WAITING_BYTES = 64 << 20
"""Memory for records that wait for the disk; more are dropped, and the run says so."""

FEWEST_WAITING, MOST_WAITING = 4, 256

LOGGED = "logged"
"""Jobs that write what was logged between records; no stream of the run."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The settings of a closing record.

    Attributes:
        with_gradients: Whether the gradients are still those of the last update.
    """

    with_gradients: bool


class Recording:
    """Measures one network into one run. The Recorder catches failures, except those at the end."""

    def __init__(
        self,
        model: nn.Module,
        probes: list[LayerProbe],
        start: Start,
        exchange: Exchange,
        boundary: Boundary,
        *,
        open_store: Callable[[Structure, Sequence[Column]], Store],
        watch_plan: WatchPlan | None,
        has_kernel: bool,
        is_traced: bool,
        stop: StopSignal,
        has_activations: bool = False,
        has_channels: bool = False,
        batches: UsedSamples | None = None,
    ) -> None:
        """Prepare; `begin` creates the run or goes on with it.

        Args:
            model: The network, wrapped or not.
            probes: Its layers; those of lazy modules have no shape yet.
            start: Where the run begins.
            exchange: The exchange with the other processes.
            boundary: Receives the gaps.
            open_store: Creates a new run, given its structure and further columns. The writer's thread calls it, and
                holds its references until then.
            watch_plan: Settings of the flight recorder, None for none.
            has_kernel: Whether to measure with a compiled kernel if one is available.
            is_traced: Whether to watch the first forward pass to find the graph.
            has_activations: Whether to read activations in validations.
            has_channels: Whether to record each channel of normalisation layers.
            batches: The samples of updates, None if they are not kept.
            stop: Is told of non-finite values, and looks for requests to stop.
        """
        self._stop = stop
        self._network = StartingNetwork(model, probes, start, is_traced=is_traced, has_channels=has_channels)
        self._start = start
        self._exchange = exchange
        self._boundary = boundary
        self._open_store = open_store
        self.watch_plan = watch_plan
        self.has_kernel = has_kernel
        if has_kernel:
            load_kernels()  # now, for the writer's thread may import nothing
        self.measurer: Measurer | None = None
        self.is_sharded = False
        self.last_record = -1
        """Iteration of the last record that this process measured, -1 before the first."""
        self._deriver: Deriver | None = None
        self.flight: Flight | None = None
        self._batches = batches
        self.sink: Sink | None = None
        self.looks = Looks(start.updates)
        self.activations = Activations(is_asked=has_activations)

    @property
    def was_called(self) -> bool:
        """Whether the network was called in training, as far as that was looked at."""
        return self._network.was_called

    @property
    def can_begin(self) -> bool:
        """Whether the shapes of all layers are known."""
        return self._network.has_shapes

    def begin(self) -> Sink:
        """Return the sink for everything to write; the first call creates the run.

        Raises:
            RecorderError: The run to resume has another network, or cannot be written.
        """
        if self.sink is None:
            root, probes, structure = self._network.settle()
            past, rows = self._start.past, self._network.rows
            held = None if past is None else past.structure
            places = self.activations.place(probes, rows.norms, self._network.followers, held)
            structure = replace(structure, activations=places)
            resumed = self._start.go_on()
            self.measurer = Measurer(root, probes, self.has_kernel, *rows.every)
            self.is_sharded = self.measurer.is_sharded
            self._deriver = Deriver(structure, self.has_kernel)
            is_first, is_spread = self._exchange.is_first, self.is_sharded
            self.looks.begin(structure, probes, rows.norms, is_first=is_first, is_spread=is_spread)
            limit = min(MOST_WAITING, max(FEWEST_WAITING, WAITING_BYTES // self.measurer.record_bytes))
            listed = None if past is None else past.contents.columns
            columns = () if self._batches is None else self._batches.begin(self._start.path, listed)
            opened = (lambda: resumed) if resumed is not None else partial(self._open_store, structure, columns)
            self.sink = Sink(opened, limit, self._stop.look)
            self._boundary.attach(self.sink)
            if self.watch_plan is not None:
                with self._boundary.guard(WATCHES, self._start.updates):
                    self.flight = Flight(self.watch_plan, structure, probes, self.has_kernel, self._stop.saw_nonfinite)
                    self.flight.on_watch, self.flight.first_of = self.looks.note_watch, self.looks.notes.first_of
        return self.sink

    def _filling(self, stream: str) -> Callable[[], Mapping[str, NDArray[Any]]]:
        """Return a function for the writer's thread that gives what else a frame of the last update holds."""
        return dict if self._batches is None else self._batches.filling(stream)

    def record(self, iteration: int, scalars: ScalarLog, skips: SkippedUpdates, ending: Ending | None = None) -> None:
        """Measure everything once, and queue the job that derives and writes the record.

        Args:
            iteration: Iteration of the last update.
            scalars: The logged values.
            skips: Returns the skipped updates.
            ending: Settings of a closing record, None for any other record.
        """
        if self._exchange.is_imported:
            warn_once(
                "imported",
                "nothing is recorded in this process: its recorder was made while multiprocessing imported the "
                'script of its parent; make it in the function that trains, or below if __name__ == "__main__":',
            )
            return
        sink = self.begin()
        if sink.is_refused or (not self._exchange.is_first and not self.is_sharded):
            return
        if not sink.has_room(RECORDS):
            warn_once(
                "slow writing",
                f"iteration {iteration}: records come faster than they are written, and some are dropped; "
                "a larger every= keeps all",
            )
            self._boundary.miss(RECORDS, iteration, "records came faster than they were written")
            return
        if self.measurer is None or self._deriver is None:
            return
        deriver, sharded, exchange, looks = self._deriver, self.is_sharded, self._exchange, self.looks
        with_gradients = {} if ending is None else {"with_gradients": ending.with_gradients}
        finish = self.measurer.measure(**with_gradients)
        logged, skipped = scalars.take(), skips.take()
        largest, columns = self._largest_norms(sink), self._filling(RECORDS)
        self._note_changes(iteration, self.measurer)
        looked = self.looks.take(is_changed=self.measurer.has_changed)
        self.last_record = iteration

        def write(store: Store) -> None:
            raw = finish(iteration, {})
            raw = replace(raw, scalars={**largest(), **logged()})  # after finish has waited for the device
            raw = replace(raw.with_skips(skipped()), seen=looked())
            if not exchange.is_first:
                exchange.leave(RECORDS, iteration, raw.parts())
                return
            try:
                wait = None if ending is None else CLOSING_SECONDS
                parts = exchange.pick_up(RECORDS, iteration, wait) if sharded else []
            except PartMissingError:
                if ending is None:
                    raise
                store.append_logged(iteration, raw.scalars)  # the ranks did not end together: no closing record
                return
            for part in parts:
                raw = raw.with_part(**part)
            record = replace(deriver.derive(raw), columns=columns())
            store.append_record(record)
            looks.note_record(store, raw.seen, record)

        sink.offer(Job(RECORDS, iteration, write))

    def _largest_norms(self, sink: Sink) -> Callable[[], dict[str, float]]:
        """Queue all watches for judging; return a function for the writer's thread that gives their largest norms."""
        if self.flight is None:
            return dict
        self.flight.flush(sink)
        return self.flight.take_largest

    def _note_changes(self, iteration: int, measurer: Measurer) -> None:
        """Note in the run which layers are no longer recorded, because the network was changed."""
        if measurer.changes:
            first, more = measurer.changes[0], len(measurer.changes) - 1
            self._boundary.miss(RECORDS, iteration, f"{first}{f'; and {more} more like it' if more else ''}")
            measurer.changes = []

    def keep(self, log: OwnIterations, *, at_end: bool = False) -> None:
        """Queue values that were logged between records; if the queue is full they wait, except `at_end`."""
        values = log.drain()
        if not values:
            return
        job = Job(LOGGED, values[-1].iteration, writing(values))
        if self.sink is None or not self.sink.offer(job, sys.maxsize if at_end else None):
            log.put_back(values)

    def watch(self, iteration: int, scalars: ScalarLog, skips: SkippedUpdates) -> None:
        """Let the flight recorder take a watch."""
        sink, flight = self.begin(), self.flight
        if flight is None or sink.is_refused:
            return
        if not flight.watch(sink, iteration, scalars.fresh(), skips.take(), self._filling(WATCHES)):
            self._boundary.miss(WATCHES, iteration, "watches came faster than they were judged")

    def tell_looks(self, iteration: int) -> None:
        """Queue what looks before updates saw."""
        self.looks.tell(self.sink, LOGGED, iteration, is_first=self._exchange.is_first)

    def can_close(self, iteration: int, status: RunStatus) -> bool:
        """Whether a closing record would be new, and all processes can be expected to make it."""
        return iteration > self.last_record and not (self.is_sharded and status is not RunStatus.DONE)

    def give_up_records(self) -> None:
        """Stop measuring, and free our memory on the devices."""
        self.measurer = None

    def note(self, reason: str) -> None:
        """Note why the run may end without being closed; a run that has not begun notes nothing."""
        if self.sink is not None:
            self.sink.note(reason)

    def let_go(self) -> None:
        """Drop all references to a network that is gone; waiting watches are still judged."""
        self._network.let_go()
        self.looks.gradients.forget()
        if self.flight is not None and self.sink is not None:
            self.flight.end(self.sink)
        self.measurer = self.flight = None

    def finish(self, iteration: int, status: RunStatus, reason: str, log: OwnIterations) -> None:
        """Write queued jobs and end the run; a run without a record is created first, if possible.

        Args:
            iteration: Iteration of the last update.
            status: How the training ended.
            reason: One line on why.
            log: The values logged since the last record.
        """
        self._network.detach()
        has_begun = iteration >= self._start.updates or not self._boundary.has_missed_nothing
        is_worth_it = has_begun or status is RunStatus.DONE  # a script that is mended finds its path free
        if self.sink is None and is_worth_it and not self._exchange.is_imported and self._network.has_any_shape:
            self.begin()
        self._boundary.finish(iteration)
        if self.sink is None:
            self._start.give_up()
            return
        if self._exchange.is_first and status is RunStatus.DONE:
            self.activations.tell_unread()
        if self.flight is not None:
            self.flight.end(self.sink)
        with self._boundary.guard(LOGGED, iteration):
            self.tell_looks(iteration)
            self.keep(log, at_end=True)
        if status is RunStatus.DONE and self._start.is_passed(iteration):
            self.sink.offer(Job(RECORDS, iteration, lambda store: store.supersede()))
        self.sink.close(status, reason)
        self._start.give_up()
        self.let_go()
