"""Defines what a command returns for printing, and the exit codes of dtui.

Owns the meaning of each exit code.
"""

from __future__ import annotations

from enum import IntEnum

from dtui.dataclass_on_use import dataclass


class Exit(IntEnum):
    """Exit codes of every command."""

    DONE = 0
    """Done, or judged fine."""
    NOT_FINE = 1
    """Judged not fine: `anomalies --fail-on`, damage found by `check`."""
    NOT_JUDGED = 2
    """Could not judge: bad usage, a missing extra, an unusable terminal, a bug."""
    UNREADABLE = 3
    """The run cannot be read."""
    INTERRUPTED = 130
    """Interrupted from the keyboard."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a command: computed first, printed by one place afterwards.

    Attributes:
        text: For standard output, without the last line break; "" prints nothing.
        code: The exit code: one of `Exit`, or that of a command that was run.
        remark: One line for standard error, "" for none; it may quote names from outside.
    """

    text: str = ""
    code: int = Exit.DONE
    remark: str = ""
