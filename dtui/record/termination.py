"""Ends a run properly when its process ends, or is told to (SIGTERM), and then lets it end as it would have.

Owns the one signal handler of the recorder, which is installed only where nobody else has one. A second copy
would restore the wrong handler.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

from dtui.fork_gate import ForkGate
from dtui.model import RunStatus
from dtui.record.warn import reason_of


class EndWatch:
    """Finishes a run that nobody closes before the process ends: when Python exits, or is told to by SIGTERM."""

    def __init__(self, finish: Callable[[RunStatus, str], None]) -> None:
        """Watch; `finish` is given how the run ended, and why."""
        self._finish = finish
        atexit.register(self._at_exit)
        self._termination = TerminationWatch(lambda: finish(RunStatus.CRASHED, "SIGTERM"))

    def remove(self) -> None:
        """Watch no longer."""
        atexit.unregister(self._at_exit)
        self._termination.remove()

    def _at_exit(self) -> None:
        error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
        if error is None:
            self._finish(RunStatus.DONE, "")
        else:
            self._finish(RunStatus.CRASHED, reason_of(error))


class TerminationWatch:
    """Calls a function before SIGTERM takes effect."""

    def __init__(self, finish: Callable[[], None]) -> None:
        """Install the handler, in the main thread of a process that has none of its own."""
        self._finish = finish
        self._process = os.getpid()
        self._installed = False
        in_main = threading.current_thread() is threading.main_thread()
        if in_main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._handle)
            self._installed = True

    def remove(self) -> None:
        """Give the signal back, unless somebody else has taken it since."""
        in_main = threading.current_thread() is threading.main_thread()
        if self._installed and in_main and signal.getsignal(signal.SIGTERM) == self._handle:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._installed = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """Finish on a thread of its own: the interrupted code may hold a lock that finishing needs."""
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if os.getpid() != self._process:
            os.kill(os.getpid(), signal.SIGTERM)
            return
        ending = threading.Thread(target=self._finish_and_end, name="dtui-end", daemon=True)
        ending.start()
        atexit.register(ending.join)

    def _finish_and_end(self) -> None:
        with ForkGate().working():
            try:
                self._finish()
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
