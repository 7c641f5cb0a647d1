"""Ends a run properly when Python exits, a signal ends the process, or a child of multiprocessing is done.

Owns the reason that is noted in a run that nobody closed.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from multiprocessing import parent_process
from multiprocessing.util import Finalize

from dtui.fork_gate import ForkGate, resting
from dtui.model import RunStatus
from dtui.record.writing import signals
from dtui.record.writing.warn import whole_reason_of

_watches: list[EndWatch] = []

also_at_exit: list[Callable[[], None]] = []
"""Called after the runs that are open have been finished."""

_registered: set[bool] = set()
_child = 0
"""The child of multiprocessing whose end is watched."""


def _register() -> None:
    """Register for Python's exit, before PyTables closes HDF5: handlers that were registered last run first.

    This is done twice at most, because Python never frees the place of a registration.
    """
    global _child
    has_tables = "tables" in sys.modules
    if not _registered or (has_tables and True not in _registered):
        atexit.unregister(_at_exit)
        atexit.register(_at_exit)
        _registered.add(has_tables)
    if _child != os.getpid():
        _child = os.getpid()
        if parent_process() is None:  # a recorder that an exit handler makes: Python calls none that comes so late
            Finalize(None, _at_exit, exitpriority=0)
        at_end_of_child(_at_exit)


def at_end_of_child(function: Callable[[], None]) -> None:
    """Call a function when what a child of multiprocessing runs is done; the last that came is called first.

    A forked child ends right after, without Python's exit, and any child has written by then why it failed.
    """
    if parent_process() is not None:
        Finalize(None, partial(_at_end_of_child, function), exitpriority=0)


def _at_end_of_child(function: Callable[[], None]) -> None:
    others = set(threading.enumerate()) - {threading.current_thread()}
    if any(not (thread.daemon or thread.name.startswith("dtui-")) for thread in others):
        return  # it may still train, and Python waits for it
    function()


def _at_exit() -> None:
    with suppress(KeyboardInterrupt):  # asked to end a second time: nobody waits, and the writer ends what it has begun
        for watch in reversed(_watches.copy()):
            watch.at_exit()
    for function in also_at_exit:
        function()


class EndWatch:
    """Finishes a run that nobody closes before the process ends: when Python exits, or a signal ends it."""

    def __init__(self, finish: Callable[[RunStatus, str], None], note: Callable[[str], None]) -> None:
        """Watch.

        Args:
            finish: Given how the run ended, and why.
            note: Given what is known of why the run may end soon, to be kept before anything else is done.
        """
        self._finish = finish
        self._note = note
        self._seen = ""
        self._is_stopped = False
        self._removed = threading.Event()
        _watches.append(self)
        _register()
        signals.begin(self)

    def remove(self) -> None:
        """Stop watching: the run is finished."""
        self._removed.set()
        if self in _watches:
            _watches.remove(self)
        signals.leave(self)

    def explain(self, reason: str) -> str:
        """Return a reason, with the signal before it if other code handled one."""
        if reason:
            signals.catch_up()
        return f"{reason}, after {self._seen}" if reason and self._seen else reason

    # --- told by signals

    def signalled(self, reason: str, *, ends: bool) -> None:
        """Note a signal that somebody else handles; the training may go on, and is expected not to where it `ends`."""
        self._seen, self._is_stopped = reason, self._is_stopped or ends
        with ForkGate().working():
            self._note(f"nobody closed it after {reason}")

    def note(self, reason: str) -> None:
        """Note why the run is about to end."""
        with ForkGate().working():
            self._note(reason)

    def end(self, reason: str) -> None:
        """End the run."""
        self._seen = ""
        with ForkGate().working():
            self._finish(RunStatus.CRASHED, reason)
            with resting():
                self._removed.wait()  # where the script was closing it already

    def at_exit(self) -> None:
        """Finish, as Python exits."""
        signals.wait_for_end()
        error = sys.exc_info()[1] or getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        if error is not None and not (isinstance(error, SystemExit) and not error.code):
            self._finish(RunStatus.CRASHED, whole_reason_of(error))
        elif self._is_stopped:
            seen, self._seen = self._seen, ""
            self._finish(RunStatus.CRASHED, f"the script ended after {seen}")
        else:
            self._finish(RunStatus.DONE, "")
