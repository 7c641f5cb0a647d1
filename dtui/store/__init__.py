"""Runs on disk: written by one process, folded by another, read by any number.

Names load on first use: importing this package imports neither NumPy nor PyTables.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dtui.store.check import check_run
    from dtui.store.compacting import CompactResult, compact_run
    from dtui.store.finding import find_runs
    from dtui.store.packing import PackResult, pack_run
    from dtui.store.reader import RunReader
    from dtui.store.resuming import PastRun, find_past
    from dtui.store.schema import FORMAT_VERSION
    from dtui.store.verdict import CheckResult, FileCheck, FileState
    from dtui.store.writer import RunWriter

__all__ = [
    "FORMAT_VERSION",
    "CheckResult",
    "CompactResult",
    "FileCheck",
    "FileState",
    "PackResult",
    "PastRun",
    "RunReader",
    "RunWriter",
    "check_run",
    "compact_run",
    "find_past",
    "find_runs",
    "pack_run",
]

_HOMES = {
    "CheckResult": "verdict",
    "CompactResult": "compacting",
    "FORMAT_VERSION": "schema",
    "FileCheck": "verdict",
    "FileState": "verdict",
    "PackResult": "packing",
    "PastRun": "resuming",
    "RunReader": "reader",
    "RunWriter": "writer",
    "check_run": "check",
    "compact_run": "compacting",
    "find_past": "resuming",
    "find_runs": "finding",
    "pack_run": "packing",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name in _HOMES:
        return getattr(import_module(f"dtui.store.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
