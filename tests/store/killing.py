"""Processes that are forked and killed at random instants, dozens a second; shared by the tests and the benchmarks.

Forked, because whoever forks has imported everything: starting an interpreter took ten times what the work takes. Each
is a process of its own all the same, makes its own calls of the operating system, and dies of a real SIGKILL.
"""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from tests.store.tally import Tally

READY = b"!"
FAILED = b"\0"
LONGEST_LIFE = 120
"""Seconds; nobody works on for ever where whoever was to kill it has failed."""


class Instants:
    """Random instants to kill at: of four, about three strike a process before it is done, however busy the machine."""

    def __init__(self, rng: random.Random, most: float = 0.03) -> None:
        """Prepare; `most` is a first guess of the seconds that a process takes."""
        self._rng = rng
        self._first = most
        self._most: dict[str, float] = {}

    def draw(self, kind: str) -> float:
        """Return seconds from the beginning of a process's work."""
        return self._rng.random() * self._most.get(kind, self._first)

    def tell(self, kind: str, died: bool) -> None:
        """Learn from what became of the last one of its kind."""
        self._most[kind] = self._most.get(kind, self._first) * (1.05 if died else 0.86)


@dataclass(frozen=True)
class Child:
    """A forked process, and the pipe in which it acknowledges."""

    pid: int
    pipe: int

    @classmethod
    def fork(cls, work: Callable[[int], None]) -> Child:
        """Run some work in a process that ends with it; returns once it has begun.

        Args:
            work: Given a descriptor to which it writes what it acknowledges; no READY or FAILED.
        """
        read_end, write_end = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(read_end)
                signal.alarm(LONGEST_LIFE)
                os.write(write_end, READY)
                work(write_end)
                status = 0
            except BaseException:
                os.write(write_end, FAILED + traceback.format_exc().encode())
            finally:
                os._exit(status)
        os.close(write_end)
        assert os.read(read_end, 1) == READY
        return cls(pid, read_end)

    def wait_for(self, told: bytes) -> bytes:
        """Wait until it acknowledged something, or is gone; returns all that it acknowledged up to then."""
        data = b""
        while told not in data and (piece := os.read(self.pipe, 1)):
            data += piece
        return data

    def end(self, *, kill: bool = True) -> tuple[bytes, bool]:
        """End it, or wait until it is done; returns what it acknowledged, and whether SIGKILL ended it.

        Raises:
            AssertionError: It ended in another way.
        """
        if kill:
            os.kill(self.pid, signal.SIGKILL)
        data = b""
        while piece := os.read(self.pipe, 65536):
            data += piece
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        acknowledged, failed, why = data.partition(FAILED)
        assert not failed, why.decode()
        died = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        assert died or status == 0, f"ended with {status} after {data!r}"
        return acknowledged, died


def kill_somewhere(
    kind: str, work: Callable[[int], None], instants: Instants, tally: Tally, *, after: bytes = b""
) -> tuple[bytes, bool]:
    """Fork some work and kill it at a random instant.

    Args:
        kind: Of process.
        work: As for `Child.fork`.
        instants: Chooses.
        tally: Counts.
        after: Not before it acknowledged this.

    Returns:
        What it acknowledged, and whether it died, rather than being done before.
    """
    child = Child.fork(work)
    acknowledged = child.wait_for(after)
    time.sleep(instants.draw(kind + str(after)))  # the random instant itself; nothing is waited for
    further, died = child.end()
    instants.tell(kind + str(after), died)
    tally.counts[kind] += died
    return acknowledged + further, died
