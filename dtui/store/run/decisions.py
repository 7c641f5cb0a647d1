"""People's decisions on anomalies, an append-only file that several people may write at once.

Owns how they are read and written.
"""

from __future__ import annotations

import errno
import getpass
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dtui.errors import RunDamagedError, UsageError
from dtui.store.disk.json_lines import LineRefusedError, append_line, read_lines


class Triage:
    """The decisions on one run."""

    def __init__(self, path: Path, before: Sequence[Mapping[str, object]] = (), run: str = "") -> None:
        """Prepare.

        Args:
            path: Of the file; it need not be there.
            before: Decisions that are older than the file, as lines of it.
            run: Id of the run, where the file lies beside the run, not in it: it may be left from another one.
        """
        self.path = path
        self.faults: tuple[str, ...] = ()
        """One line on what could not be read, of the last `read`."""
        self._before = tuple(before)
        self._named = {"run": run} if run else {}

    def read(self) -> dict[str, tuple[str, str]]:
        """Return anomaly id to the latest (status, note); only what came before where the file cannot be read."""
        lines: list[dict[str, object]] = []
        try:
            lines, bad = read_lines(self.path)
            self.faults = (f"{self.path}: {bad} damaged lines are left out",) if bad else ()
        except OSError as error:
            self.faults = (f"{self.path}: cannot be read, {error.strerror}; decisions are left out",)
        own = [line for line in lines if self._named.items() <= line.items()]
        return {
            str(line["what"]): (str(line.get("status", "")), str(line.get("note", "")))
            for line in (*self._before, *own)
            if isinstance(line.get("what"), str)
        }

    def append(self, anomaly: str, status: str, note: str) -> None:
        """Add a person's decision: who, when, what.

        Raises:
            UsageError: The note is longer than a line may be; nothing is written.
            RunDamagedError: The file cannot be written to.
        """
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        values = {**self._named, "who": _user(), "when": when, "what": anomaly, "status": status, "note": note}
        try:
            append_line(self.path, values)
        except OSError as error:
            what = f"{self.path}: the decision could not be written, {error.strerror}"
            if not isinstance(error, LineRefusedError):
                raise RunDamagedError(f"{what}; check the disk and your right to write there") from error
            if error.errno == errno.EMSGSIZE:
                raise UsageError(f"{what}; shorten the note") from error
            raise RunDamagedError(f"{what}; of each anomaly keep the last line, and remove those before it") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
