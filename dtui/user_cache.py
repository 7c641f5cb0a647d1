"""Keeps files that dtui can make again, in the user's own folder: whoever cannot write there goes without."""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def cache_folder() -> Path | None:
    """Return the folder for such files; None where the user has no home."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(given):
        return Path(given) / "dtui"
    try:
        return Path.home() / ".cache" / "dtui"
    except RuntimeError:
        return None


def read_kept(path: Path, most: int) -> bytes | None:
    """Return what a file of the cache holds; None if it is not there, is no plain file, or has more bytes than `most`.

    A pipe in its place is not waited for.
    """
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            found = os.fstat(file.fileno())
            return file.read(most) if stat.S_ISREG(found.st_mode) and found.st_size <= most else None
    except OSError:
        return None


def keep(path: Path, data: bytes) -> None:
    """Write a file of the cache, for this user alone; who reads it meanwhile finds the old one or the new one, whole.

    Raises:
        OSError: It cannot be written; what was there stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
