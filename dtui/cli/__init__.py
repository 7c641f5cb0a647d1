"""The command line: arguments in, text and an exit code out.

Owns printing and exit codes.
"""

from __future__ import annotations

from dtui.cli.entry import main

__all__ = ["main"]
