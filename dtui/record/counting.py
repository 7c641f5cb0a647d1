"""Counts the updates of one network, and records what is due at each; it runs on the training's thread.

Owns the iteration count. Nothing here waits for a device or the disk, and nothing raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakMethod

from torch import nn
from torch.optim import Optimizer

from dtui.model import RunStatus
from dtui.record.batches.used import UsedSamples
from dtui.record.lifetime import weakly
from dtui.record.network.outer_steps import at_end_of_step
from dtui.record.rates import FurtherRates, learning_rate
from dtui.record.recording import Ending, Recording
from dtui.record.start.resume import Start
from dtui.record.training.last_update import LastUpdate, tell_few_records
from dtui.record.training.scalar_log import ScalarLog
from dtui.record.training.skipped_updates import SkippedUpdates
from dtui.record.training.updates import Updates
from dtui.record.unseen import Unseen
from dtui.record.writing.failure_guard import RECORDS, WATCHES, Boundary
from dtui.record.writing.warn import reason_of, warn_once


class Counting:
    """Counts updates, and records what is due. It releases the network in `forget`."""

    def __init__(
        self,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
        start: Start,
        every: int,
        recording: Recording,
        boundary: Boundary,
        is_open: Callable[[], bool],
        batches: UsedSamples | None = None,
    ) -> None:
        """Begin to watch the updates.

        Args:
            model: The network, wrapped or not.
            optimizers: The given optimizers. The updates of the first are counted.
            start: Where the run begins.
            every: Iterations from one record to the next.
            recording: The recording of the run.
            boundary: Catches failures.
            is_open: Whether the run is open, and this is its process.
            batches: The samples of updates, None if they are not kept.
        """
        self.iteration = start.updates - 1
        """Of the last update, -1 before the first."""
        self.before_update: WeakMethod[Any] | None = None
        """Called before the next update is counted; it resets this."""
        self.scalars = ScalarLog()
        self._further = FurtherRates(optimizers)
        self.skips = SkippedUpdates(optimizers[0] if optimizers else None)
        self.updates = Updates(model, optimizers, weakly(self.after_step), weakly(self._explained))
        self.unseen = Unseen(model, self.updates, boundary)
        self.updates.on_foreign = weakly(self.unseen.foreign_update)
        self.last_update = LastUpdate(model)
        self._first = start.updates
        self._unrecorded = start.unrecorded(every)
        self._every = every
        self._recording = recording
        self._boundary = boundary
        self._is_open = is_open
        self._batches = batches
        self._look = recording.looks.gradients
        self._look.listen(weakly(self._next_of))
        self.scalars.on_loss = self._look.saw_loss
        self.skips.on_skip = weakly(self._skipped)

    def last(self) -> int:
        """Return the iteration of the last update, -1 before the first."""
        return self.iteration

    def after_step(self, optimizer: Optimizer, missed: int) -> None:
        """Count an update by the leading optimizer, and the missed updates before it."""
        if not self._is_open():
            return
        with self._boundary.guard("updates", self.iteration):
            self.skips.follow(optimizer)
            if self.skips.is_known_skipped(optimizer):
                self._skipped()
                return
            if missed:
                self._pass_over(missed)
        if not at_end_of_step(self, self.count):
            self.count()

    def count(self) -> None:
        """Count one update, and record what is due."""
        if not self._is_open():
            return
        if self.before_update is not None and (call := self.before_update()) is not None:
            call()
        self._look.after_late_step(is_stated=self.updates.is_stated)
        self.iteration += 1
        self._look.after_step()
        self.unseen.counted(self.iteration)
        if self._unrecorded:
            self._miss_what_was_not_recorded()
        if self._batches is not None and self._boundary.is_on("batches"):
            with self._boundary.guard("batches", self.iteration):
                self._batches.take()
        is_due = self.iteration % self._every == 0
        self.last_update.note(anew=is_due)
        with self._boundary.guard("log", self.iteration):
            self.scalars.see_rate(self.updates.leader)
            if is_due:
                self.scalars.put(self._rates())
            if self.scalars.own.passed(self.iteration):
                self._recording.keep(self.scalars.own)
        plan = self._recording.watch_plan
        if plan is not None and self.iteration % plan.every == 0 and self._boundary.is_on(WATCHES):
            with self._boundary.guard(WATCHES, self.iteration):  # before the record, which tells the largest of them
                self._recording.watch(self.iteration, self.scalars, self.skips)
        if is_due and self._boundary.is_on(RECORDS):
            with self._boundary.guard(RECORDS, self.iteration):
                self._recording.record(self.iteration, self.scalars, self.skips)
            if not self._boundary.is_on(RECORDS):
                self._recording.give_up_records()
        if self._look.has_news:
            with self._boundary.guard("log", self.iteration):
                self._recording.tell_looks(self.iteration)

    def finish(self, status: RunStatus, reason: str, *, is_new: bool) -> None:
        """Record the end, write queued jobs and end the run.

        Args:
            status: How the training ended.
            reason: One line on why it ended. If "", the part of the training that was not seen is given instead.
            is_new: Whether this process began the run, so that it knows how many records there are.
        """
        self.updates.remove()
        self.skips.remove()
        self._leave_batches()
        unseen = self.unseen.closing(
            self.iteration, was_trained=status is RunStatus.DONE and self._recording.was_called
        )
        self._record_end(status)
        self._recording.finish(self.iteration, status, reason or unseen, self.scalars.own)
        if status is RunStatus.DONE and is_new and self._boundary.is_on(RECORDS):
            tell_few_records(self._first, self.iteration, self._every)

    def let_go(self) -> None:
        """Stop counting after the network is gone; logged values are kept."""
        self.updates.remove()
        self._leave_batches()
        self._boundary.finish(self.iteration)
        self.scalars.end(self.iteration)
        self._recording.keep(self.scalars.own, at_end=True)
        self._recording.let_go()

    def forget(self) -> None:
        """Drop all references to the network."""
        self.last_update.forget()

    def _rates(self) -> dict[str, Any]:
        """Return the learning rate of the optimizer that counts, those of all others that were given, and of groups."""
        leader = self.updates.leader
        return learning_rate(leader) | self._further.read(leader)

    def _next_of(self, optimizer: Optimizer | None) -> int | None:
        """Return the iteration of the update that an optimizer is about to make, None where it does not count."""
        is_ours = optimizer is None or (optimizer is self.updates.leader and not self.updates.is_stated)
        return self.iteration + 1 if is_ours and self._is_open() else None

    def _skipped(self) -> None:
        """Note that a scaler left an update out."""
        self._look.drop()
        if self._batches is not None:
            self._batches.drop()

    def _leave_batches(self) -> None:
        if self._batches is not None:
            self._batches.remove()

    def _explained(self) -> None:
        self.unseen.explained()

    def _miss_what_was_not_recorded(self) -> None:
        """Note once, at the first update of a training that goes on, what was trained since the last record."""
        missed, self._unrecorded = self._unrecorded, range(0)
        reason = f"trained without being recorded, before the run was resumed at iteration {missed.stop:,}"
        self._boundary.miss(RECORDS, missed.start, reason, missed.stop - 1)

    def _pass_over(self, updates: int) -> None:
        """Count earlier updates, of which it is known only now that they count."""
        passed = range(self.iteration + 1, self.iteration + 1 + updates)
        self.iteration += updates
        due = [iteration for iteration in passed if iteration % self._every == 0]
        if due:
            self._boundary.miss(RECORDS, due[0], "another optimizer took over, which was seen only then", due[-1])

    def _record_end(self, status: RunStatus) -> None:
        """Record the final weights, if they are those of the last update, and keep values logged since then."""
        try:
            has_updates = self.iteration >= self._first
            if has_updates and self._boundary.is_on(RECORDS) and self._recording.can_close(self.iteration, status):
                last = self.last_update
                if last.is_at_rest() and last.has_weights() and (status is RunStatus.DONE or last.is_device_usable()):
                    self.scalars.put(self._rates())
                    self._recording.record(self.iteration, self.scalars, self.skips, Ending(last.has_gradients()))
        except Exception as error:  # noqa: BLE001 - the run is ended in any case
            if status is RunStatus.DONE:
                warn_once("closing record", f"the weights at the end could not be recorded: {reason_of(error)}")
        self.scalars.end(self.iteration)
