"""Reports of recorded runs: documents for people who are not at the terminal.

The public names are loaded on first use: the child process that draws charts imports this package and needs
none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dtui.reports.build import ReportResult, build_report, write_report

__all__ = ["ReportResult", "build_report", "write_report"]


def __getattr__(name: str) -> Any:
    """Import a public name from its home when it is first asked for."""
    if name in __all__:
        return getattr(import_module("dtui.reports.build"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
