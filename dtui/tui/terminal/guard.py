"""Restores the terminal after this process was killed, ran out of memory, or crashed in C code.

Owns a small shell that waits until our end of a pipe is closed. It acts only if the terminal was ours at that time.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress

_SCRIPT = """
trap '' HUP INT QUIT TERM TSTP TTOU
ours=0
while read -r state; do ours=$state; done
[ "$ours" = 0 ] || printf '%sdtui has ended without a word; Enter shows the prompt\\r\\n' "$DTUI_RESET"
"""
FAREWELL_SECONDS = 1.0


class Guard:
    """The helper shell. If there is no shell, nothing is guarded."""

    def __init__(self, terminal: int, resetting: str) -> None:
        """Begin to wait.

        Args:
            terminal: The descriptor to write to.
            resetting: The bytes that restore the terminal.
        """
        self._shell: subprocess.Popen[bytes] | None = None
        with suppress(OSError):
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _SCRIPT],
                stdin=subprocess.PIPE,
                stdout=terminal,
                stderr=subprocess.DEVNULL,
                env={"DTUI_RESET": resetting},
                cwd="/",
            )

    def tell(self, ours: bool) -> None:
        """Say whether the terminal is ours from now on."""
        if self._shell is not None and self._shell.stdin is not None:
            with suppress(OSError, ValueError):
                os.write(self._shell.stdin.fileno(), b"1\n" if ours else b"0\n")

    def close(self) -> None:
        """Wait no more."""
        shell, self._shell = self._shell, None
        if shell is None or shell.stdin is None:
            return
        with suppress(OSError, subprocess.TimeoutExpired):
            shell.stdin.close()
            shell.wait(FAREWELL_SECONDS)
