"""Publishing files: written under a temporary name, brought to the disk, renamed.

Owns the steps that make a file appear whole or not at all.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import time
from pathlib import Path
from typing import BinaryIO, cast

from dtui.errors import DtuiError
from dtui.fork_gate import resting
from dtui.store.format.schema import TEMPORARY_MARK

_STALE_PAUSES = (0.0, 0.05, 0.2, 0.5)
"""Seconds before each further try to open what a server has just replaced."""
_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EROFS)
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EXDEV)


def temporary_path(path: Path) -> Path:
    """Return a new name under which to write `path` before it is published; never the same twice, on any host."""
    return path.with_name(f"{path.name}{TEMPORARY_MARK}{os.getpid()}-{secrets.token_hex(4)}")


def publish(temporary: Path, path: Path) -> None:
    """Rename a finished, synchronised file to its name, and bring the name to the disk.

    Raises:
        OSError: It cannot be renamed.
    """
    temporary.rename(path)
    sync_folder(path.parent)


def open_again(path: Path, flags: int, mode: int = 0o666) -> int:
    """Open a file or folder, again where a network filesystem says that its handle is stale (ESTALE).

    Another host replaced the file, and this one remembers the old one: the next look finds the new one. So does a file
    that has no name any more by the time it is open. Tries five times, for less than a second.

    Args:
        path: Of the file.
        flags: As of `os.open`; a child that is started does not inherit it.
        mode: Of a file that is made.

    Returns:
        A descriptor.

    Raises:
        OSError: It cannot be opened; ESTALE where it stayed stale.
    """
    for pause in _STALE_PAUSES:
        try:
            descriptor = os.open(path, flags | os.O_CLOEXEC, mode)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
        else:
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)
        with resting():
            time.sleep(pause)
    return os.open(path, flags | os.O_CLOEXEC, mode)


def sync_data(descriptor: int) -> None:
    """Bring the bytes of an open file to the disk, where the filesystem can.

    Raises:
        OSError: The disk is full or fails: what was written may be lost.
    """
    try:
        with resting():
            os.fdatasync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def create_whole(path: Path, data: bytes, *, synced: bool = False) -> bool | None:
    """Make a file with its content in one step, so that a kill leaves no half of it; of several who try, one does.

    Args:
        path: Of the file.
        data: All of its bytes.
        synced: Bring it to the disk before this returns.

    Returns:
        True, False where it was there already, None where the filesystem has no links, and it was not made.

    Raises:
        OSError: The disk is full or fails.
    """
    whole = temporary_path(path)
    try:
        with whole.open("xb") as file:
            file.write(data)
            if synced:
                file.flush()
                with resting():
                    os.fsync(file.fileno())
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
    """Open a file of a run for reading; anything but a plain file is refused, so that no pipe or device can hang us.

    Raises:
        FileNotFoundError: It is not there.
        OSError: It is a link, which could lead out of the run, or no plain file, or cannot be read.
    """
    descriptor = open_again(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    try:
        require_plain(descriptor, path)
    except OSError:
        os.close(descriptor)
        raise
    return cast(BinaryIO, os.fdopen(descriptor, "rb", buffering=0))


def require_plain(descriptor: int, path: Path) -> None:
    """Refuse an open pipe, device or folder.

    Raises:
        OSError: It is no plain file.
    """
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise OSError(errno.EINVAL, "not a plain file", str(path))


def list_folder(folder: Path) -> list[Path]:
    """Return what lies in a folder of a run; a link is refused, as it could lead out of the run.

    Raises:
        FileNotFoundError: It is not there.
        OSError: It is a link or no folder, or cannot be read.
    """
    descriptor = _open_folder(folder)
    try:
        return [folder / name for name in os.listdir(descriptor)]
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder of a run that version control may have dropped, or see that the one that is there is no link.

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
    """Replace or create a file so that a reader sees all of the old or all of the new bytes.

    Raises:
        OSError: The disk is full or fails; the old file is untouched.
    """
    temporary = temporary_path(path)
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            with resting():
                os.fsync(file.fileno())
        publish(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the filesystem can."""
    descriptor = open_again(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with resting():
            os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)


def one_line(error: Exception, run: Path) -> str:
    """Return what to tell about a run that could not be written: only errors of dtui say it themselves."""
    if isinstance(error, DtuiError) or not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename or run}: {error.strerror}; check the disk and your right to write there"
