"""Delays a fork of the process until none of dtui's threads is in the middle of a piece of work.

Owns the hooks around `os.fork`. A forked child has only the thread that forked. A lock that another thread held at that
moment (of a module import, of HDF5, of a logger or of a stream) stays locked in the child for ever. The first data
loader worker that needs it hangs, and so does the training. Therefore each of our threads works behind a gate, and a
fork waits until the current piece of work is done. If one piece takes very long, as on a disk that hangs, all forks
together wait for it no longer than LONGEST_WAIT.
"""

from __future__ import annotations

import _thread
import concurrent.futures.thread
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from dtui.patience import TURN_SECONDS, Patience

__all__ = ["LONGEST_WAIT", "ForkGate", "forget_in_child", "resting"]

LONGEST_WAIT = 5.0
"""Seconds that forks wait for one piece of work; longer than a slow import, shorter than a person takes for a hang."""

_INTERRUPT_SECONDS = 0.1

_HOOKED_BEFORE = (logging, concurrent.futures.thread)
"""Have hooks of their own, which have to be older than ours: those before a fork are called newest first, and our
threads may need these locks to reach the end of their work."""

_turn = threading.RLock()
"""Held by a fork from before it waits: a thread that has much to do lets it go first."""
_gates: weakref.WeakSet[ForkGate] = weakref.WeakSet()
_forgetting: list[weakref.WeakMethod[Callable[[], None]]] = []
_mine = threading.local()
_taken: list[ForkGate] = []
"""Those that the fork in progress holds."""
_is_interrupted = False


class ForkGate:
    """The gate of one thread."""

    def __init__(self) -> None:
        """Start with the gate open: no work is in progress."""
        self._lock = threading.Lock()
        self._worker = 0
        self._patience = Patience(LONGEST_WAIT)
        with _no_fork():
            _gates.add(self)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Hold back forks while the block runs. The thread must not be behind another gate."""
        self._enter()
        _mine.gate = self
        try:
            yield
        finally:
            _mine.gate = None
            self._leave()

    def _enter(self) -> None:
        with _turn:
            self._lock.acquire()
            self._patience = Patience(LONGEST_WAIT)
        self._worker = threading.get_ident()

    def _leave(self) -> None:
        self._worker = 0
        self._lock.release()

    def _take(self) -> bool:
        """Wait until the thread's work is done, within the allowed time; return False if it still works."""
        if self._worker == threading.get_ident():  # what it does itself needs no waiting, and would wait for ever
            return False
        while not self._patience.is_over:
            if self._lock.acquire(timeout=TURN_SECONDS):
                return True
        return self._lock.acquire(timeout=0)

    def _renew(self) -> None:
        """Open the gate in a forked child, which does not have the gate's thread."""
        if self._worker != threading.get_ident():
            self._lock, self._worker = threading.Lock(), 0


@contextmanager
def resting() -> Iterator[None]:
    """Allow forks while the block runs: our thread only waits there, and holds nothing that a child could need."""
    gate: ForkGate | None = getattr(_mine, "gate", None)
    if gate is None:
        yield
        return
    gate._leave()
    try:
        yield
    finally:
        gate._enter()


@contextmanager
def _no_fork() -> Iterator[None]:
    """Let no fork happen while the block runs; first one that waits for this thread's work: else both would wait."""
    with resting(), _turn:
        yield


def forget_in_child(method: Callable[[], None]) -> None:
    """Call a bound method in every forked child, as long as its object lives. It makes the object harmless there."""
    with _no_fork():
        _forgetting[:] = [known for known in _forgetting if known() is not None]
        _forgetting.append(weakref.WeakMethod(method))


def _before() -> None:
    global _is_interrupted
    try:
        _turn.acquire()
        _taken.extend(gate for gate in list(_gates) if gate._take())
    except KeyboardInterrupt:
        _is_interrupted = True


def _after_in_parent() -> None:
    global _is_interrupted
    if _turn.acquire(blocking=False):
        while _taken:
            _taken.pop()._lock.release()
        for _ in range(2):  # ours of this moment, and the one from before the fork
            with suppress(RuntimeError):
                _turn.release()
    if _is_interrupted:  # what a hook raises is lost: it is raised when all hooks are done
        _is_interrupted = False
        threading.Timer(_INTERRUPT_SECONDS, _thread.interrupt_main).start()


def _after_in_child() -> None:
    global _turn, _is_interrupted
    _turn, _is_interrupted = threading.RLock(), False
    _taken.clear()
    for gate in list(_gates):
        gate._renew()
    for known in _forgetting:
        method = known()
        if method is not None:
            method()


os.register_at_fork(before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child)
