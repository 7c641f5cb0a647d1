"""Starts the compactor beside a recording process. The process waits for it only when the run is closed.

Owns that child process.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from pathlib import Path

from dtui.fork_gate import forget_in_child, resting
from dtui.store.disk.child_process import child_command, child_environment
from dtui.store.disk.run_folder import Place

_FINISH_SECONDS = 3600.0


class Compactor:
    """At most one compacting child process for one run."""

    def __init__(self, place: Place) -> None:
        """Prepare for the run at a place."""
        self._place = place
        self._environment = child_environment()
        self._child: subprocess.Popen[bytes] | None = None
        forget_in_child(self._let_go)

    def start(self) -> None:
        """Ask for a fold of full journals. This costs one byte in a pipe; the first call also starts the child."""
        if self._child is None or self._child.poll() is not None:
            self._child = self._spawn("--follow", "--finish")
        self._tell(b"j")

    def finish(self) -> None:
        """Fold everything; return once the parts are published, or after an hour.

        A separate process removes the replaced files a moment later.
        """
        if self._child is not None:
            self._tell(b"f")
            if self._wait() in (0, None):  # done, or hanging: another one would hang as well
                return
        self._child = self._spawn("--finish")
        self._wait()

    def _tell(self, word: bytes) -> None:
        """Send a word to the child. A full pipe means that it is busy, a broken pipe that it died."""
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(OSError):
                os.write(self._child.stdin.fileno(), word)

    def _let_go(self) -> None:
        """Close the pipe in a forked child: the compactor must see its end when the recorder dies."""
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.close()
        self._child = None

    def _wait(self) -> int | None:
        if self._child is None:
            return None
        if self._child.stdin is not None:
            self._child.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired), resting():
            return self._child.wait(_FINISH_SECONDS)
        return None

    def _spawn(self, *options: str) -> subprocess.Popen[bytes] | None:
        try:
            child = subprocess.Popen(
                compact_command(self._place.here, *options),
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=() if self._place.descriptor is None else (self._place.descriptor,),
                cwd="/",  # where the training stands now may be removed, or unmounted, while it runs
                env=self._environment,
            )
        except Exception:  # noqa: BLE001 - gevent's Popen, too: it starts none outside the main thread
            return None
        if child.stdin is not None:
            os.set_blocking(child.stdin.fileno(), False)
        return child


def compact_command(path: Path, *options: str) -> list[str]:
    """Return the command that compacts the run at `path`."""
    return child_command("dtui.store.compact", str(path), *options)
