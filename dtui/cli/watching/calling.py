"""Runs a person's command for an event: the event is its standard input, and never a part of its command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress

_FAREWELL_SECONDS = 5.0
"""How long a command that takes too long may take to end itself."""


def call(command: str, told: str, seconds: float) -> str:
    """Run a command line in a shell; return why it failed in one line, "" where it did not.

    What it prints goes to standard error: standard output is for the events. A command that takes too long is ended,
    with all that it started in its process group.

    Args:
        command: As the person gave it; nothing from a run is added to it.
        told: Its standard input, ASCII.
        seconds: It may take.
    """
    try:
        process = subprocess.Popen(
            command, shell=True, stdin=subprocess.PIPE, stdout=_standard_error(), start_new_session=True
        )
    except (OSError, ValueError) as error:
        return f"--run: cannot be started, {error}"
    try:
        process.communicate(told.encode(), seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        return f"--run: took longer than {seconds:g} s and was ended; --timeout gives it more"
    except BaseException:
        _end(process)
        raise
    code = process.returncode
    if code == 0:
        return ""
    return f"--run: {f'was ended by signal {-code}' if code < 0 else f'exited with {code}'}"


def _standard_error() -> int | None:
    """Return where the command's output goes; None leaves it where it would go."""
    try:
        return sys.stderr.fileno()
    except (AttributeError, OSError, ValueError):  # closed, or replaced by a test
        return subprocess.DEVNULL


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and its process group: first politely."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_FAREWELL_SECONDS)
