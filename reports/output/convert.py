"""Draws charts as SVG text in a child process that may die.

Owns that process: its start, its time limits and its end.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import subprocess
import sys
import time
from typing import Any, Self

from dtui.errors import ReportError
from dtui.reports.document import Chart, Spec

TIME_LIMIT_SECONDS = 60.0
_CHUNK = 1 << 16
_IDENTIFIER = re.compile(r'\bid="([^"]+)"')


class ChartConverter:
    """Draws charts one after another; a failed chart does not affect the next one.

    The child starts with the first chart, or earlier when `warm_up` is called.
    """

    def __init__(self, time_limit_seconds: float = TIME_LIMIT_SECONDS, command: tuple[str, ...] = ()) -> None:
        """Set the limits.

        Args:
            time_limit_seconds: For one chart.
            command: Command to start in place of the drawing module.
        """
        self._limit = time_limit_seconds
        self._command = command or (sys.executable, "-P", "-m", "dtui.reports.output.drawing_child")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def warm_up(self) -> None:
        """Start the child early, so that it is ready for the first chart."""
        if self._process is None:
            self._process = self._start()

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

    def draw(self, chart: Chart) -> str:
        """Return a chart as SVG text, the same text for the same chart in every process.

        Raises:
            ReportError: It cannot be drawn: the specification is refused, the time limit has passed, or the
                child has died.
        """
        svg = self._ask({"draw": chart.spec, "mode": chart.mode}, f"chart {chart.id}")
        return renumbered(svg, chart.id)

    def bundle(self) -> str:
        """Return the JavaScript that draws charts in a browser.

        Raises:
            ReportError: The child cannot make it.
        """
        return self._ask({"bundle": True}, "the JavaScript of the charts")

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "NO_COLOR": "1"},
        )

    def _ask(self, request: dict[str, Any], what: str) -> str:
        process = self._process or self._start()
        self._process = process
        try:
            line = _exchange(process, encoded(request), self._limit)
        except TimeoutError:
            self.close()
            raise ReportError(f"{what}: not drawn within {self._limit:g} s; draw less, or a shorter run") from None
        except (OSError, EOFError):
            self.close()
            raise ReportError(f"{what}: the process that draws ended, probably out of memory; draw less") from None
        answer = json.loads(line)
        if "error" in answer:
            raise ReportError(f"{what}: {answer['error']}")
        return str(answer["result"])


def encoded(value: Spec) -> bytes:
    """Return JSON in one line.

    Raises:
        ReportError: It holds NaN or an infinity, which JSON cannot express.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
    except ValueError as error:
        raise ReportError(f"chart: {error}; a missing value must be null") from None


def renumbered(svg: str, prefix: str) -> str:
    """Return SVG text with ids that begin with `prefix` and count from 0.

    Vega numbers its clip paths over the life of a process. Without new numbers, ids could clash within one page and
    would differ from one report to the next.
    """
    numbers = {name: f"{prefix}-{k}" for k, name in enumerate(dict.fromkeys(_IDENTIFIER.findall(svg)))}
    if not numbers:
        return svg
    names = "|".join(re.escape(name) for name in sorted(numbers, key=len, reverse=True))
    pattern = re.compile(rf'(\bid="|url\(#|href="#)({names})(?=["\)])')
    return pattern.sub(lambda found: found[1] + numbers[found[2]], svg)


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
