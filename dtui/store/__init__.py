"""Stores runs on disk. One process writes a run, another compacts it, and any number of processes read it.

Names load on first use: importing this package imports neither NumPy nor PyTables.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dtui.store.check.folder import check_run
    from dtui.store.check.result import CheckResult, FileCheck, FileState
    from dtui.store.compact.request import CompactResult, compact_run
    from dtui.store.format.contents import FORMAT_VERSION
    from dtui.store.pack.request import PackResult, pack_run
    from dtui.store.read.run_reader import RunReader
    from dtui.store.run.list_runs import find_runs
    from dtui.store.write.resume import PastRun, find_past
    from dtui.store.write.run_writer import RunWriter

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
    "CheckResult": "check.result",
    "CompactResult": "compact.request",
    "FORMAT_VERSION": "format.contents",
    "FileCheck": "check.result",
    "FileState": "check.result",
    "PackResult": "pack.request",
    "PastRun": "write.resume",
    "RunReader": "read.run_reader",
    "RunWriter": "write.run_writer",
    "check_run": "check.folder",
    "compact_run": "compact.request",
    "find_past": "write.resume",
    "find_runs": "run.list_runs",
    "pack_run": "pack.request",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used."""
    if name in _HOMES:
        return getattr(import_module(f"dtui.store.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
