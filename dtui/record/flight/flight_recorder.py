"""The flight recorder: takes a cheap watch every few iterations, and keeps the watches around each trigger.

Owns the ring of watches, and the rule for which ones are kept.

The ring is in host memory, pinned if the weights are on CUDA. Each watch is copied there on the training stream. The
writer's thread judges it after it has arrived, so that the training loop never waits. The training thread fills slots,
and the writer frees them. A slot is reused only when no watch that is still to be judged needs it in the window before
it.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dtui.errors import RecorderError
from dtui.fork_gate import resting
from dtui.model import LARGEST, SOURCES, FloatArray, Structure, Trigger
from dtui.record.backends.sums import Sum
from dtui.record.flight.kept_weights import WeightKeeper
from dtui.record.flight.norm_meter import Norm, Watch, WatchMeter
from dtui.record.flight.plan import WatchPlan
from dtui.record.flight.triggers import Judge
from dtui.record.measure.statistics import Deriver, RawRecord
from dtui.record.network.layers import LayerProbe
from dtui.record.training.largest import Largest
from dtui.record.training.skipped_updates import Skips
from dtui.record.writing.failure_guard import WATCHES
from dtui.record.writing.warn import reason_of, warn_once
from dtui.record.writing.writer_thread import Job, Sink, Store

_SUMS = [Sum.UPDATE_NORM, Sum.WEIGHT_NORM, Sum.GRADIENT_NORM]
_NONFINITE = [Sum.UPDATE_NONFINITE, Sum.WEIGHT_NONFINITE, Sum.GRADIENT_NONFINITE]
"""Where derive expects the rows of Norm."""

JUDGED_TOGETHER = 8
"""Watches that wake the writer once: each waking costs the training thread as much as the judging."""
MOST_TRIGGERS = 64
"""Triggers that a run keeps: what goes on breaking would fill the disk."""

Columns = Callable[[], Mapping[str, NDArray[Any]]]
"""Gives what else a frame holds, on the writer's thread."""


@dataclass(frozen=True, eq=False, slots=True)
class _Kept:
    """A watch that has arrived in the ring; arrays in the order of the meter."""

    number: int
    iteration: int
    norms: FloatArray
    nonfinite: FloatArray | None
    scalars: Mapping[str, float]
    skips: Skips
    columns: Mapping[str, NDArray[Any]]


