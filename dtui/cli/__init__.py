"""The command line: arguments in, text and an exit code out.

Owns printing and exit codes. A second place that prints would draw over the TUI; a second one that exits
would take the verdict of `--fail-on` away from the script that asked for it.
"""

from __future__ import annotations

from dtui.cli.entry import main

__all__ = ["main"]
