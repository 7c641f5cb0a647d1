"""Keeps people's decisions on anomalies in an append-only file, to which several people may write at once.

Owns the reading and writing of that file.
"""

from __future__ import annotations

import errno
import getpass
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from dtui.errors import RunDamagedError, UsageError
from dtui.store.disk.atomic_files import unread
from dtui.store.disk.json_lines import LineRefusedError, append_lines, read_lines


class Triage:
    """The decisions on one run."""

    def __init__(self, path: Path, before: Sequence[Mapping[str, object]] = (), run: str = "") -> None:
        """Prepare.

        Args:
            path: Path of the file, which need not exist.
            before: Older decisions from elsewhere, as lines of the file.
            run: Id of the run, if the file lies beside the run and not in it. Then it may contain decisions on another
                run.
        """
        self.path = path
        self.faults: tuple[str, ...] = ()
        """One line on what could not be read, of the last `read`."""
        self.authors: dict[str, tuple[str, str]] = {}
        """Who decided last and when, by anomaly id, of the last `read`; data from outside."""
        self._before = tuple(before)
        self._named = {"run": run} if run else {}

    def read(self) -> dict[str, tuple[str, str]]:
        """Return the latest (status, note) by anomaly id; only the older decisions if the file cannot be read."""
        lines: list[dict[str, object]] = []
        try:
            lines, bad = read_lines(self.path)
            self.faults = (f"{self.path}: {bad} damaged lines are left out",) if bad else ()
        except OSError as error:
            self.faults = (unread(self.path, error, "decisions are left out"),)
        own = [line for line in lines if self._named.items() <= line.items()]
        self.authors = {
            str(line["what"]): (str(line.get("who", "")), str(line.get("when", "")))
            for line in (*self._before, *own)
            if isinstance(line.get("what"), str)
        }
        return {
            str(line["what"]): (str(line.get("status", "")), str(line.get("note", "")))
            for line in (*self._before, *own)
            if isinstance(line.get("what"), str)
        }

    def append(self, decisions: Sequence[tuple[str, str, str]]) -> None:
        """Add a person's decisions, each an id, a status and a note, with their author and time, in one write.

        Raises:
            UsageError: A note is too long for a line; nothing is written.
            RunDamagedError: The file cannot be written to.
        """
        who, when = who_and_when()
        told = {**self._named, "who": who, "when": when}
        lines = [{**told, "what": what, "status": status, "note": note} for what, status, note in decisions]
        try:
            append_lines(self.path, lines)
        except OSError as error:
            what = f"{self.path}: the decision could not be written, {error.strerror}"
            if not isinstance(error, LineRefusedError):
                raise RunDamagedError(f"{what}; check the disk and your right to write there") from error
            if error.errno == errno.EMSGSIZE:
                raise UsageError(f"{what}; shorten the note") from error
            raise RunDamagedError(f"{what}; of each anomaly keep the last line, and remove those before it") from error


def who_and_when() -> tuple[str, str]:
    """Return the name of the user and the time, ISO 8601 with offset."""
    try:
        who = getpass.getuser()
    except (OSError, KeyError):
        who = "unknown"
    return who, datetime.now().astimezone().isoformat(timespec="seconds")
