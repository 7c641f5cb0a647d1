"""Lends a folder to one process at a time, on every host that sees the folder.

The lease is a file that names its holder. Whoever creates it first has it: that works on network filesystems, where
locks of files may not. The holder touches it every second. A lease is taken over if its holder is dead, or if it
belongs to another host and is not touched while it is watched.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Self

from dtui.errors import OutputError
from dtui.store.run.lock import CompactionLock
from dtui.store.run.run_file import Process

RENEWED_SECONDS = 1.0


class LeaseHeldError(OutputError):
    """Another process works on the folder."""


class Lease:
    """The right to work on a folder; use it in a `with` block."""

    def __init__(self, folder: Path, name: str) -> None:
        """Prepare.

        Args:
            folder: Of the lease; it must exist.
            name: Name of its file.
        """
        self._file = folder / name
        self._lock = CompactionLock(folder, name)
        self._is_over = threading.Event()
        self._is_lost = False
        self._renewer = threading.Thread(target=self._renew, name="dtui-lease", daemon=True)

    def __enter__(self) -> Self:
        """Take the lease. One of another host is watched for up to 20 seconds first.

        Raises:
            LeaseHeldError: A living process holds it.
            OutputError: The folder cannot be written to.
        """
        try:
            is_ours = self._lock.acquire()
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{self._file.parent}: cannot be written ({reason}); choose another place") from error
        if not is_ours:
            raise LeaseHeldError(
                f"{self._file.parent}: {self.holder() or 'another process'} is at work there; wait for it"
            )
        self._renewer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._renewer.join()
        self._lock.release()

    def holder(self) -> str:
        """Return who holds the lease, as "process 7 on host"; "" if nobody does, or nobody who is known to live."""
        return _named(self._lock.holder())

    def watched_holder(self) -> str:
        """Return the same, after one of another host was watched for up to 20 seconds."""
        try:
            return _named(self._lock.living_holder())
        except OSError:
            return self.holder()

    def require(self) -> None:
        """Refuse to go on if another process has taken the lease over.

        Raises:
            LeaseHeldError: It has: this process was taken for dead, as after it was stopped for long.
        """
        if self._is_lost or self._is_ours() is False:
            raise LeaseHeldError(f"{self._file.parent}: {self.holder() or 'another process'} took over; it will finish")

    def _renew(self) -> None:
        while not self._is_over.wait(RENEWED_SECONDS):
            if self._is_ours() is False:
                self._is_lost = True
                return
            self._lock.touch()

    def _is_ours(self) -> bool | None:
        """Whether the lease is still ours; None if the disk does not say."""
        try:
            return self._lock.is_ours()
        except OSError:
            return None


def _named(holder: Process | None) -> str:
    return "" if holder is None else f"process {holder.pid} on {holder.host}"
