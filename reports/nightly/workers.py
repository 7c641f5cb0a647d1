"""Hands units to worker processes, and takes away the time, the memory or the life that one needs too much of.

Owns those processes. They are started when there is work, and used again for the next unit.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from dtui.reports.nightly.plan import Unit
from dtui.reports.output.child import starter

_LOOK_SECONDS = 0.2
"""Between two looks at the clock and at the memory of the workers."""
_CHUNK = 1 << 16
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one report may take.

    Attributes:
        seconds: Of time.
        memory: Bytes, of the worker and all that it started.
        tries: How often a report is tried, >= 1.
    """

    seconds: float = 600.0
    memory: int = 2 << 30
    tries: int = 2


class Workers:
    """Some worker processes; use it in a `with` block, at the end of which they are gone."""

    def __init__(self, count: int, limits: Limits, command: Sequence[str] = ()) -> None:
        """Prepare.

        Args:
            count: Most processes at once, >= 1.
            limits: For each report.
            command: Command to start in place of the worker module.
        """
        self._count = count
        self._limits = limits
        self._command = tuple(command) or (sys.executable, "-P", "-m", "dtui.reports.nightly.worker")
        self._selector = selectors.DefaultSelector()
        self._idle: list[_Worker] = []
        self._busy: list[_Worker] = []
        self.started: set[int] = set()
        """The processes that were started so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in (*self._idle, *self._busy):
            worker.end()
        self._selector.close()

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[Unit, str]]:
        """Yield each unit when it is done, with "" or, in one line, why there is no report."""
        waiting = deque((unit, 1) for unit in units)
        while waiting or self._busy:
            while waiting and len(self._busy) < self._count:
                self._give(*waiting.popleft())
            for worker, reason in self._look():
                if reason and worker.attempt < self._limits.tries:
                    waiting.appendleft((worker.unit, worker.attempt + 1))
                else:
                    yield worker.unit, reason

    def _give(self, unit: Unit, attempt: int) -> None:
        worker = self._idle.pop() if self._idle else self._start()
        worker.give(unit, attempt)
        self._busy.append(worker)

    def _start(self) -> _Worker:
        worker = _Worker(self._command)
        self.started.add(worker.pid)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        return worker

    def _look(self) -> list[tuple[_Worker, str]]:
        """Wait a moment; return the workers that are done or had to be ended, with "" or why there is no report."""
        ready = {key.data for key, _ in self._selector.select(_LOOK_SECONDS)}
        done = []
        for worker in list(self._busy):
            reason = worker.read() if worker in ready else None
            is_over = reason is None and (reason := worker.exceeds(self._limits))
            if reason is None:
                continue
            self._busy.remove(worker)
            if is_over or worker.has_ended:
                self._selector.unregister(worker.answers)
                worker.end()
            else:
                self._idle.append(worker)
            done.append((worker, reason))
        return done


class _Worker:
    """One process, and the unit that it was given last."""

    def __init__(self, command: Sequence[str]) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed in `end`
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, "NO_COLOR": "1", "OMP_NUM_THREADS": "1", "BLOSC_NTHREADS": "1", **starter()},
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self.answers = self._process.stdin, self._process.stdout
        os.set_blocking(self.answers.fileno(), False)
        self.has_ended = False
        self.pid = self._process.pid

    def give(self, unit: Unit, attempt: int) -> None:
        """Give it a unit; if it has died meanwhile, `read` says so."""
        self.unit, self.attempt = unit, attempt
        self._answer = bytearray()
        self._began = time.monotonic()
        try:
            self._requests.write(json.dumps(asdict(unit)).encode("ascii") + b"\n")
            self._requests.flush()
        except OSError:
            pass

    def read(self) -> str | None:
        """Read what there is; return the reason in its answer ("" for a report), None while there is no answer."""
        chunk = self.answers.read(_CHUNK)
        if chunk is None:
            return None
        if not chunk:
            self.has_ended = True
            return self._epitaph()
        self._answer += chunk
        if not self._answer.endswith(b"\n"):
            return None
        try:
            return str(json.loads(self._answer)["reason"])
        except (ValueError, LookupError, TypeError):
            self.has_ended = True
            return "the process that makes reports answered nonsense"

    def exceeds(self, limits: Limits) -> str | None:
        """Return why it must be ended, None if it may go on."""
        if time.monotonic() - self._began > limits.seconds:
            return f"not done within {limits.seconds:g} s; give more with --time-limit"
        if _memory(self._process.pid) > limits.memory:
            return f"took more than {limits.memory / 2**20:,.0f} MiB of memory; give more with --memory-limit"
        return None

    def end(self) -> None:
        """End it, and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._requests, self.answers, self._said):
            with contextlib.suppress(OSError):
                stream.close()

    def _epitaph(self) -> str:
        code = self._process.wait()
        if code < 0:
            return f"the process that makes reports was killed (signal {-code}), as a full memory does"
        self._said.seek(max(0, self._said.seek(0, os.SEEK_END) - 2000))
        lines = self._said.read().decode("utf-8", "replace").strip().splitlines()
        return f"the process that makes reports ended with code {code}: {lines[-1] if lines else 'it said nothing'}"


def _memory(pid: int) -> int:
    """Return the bytes of memory that a process and all that it started hold."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0  # it has ended
    return pages * _PAGE + sum(_memory(child) for child in _children(pid))


def _children(pid: int) -> list[int]:
    """Return the processes that a process started; none where the system does not tell."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (OSError, ValueError):
        return []