class Flight:
    """The flight recorder of one run. The training thread calls `watch`, the writer's thread calls the rest."""

    def __init__(
        self,
        plan: WatchPlan,
        structure: Structure,
        probes: list[LayerProbe],
        fused: bool = False,
        on_nonfinite: Callable[[], None] | None = None,
    ) -> None:
        """Allocate everything, so that nothing is allocated later.

        Args:
            plan: The settings.
            structure: Structure of the run.
            probes: Its layers, placed on the flat filter axis.
            fused: Whether to use a compiled kernel if one is available.
            on_nonfinite: Called on the writer's thread when a watch saw NaN or Inf, in an update that counts.

        Raises:
            RecorderError: The weights cannot be watched.
        """
        self._on_nonfinite = on_nonfinite
        self.on_watch: Callable[[Store, int, FloatArray], None] | None = None
        """Called on the writer's thread with the iteration of each watch that counts, and of how many filters of each
        layer the gradient was NaN or Inf, shape (L,); NaN of a layer without a gradient. Before the watch is judged."""
        self.first_of: Callable[[Sequence[str]], str] = itemgetter(0)
        """Called with the names of the layers that hold NaN or Inf; returns the one that a trigger names."""
        self.plan = plan
        self._structure = structure
        self._fused = fused
        self._meter = WatchMeter(probes, fused)
        self._weights = WeightKeeper(self._meter, structure.layers, plan.keep_weights)
        is_cuda = self._meter.device.type == "cuda"
        self._ring = torch.zeros(
            (plan.slots, len(Norm), structure.filters), dtype=torch.float32, device="cpu", pin_memory=is_cuda
        )
        self._events = [torch.cuda.Event() if is_cuda else None for _ in range(plan.slots)]  # type: ignore[no-untyped-call]
        self._kept: list[_Kept | None] = [None] * plan.slots
        self._filled = self._judged = 0
        self._pending: list[tuple[int, Callable[[Store], None]]] = []
        self._batch = min(JUDGED_TOGETHER, max(1, plan.waiting // 2))
        self._last = -1
        self._judge = Judge(structure.layers, plan.after)
        self._deriver, self._derived = Deriver(structure, fused), -1
        self._remaining = self._triggers = 0
        self._stored = -1
        self._failure = ""
        self._gradients, self._updates = Largest(), Largest()

    @property
    def bytes(self) -> int:
        """Bytes of memory: the ring, the copy of the weights at the watch before, and those from before a trigger."""
        return self._ring.numel() * 4 + self._meter.copied_bytes + self._weights.bytes

    def watch(
        self,
        sink: Sink,
        iteration: int,
        scalars: Callable[[], Mapping[str, float]],
        skips: Callable[[], Skips],
        columns: Columns = dict,
    ) -> bool:
        """Measure a watch and queue it for judging; False, without measuring, if no slot is free.

        Args:
            sink: Its thread judges the watch.
            iteration: Iteration of the watch.
            scalars: Returns the values logged since the watch before, as numbers.
            skips: Returns the updates that a gradient scaler skipped.
            columns: Returns what else the watch holds.

        Raises:
            RecorderError: Judging has failed.
        """
        if self._failure:
            raise RecorderError(self._failure)
        if self._filled - self._judged >= self.plan.waiting:
            return False
        number, slot = self._filled, self._filled % self.plan.slots
        is_next = iteration - self._last == self.plan.every
        watch = self._meter.measure(self._ring[slot], self._events[slot])
        self._filled, self._last = number + 1, iteration
        write_weights = self._weights.watched(number, iteration)

        def judge(store: Store) -> None:
            try:
                kept = self._arrived(number, iteration, watch, scalars, skips, columns)
                self._kept[slot] = kept
                self._take(store, kept, is_next)
                write_weights(store)
                self._weights.judged(number)
            except OSError:
                raise
            except Exception as error:
                self._failure = reason_of(error)
                raise
            finally:
                self._judged = number + 1

        self._pending.append((iteration, judge))
        return len(self._pending) < self._batch or self.flush(sink)

    def flush(self, sink: Sink) -> bool:
        """Queue the waiting watches for judging; False if the writer accepts no more."""
        pending, self._pending = self._pending, []

        def judge(store: Store) -> None:
            errors = []
            for _, one in pending:
                try:
                    one(store)
                except Exception as error:  # noqa: BLE001 - what one watch costs, the others do not
                    errors.append(error)
            if errors:
                raise errors[0]

        return not pending or sink.offer(Job(WATCHES, pending[0][0], judge, pending[-1][0]), self.plan.slots)

    def end(self, sink: Sink) -> None:
        """Queue the waiting watches for judging, and what is still wanted of the last one; no watch follows."""
        self.flush(sink)
        last = self._last
        sink.offer(Job(WATCHES, last, lambda store: self._weights.end(store, last)), sys.maxsize)

    # --- on the writer's thread

    def take_largest(self) -> dict[str, float]:
        """Return the largest total norms of gradients and of updates in watches judged since the last call."""
        found = (("gradient_norm", self._gradients.take()), ("update_norm", self._updates.take()))
        return {LARGEST[name]: read() for name, read in found if read is not None}

    def _arrived(
        self,
        number: int,
        iteration: int,
        watch: Watch,
        scalars: Callable[[], Mapping[str, float]],
        skips: Callable[[], Skips],
        further: Columns = dict,
    ) -> _Kept:
        """Wait for a watch to arrive, and set missing values to NaN."""
        if watch.event is not None:
            with resting():
                watch.event.synchronize()
        norms, nonfinite = watch.norms.numpy(), watch.nonfinite
        if watch.event is not None:
            broken = ~np.isfinite(norms)
            for row, columns in watch.absent:
                broken[row, columns] = False
            if broken.any():
                nonfinite = broken.astype(np.float32)
                norms[broken] = np.nan
        for row, columns in watch.absent:
            norms[row, columns] = np.nan
        return _Kept(number, iteration, norms, nonfinite, dict(scalars()), skips(), further())

    def _take(self, store: Store, kept: _Kept, is_next: bool) -> None:
        """Judge a watch, and store the watches that a trigger keeps."""
        if self.on_watch is not None and not kept.skips.is_last:
            self.on_watch(store, kept.iteration, self._broken_gradients(kept))
        found = [] if kept.skips.is_last else self._judged_triggers(kept, is_next)
        if self._on_nonfinite is not None and any(trigger.kind == "nonfinite" for trigger in found):
            self._on_nonfinite()
        for trigger in found:
            if self._triggers == MOST_TRIGGERS:
                warn_once("triggers", f"iteration {kept.iteration}: {MOST_TRIGGERS} triggers are kept; no more are")
                break
            self._triggers += 1
            store.append_trigger(trigger)
            self._weights.want(store, trigger)
            first = kept.number if self._remaining else max(0, kept.number - self.plan.before)
            self._remaining = self.plan.after + 1
            for earlier in range(first, kept.number):
                self._store(store, earlier)
        if self._remaining:
            self._remaining -= 1
            self._store(store, kept.number)

    def _judged_triggers(self, kept: _Kept, is_next: bool) -> list[Trigger]:
        loss = kept.scalars.get("loss", math.nan)
        if "loss" in kept.scalars and not math.isfinite(loss):
            loss = math.inf
        norms = self._by_filter(kept.norms)
        if not is_next:  # what moved over a longer time moved farther
            norms[Norm.UPDATE] = np.nan
        nonfinite = None if kept.nonfinite is None else self._by_filter(kept.nonfinite)
        found = self._judge.judge(kept.iteration, norms, nonfinite, loss, self.first_of)
        for largest, total in zip((self._gradients, self._updates), self._judge.totals, strict=True):
            if total > 0:
                largest.add(total)
        return found

    def _broken_gradients(self, kept: _Kept) -> FloatArray:
        """Return of how many filters of each layer the gradient was NaN or Inf, shape (L,); NaN where it had none."""
        counts = np.zeros(len(self._structure.layers), np.float32)
        if kept.nonfinite is not None:
            broken = self._by_filter(kept.nonfinite)[Norm.GRADIENT] > 0
            absent = np.isnan(self._by_filter(kept.norms)[Norm.GRADIENT]) & ~broken
            for at, layer in enumerate(self._structure.layers):
                counts[at] = np.nan if absent[layer.filter_rows].all() else broken[layer.filter_rows].sum()
        return counts

    def _store(self, store: Store, number: int) -> None:
        """Store a watch, unless it is stored already. Some of its statistics need the watch before it."""
        kept = self._in_ring(number)
        if kept is None or kept.iteration <= self._stored:
            return
        if self._derived != number - 1:
            before = self._in_ring(number - 1)
            self._deriver = Deriver(self._structure, self._fused) if before is None else self._deriver
            if before is not None:
                self._deriver.derive(self._raw(before))
        watch = replace(self._deriver.derive(self._raw(kept)), columns=kept.columns)
        self._derived, self._stored = number, kept.iteration
        store.append_watch(watch)

    def _in_ring(self, number: int) -> _Kept | None:
        kept = self._kept[number % self.plan.slots]
        return kept if kept is not None and kept.number == number else None

    def _raw(self, kept: _Kept) -> RawRecord:
        norms = self._by_filter(kept.norms)
        sums = np.full((len(Sum), norms.shape[1]), np.nan, np.float32)
        sums[_SUMS] = norms
        sums[_NONFINITE] = 0 if kept.nonfinite is None else self._by_filter(kept.nonfinite)
        samples = np.empty((len(SOURCES), len(self._structure.layers), 0), np.float32)
        return RawRecord(kept.iteration, sums, samples, kept.scalars).with_skips(kept.skips)

    def _by_filter(self, values: FloatArray) -> FloatArray:
        """Return a copy of rows in the order of the flat filter axis."""
        result = np.empty_like(values)
        result[:, self._meter.order] = values
        return result
