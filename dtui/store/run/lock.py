"""Keeps two compactors, or two resuming trainings, off one run, without file locks, which some filesystems lack.

Owns compact.lock and resume.lock. The latter is also the claim of a recorder that has recorded nothing yet. Two folds
at once would lose nothing, because each publishes complete, verified parts, but they would do the work twice. The
holder touches its lock once a second. A lock is taken over if its holder is dead, or if it belongs to another host and
was not touched while it was watched.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from dtui.store.disk.atomic_files import create_whole, open_again, open_plain, temporary_path
from dtui.store.format.schema import LOCK_FILE
from dtui.store.run.life import Heart
from dtui.store.run.run_file import Process

WATCHED_SECONDS = 20.0
"""For how long a lock of another host is watched. Long folds may not touch it for a while; two at once lose nothing."""
UNFINISHED_SECONDS = 5.0
"""For how long one that names nobody is watched: its holder was killed while it made it."""
_LARGEST_LOCK = 4096


class CompactionLock:
    """The right to compact one run, or the right that another lock file stands for."""

    def __init__(self, run: Path, name: str = LOCK_FILE) -> None:
        self._path = run / name
        self._mine = json.dumps(asdict(Process.this())).encode()

    def acquire(self) -> bool:
        """Take the lock; False if a living process holds it. A lock of another host is watched for a while first.

        Raises:
            OSError: The run cannot be written to.
        """
        if self._create():
            return True
        held = self._content()
        if held is None:
            return self._create()
        if not self._is_stale(held):
            return False
        aside = temporary_path(self._path)
        try:
            self._path.rename(aside)
        except FileNotFoundError:
            return self._create()
        if _content_of(aside) != held:  # somebody took it over between our look and our rename: give it back
            with contextlib.suppress(OSError):
                os.link(aside, self._path)
            aside.unlink(missing_ok=True)
            return False
        aside.unlink(missing_ok=True)
        return self._create()

    def is_ours(self) -> bool:
        """Whether this process holds the lock."""
        return self._content() == self._mine

    def holder(self) -> Process | None:
        """Return the holder of the lock without waiting; None if it is free or its holder is dead. Never raises."""
        try:
            values = json.loads(self._content() or b"")
            holder = Process(int(values["pid"]), str(values["host"]), str(values["boot"]), int(values["started"]))
        except (OSError, ValueError, TypeError, LookupError, RecursionError, OverflowError):
            return None
        return None if holder.is_alive() is False else holder

    def living_holder(self) -> Process | None:
        """Return the holder of the lock; None if it is free or its holder is dead. One of another host is watched.

        Raises:
            OSError: The lock cannot be read.
        """
        held = self._content()
        return None if held is None or self._is_stale(held) else self.holder()

    def touch(self) -> None:
        """Touch the lock, to show other hosts that the holder is alive."""
        with contextlib.suppress(OSError):
            os.utime(self._path)

    def release(self) -> None:
        """Release the lock, if it is still ours."""
        with contextlib.suppress(OSError):
            if self.is_ours():
                self._path.unlink()

    def _create(self) -> bool:
        """Create the lock with its content in one step, so that a kill never leaves a lock without a holder."""
        made = create_whole(self._path, self._mine)
        return self._create_in_two_steps() if made is None else made

    def _create_in_two_steps(self) -> bool:
        try:
            descriptor = open_again(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        except FileExistsError:
            return False
        try:
            os.write(descriptor, self._mine)
        finally:
            os.close(descriptor)
        return True

    def _content(self) -> bytes | None:
        try:
            return _content_of(self._path)
        except FileNotFoundError:
            return None

    def _is_stale(self, held: bytes) -> bool:
        try:
            values = json.loads(held)
            alive = Process(
                int(values["pid"]), str(values["host"]), str(values["boot"]), int(values["started"])
            ).is_alive()
        except (ValueError, TypeError, LookupError, RecursionError, OverflowError):
            alive = None
        if alive is not None:
            return not alive
        heart = Heart(self._path)
        return not heart.watch(WATCHED_SECONDS if held else UNFINISHED_SECONDS) and self._content() == held


def _content_of(path: Path) -> bytes:
    """Return the content of a lock, up to the largest size of our locks, so that a crafted file cannot fill memory."""
    with open_plain(path) as file:
        return file.read(_LARGEST_LOCK)
