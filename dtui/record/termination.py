"""Ends a run properly when the process is told to end (SIGTERM), and then ends as it would have.

Owns the one signal handler of the recorder, which is installed only where nobody else has one. A second copy
would restore the wrong handler.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType


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
        try:
            self._finish()
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
