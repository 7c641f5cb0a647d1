"""Reads journals: append-only files of frames. A reader may read a journal while the writer appends to it.

Owns the frame header and the search for intact frames.
"""

from __future__ import annotations

import errno
import json
import math
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.dataclass_on_use import dataclass
from dtui.model import LOGGED_NAN
from dtui.store.disk.atomic_files import open_plain
from dtui.store.format.contents import is_known_format
from dtui.store.format.frames import FRAME_HEADER, FRAME_MAGIC, STREAM_CODES, Field
from dtui.store.format.schema import LARGEST_SCALARS, SMALL_PART, Stream

_CRC_SIZE = 4
_BLOCK = 1 << 20
_LEAST_WASTED = 64 << 20
"""Bytes that a scan may read in vain, beside twice the file, before it gives the file up."""
_FALSE_MARK_COST = 256


@dataclass(frozen=True, slots=True)
class Frame:
    """The position of one verified frame in a journal.

    Attributes:
        path: The journal file.
        offset: Position of its payload in the file, in bytes.
        size: Bytes of the payload.
        ordinal: Position in its stream.
        iteration: The iteration that it records.
    """

    path: Path
    offset: int
    size: int
    ordinal: int
    iteration: int

    @property
    def end(self) -> int:
        """Offset of the first byte after the frame."""
        return self.offset + self.size


def encode_header(
    version: int, stream: Stream, token: int, size: int, ordinal: int, iteration: int, checksum: int
) -> bytes:
    """Return the header of a frame, in the format version of its run."""
    head = FRAME_HEADER.pack(
        FRAME_MAGIC, version, STREAM_CODES[stream], 0, token, size, ordinal, iteration, checksum, 0
    )[:-_CRC_SIZE]
    return head + zlib.crc32(head).to_bytes(_CRC_SIZE, "little")


class JournalScanner:
    """Finds the verified frames of one journal file, and the new ones each time the file has grown."""

    def __init__(self, path: Path, stream: Stream, token: int, fixed: int) -> None:
        """Prepare; `scan` reads.

        Args:
            path: The file.
            stream: The stream that its frames must belong to.
            token: The run's token.
            fixed: Bytes of the fixed fields, which is the smallest size of a payload.
        """
        self.path = path
        self.frames: list[Frame] = []
        self.damage: list[str] = []
        """One line a stretch of bytes that is no frame although frames follow it."""
        self.pending = 0
        """Bytes after the last frame that are no frame yet."""
        self.is_torn = False
        """Whether those bytes begin like a frame and end before it does: what a killed writer leaves."""
        self._stream = stream
        self._token = token
        self._fixed = fixed
        self._end = 0
        self._wasted = 0
        self._most_wasted = _LEAST_WASTED

    def scan(self) -> None:
        """Read on after the last verified frame; all of a file that was cut. Stop before a frame not complete yet.

        Raises:
            OSError: The file cannot be read; FileNotFoundError if it was folded into a part.
        """
        with open_plain(self.path) as file:
            # The size is taken once: the writer may append meanwhile, and those frames belong to the next scan.
            size = min(os.fstat(file.fileno()).st_size, SMALL_PART * (self._fixed + LARGEST_SCALARS))
            self._most_wasted = _LEAST_WASTED + 2 * size
            if size < self._end:
                self.frames, self.damage, self._end = [], [], 0
            while self._end < size:
                frame = self._read_frame(file, self._end, size)
                if frame is None:
                    skipped = self._resynchronise(file, self._end, size)
                    if skipped is None:
                        break
                    at, frame = skipped
                    self.damage.append(f"{self.path.name}: {at - self._end} bytes at {self._end} are no frame")
                self.frames.append(frame)
                self._end = frame.end
            self.pending = max(0, size - self._end)
            self.is_torn = self._is_torn(file, size)
            if not self._is_given_up:
                self._wasted = 0

    def _is_torn(self, file: Any, size: int) -> bool:
        file.seek(self._end)
        header = file.read(min(self.pending, FRAME_HEADER.size))
        if len(header) < FRAME_HEADER.size:
            return FRAME_MAGIC.startswith(header[: len(FRAME_MAGIC)])
        return _is_header(header) and self._end + FRAME_HEADER.size + FRAME_HEADER.unpack(header)[5] > size

    @property
    def _is_given_up(self) -> bool:
        """Whether too many bytes were read without finding a frame: then it is not one of our journals."""
        return self._wasted > self._most_wasted

    def _read_frame(self, file: Any, offset: int, size: int) -> Frame | None:
        if offset + FRAME_HEADER.size > size:
            return None
        file.seek(offset)
        header = file.read(FRAME_HEADER.size)
        if not _is_header(header):
            return None
        _, _, stream, _, token, length, ordinal, iteration, checksum, _ = FRAME_HEADER.unpack(header)
        if stream != STREAM_CODES[self._stream] or token != self._token:
            return None
        start = offset + FRAME_HEADER.size
        if not self._fixed <= length <= self._fixed + LARGEST_SCALARS or start + length > size:
            return None
        # Ordinals only rise within a file, so bytes with a lower one are not a frame of this journal.
        if self.frames and ordinal <= self.frames[-1].ordinal:
            return None
        if iteration < 0 or self._is_given_up:
            return None
        if not _has_checksum(file, length, checksum):
            self._wasted += length
            return None
        return Frame(self.path, start, length, ordinal, iteration)

    def _resynchronise(self, file: Any, offset: int, size: int) -> tuple[int, Frame] | None:
        """Find the next intact frame after damage; None if there is none yet, as at the end of a live journal."""
        at = offset + 1
        while at + FRAME_HEADER.size <= size and not self._is_given_up:
            file.seek(at)
            data = file.read(min(size - at, _BLOCK))
            if len(data) < FRAME_HEADER.size:
                return None
            found = data.find(FRAME_MAGIC)
            while found >= 0 and not self._is_given_up:
                if _is_header(data[found : found + FRAME_HEADER.size]):
                    frame = self._read_frame(file, at + found, size)
                    if frame is not None:
                        return at + found, frame
                # Each false mark has a cost: a crafted file full of marks would keep us busy too long otherwise.
                self._wasted += _FALSE_MARK_COST
                found = data.find(FRAME_MAGIC, found + 1)
            # Blocks overlap by a header less one byte, so that a header across two blocks is found.
            at += len(data) - FRAME_HEADER.size + 1
        return None


