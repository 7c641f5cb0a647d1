"""Shows how far a command is: one line on standard error that overwrites itself, on a terminal only."""

from __future__ import annotations

import os
import sys
from typing import Self

from dtui.safe_text import safe, text_columns

BAR_COLUMNS = 20


def is_watched() -> bool:
    """Whether a person sees what is printed: off a terminal a command that succeeds prints nothing, for cron."""
    return sys.stdout is not None and sys.stdout.isatty()


class StatusLine:
    """One line that changes, and is gone at the end of its `with` block."""

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        """Prepare.

        Args:
            what: The command, at the beginning of the line.
            quiet: Show nothing at all.
        """
        is_terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._is_visible = is_terminal and not quiet
        self._what = what

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._is_visible:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """Show what is done now; `text` may be data from outside."""
        if self._is_visible:
            import shutil

            columns = shutil.get_terminal_size().columns
            line = safe(f"{self._what}  {text}", 400)
            while line and text_columns(line) > columns - 2:
                line = line[:-1]
            print(f"\r{line}\x1b[K", end="", file=sys.stderr, flush=True)

    def count(self, done: int, total: int, name: str) -> None:
        """Show a bar, how many are done, and the name of the last one."""
        filled = BAR_COLUMNS * done // max(total, 1)
        self.say(f"[{'#' * filled}{'.' * (BAR_COLUMNS - filled)}] {done:,}/{total:,}  {name}")
