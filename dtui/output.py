"""Writes the output of a command (a report or a packed run) to the place that the user named.

`find_target` checks the place before the work begins; the target writes later. The user chose the place, so links are
followed and pipes are written to. Files inside a run are written by `dtui.store.disk.atomic_files`, which never follows
a link.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from dtui.dataclass_on_use import dataclass
from dtui.errors import OutputError

STANDARD_OUTPUT = "-"
FULL = (errno.ENOSPC, errno.EDQUOT)
"""How a disk says that it has no room, which may come back."""
CANNOT_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EROFS)
"""How a filesystem says that it synchronises nothing to a disk, as some of FUSE do: what was written is written."""
TEMPORARY = ".dtui-"
"""How the name of a file begins that is being written; a killed process leaves it."""


@dataclass(frozen=True, slots=True)
class OutputTarget:
    """The place of an output, checked before the work begins.

    Attributes:
        name: As the person gave it, for messages.
        file: The plain file to create or replace, after following links; None for standard output, a pipe or a device.
        exists: Whether something is there already.
        is_standard_output: Whether the bytes go to this process' standard output.
    """

    name: Path
    file: Path | None
    exists: bool = False
    is_standard_output: bool = False

    def write(self, data: bytes) -> None:
        """Write all of `data`. A plain file is replaced in one step and keeps its mode.

        It is no failure if a reader closes a pipe early.

        Raises:
            OutputError: It cannot be written; a plain file keeps its old content.
        """
        with self._opened() as output:
            output.write(data)

    def copy_from(self, source: Path) -> None:
        """Write the bytes of a file, as `write` does.

        Raises:
            OutputError: It cannot be written, or `source` cannot be read.
        """
        with source.open("rb") as file, self._opened() as output:
            import shutil

            shutil.copyfileobj(file, output, 1 << 20)

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            if self.file is not None:
                with _replaced(self.file) as output:
                    yield output
            elif self.is_standard_output:
                with _standard_output() as output:
                    yield output
            else:
                with contextlib.suppress(BrokenPipeError), open(self.name, "wb", opener=_open_existing) as output:
                    yield output
        except OSError as error:
            if isinstance(error, OutputError):
                raise
            reason = error.strerror or error
            where = "make room there, or choose" if error.errno in FULL else "choose"
            raise OutputError(f"{self.name}: cannot be written ({reason}); {where} another place") from error


def find_target(name: str | Path) -> OutputTarget:
    """Return the target for an output; refuse a place that cannot be written to. Nothing is created.

    Args:
        name: A path, or "-" for standard output.

    Raises:
        OutputError: It is a folder, a disk or a socket, or nothing can be written there.
    """
    if not str(name):
        raise OutputError("the name of the file to write is empty; give a file, or - for standard output")
    path = Path(name)
    if str(name) == STANDARD_OUTPUT:
        return OutputTarget(path, None, is_standard_output=True)
    try:
        found = path.stat()
    except FileNotFoundError:
        return _new_file(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
    kind = stat.S_IFMT(found.st_mode)
    if kind == stat.S_IFDIR:
        raise OutputError(f"{path}: a folder; give the name of a file in it")
    if kind in (stat.S_IFBLK, stat.S_IFSOCK):
        what = "a disk" if kind == stat.S_IFBLK else "a socket"
        raise OutputError(f"{path}: {what}, not a file; choose another place")
    if _is_standard_output(found):  # by whatever name: /dev/stdout, /dev/fd/1, or the file that it was redirected to
        return OutputTarget(path, None, exists=True, is_standard_output=True)
    real = Path(os.path.realpath(path))
    if kind != stat.S_IFREG or not _is_at(real, found):  # /dev/fd/5 of a file that was removed has no path
        return OutputTarget(path, None, exists=True)
    _require_folder(path, real.parent)
    return OutputTarget(path, real, exists=True)


def stop_printing() -> None:
    """Discard everything printed from now on: nobody reads standard output any more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def _open_existing(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_CREAT)


def _new_file(path: Path) -> OutputTarget:
    real = Path(os.path.realpath(path))  # a link to a file that is not there yet
    _require_folder(path, real.parent)
    return OutputTarget(path, real)


def _require_folder(path: Path, folder: Path) -> None:
    if not folder.is_dir():
        raise OutputError(f"{path.name}: cannot be written, make its folder first: there is no {folder}")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path.name}: cannot be written, choose another place: {folder} is not yours to write to")


def _is_standard_output(found: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.fstat(sys.stdout.fileno()), found)
    except (AttributeError, OSError, ValueError):  # closed, or not a file
        return False


def _synchronise(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in CANNOT_SYNC:
            raise


def _is_at(path: Path, found: os.stat_result) -> bool:
    try:
        return os.path.samestat(path.stat(), found)
    except OSError:
        return False


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    if sys.stdout is None:
        raise OutputError("standard output is closed; give the name of a file")
    try:
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        stop_printing()


@contextmanager
def _replaced(path: Path) -> Iterator[BinaryIO]:
    """Open a new file that replaces `path` at the end, with the same mode and, where allowed, the same owner."""
    import secrets  # and with it OpenSSL, which a screen does not wait for

    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as output:
            with contextlib.suppress(FileNotFoundError):
                before = path.stat()
                with contextlib.suppress(OSError):  # the owner is root's to keep
                    os.fchown(output.fileno(), before.st_uid, before.st_gid)
                with contextlib.suppress(OSError):  # a filesystem that has no modes, as of Windows
                    os.fchmod(output.fileno(), stat.S_IMODE(before.st_mode))
            yield output
            output.flush()
            _synchronise(output.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
