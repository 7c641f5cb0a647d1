"""Runs work that may die in a child process: one JSON request a line goes in, one JSON answer a line comes out.

Owns both ends: in this process the start, the time limit and the end; in the child the memory limit, the loop that
answers, and that it ends with whoever started it. A library that runs out of memory or never returns costs one answer,
not the report.
"""

from __future__ import annotations

import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

from dtui.errors import ReportError

TIME_LIMIT_SECONDS = 60.0
MEMORY_LIMIT = 2 << 30
"""Bytes that a child may use for data. Address space alone, of which V8 reserves tens of gigabytes, does not count."""
_CHUNK = 1 << 16
_STARTER = "DTUI_STARTER"
"""In the environment of a child: the process that started it."""
_PR_SET_PDEATHSIG = 1
"""Of linux/prctl.h."""


class Child:
    """Asks a child process; one that dies or hangs is ended, and the next request starts another."""

    def __init__(self, command: tuple[str, ...], time_limit_seconds: float = TIME_LIMIT_SECONDS) -> None:
        """Set what to start, and the limit for one answer. Nothing is started yet."""
        self._command = command
        self._limit = time_limit_seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Start the child early, so that it is ready for the first request."""
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "NO_COLOR": "1", **starter()},
            )

    def close(self) -> None:
        """End the child; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()

    def ask(self, request: Mapping[str, Any], what: str, done: str) -> dict[str, Any]:
        """Return the answer to a request.

        Args:
            request: JSON values.
            what: What is asked for, such as "chart run1-loss"; a message begins with it.
            done: What did not come about, such as "drawn"; for the message.

        Raises:
            ReportError: The child refused, the time limit has passed, or the child has died.
        """
        line = encoded(request)
        self.warm_up()
        assert self._process is not None
        try:
            answer: dict[str, Any] = json.loads(_exchange(self._process, line, self._limit))
        except TimeoutError:
            self.close()
            raise ReportError(f"{what}: not {done} within {self._limit:g} s; draw less, or a shorter run") from None
        except (OSError, EOFError):
            self.close()
            raise ReportError(f"{what}: the process that draws ended, probably out of memory; draw less") from None
        if "error" in answer:
            raise ReportError(f"{what}: {answer['error']}")
        return answer


def encoded(value: Mapping[str, Any]) -> bytes:
    """Return JSON in one line.

    Raises:
        ReportError: It holds NaN or an infinity, which JSON cannot express.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except ValueError as error:
        raise ReportError(f"chart: {error}; a missing value must be null") from None


def starter() -> dict[str, str]:
    """Return what the environment of a child must hold, so that it ends with this process."""
    return {_STARTER: str(os.getpid())}


def ends_with_starter() -> bool:
    """Have this process, a child, killed when the one that started it ends; False if that one has ended already."""
    import ctypes

    expected = os.environ.get(_STARTER, str(os.getppid()))
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    return str(os.getppid()) == expected  # asked last: it may end while this process begins


def limit_memory() -> None:
    """Limit what this process, a child, may use; called before it imports what it draws with."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = MEMORY_LIMIT if hard == resource.RLIM_INFINITY else min(MEMORY_LIMIT, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, hard))


def answer_lines(answer: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Answer requests until stdin ends; whatever libraries write to stdout goes to stderr."""
    if not ends_with_starter():
        return
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin.buffer:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


def first_line(error: Exception) -> str:
    """Return what an error says, in one bounded line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]


def _exchange(process: subprocess.Popen[bytes], line: bytes, limit: float) -> bytes:
    """Write a line and return the answer line, both within `limit` seconds."""
    if process.stdin is None or process.stdout is None:
        raise OSError("the child has no pipes")
    deadline = time.monotonic() + limit
    answer = bytearray()
    rest = memoryview(line)
    os.set_blocking(process.stdin.fileno(), False)
    os.set_blocking(process.stdout.fileno(), False)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stdin, selectors.EVENT_WRITE)
        while not answer.endswith(b"\n"):
            ready = selector.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                if key.fileobj is process.stdin:
                    rest = rest[os.write(process.stdin.fileno(), rest[:_CHUNK]) :]
                    if not rest:
                        selector.unregister(process.stdin)
                else:
                    chunk = os.read(process.stdout.fileno(), _CHUNK)
                    if not chunk:
                        raise EOFError
                    answer += chunk
    return bytes(answer)
