"""Knows the folders of a user, and keeps files there that dtui can make again: whoever cannot write goes without."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def cache_folder() -> Path | None:
    """Return the folder for such files; None where the user has no home."""
    return user_folder("XDG_CACHE_HOME", ".cache")


def user_folder(variable: str, below: str) -> Path | None:
    """Return dtui's own folder in the one that a variable names, or in one below the home; None where there is no home.

    A user of a container may have none: then `~` would be a folder of that name, made where dtui was started.
    """
    given = os.environ.get(variable, "")
    if os.path.isabs(given):
        return Path(given) / "dtui"
    home = os.path.expanduser("~")
    return Path(home) / below / "dtui" if os.path.isabs(home) else None


@contextmanager
def some_home() -> Iterator[None]:
    """Let a library be imported that fails for a user who has no home; it is told one in which nothing can be kept."""
    if os.path.expanduser("~") != "~":
        yield
        return
    os.environ["HOME"] = os.devnull
    try:
        yield
    finally:
        del os.environ["HOME"]


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
    import tempfile  # nobody who only reads waits for it

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
