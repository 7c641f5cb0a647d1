"""Sets the terminal's modes while the TUI has the terminal, and resets them on every exit.

Owns the list of modes. It writes directly to the descriptor, so it works even when Textual no longer does.
"""

from __future__ import annotations

import errno
import os
import select
import termios
import threading
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from dtui.tui.terminal.guard import Guard

STALLED_SECONDS = 0.5
"""How long a terminal that takes no bytes is waited for on the way out."""

KITTY_FLAGS = 0b11001
"""Keys that would be ambiguous, all keys, and their text: what Textual asks of Kitty's keyboard protocol."""

FALLBACK_SIZE = (80, 24)
_MOUSE_ON = (1000, 1002, 1006)
"""Buttons, motion while one is down, and reports without limits of size. Not 1003: every motion would be a packet."""

_MOUSE_OFF = (1000, 1002, 1003, 1006, 1015, 1016)
_ON, _OFF = "\x1b[?{}h", "\x1b[?{}l"


def is_plain(environment: Mapping[str, str]) -> bool:
    """Whether the terminal may show unknown queries and protocols as text."""
    return environment.get("TERM", "").startswith(("linux", "vt", "cons", "ansi", "sun"))


def holds_escape(environment: Mapping[str, str]) -> bool:
    """Whether the terminal holds the key Esc until the next key while the mouse is on.

    GNU screen does: it waits for the rest of a report of the mouse. The two then come as one key with Alt.
    """
    return bool(environment.get("STY"))


def setting(mouse: bool, kitty: bool) -> str:
    """Return the sequences that set the modes of the TUI."""
    mice = "".join(map(_ON.format, _MOUSE_ON)) if mouse else ""
    keyboard = f"\x1b[>{KITTY_FLAGS}u" if kitty else ""
    return f"\x1b[?1049h{mice}\x1b[?25l{keyboard}\x1b[?2004h\x1b[?7l"


def resetting(mouse: bool, kitty: bool) -> str:
    """Return the sequences that reset our modes, and those that Textual or an earlier program may have set."""
    mice = "".join(map(_OFF.format, _MOUSE_OFF)) if mouse else ""
    keyboard = "\x1b[<u" if kitty else ""  # Kitty keeps these for each screen: before the alternate screen is left
    others = "".join(map(_OFF.format, (2026, 2004, 1004, 2048)))
    return f"{others}{mice}\x1b[?7h\x1b[m{keyboard}\x1b[?1049l\x1b[?25h"


class Tty:
    """The terminal of this process."""

    def __init__(self, reads: int, writes: int, *, mouse: bool, kitty: bool) -> None:
        """Leave the terminal as it is.

        Args:
            reads: The descriptor that keys come from.
            writes: The descriptor that is drawn on.
            mouse: Whether to ask for reports of the mouse.
            kitty: Whether to ask for Kitty's keyboard protocol.
        """
        self.reads, self.writes = reads, writes
        self._setting, self._resetting = setting(mouse, kitty), resetting(mouse, kitty)
        self._guard: Guard | None = None
        self._before: list[Any] | None = None
        self._lock = threading.Lock()
        self.is_set = False
        """Whether the terminal is in the modes of the TUI."""

    def set(self) -> None:
        """Take the terminal. A process in the background is stopped here until it is in the foreground.

        Raises:
            OSError: The terminal is gone.
        """
        try:
            before = termios.tcgetattr(self.reads)
        except termios.error as error:
            raise OSError(*error.args) from error
        _set_attributes(self.reads, raw(before))
        self._before, self.is_set = before, True
        self._guard = self._guard or Guard(self.writes, self._resetting)
        self._guard.tell(ours=True)
        self.write(self._setting)

    def reset(self, patience: float | None = None) -> None:
        """Restore the terminal; does nothing if it is not ours. Never raises.

        Args:
            patience: Seconds to wait for a terminal that accepts no bytes; None waits without limit.
        """
        is_free = self._lock.acquire(timeout=-1 if patience is None else patience)
        try:
            self.is_set = False
            if self._before is None:
                return
            is_given = False
            with suppress(OSError):
                if _takes_bytes(self.writes, patience):
                    _write(self.writes, self._resetting.encode())
                    is_given = True
            if self.is_foreground():  # else it is the shell's already
                with suppress(OSError, termios.error):
                    termios.tcflush(self.reads, termios.TCIFLUSH)  # reports on their way would be typed into the shell
                    _set_attributes(self.reads, self._before)
            self._before = None
            if is_given and self._guard is not None:  # else the guard waits longer than we can
                self._guard.tell(ours=False)
        finally:
            if is_free:
                self._lock.release()

    def close(self) -> None:
        """Give the terminal back for good."""
        self.reset()
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.close()

    def write(self, text: str) -> None:
        """Write, if the terminal is ours.

        Raises:
            OSError: The terminal is gone.
        """
        with self._lock:
            if self.is_set:
                _write(self.writes, text.encode(errors="replace"))

    def size(self) -> tuple[int, int]:
        """Return columns and rows; if the terminal does not know its size, the classic default."""
        try:
            columns, rows = os.get_terminal_size(self.writes)
        except OSError:
            return FALLBACK_SIZE
        return columns or FALLBACK_SIZE[0], rows or FALLBACK_SIZE[1]

    def is_foreground(self) -> bool:
        """Whether we are in the terminal's foreground; True if that is not known."""
        try:
            return os.tcgetpgrp(self.reads) == os.getpgrp()
        except OSError:
            return True


def raw(attributes: list[Any]) -> list[Any]:
    """Return attributes for raw input: every byte comes unchanged, at once, without echo, and raises no signal."""
    changed = list(attributes)
    changed[6] = list(attributes[6])
    changed[0] &= ~(termios.IXON | termios.IXOFF | termios.ICRNL | termios.INLCR | termios.IGNCR | termios.ISTRIP)
    changed[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN | termios.ISIG)
    changed[6][termios.VMIN], changed[6][termios.VTIME] = 1, 0
    return changed


def _set_attributes(descriptor: int, attributes: list[Any]) -> None:
    while True:
        try:
            termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
        except termios.error as error:
            if error.args[0] != errno.EINTR:  # stopped in the background, and continued
                raise OSError(*error.args) from error
        else:
            return


def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # a program before us has left the terminal so
            _takes_bytes(descriptor, None)


def _takes_bytes(descriptor: int, seconds: float | None) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(None if seconds is None else seconds * 1000))
