"""A program in a real pseudo-terminal: what it writes, key by key."""

from __future__ import annotations

import fcntl
import math
import os
import pty
import re
import select
import signal
import struct
import termios
import time
from collections.abc import Collection
from types import TracebackType
from typing import Self

PATIENCE_SECONDS = 60
QUIET_SECONDS = 0.4


class Terminal:
    """Starts a program in a pty of a size and collects its bytes."""

    def __init__(self, command: list[str], columns: int = 150, rows: int = 50, **environment: str) -> None:
        variables = {
            **os.environ,
            "TERM": "xterm-256color",
            "COLORTERM": "truecolor",
            "LC_ALL": "C.UTF-8",
            **environment,
        }
        variables = {name: value for name, value in variables.items() if value and name not in ("COLUMNS", "LINES")}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, variables)
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.fd)
        self.written = b""
        self.status: int | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if self.fd >= 0:
            os.close(self.fd)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self, seconds: float) -> bytes:
        ready, _, _ = select.select([self.fd], [], [], seconds)
        if not ready:
            return b""
        try:
            data = os.read(self.fd, 1 << 16)
        except OSError:
            data = b""
        self.written += data
        return data

    def until(self, pattern: str) -> bytes:
        """Read until what was written since the call matches; return it."""
        start, deadline = len(self.written), time.monotonic() + PATIENCE_SECONDS
        while not re.search(pattern.encode(), self.written[start:]):
            assert time.monotonic() < deadline, (pattern, self.written[-2000:])
            self._read(0.05)
        return self.written[start:]

    def until_quiet(self, until: float = math.inf) -> bytes:
        """Read until nothing has come for a while, or until a time of the monotonic clock; return what came."""
        start = len(self.written)
        while self._read(QUIET_SECONDS) and time.monotonic() < until:
            pass
        return self.written[start:]

    def send(self, keys: str | bytes) -> None:
        os.write(self.fd, keys.encode() if isinstance(keys, str) else keys)

    def hang_up(self) -> int:
        """Take the terminal away from the program; return its exit status."""
        os.close(self.fd)
        self.fd = -1
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (found := os.waitpid(self.pid, os.WNOHANG))[0]:
            assert time.monotonic() < deadline, "it lives on without a terminal"
            time.sleep(0.02)
        self.status = os.waitstatus_to_exitcode(found[1])
        return self.status

    def press(self, keys: str) -> bytes:
        """Send keys and return what the program writes because of them."""
        self.send(keys)
        start = len(self.written)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.written) == start and time.monotonic() < deadline:
            self._read(0.05)
        self.until_quiet()
        return self.written[start:]

    def wait(self) -> int:
        """Read until the program ends; return its exit status."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.status is None:
            assert time.monotonic() < deadline, self.written[-2000:]
            self._read(0.05)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        while self._read(0.05):
            pass
        return self.status


def until_all_quiet(terminals: Collection[Terminal]) -> None:
    """Read programs that work at the same time until nothing has come from any of them for a while."""
    of = {terminal.fd: terminal for terminal in terminals}
    while ready := select.select(of, [], [], QUIET_SECONDS)[0]:
        for descriptor in ready:
            assert of[descriptor]._read(0), "it ended"
