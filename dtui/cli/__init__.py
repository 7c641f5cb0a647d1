"""The command line: arguments in, text and an exit code out.

Owns printing and exit codes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code. The only exception that leaves it is the SystemExit of --help.

    Args:
        arguments: Without the program's name; None takes those of this process.
    """
    try:
        from dtui.cli.entry import main as run  # here: Ctrl-C while this is imported is no traceback either
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("dtui: interrupted", file=sys.stderr)
        return 130
    return run(arguments)


__all__ = ["main"]
