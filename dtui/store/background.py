"""Starts the compactor beside a recording process, which never waits for it until the run is closed.

Owns that child process. A second copy would start compactors that only exclude each other.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

_FINISH_SECONDS = 3600.0


class Compactor:
    """At most one compacting child process for one run."""

    def __init__(self, path: Path) -> None:
        """Prepare for the run at `path`."""
        self._path = path.resolve()
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Begin to fold what is full, unless a fold is on its way: the next call makes up for it."""
        if self._child is None or self._child.poll() is not None:
            self._child = self._spawn()

    def finish(self) -> None:
        """Fold everything; return once the parts are published, or after an hour.

        What the parts replace is removed a moment later by a process of its own.
        """
        self._wait()
        self._child = self._spawn("--finish")
        self._wait()

    def _wait(self) -> None:
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_FINISH_SECONDS)

    def _spawn(self, *options: str) -> subprocess.Popen[bytes] | None:
        try:
            return subprocess.Popen(
                compact_command(self._path, *options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                env=compact_environment(),
            )
        except OSError:
            return None


def compact_command(path: Path, *options: str) -> list[str]:
    """Return the command that compacts the run at `path`."""
    return [sys.executable, "-P", "-m", "dtui.store.compact", str(path), *options]


def compact_environment() -> dict[str, str]:
    """Return the environment it runs in: this very dtui, one thread."""
    package = str(Path(__file__).resolve().parents[2])
    search = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1", "BLOSC_NTHREADS": "1"}
