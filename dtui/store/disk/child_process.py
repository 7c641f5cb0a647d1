"""Starts modules of this dtui installation as child processes, so that library crashes stay there."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def child_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this dtui installation as a child process."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return the child's environment. It sets one thread, so that equal numbers are always stored as equal bytes."""
    package = Path(__file__).resolve().parents[3]
    known = os.environ.get("PYTHONPATH", "")
    search = os.pathsep.join(map(os.path.abspath, [package, *(known.split(os.pathsep) if known else ())]))
    return {**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1", "BLOSC_NTHREADS": "1"}
