"""A Textual driver for dtui: terminal input and output, and signals of the operating system.

Owns the threads that read and write the terminal. It replaces Textual's own driver, which mistakes late and split
reports for keys, ends silently at a byte that is not UTF-8, does not restore the terminal on SIGTERM, and waits for
ever for a terminal that is gone.
"""

from __future__ import annotations

import logging
import os
import queue
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from textual import constants, events
from textual.app import App
from textual.driver import Driver
from textual.geometry import Size
from textual.message import Message
from textual.messages import TerminalSupportsSynchronizedOutput

from dtui.tui.terminal.background import ASK, BackgroundTold
from dtui.tui.terminal.capabilities import is_served, terminal_stream
from dtui.tui.terminal.input_bytes import InputBytes
from dtui.tui.terminal.input_events import KNOWN_VERSIONS, InputEvents
from dtui.tui.terminal.releases import version
from dtui.tui.terminal.signals import Signals
from dtui.tui.terminal.tty import STALLED_SECONDS, Tty, holds_escape, is_plain

LOG = logging.getLogger(__name__)
MOST_WRITES = 30
"""Texts that wait to be written before the app waits for the terminal."""

READ_BYTES = 1 << 16
ANSWER_SECONDS = 2.0
"""Within this time the terminal answers our question, or never."""

LEAVING_SECONDS = 0.3
"""How long we stay for an answer, which would be typed into the shell after us."""


def driver_class() -> type[Driver] | None:
    """Return the driver for the installed Textual; None (use Textual's own) in a browser, or if it was not tested."""
    if is_served(os.environ):
        return None
    if version("textual") in KNOWN_VERSIONS:
        return TerminalDriver
    LOG.warning("Textual %s was not tried with dtui's driver", version("textual"))
    return None


class MustLeave(Message):
    """The process was told to end, or has lost its terminal."""

    def __init__(self, reason: str, number: int | None = None) -> None:
        """Store the reason in a few words, and the signal, if it was one."""
        super().__init__()
        self.reason, self.number = reason, number


