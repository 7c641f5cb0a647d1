"""One run while it is recorded: what of the network is measured and handed to the thread that writes.

Owns the beginning of a run, once the shapes of all layers are known, and its end. A second copy would write records
under the structure of another network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from dtui.model import RunStatus, Structure
from dtui.record.boundary import RECORDS, WATCHES, Boundary
from dtui.record.derive import Deriver
from dtui.record.flight import Flight, WatchPlan
from dtui.record.graph import GraphTracer
from dtui.record.layers import LayerProbe, describe, find_layers, place, unwrap
from dtui.record.measure import Measurer
from dtui.record.resume import Start
from dtui.record.scalars import ScalarLog
from dtui.record.shards import Exchange
from dtui.record.sink import Job, Sink, Store
from dtui.record.skips import SkippedUpdates
from dtui.record.warn import warn_once

WAITING_BYTES = 64 << 20
"""Memory for records that wait for the disk; more are dropped, and the run says so."""

FEWEST_WAITING, MOST_WAITING = 4, 256


class Recording:
    """The measuring of one network into one run. Nothing is caught here: the Recorder does that."""

    def __init__(
        self,
        model: nn.Module,
        probes: list[LayerProbe],
        start: Start,
        exchange: Exchange,
        boundary: Boundary,
        *,
        open_store: Callable[[Structure], Store],
        watch_plan: WatchPlan | None,
        has_kernel: bool,
        is_traced: bool,
    ) -> None:
        """Prepare; `begin` creates the run or goes on with it.

        Args:
            model: The network, wrapped or not.
            probes: Its layers; those of lazy modules have no shape yet.
            start: Where the run begins.
            exchange: With the other processes.
            boundary: Told of what is missed.
            open_store: Creates a new run, given its structure; called on the thread that writes.
            watch_plan: Of the flight recorder, None for none.
            has_kernel: Whether to measure with a compiled kernel where it is to be had.
            is_traced: Whether to watch the first forward pass for the graph.
        """
        self._model = model
        self._probes = probes
        self._start = start
        self._exchange = exchange
        self._boundary = boundary
        self._open_store = open_store
        self.watch_plan = watch_plan
        self.has_kernel = has_kernel
        self._tracer = GraphTracer(model) if is_traced else None
        self.measurer: Measurer | None = None
        self._is_sharded = False
        self._deriver: Deriver | None = None
        self.flight: Flight | None = None
        self.sink: Sink | None = None

    @property
    def can_begin(self) -> bool:
        """Whether the shapes of all layers are known."""
        return all(probe.shape for probe in self._probes)

    def begin(self) -> Sink:
        """Return where what is to be written goes; the first call creates the run.

        Raises:
            RecorderError: The run to go on with has another network, or cannot be written.
        """
        if self.sink is None:
            if not self.can_begin:
                self._probes = find_layers(self._model)
            probes = place(self._probes)
            edges = () if self._tracer is None else self._tracer.edges
            structure = describe(unwrap(self._model), probes, edges)
            if self._tracer is not None:
                self._tracer.retire()
            self._start.check_network(structure)
            resumed = self._start.go_on()
            self.measurer = Measurer(unwrap(self._model), probes, self.has_kernel)
            self._is_sharded = self.measurer.is_sharded
            self._deriver = Deriver(structure)
            limit = min(MOST_WAITING, max(FEWEST_WAITING, WAITING_BYTES // self.measurer.record_bytes))
            self.sink = Sink(lambda: resumed or self._open_store(structure), limit)
            self._boundary.attach(self.sink)
            if self.watch_plan is not None:
                with self._boundary.guard(WATCHES, self._start.updates):
                    self.flight = Flight(self.watch_plan, structure, probes, self.has_kernel)
        return self.sink

    def record(self, iteration: int, scalars: ScalarLog, skips: SkippedUpdates) -> None:
        """Measure everything once, and queue what is to be derived and written of it."""
        sink = self.begin()
        if not self._exchange.is_first and not self._is_sharded:
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
        deriver, sharded, exchange = self._deriver, self._is_sharded, self._exchange
        logged, skipped = scalars.take(), skips.take()
        finish = self.measurer.measure()

        def write(store: Store) -> None:
            raw = finish(iteration, {})
            raw = replace(raw, scalars=logged())  # after finish has waited for the device: they come before it there
            raw = raw.with_skips(skipped())
            if not exchange.is_first:
                exchange.leave(RECORDS, iteration, {"sums": raw.sums, "samples": raw.samples})
                return
            for part in exchange.pick_up(RECORDS, iteration) if sharded else ():
                raw = raw.with_part(part["sums"], part["samples"])
            store.append_record(deriver.derive(raw))

        sink.offer(Job(RECORDS, iteration, write))

    def watch(self, iteration: int, scalars: ScalarLog, skips: SkippedUpdates) -> None:
        """Have the flight recorder look."""
        sink, flight = self.begin(), self.flight
        if flight is not None and not flight.watch(sink, iteration, scalars.fresh(), skips.take()):
            self._boundary.miss(WATCHES, iteration, "watches came faster than they were judged")

    def give_up_records(self) -> None:
        """Measure no more; what was held of a device's memory is the training's again."""
        self.measurer = None

    def note(self, reason: str) -> None:
        """Have it noted why the run may end without being closed; one that has not begun says nothing."""
        if self.sink is not None:
            self.sink.note(reason)

    def finish(self, iteration: int, status: RunStatus, reason: str) -> None:
        """Write what is queued and end the run; one without a record is created before, where it can be.

        Args:
            iteration: Of the last update.
            status: How the training ended.
            reason: One line on why.
        """
        if self._tracer is not None:
            self._tracer.detach()
        if self.sink is None and any(probe.shape for probe in self._probes):
            self.begin()
        self._boundary.finish(iteration)
        if self.sink is None:
            return
        if self.flight is not None:
            self.flight.flush(self.sink)
        if status is RunStatus.DONE and self._start.is_passed(iteration):
            self.sink.offer(Job(RECORDS, iteration, lambda store: store.supersede()))
        self.sink.close(status, reason)
