"""Ends a recorder that nobody closes: as soon as the recorder, or the recorded layers, no longer exist.

Objects that live as long as the process (the writer's thread, exit handlers, this module) hold no reference to the
recorder or the network. So both are freed when the training drops them. A `Life` then ends the run.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from torch import nn
from torch.optim import Optimizer

from dtui.model import RunStatus
from dtui.record.network.layers import LayerProbe
from dtui.record.network.step_hooks import AFTER_STEP
from dtui.record.start.resume import Start
from dtui.record.training.skipped_updates import SkippedUpdates
from dtui.record.writing import signals
from dtui.record.writing.failure_guard import Boundary
from dtui.record.writing.process_end import EndWatch, also_at_exit
from dtui.record.writing.warn import warn_once
from dtui.record.writing.writer_thread import Sink

LATER, SOON = 16, 64
"""Updates after the end of a run of which it is told, among so many that are looked at."""


class OpenRecorder(Protocol):
    """The methods of an open recorder that this module calls."""

    def let_go(self) -> None:
        """Stop recording, and drop all references to the network; the caller ends the run."""

    def close(self) -> None:
        """End the run, and wait until it is written."""


_ending: dict[Sink, int] = {}
"""Writers of runs that ended with their network, until they have written everything, and the processes they are of."""


class _UntilWritten:
    """Has a signal that ends the process wait for them: a pool ends its workers as soon as the last trial is done."""

    def signalled(self, reason: str, *, ends: bool) -> None:
        """Do nothing: their end is known."""

    def note(self, reason: str) -> None:
        """Do nothing: their end is known."""

    def end(self, reason: str) -> None:
        """Wait until they are written."""
        for sink in _ended_here():
            sink.close(RunStatus.DONE, "")


_until_written = _UntilWritten()

_open: set[Life] = set()

_kept: weakref.WeakKeyDictionary[Optimizer, list[OpenRecorder]] = weakref.WeakKeyDictionary()
"""Recorders that their optimizer keeps: one that nobody else has goes on for as long as there are updates."""


class Life:
    """Ends the run of one open recorder once it or its network is gone. It holds no reference to either."""

    def __init__(self, recorder: OpenRecorder, root: nn.Module, optimizer: Optimizer | None, asked: str) -> None:
        """Begin; call `watch` once there is a run to end.

        Args:
            recorder: The recorder; it is not kept alive.
            root: The network, unwrapped.
            optimizer: The optimizer whose updates are counted.
            asked: The path given to the recorder, absolute.
        """
        self._recorder = weakref.ref(recorder)
        self._root = weakref.ref(root)
        self._optimizer = None if optimizer is None else weakref.ref(optimizer)
        self._asked = asked
        self._process = os.getpid()
        self._finalizers: list[weakref.finalize[Any, Any]] = []

    def watch(
        self, start: Start, boundary: Boundary, skips: SkippedUpdates, end: EndWatch, probes: Sequence[LayerProbe]
    ) -> None:
        """End the run as soon as the recorder, or the network with all of its layers, is gone."""
        self._start, self._boundary, self._skips, self._end = start, boundary, skips, end
        self._probes = list(probes)
        modules = {id(module): module for module in (self._root(), *(probe.module for probe in probes))}
        self._finalizers = [weakref.finalize(module, self._look) for module in modules.values() if module is not None]
        recorder = self._recorder()
        if recorder is not None:
            self._finalizers.append(weakref.finalize(recorder, self._lose_recorder))
            optimizer = None if self._optimizer is None else self._optimizer()
            if optimizer is not None:
                _kept.setdefault(optimizer, []).append(recorder)
        for finalizer in self._finalizers:
            finalizer.atexit = False  # EndWatch knows why the process ends
        _open.add(self)

    def forget(self) -> None:
        """Stop watching: the run is ended in another way."""
        _open.discard(self)
        recorder = self._recorder()
        optimizer = None if self._optimizer is None else self._optimizer()
        if optimizer is not None and recorder in _kept.get(optimizer, []):
            _kept[optimizer].remove(recorder)
        for finalizer in self._finalizers:
            finalizer.detach()
        self._finalizers = []

    def end(self) -> None:
        """End the run as done, without waiting and without a warning: this may be called anywhere in any thread."""
        if not self._is_ours():
            return
        self.forget()
        sink = self._boundary.sink
        if sink is not None:
            if not _ended_here():
                signals.begin(_until_written)
            _ending[sink] = self._process
        with suppress(Exception):
            recorder = self._recorder()
            if recorder is not None:
                recorder.let_go()
            self._skips.remove()
            self._end.remove()
        if sink is None:
            self._start.give_up()
        else:
            sink.end(RunStatus.DONE, "")

    @property
    def is_empty(self) -> bool:
        """Whether nothing has been recorded yet."""
        return self._boundary.sink is None and self._boundary.has_missed_nothing

    def make_way(self, path: Path) -> None:
        """End the run, and wait for that, because a new run of the same network begins at `path`."""
        recorder = self._recorder()
        if recorder is None or self.is_empty:
            self.end()
            return
        warn_once("former", f"{self._start.path}: closed, since a new recorder of its model records into {path}")
        recorder.close()

    def is_before(self, new: Life) -> bool:
        """Whether a new recorder replaces this one: it has the same network, and the same optimizer or path."""
        optimizer = None if self._optimizer is None else self._optimizer()
        is_same = optimizer is not None and new._optimizer is not None and new._optimizer() is optimizer
        return self._root() is new._root() and (is_same or self._asked == new._asked)

    def _look(self) -> None:
        """End the run if nothing of the network is left. A container may go while its layers are still trained."""
        if self._root() is None and all(probe.is_gone for probe in self._probes):
            what = "its model is gone, so the run has ended, and another is trained; make a recorder of that"
            self._tell_later(self._recorder(), what)
            self._lose("its model was gone before the first update; make the recorder of what is trained")

    def _lose_recorder(self) -> None:
        """End the run, since nobody has the recorder any more, nor the optimizer that would keep it."""
        what = "nobody keeps the recorder or its optimizer, so the run has ended, and its model is trained on"
        self._tell_later(self._root(), f"{what}; keep the recorder in a variable")
        if self._optimizer is None:
            self._lose("nobody keeps the recorder; keep it in a variable, or give it the optimizer")
        else:
            self._lose("its optimizer was gone before the first update; make the recorder of what is trained")

    def _lose(self, why: str) -> None:
        """End the run, and say so if nothing was recorded: something else may be trained."""
        if self._is_ours() and self._boundary.sink is None:
            warn_once("closed", f"{self._start.path.name}: nothing is recorded: {why}")
        self.end()

    def _tell_later(self, left: OpenRecorder | nn.Module | None, what: str) -> None:
        """Say why the run has ended, where something was recorded, once it shows that the training goes on.

        Args:
            left: The recorder or the network, whichever is still there: where a function returns, both soon are gone.
            what: Why it has ended, and what to do.
        """
        if left is not None and self._is_ours() and self._boundary.sink is not None:
            _tell_if_trained_on(left, f"{self._start.path.name}: {what}")

    def _is_ours(self) -> bool:
        return os.getpid() == self._process and self in _open


def _tell_if_trained_on(left: OpenRecorder | nn.Module, line: str) -> None:
    """Tell a line after some more updates, unless `left` is gone before or another recorder is made.

    Args:
        left: A recorder, where any update counts; or a network, where those of its own parameters do.
        line: What is told.
    """
    reached, process = weakref.ref(left), os.getpid()
    seen = counted = 0

    def after_step(optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        nonlocal seen, counted
        left = reached()
        if left is None or seen >= SOON or os.getpid() != process or has_open():
            leave()
            return
        seen += 1
        counted += not isinstance(left, nn.Module) or _is_of(optimizer, left)
        if counted >= LATER:
            leave()
            warn_once("closed", line)

    leave = AFTER_STEP.add(after_step)
    weakref.finalize(left, leave).atexit = False


def _is_of(optimizer: Optimizer, model: nn.Module) -> bool:
    with suppress(Exception):
        own = {id(parameter) for parameter in model.parameters()}
        return any(id(parameter) in own for group in optimizer.param_groups for parameter in group["params"])
    return False


def wait_for_ended() -> None:
    """Wait until the runs that ended with their networks are written."""
    ended = list(_ending)
    _until_written.end("")
    for sink in ended:
        _ending.pop(sink, None)
    if not _ended_here():
        signals.leave(_until_written)  # and give back what could not be given back on a writer's thread


def _ended_here() -> list[Sink]:
    """Return the writers of runs that ended in this process: a forked child has none of its parent's threads."""
    return [sink for sink, process in list(_ending.items()) if process == os.getpid()]


def has_open() -> bool:
    """Whether this process has an open recorder."""
    return any(life._process == os.getpid() for life in list(_open))


def find_former(new: Life) -> Life | None:
    """Return the open recorder that a new recorder replaces, None if there is none.

    It has the same network, and the same optimizer or requested path: for example, a notebook cell was run again. Two
    recorders of one network with different optimizers and paths are both kept. A recorder that has recorded nothing yet
    frees its path at once.
    """
    wait_for_ended()
    former = next((life for life in list(_open) if life._process == os.getpid() and life.is_before(new)), None)
    if former is None or not former.is_empty:
        return former
    former.end()
    return None


def weakly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that calls a method without keeping its object alive, and gives None once that is gone."""
    reached = weakref.WeakMethod(function)

    def call(*arguments: object) -> Any:
        method = reached()
        return None if method is None else method(*arguments)

    return call


also_at_exit.append(wait_for_ended)