def _is_header(data: bytes) -> bool:
    """Whether some bytes are the whole header of a frame in a format that this dtui reads."""
    if len(data) < FRAME_HEADER.size or not data.startswith(FRAME_MAGIC):
        return False
    if not is_known_format(data[len(FRAME_MAGIC)]):
        return False
    return zlib.crc32(data[:-_CRC_SIZE]) == int.from_bytes(data[-_CRC_SIZE:], "little")


def _has_checksum(file: Any, length: int, checksum: int) -> bool:
    """Whether the next `length` bytes have this checksum. It reads in blocks, because `length` may be wrong."""
    found = 0
    while length > 0:
        data = file.read(min(length, _BLOCK))
        if not data:
            return False
        found = zlib.crc32(data, found)
        length -= len(data)
    return found == checksum


def read_field(file: Any, frame: Frame, field: Field, first: int, count: int) -> NDArray[Any]:
    """Return `count` elements of a field from element `first` on (flat, C order), from an open journal file.

    Raises:
        OSError: The file ends early.
    """
    start = frame.offset + field.offset + first * field.dtype.itemsize
    data = os.pread(file.fileno(), count * field.dtype.itemsize, start)
    if len(data) < count * field.dtype.itemsize:
        raise OSError(errno.EIO, "the journal ends early", str(frame.path))
    return np.frombuffer(data, field.dtype)


def read_scalars(file: Any, frame: Frame, fixed: int) -> dict[str, float]:
    """Return the scalars of a frame, a NaN as LOGGED_NAN; values that are no numbers are left out.

    Raises:
        OSError: The file ends early, or holds no JSON there.
    """
    data = os.pread(file.fileno(), frame.size - fixed, frame.offset + fixed)
    try:
        found = json.loads(data)
        numbers = {str(name): float(value) for name, value in found.items() if isinstance(value, int | float)}
        return {name: LOGGED_NAN if math.isnan(value) else value for name, value in numbers.items()}
    except (ValueError, AttributeError, RecursionError, OverflowError) as error:
        raise OSError(errno.EIO, "no scalars in the frame", str(frame.path)) from error
