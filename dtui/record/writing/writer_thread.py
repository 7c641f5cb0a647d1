"""Runs the writer's thread: it does everything between measurement and disk that is slow or may fail.

Owns the bounded queue between training and disk, and the gaps for lost data.
"""

from __future__ import annotations

import errno
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from dtui.errors import RecorderError, RunExistsError
from dtui.fork_gate import ForkGate, forget_in_child, resting
from dtui.model import Gap, ImageSet, Record, RunStatus, Trigger, Validation
from dtui.model.findings.kept_weights import WeightsAt
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.output import FULL
from dtui.record.writing.warn import reason_of, warn_once, words_of

HEARTBEAT_SECONDS = 1.0

AGAIN_SECONDS = 10.0
"""So long after a run could not be created on a full disk it is tried again."""

_REFUSED = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP)
"""How a folder of an object store says that it does not rename or link files."""
_NO_PLACE = (
    "that filesystem refuses what a run needs there; record on a local disk, and copy the ended run there, as one file "
    "by dtui pack"
)

STALLED_SECONDS = 90.0
"""A closing training waits as long as the disk takes something now and then, and this long where it does not; longer
than for the part of another process (`dtui.record.training.distributed`)."""
TURN_SECONDS = 1.0
"""It waits in turns of this length: the clock goes on while a process is stopped, and that costs one turn."""


class Store(Protocol):
    """The methods of a RunWriter that the thread calls."""

    @property
    def is_complete(self) -> bool:
        """Whether the run has been ended, and only folding is left."""

    def set_images(self, images: ImageSet) -> None:
        """Store the tracked images, once."""

    def append_record(self, record: Record) -> None:
        """Append a record."""

    def append_watch(self, watch: Record) -> None:
        """Append a watch of the flight recorder."""

    def append_trigger(self, trigger: Trigger) -> None:
        """Append why watches are kept."""

    def append_weights(self, weights: WeightsAt) -> None:
        """Append weights around a trigger."""

    def append_nonfinite(self, found: BrokenGradients | LookPlan) -> None:
        """Append where gradients were NaN or Inf, or which updates are looked at."""

    def append_validation(self, validation: Validation) -> None:
        """Append a validation."""

    def append_gap(self, gap: Gap) -> None:
        """Append what is missing."""

    def append_logged(self, iteration: int, values: Mapping[str, float]) -> None:
        """Append values that were logged between records."""

    def supersede(self) -> None:
        """Supersede the frames past the checkpoint, in a resumed run."""

    def note_reason(self, reason: str) -> None:
        """Note why the run may end without being closed."""

    def heartbeat(self) -> None:
        """Show that the run is alive."""

    def asked_to_stop(self) -> bool:
        """Whether somebody asked the training to stop."""

    def close(self, status: RunStatus = ..., reason: str = ...) -> None:
        """End the run."""