class TerminalDriver(Driver):
    """Draws on the terminal and reads keys and mouse from it."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        """Leave the terminal as it is until `start_application_mode`."""
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        output = terminal_stream()
        if sys.__stdin__ is None or output is None:
            raise OSError("no terminal")
        plain = is_plain(os.environ)
        self._asks = not plain and os.environ.get("TERM_PROGRAM") != "Apple_Terminal"
        kitty = not plain and not constants.DISABLE_KITTY_KEY
        mouse = mouse and not holds_escape(os.environ)
        self._tty = Tty(sys.__stdin__.fileno(), output.fileno(), mouse=mouse, kitty=kitty)
        self._size = size or self._tty.size()
        self._signals = Signals(self._react, lambda: self._tty.reset(STALLED_SECONDS))
        self._output: _Output | None = None
        self._input: _Input | None = None
        self._resumes = False

    @property
    def can_suspend(self) -> bool:
        """Whether the process can be stopped and go on."""
        return True

    def write(self, data: str) -> None:
        """Queue text for writing; do nothing if the terminal is not ours."""
        if self._output is not None:
            self._output.put(data)

    # --- taking and leaving the terminal

    def start_application_mode(self) -> None:
        """Take the terminal."""
        self._tty.set()
        self._signals.install()
        self._output = _Output(self._tty, self._lose)
        self._input = _Input(self._tty.reads, self.process_message, self._lose, asked=self._asks)
        if self._asks:
            self.write(f"{ASK}\x1b[?2026$p")  # answered in this order
        self._send_size()
        if self._resumes:
            self._resumes = False
            self.send_message(self.SignalResume())

    def disable_input(self) -> None:
        """Read no more keys."""
        if self._input is not None:
            self._input.close()
            self._input = None

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        try:
            self.disable_input()
            if self._output is not None:
                self._output.close()
                self._output = None
        finally:
            self._tty.reset()

    def suspend_application_mode(self) -> None:
        """Give the terminal back for a while."""
        self.stop_application_mode()

    def close(self) -> None:
        """Give back the signals, and the terminal if that has not happened yet."""
        self.stop_application_mode()
        self._tty.close()
        self._signals.close()

    # --- what happens outside

    def _send_size(self) -> None:
        size = Size(*self._tty.size())
        self.send_message(events.Resize(size, size))

    def _lose(self, reason: str) -> None:
        """Ask the app to end; called in the threads that read and write."""
        self.send_message(MustLeave(reason))

    def _react(self, number: int) -> None:
        """Act on a signal; called in a thread."""
        if number == signal.SIGWINCH:
            self._send_size()
        elif number == signal.SIGTSTP:
            self._loop.call_soon_threadsafe(self._stop)
        elif number == signal.SIGCONT:
            self._loop.call_soon_threadsafe(self._go_on)
        else:
            self.send_message(MustLeave(f"ended by {signal.Signals(number).name}", number))

    def _stop(self) -> None:
        """Give the terminal to the shell and stop until it comes back, in the foreground."""
        if not self._auto_restart or not self._tty.is_set:
            return
        self.stop_application_mode()
        while self._signals.stop_process() and not self._tty.is_foreground():
            if self._signals.is_ending:
                return
        self._take_again()

    def _go_on(self) -> None:
        """Continue after a stop without notice: meanwhile the shell had the terminal."""
        if self._signals.continued and self._auto_restart and self._tty.is_set:
            self._signals.continued = False
            self.stop_application_mode()
            self._take_again()

    def _take_again(self) -> None:
        self._resumes = True
        try:
            self.start_application_mode()
        except OSError as error:
            self._lose(f"the terminal is gone ({error.strerror})")
            return
        self._app.refresh(layout=True)


class _Output:
    """Writes to the terminal in its own thread, so that a slow connection does not delay the app."""

    def __init__(self, tty: Tty, lose: Callable[[str], None]) -> None:
        self._tty, self._lose = tty, lose
        self._queue: queue.Queue[str | None] = queue.Queue(MOST_WRITES)
        self._thread = threading.Thread(target=self._run, name="dtui-output", daemon=True)
        self._thread.start()

    def put(self, text: str) -> None:
        """Queue text behind what waits already; block while too much waits."""
        self._queue.put(text)

    def close(self) -> None:
        """Write the waiting text, and end."""
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_gone = is_last = False
        while not is_last:
            texts = [self._queue.get()]
            while texts[-1] is not None and not self._queue.empty():
                texts.append(self._queue.get())
            is_last = texts[-1] is None
            if is_gone:
                continue  # nobody may wait for a terminal that takes nothing any more
            try:
                self._tty.write("".join(text for text in texts if text is not None))
            except OSError as error:
                is_gone = True
                self._lose(f"the terminal is gone ({error.strerror})")


class _Input:
    """Reads the terminal in a thread of its own."""

    def __init__(
        self, descriptor: int, tell: Callable[[Message], None], lose: Callable[[str], None], asked: bool
    ) -> None:
        self._descriptor, self._tell, self._lose = descriptor, tell, lose
        self._bytes, self._events = InputBytes(constants.ESCAPE_DELAY), InputEvents()
        self._wake = os.pipe()
        self._answered = threading.Event()
        self._answer_until = time.monotonic() + ANSWER_SECONDS if asked else 0.0
        self._thread = threading.Thread(target=self._run, name="dtui-input", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading; if the terminal may still answer our question, read the answer first."""
        left = self._answer_until - time.monotonic()
        if left > 0 and self._thread.is_alive():
            self._answered.wait(min(left, LEAVING_SECONDS))
        os.write(self._wake[1], b"\x00")
        self._thread.join()
        for descriptor in self._wake:
            os.close(descriptor)

    def _run(self) -> None:
        try:
            reason = self._read()
        except OSError as error:
            reason = f"the terminal is gone ({error.strerror})"
        except Exception as error:
            LOG.exception("the keyboard cannot be read")
            reason = f"the keyboard cannot be read ({type(error).__name__}: {error})"
        if reason:
            self._lose(reason)

    def _read(self) -> str:
        """Read until `close`, or until the terminal is gone; return the reason, "" after `close`."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._descriptor, selectors.EVENT_READ)
            selector.register(self._wake[0], selectors.EVENT_READ)
            while True:
                deadline = self._bytes.deadline
                wait = None if deadline is None else max(0.0, deadline - time.monotonic())
                ready = {key.fd for key, _ in selector.select(wait)}
                if self._wake[0] in ready:
                    return ""
                if self._descriptor in ready:
                    try:
                        data = os.read(self._descriptor, READ_BYTES)
                    except BlockingIOError:
                        continue
                    if not data:
                        return "the terminal is gone (end of input)"
                    tokens = self._bytes.feed(data, time.monotonic())
                else:
                    tokens = self._bytes.expire(time.monotonic())
                for token in tokens:
                    for event in self._events.events_of(token):
                        if isinstance(event, TerminalSupportsSynchronizedOutput):
                            self._answered.set()
                        if not isinstance(event, BackgroundTold) or time.monotonic() < self._answer_until:
                            self._tell(event)
