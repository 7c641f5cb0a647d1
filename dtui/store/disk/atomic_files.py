"""Publishes files: writes them under a temporary name, synchronises them to the disk, then renames them.

Owns the steps that make a file appear complete or not at all.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, cast

from dtui.errors import DtuiError
from dtui.fork_gate import resting
from dtui.output import CANNOT_SYNC
from dtui.store.format.schema import TEMPORARY_MARK

_STALE_PAUSES = (0.0, 0.05, 0.2, 0.5)
"""Seconds before each further try to open what a server has just replaced."""
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EXDEV)


def temporary_path(path: Path) -> Path:
    """Return a temporary name for writing `path`; it is unique on all hosts."""
    import secrets  # and with it OpenSSL, which a reader does not wait for

    return path.with_name(f"{path.name}{TEMPORARY_MARK}{os.getpid()}-{secrets.token_hex(4)}")


def publish(temporary: Path, path: Path) -> None:
    """Rename a finished, synchronised file to its final name, and synchronise the folder.

    Raises:
        OSError: It cannot be renamed.
    """
    temporary.rename(path)
    sync_folder(path.parent)


def open_again(path: Path, flags: int) -> int:
    """Open a file or folder; try again if a network filesystem reports a stale handle (ESTALE).

    A handle is stale when another host replaced the file and this host still remembers the old one. The next attempt
    finds the new file. The same is done if the file was removed while it was opened. There are five attempts, in less
    than a second.

    Args:
        path: Of the file.
        flags: As for `os.open`. Child processes do not inherit the descriptor.

    Returns:
        A descriptor.

    Raises:
        OSError: It cannot be opened; ESTALE if the handle stayed stale.
    """
    for pause in _STALE_PAUSES:
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
        else:
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)
        with resting():
            time.sleep(pause)
    return os.open(path, flags | os.O_CLOEXEC, 0o666)


def sync_data(descriptor: int) -> None:
    """Synchronise the bytes of an open file to the disk, if the filesystem supports it.

    Raises:
        OSError: The disk is full or fails: what was written may be lost.
    """
    _sync(os.fdatasync, descriptor)


def sync_file(descriptor: int) -> None:
    """Synchronise an open file with all that is known of it, as `sync_data` does its bytes."""
    _sync(os.fsync, descriptor)


def _sync(call: Callable[[int], None], descriptor: int) -> None:
    try:
        with resting():
            call(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise


def create_whole(path: Path, data: bytes, *, synced: bool = False) -> bool | None:
    """Create a file with its content in one step.

    A kill leaves no half of it. If several processes try, only one succeeds.

    Args:
        path: Of the file.
        data: All of its bytes.
        synced: Synchronise it to the disk before this returns.

    Returns:
        True if it was created, False if it existed already, None if the filesystem has no links: then nothing was
        created.

    Raises:
        OSError: The disk is full or fails.
    """
    whole = temporary_path(path)
    try:
        with whole.open("xb") as file:
            file.write(data)
            if synced:
                file.flush()
                sync_file(file.fileno())
        os.link(whole, path)
        if synced:
            sync_folder(path.parent)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        return None
    finally:
        whole.unlink(missing_ok=True)
    return True


def open_plain(path: Path) -> BinaryIO:
    """Open a file of a run for reading. Only a plain file is accepted, because a pipe or device could block for ever.

    Raises:
        FileNotFoundError: It does not exist.
        OSError: It cannot be read, is not a plain file, or is a link, which could lead out of the run.
    """
    descriptor = open_again(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        require_plain(descriptor, path)
    except OSError:
        os.close(descriptor)
        raise
    return cast(BinaryIO, os.fdopen(descriptor, "rb", buffering=0))


def read_small(path: Path, most: int) -> bytes:
    """Return what a small file of a run holds.

    Raises:
        ValueError: It has more than `most` bytes, so it is not what it should be.
        OSError: As of `open_plain`.
    """
    with open_plain(path) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise ValueError(f"it has more than {most:,} bytes")
    return data


def require_plain(descriptor: int, path: Path) -> None:
    """Refuse an open pipe, device or folder.

    Raises:
        OSError: It is no plain file.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a plain file", str(path))


def list_folder(folder: Path) -> list[Path]:
    """Return the entries of a folder of a run. A link is refused, because it could lead out of the run.

    Raises:
        FileNotFoundError: It does not exist.
        OSError: It is a link or no folder, or cannot be read.
    """
    descriptor = _open_folder(folder)
    try:
        return [folder / name for name in os.listdir(descriptor)]
    finally:
        os.close(descriptor)


def folder_size(folder: Path) -> int:
    """Return the bytes of the entries of a folder of a run; what goes meanwhile counts nothing.

    Raises:
        FileNotFoundError: It does not exist.
        OSError: It is a link or no folder, or cannot be read.
    """
    size = 0
    for path in list_folder(folder):
        with suppress(OSError):
            size += path.lstat().st_size
    return size


def make_folder(folder: Path) -> None:
    """Create a folder of a run, or check that the existing one is not a link.

    Version control drops empty folders, so a copied run may lack one.

    Raises:
        OSError: It cannot be made, or is a link or no folder.
    """
    folder.mkdir(exist_ok=True)
    os.close(_open_folder(folder))


def _open_folder(folder: Path) -> int:
    try:
        return open_again(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise OSError(errno.ENOTDIR, "a link or a file, not a folder of the run", str(folder)) from error
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Create or replace a file so that a reader sees either all old bytes or all new bytes.

    Raises:
        OSError: The disk is full or fails; the old file is untouched.
    """
    temporary = temporary_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            sync_file(file.fileno())
        publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Synchronise the names in a folder to the disk, if the filesystem supports it."""
    descriptor = open_again(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with resting():
            os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def one_line(error: Exception, run: Path) -> str:
    """Return one line on why a run could not be written. An error that is not dtui's own gets the run's name added."""
    if isinstance(error, DtuiError) or not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename or run}: {error.strerror}; check the disk and your right to write there"


def unread(path: Path, error: OSError, effect: str) -> str:
    """Return one line on a file of a run that cannot be read, what follows from that, and what to do."""
    if isinstance(error, PermissionError):
        return f"{path}: permission denied, {effect}; ask its owner for the right to read it"
    return f"{path}: cannot be read, {error.strerror}; {effect}"


def stamp_of(path: Path) -> tuple[int, int, int] | None:
    """Return a value that changes whenever a file is replaced, None if it does not exist."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
