"""Writes and verifies the seal: checksums at the end of every HDF5 file of a run. A file is parsed only after that.

Owns the seal.

There are two checksums, because a part at paper scale has hundreds of megabytes. `index` covers every byte outside the
data chunks: all that is parsed, some hundred kilobytes. It is checked before a file is opened. Each chunk has HDF5's
fletcher32, which is checked when the chunk is read. `whole` covers all bytes, for `dtui check`. HDF5 ignores bytes
after its own end of file, so other programs can open a sealed file.
"""

from __future__ import annotations

import errno
import os
import struct
import zlib
from collections.abc import Iterable
from enum import Enum
from pathlib import Path

from dtui.errors import RunDamagedError
from dtui.store.disk.atomic_files import open_plain, sync_file


class Seal(Enum):
    """The kind of a sealed file; the value is the magic number of its seal."""

    FILE = b"dtuiSEAL"
    """A file inside the directory of a run."""
    PACKED = b"dtuiPACK"
    """A whole run in one file."""


_MAGICS = frozenset(kind.value for kind in Seal)
_TRAILER = struct.Struct("<8sQQIIII")
"""magic, bytes before the seal, number of chunk ranges, CRC of the index bytes, CRC of all bytes before the seal,
CRC of the ranges, CRC of the trailer before this field."""
_RANGE = struct.Struct("<QQ")
_MOST_RANGES = 1_000_000
_LARGEST_INDEX = 256 << 20
_BLOCK = 1 << 20
_MOST_REMEMBERED = 65_536

_verified: set[tuple[int, int, int, int]] = set()


def merge_ranges(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return (offset, size) ranges, sorted, with adjacent ranges joined."""
    merged: list[tuple[int, int]] = []
    for offset, size in sorted(ranges):
        if merged and sum(merged[-1]) == offset:
            merged[-1] = (merged[-1][0], merged[-1][1] + size)
        else:
            merged.append((offset, size))
    return merged


def is_packed(path: Path) -> bool:
    """Whether a file ends with the seal of a packed run. The seal is not verified."""
    try:
        with open_plain(path) as file:
            size = os.fstat(file.fileno()).st_size
            return os.pread(file.fileno(), 8, max(0, size - _TRAILER.size)) == Seal.PACKED.value
    except OSError:
        return False


def append_seal(path: Path, chunks: list[tuple[int, int]], kind: Seal = Seal.FILE) -> None:
    """Append the seal to a finished file and synchronise both to the disk.

    Args:
        path: A closed HDF5 file that no other process writes.
        chunks: Where its data chunks lie, as `merge_ranges` returns them.
        kind: What the file is.

    Raises:
        OSError: The disk is full or fails.
    """
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        index, whole = _checksums(file.fileno(), size, chunks, with_whole=True)
        table = b"".join(_RANGE.pack(*item) for item in chunks)
        head = _TRAILER.pack(kind.value, size, len(chunks), index, whole, zlib.crc32(table), 0)[:-4]
        file.write(table + head + zlib.crc32(head).to_bytes(4, "little"))
        file.flush()
        sync_file(file.fileno())


def verify_seal(path: Path, *, whole: bool = False) -> None:
    """Check a file against its seal. A file that passed and has not changed since is not read again.

    Args:
        path: The file.
        whole: Check every byte, and do not trust an earlier pass.

    Raises:
        FileNotFoundError: The file does not exist, or no longer exists.
        RunDamagedError: It has no seal, or its bytes are not those that were sealed.
        OSError: It cannot be read.
    """
    with open_plain(path) as file:
        stat = os.fstat(file.fileno())
        key = (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
        if key in _verified and not whole:
            return
        fault = _find_fault(file.fileno(), stat.st_size, whole)
    if fault:
        raise RunDamagedError(f"{path}: {fault}; this file is left out, restore it from a copy if there is one")
    if len(_verified) >= _MOST_REMEMBERED:
        _verified.clear()
    _verified.add(key)


def _find_fault(descriptor: int, size: int, whole: bool) -> str:
    """Return the fault as text, "" if there is none."""
    if size < _TRAILER.size:
        return f"{size} bytes, too short to be whole"
    trailer = os.pread(descriptor, _TRAILER.size, size - _TRAILER.size)
    magic, body, count, index, whole_sum, table_sum, own = _TRAILER.unpack(trailer)
    if magic not in _MAGICS or zlib.crc32(trailer[:-4]) != own:
        return "its end is damaged or missing"
    table_size = count * _RANGE.size
    if count > _MOST_RANGES or body + table_size + _TRAILER.size != size:
        return "its length is not what was written"
    table = os.pread(descriptor, table_size, body)
    if zlib.crc32(table) != table_sum:
        return "its checksum table is damaged"
    chunks = [_RANGE.unpack_from(table, at) for at in range(0, table_size, _RANGE.size)]
    end = 0
    for offset, length in chunks:
        if offset < end or offset + length > body:
            return "its checksum table contradicts itself"
        end = offset + length
    if body - sum(length for _, length in chunks) > _LARGEST_INDEX:
        return "it has more structure than any file of dtui's"
    found_index, found_whole = _checksums(descriptor, body, chunks, with_whole=whole)
    if found_index != index:
        return "its structure fails the checksum"
    return "its data fails the checksum" if whole and found_whole != whole_sum else ""


def _checksums(descriptor: int, size: int, chunks: list[tuple[int, int]], *, with_whole: bool) -> tuple[int, int]:
    """Return the checksum of the bytes outside the chunks, and of all bytes (0 unless asked for)."""
    index = whole = at = 0
    for offset, length in [*chunks, (size, 0)]:
        index, whole = _read_on(descriptor, at, offset, index, whole, with_whole)
        if with_whole:
            _, whole = _read_on(descriptor, offset, offset + length, 0, whole, with_whole)
        at = offset + length
    return index, whole


def _read_on(descriptor: int, at: int, stop: int, index: int, whole: int, with_whole: bool) -> tuple[int, int]:
    while at < stop:
        data = os.pread(descriptor, min(_BLOCK, stop - at), at)
        if not data:
            raise OSError(errno.EIO, "the file ends early")
        index = zlib.crc32(data, index)
        if with_whole:
            whole = zlib.crc32(data, whole)
        at += len(data)
    return index, whole
