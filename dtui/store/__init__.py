"""Runs on disk: written by one process, folded by another, read by any number.

Names load on first use: importing this package imports neither NumPy nor PyTables.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dtui.store.finding import find_runs
    from dtui.store.reader import RunReader
    from dtui.store.schema import FORMAT_VERSION
    from dtui.store.writer import RunWriter

__all__ = ["FORMAT_VERSION", "RunReader", "RunWriter", "find_runs"]

_HOMES = {
    "FORMAT_VERSION": "dtui.store.schema",
    "RunReader": "dtui.store.reader",
    "RunWriter": "dtui.store.writer",
    "find_runs": "dtui.store.finding",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
