"""Appends frames to journals, without ever leaving half a frame behind.

Owns the writing of frames, and what of them a power cut may cost. `dtui.store.disk.journal` reads them.
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
from dtui.store.disk.atomic_files import open_again, sync_data, sync_folder
from dtui.store.disk.journal import encode_header
from dtui.store.format.schema import (
    LARGEST_SCALARS,
    PAYLOAD_ALIGNMENT,
    SMALL_PART,
    Stream,
    journal_name,
)


class SyncError(OSError):
    """The disk failed to keep frames that it had taken.

    Attributes:
        stream: Of the frames.
        first: Iteration of the first that may be lost.
    """

    def __init__(self, stream: Stream, first: int, error: OSError) -> None:
        """Take over what the disk said."""
        super().__init__(error.errno, error.strerror)
        self.stream, self.first = stream, first


class JournalWriter:
    """Appends the frames of one stream, a new file every 32 frames. Not thread-safe."""

    def __init__(self, folder: Callable[[], Path], stream: Stream, token: int, version: int, count: int = 0) -> None:
        """Prepare; the first file is made by the first append.

        Args:
            folder: Returns the journal folder of the run as it can be opened now.
            stream: What the frames hold.
            token: The run's token, so that a file from another run is not mistaken for this one's.
            version: Format version of the run.
            count: Frames that other writers appended before.
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
        """Bytes that a power cut may cost."""
        return self._full_bytes + self._end - self._synced

    @property
    def full_files(self) -> int:
        """Files that are full, and open until they have been synchronised."""
        return len(self._full)

    def append(self, iteration: int, arrays: Sequence[NDArray[Any]], scalars: Mapping[str, float]) -> bool:
        """Append one frame.

        Args:
            iteration: What it was recorded at.
            arrays: The fixed fields, C-contiguous, in storage order.
            scalars: Names and values.

        Returns:
            True if this frame filled its file, so that it can be compacted; the next frame begins a new one.

        Raises:
            OSError: It could not be written in full; what was written of it has been taken back.
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
        """Bring what was appended to the disk, and the names of its files.

        Raises:
            SyncError: The disk failed: it may not keep what was appended since the last time.
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
        """Close the current file, synchronised; the next append begins a new one.

        Raises:
            SyncError: As `sync`; it is closed all the same.
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
        self._descriptor = open_again(path, flags)
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)
        self._frames_in_file = 0
        self._has_new_name = True

    def _links(self) -> int:
        return _links(self._descriptor, self._identity)

    def _take_back(self) -> None:
        """Cut the file back to its last whole frame, or leave it and begin another one with the next frame."""
        try:
            os.ftruncate(self._descriptor, self._end)
        except OSError:
            self._frames_in_file = SMALL_PART
        if self._frames_in_file == 0 or self._frames_in_file >= SMALL_PART:
            with contextlib.suppress(SyncError):
                self.close()


def _links(descriptor: int, identity: tuple[int, int]) -> int:
    """Return how many names an open file has; -1 where none is open, or somebody closed it and opened another."""
    try:
        found = os.fstat(descriptor)
    except OSError:
        return -1
    return found.st_nlink if (found.st_dev, found.st_ino) == identity else -1


def _close(descriptor: int, identity: tuple[int, int]) -> None:
    """Close a file, if it still is ours; what the disk loses of it are missing ordinals."""
    if _links(descriptor, identity) >= 0:
        with contextlib.suppress(OSError):
            os.close(descriptor)


def _write_all(descriptor: int, pieces: list[memoryview]) -> None:
    """Write every byte: normally one `writev`, more after a short write."""
    while pieces:
        written = os.writev(descriptor, pieces)
        if written == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        while pieces and written >= len(pieces[0]):
            written -= len(pieces.pop(0))
        if pieces and written:
            pieces[0] = pieces[0][written:]