class Elsewhere(Store):
    """The store of a process that does not write the run: nothing is done, for the first process does it."""

    is_complete = False

    def asked_to_stop(self) -> bool:
        """Return False: the first process looks, and tells the others."""
        return False


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be written.

    Attributes:
        stream: "records", "validations" or "watches": the stream that has a gap if it fails.
        iteration: Of the record or validation.
        write: Derives what is to be written and appends it to the store.
        last: The last iteration of the gap if it fails and that is not `iteration`.
    """

    stream: str
    iteration: int
    write: Callable[[Store], None]
    last: int = -1


class Sink:
    """A queue of jobs and the thread that works through them in order."""

    def __init__(
        self, open_store: Callable[[], Store], limit: int, beat: Callable[[Store], None] | None = None
    ) -> None:
        """Start the thread.

        Args:
            open_store: Creates the run; called on the thread, until it does not fail because the disk is full.
            limit: Most jobs of one stream that may wait, >= 1.
            beat: Called on the thread at least once a second, and before each job; it must not raise.

        Raises:
            RecorderError: No thread can be started.
        """
        self._beat = beat
        self._open_store: Callable[[], Store] | None = open_store
        self._open_at = 0.0
        self._limit = limit
        self._jobs: deque[Job] = deque()
        self._writing: Job | None = None
        self._waiting: dict[str, int] = {}
        self._gaps: list[Gap] = []
        self._changed = threading.Condition()
        self._ending: tuple[RunStatus, str] | None = None
        self._noted = ""
        self._store: Store | None = None
        self._done = 0
        self.is_refused = False
        """Whether another process records the run now, so that nothing more is worth measuring."""
        self._gate = ForkGate()
        forget_in_child(self._forget_thread)
        self._thread = threading.Thread(target=self._run, name="dtui-writer", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            raise RecorderError(
                "no thread can be started to write the run, so nothing is recorded; "
                "allow the training one more (ulimit -u, or pids.max of its cgroup)"
            ) from error

    def has_room(self, stream: str) -> bool:
        """Whether a job of a stream would be accepted now."""
        with self._changed:
            return self._ending is None and self._waiting.get(stream, 0) < self._limit

    def offer(self, job: Job, limit: int | None = None) -> bool:
        """Queue a job; False, without queueing, if its stream is full. Never waits for the disk.

        Args:
            job: What is to be written.
            limit: Most jobs of its stream that may wait, if it differs from the general limit.
        """
        with self._changed:
            if self._ending is not None or self._waiting.get(job.stream, 0) >= (limit or self._limit):
                return False
            self._jobs.append(job)
            self._waiting[job.stream] = self._waiting.get(job.stream, 0) + 1
            self._changed.notify_all()
            return True

    def miss(self, gap: Gap) -> None:
        """Note a gap; it extends the last gap with the same reason, unless a job lies between them."""
        with self._changed:
            for index in range(len(self._gaps) - 1, -1, -1):
                last = self._gaps[index]
                if last.stream == gap.stream:
                    if last.reason == gap.reason and not self._has_job(gap.stream, last.last, gap.first):
                        self._gaps[index] = replace(last, last=max(last.last, gap.last))
                        return
                    break
            self._gaps.append(gap)

    def _has_job(self, stream: str, after: int, before: int) -> bool:
        """Whether a job between two iterations is queued or being written."""
        jobs = [*self._jobs, *([] if self._writing is None else [self._writing])]
        return any(job.stream == stream and after < job.iteration < before for job in jobs)

    def note(self, reason: str) -> None:
        """Note why the run may end without being closed, before anything that is queued."""
        with self._changed:
            self._noted = reason
            self._changed.notify_all()

    def drain(self, timeout: float | None = None) -> bool:
        """Wait until nothing is queued or being written; False when that took longer than `timeout` seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: not any(self._waiting.values()), timeout)

    def end(self, status: RunStatus, reason: str) -> None:
        """Ask the thread to write queued jobs and end the run and itself; do not wait for that."""
        with self._changed:
            if self._ending is None:
                self._ending = (status, reason)
                self._noted = reason
            self._changed.notify_all()

    def close(self, status: RunStatus, reason: str) -> None:
        """Write queued jobs, and end the run and the thread; a thread that hangs is left behind, with a warning."""
        self.end(status, reason)
        waited, done = 0.0, self._done
        while self._thread.is_alive() and waited < STALLED_SECONDS:
            with resting():
                self._thread.join(TURN_SECONDS)
            waited, done = waited + TURN_SECONDS if done == self._done else 0.0, self._done
        if self._thread.is_alive():
            warn_once("closing", f"closing: {self._left()}")

    def _left(self) -> str:
        """Return text on the jobs that a hanging thread leaves unwritten."""
        if self._store is not None and self._store.is_complete:
            return "the run is complete; folding its journals takes long and is left to a process of its own"
        waiting = sum(self._waiting.values())
        what = f"{waiting} record{'s' if waiting != 1 else ''} or validations" if waiting else "its end"
        return (
            f"the disk has taken nothing for {STALLED_SECONDS:.0f} s; {what} may be missing, "
            "and the run may look as if it had crashed"
        )

    def _opened(self) -> Store | None:
        """Open the store, then drop the function that did it: the thread must not keep the training alive.

        None where it cannot be opened; where the disk is full, it is tried again later. What comes meanwhile is missed.
        """
        if self._open_store is None or time.monotonic() < self._open_at:
            return None
        try:
            with self._gate.working():
                store = self._open_store()
        except BaseException as error:  # noqa: BLE001 - the boundary between the disk and somebody's training
            self._open_at = time.monotonic() + AGAIN_SECONDS
            is_full = isinstance(error, OSError) and error.errno in FULL
            if not is_full:
                self._open_store = None
            then = "nothing is recorded until there is room" if is_full else "nothing is recorded"
            is_refused = isinstance(error, OSError) and error.errno in _REFUSED
            what = f"{words_of(error)}; {_NO_PLACE}" if is_refused else words_of(error)
            warn_once("store", f"the run cannot be written and {then}: {what}")
            return None
        self._open_store = None
        return store

    def _forget_thread(self) -> None:
        """Give a forked child, which does not have the thread, a lock that the thread does not hold."""
        self._changed = threading.Condition()

    def _run(self) -> None:
        store: Store | None = None
        while True:
            if store is None:
                store = self._store = self._opened()
            with self._changed:
                self._changed.wait_for(lambda: self._jobs or self._ending or self._noted, HEARTBEAT_SECONDS)
                noted, self._noted = self._noted, ""
                job = self._writing = self._jobs.popleft() if self._jobs else None
                ending = self._ending if job is None else None
            if store is not None and not self.is_refused:
                with self._gate.working():
                    self._work(store, job, noted)
            elif job is not None and store is None:
                self.miss(Gap(job.iteration, max(job.iteration, job.last), job.stream, "the run could not be created"))
            if job is not None:
                with self._changed:
                    self._writing = None
                    self._waiting[job.stream] -= 1
                    self._done += 1
                    self._changed.notify_all()
                job = None  # it may hold what the training has dropped since
            if ending is not None:
                with self._gate.working():
                    self._end(store, *ending)
                return

    def _work(self, store: Store, job: Job | None, noted: str) -> None:
        try:
            store.heartbeat()
            if self._beat is not None:
                self._beat(store)
            if noted:
                with suppress(OSError):
                    store.note_reason(noted)
            if job is not None:
                job.write(store)
                self._write_gaps(store, before=job)
        except RunExistsError as error:
            self.is_refused = True
            warn_once("taken over", str(error))
        except BaseException as error:  # noqa: BLE001 - see above; a picture that the user's code makes may exit
            if job is not None:
                self.miss(Gap(job.iteration, max(job.iteration, job.last), job.stream, reason_of(error)))
                warn_once(f"write {job.stream}", f"iteration {job.iteration} was not written: {words_of(error)}")

    def _write_gaps(self, store: Store, before: Job | None) -> None:
        """Write the gaps that have ended: all of them when `before` is None, else those of that job's stream."""
        while (gap := self._take_gap(before)) is not None:
            store.append_gap(gap)

    def _take_gap(self, before: Job | None) -> Gap | None:
        """Take the next gap to write away from those that the training may still lengthen; None if there is none."""
        with self._changed:
            for gap in self._gaps:
                if before is None or (gap.stream == before.stream and gap.last < before.iteration):
                    self._gaps.remove(gap)
                    return gap
            return None

    def _end(self, store: Store | None, status: RunStatus, reason: str) -> None:
        if store is None:
            return
        try:
            if not self.is_refused:
                self._write_gaps(store, before=None)
        except Exception as error:  # noqa: BLE001 - see above
            warn_once("write gaps", f"what is missing could not be noted: {words_of(error)}")
        try:
            store.close(status, reason)
        except RunExistsError as error:
            warn_once("taken over", str(error))
        except Exception as error:  # noqa: BLE001 - see above
            warn_once("close", f"the run could not be closed: {words_of(error)}")
