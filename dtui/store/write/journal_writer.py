"""Appends frames to journals, and takes back a frame that could not be written in full.

Owns the writing of frames, and the count of bytes that a power cut may lose. `dtui.store.disk.journal` reads them.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dtui.errors import UsageError
from dtui.model import Gap
from dtui.store.disk.atomic_files import make_folder, open_again, sync_data, sync_folder
from dtui.store.disk.journal import encode_header
from dtui.store.format.frames import PAYLOAD_ALIGNMENT
from dtui.store.format.schema import LARGEST_SCALARS, SMALL_PART, Stream, journal_name


class SyncError(OSError):
    """The disk accepted frames, but failed to keep them.

    Attributes:
        stream: Stream of the frames.
        first: Iteration of the first frame that may be lost.
    """

    def __init__(self, stream: Stream, first: int, error: OSError) -> None:
        """Keep the text of the disk's error."""
        super().__init__(error.errno, error.strerror)
        self.stream, self.first = stream, first

    def as_gap(self, last: int) -> Gap:
        """Return the gap up to the last frame of the stream."""
        return Gap(self.first, last, str(self.stream), f"may be lost: the disk failed to keep it, {self.strerror}")


class JournalWriter:
    """Appends the frames of one stream, a new file every 32 frames. Not thread-safe."""

    def __init__(self, folder: Callable[[], Path], stream: Stream, token: int, version: int, count: int = 0) -> None:
        """Prepare; the first file is made by the first append.

        Args:
            folder: Returns the current path of the run's journal folder.
            stream: Stream of the frames.
            token: The run's token; it marks the frames as this run's.
            version: Format version of the run.
            count: Number of frames that earlier writers appended.
        """
        self._folder = folder
        self._stream = stream
        self._token = token
        self._version = version
        self._descriptor = -1
        self._identity = (-1, -1)
        self._full: list[tuple[int, tuple[int, int]]] = []
        self._end = self._synced = self._full_bytes = 0
        self._has_new_name = False
        self._frames_in_file = 0
        self._first_at_risk = -1
        self.count = count
        """Frames acknowledged so far."""

    @property
    def is_between_files(self) -> bool:
        """Whether the next append makes a new file."""
        return self._descriptor < 0

    @property
    def unsynced(self) -> int:
        """Number of bytes that a power cut may lose."""
        return self._full_bytes + self._end - self._synced

    @property
    def full_files(self) -> int:
        """Number of full files that stay open until they are synchronised."""
        return len(self._full)

    def append(self, iteration: int, arrays: Sequence[NDArray[Any]], scalars: Mapping[str, float]) -> bool:
        """Append one frame.

        Args:
            iteration: The iteration that it records.
            arrays: The fixed fields, C-contiguous, in storage order.
            scalars: Names and values.

        Returns:
            True if this frame filled its file, so that it can be compacted; the next frame begins a new one.

        Raises:
            OSError: It could not be written in full. The written bytes have been taken back.
            UsageError: The scalars take more than LARGEST_SCALARS.
        """
        text = json.dumps(dict(scalars)).encode()
        if len(text) > LARGEST_SCALARS:
            raise UsageError(f"{len(scalars):,} scalars take {len(text):,} bytes; log fewer, or with shorter names")
        fixed = sum(array.nbytes for array in arrays)
        text += b" " * (-(fixed + len(text)) % PAYLOAD_ALIGNMENT)
        payload = [array.data.cast("B") for array in arrays if array.nbytes] + [memoryview(text)]
        checksum = 0
        for piece in payload:
            checksum = zlib.crc32(piece, checksum)
        told = (self._version, self._stream, self._token)
        header = encode_header(*told, fixed + len(text), self.count, iteration, checksum)
        if self._links() < 1:  # also where a compactor removed it, which took the run for ended
            self._open()
        try:
            _write_all(self._descriptor, [memoryview(header), *payload])
        except BaseException:
            self._take_back()
            raise
        self._end += len(header) + fixed + len(text)
        self.count += 1
        self._frames_in_file += 1
        self._first_at_risk = iteration if self._first_at_risk < 0 else self._first_at_risk
        if self._frames_in_file < SMALL_PART:
            return False
        self._full.append((self._descriptor, self._identity))
        self._full_bytes += self._end - self._synced
        self._descriptor, self._end, self._synced = -1, 0, 0
        return True

    def sync(self) -> None:
        """Synchronise the appended frames, and the names of their files, to the disk.

        Raises:
            SyncError: The disk failed. It may lose the frames appended since the last call.
        """
        first, self._first_at_risk = self._first_at_risk, -1
        full, self._full, self._full_bytes = self._full, [], 0
        files = [one for one in full if _links(*one) >= 0]
        if self._end > self._synced and self._links() > 0:
            files.append((self._descriptor, self._identity))
        self._synced, is_named, self._has_new_name = self._end, not self._has_new_name, False
        try:
            for descriptor, _ in files:
                sync_data(descriptor)
            if not is_named:
                sync_folder(self._folder())
        except OSError as error:
            raise SyncError(self._stream, first, error) from error
        finally:
            for one in full:
                _close(*one)

    def close(self) -> None:
        """Synchronise and close the current file; the next append begins a new one.

        Raises:
            SyncError: As in `sync`. The file is closed in any case.
        """
        try:
            self.sync()
        finally:
            _close(self._descriptor, self._identity)
            self._descriptor, self._end, self._synced = -1, 0, 0

    def _open(self) -> None:
        _close(self._descriptor, self._identity)
        self._descriptor, self._end, self._synced = -1, 0, 0
        path = self._folder() / journal_name(self._stream, self.count)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_TRUNC | os.O_NOFOLLOW
        try:
            self._descriptor = open_again(path, flags)
        except FileNotFoundError:  # somebody removed the folder, or a copy dropped it
            make_folder(path.parent)
            self._descriptor = open_again(path, flags)
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._frames_in_file = 0
        self._has_new_name = True

    def _links(self) -> int:
        return _links(self._descriptor, self._identity)

    def _take_back(self) -> None:
        """Cut the file back to its last whole frame; if that fails, the next frame begins a new file."""
        try:
            os.ftruncate(self._descriptor, self._end)
        except OSError:
            self._frames_in_file = SMALL_PART
        if self._frames_in_file == 0 or self._frames_in_file >= SMALL_PART:
            with contextlib.suppress(SyncError):
                self.close()


def _links(descriptor: int, identity: tuple[int, int]) -> int:
    """Return how many names an open file has; -1 if it is not open, or its descriptor means another file now."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return -1
    return found.st_nlink if (found.st_dev, found.st_ino) == identity else -1


def _close(descriptor: int, identity: tuple[int, int]) -> None:
    """Close a file, if it is still ours. Frames that the disk loses here appear as missing ordinals."""
    if _links(descriptor, identity) >= 0:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _write_all(descriptor: int, pieces: list[memoryview]) -> None:
    """Write every byte: normally with one `writev`, with more after a short write."""
    while pieces:
        written = os.writev(descriptor, pieces)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        while pieces and written >= len(pieces[0]):
            written -= len(pieces.pop(0))
        if pieces and written:
            pieces[0] = pieces[0][written:]
