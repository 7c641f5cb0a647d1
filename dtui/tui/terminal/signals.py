"""Handles signals to the TUI: end, stop, continue, new size.

Owns the handlers. A handler may interrupt anything, so it only writes the number of its signal into a pipe; a thread
reads the pipe. If the app does not end in time when asked to, the thread ends the process.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

ENDING = (
    *(signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT),
    *(signal.SIGUSR1, signal.SIGUSR2, signal.SIGALRM, signal.SIGXCPU, signal.SIGABRT),
)
"""What ends a process that takes no care of it."""

OTHERS = (signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH)
END_SECONDS = 2.0
"""How long the app may take to end by itself."""

_CLOSED = 0


def exit_code(number: int) -> int:
    """Return the exit code that shells give to a process that a signal has ended."""
    return 128 + number


class Signals:
    """Handlers of signals, and the thread that acts on them."""

    def __init__(self, react: Callable[[int], None], give_up: Callable[[], None]) -> None:
        """Change nothing yet.

        Args:
            react: Called in a thread with every signal.
            give_up: Called in that thread before it ends the process, because the app did not.
        """
        self._react, self._give_up = react, give_up
        self._before: dict[int, Callable[[int, FrameType | None], object] | int | None] = {}
        self._pipe: tuple[int, int] | None = None
        self.continued = False
        """Whether the process went on after it was stopped, and nobody has acted on that yet."""
        self.is_ending = False
        """Whether the process was told to end."""

    def install(self) -> None:
        """Install the handlers, except for signals that the parent process set to be ignored."""
        if self._pipe is not None or threading.current_thread() is not threading.main_thread():
            return
        self._pipe = os.pipe()
        os.set_blocking(self._pipe[1], False)
        threading.Thread(target=self._watch, args=(self._pipe[0],), name="dtui-signals", daemon=True).start()
        for number in (*ENDING, *OTHERS):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._handle)

    def close(self) -> None:
        """Restore the previous handlers."""
        if self._pipe is None:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before.clear()
        self._tell(_CLOSED)

    def stop_process(self) -> bool:
        """Stop all processes of this shell job until the shell continues them.

        Returns:
            Whether it was stopped. It is not if no shell controls the job.
        """
        if signal.SIGTSTP not in self._before:
            return False
        self.continued = False
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        try:
            os.kill(0, signal.SIGTSTP)
            deadline = time.monotonic() + 0.2  # another thread may take the signal, a moment later
            while not self.continued and time.monotonic() < deadline:
                time.sleep(0.01)
        finally:
            signal.signal(signal.SIGTSTP, self._handle)
        stopped, self.continued = self.continued, False
        return stopped

    def _handle(self, number: int, _: FrameType | None) -> None:
        if number == signal.SIGCONT:
            self.continued = True
        elif number in ENDING:
            self.is_ending = True
        self._tell(number)

    def _tell(self, number: int) -> None:
        if self._pipe is not None:
            with suppress(OSError):  # full: as many signals wait already
                os.write(self._pipe[1], bytes((number,)))

    def _watch(self, reads: int) -> None:
        poll, deadline, code = select.poll(), 0.0, 0
        poll.register(reads, select.POLLIN)
        while True:
            left = max(0.0, deadline - time.monotonic()) * 1000 if code else None
            if not poll.poll(left):
                self._give_up()
                os._exit(code)
            for number in os.read(reads, 64):
                if number == _CLOSED:
                    return
                if number in ENDING and not code:
                    deadline, code = time.monotonic() + END_SECONDS, exit_code(number)
                with suppress(RuntimeError):  # the event loop has ended
                    self._react(number)
