"""Starts modules of this very dtui as processes of their own, so that what fails in HDF5 or a library fails there."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def child_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module of this very dtui in a process of its own."""
    return [sys.executable, "-P", "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """Return the environment it runs in: one thread, with which the same numbers are always the same bytes."""
    package = Path(__file__).resolve().parents[3]
    known = os.environ.get("PYTHONPATH", "")
    search = os.pathsep.join(map(os.path.abspath, [package, *(known.split(os.pathsep) if known else ())]))
    return {**os.environ, "PYTHONPATH": search, "OMP_NUM_THREADS": "1", "BLOSC_NTHREADS": "1"}
