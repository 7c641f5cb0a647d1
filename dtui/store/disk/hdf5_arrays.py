"""Finds the arrays in an HDF5 file without the HDF5 library, because a crafted file can crash that library.

Owns the parser for the part of HDF5 that PyTables writes for dtui, and nothing else: a superblock of version 0, groups
with a symbol table, object headers of version 1, chunked arrays of seven plain types with an index of version 1, and
two pipelines of filters. Anything else is refused. Each offset is compared with the file size before it is read, each
loop has a bound, and a size in a header never decides how much memory is allocated.

Source: HDF5 File Format Specification, version 3.0, sections II.A, III and IV.A.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.dataclass_on_use import dataclass

_SUPERBLOCK = struct.Struct("<8s8BHHIQQQQQQ")
_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NOWHERE = (1 << 64) - 1
_LARGEST_HEADER = 64 << 10
_MOST_BLOCKS = 16
_MOST_NODES_IN_GROUP = 512
_DEEPEST_INDEX = 8
_MOST_AXES = 8
_LONGEST_NAME = 255

_DATASPACE, _DATATYPE, _EXTERNAL, _LAYOUT, _PIPELINE, _CONTINUED, _SYMBOLS = 0x1, 0x3, 0x7, 0x8, 0xB, 0x10, 0x11
_SHARED = 0x2

_TYPES = {
    bytes.fromhex(text): np.dtype(name)
    for name, text in {
        "|u1": "10000000 01000000 0000 0800",
        "<u2": "10000000 02000000 0000 1000",
        "<u4": "10000000 04000000 0000 2000",
        "<i8": "10080000 08000000 0000 4000",
        "<f2": "11200f00 02000000 0000 1000 0a05000a 0f000000",
        "<f4": "11201f00 04000000 0000 2000 17080017 7f000000",
        "<f8": "11203f00 08000000 0000 4000 340b0034 ff030000",
    }.items()
}
"""The bytes of a datatype message to what it says."""

_BLOSC2, _FLETCHER = 32026, 3
_BITSHUFFLE = 2
CODECS = {1: "lz4", 2: "lz4hc"}
"""Blosc2's number of a compressor that dtui writes with to its name."""


@dataclass(frozen=True, slots=True)
class StoredArray:
    """An array in a file, as its header describes it.

    Attributes:
        dtype: Element type.
        shape: Of the array.
        chunk: Shape of its chunks, with the same number of axes.
        codec: Compression of its chunks, "" if they are not compressed.
        level: Compression level, 1 to 9; 0 for none.
        index: Offset of the index of its chunks.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    chunk: tuple[int, ...]
    codec: str
    level: int
    index: int

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of chunks along each axis."""
        return tuple(-(-length // step) for length, step in zip(self.shape, self.chunk, strict=True))

    @property
    def nbytes(self) -> int:
        """Bytes of all its elements."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk before it is compressed."""
        return math.prod(self.chunk) * self.dtype.itemsize


@dataclass(frozen=True, eq=False, slots=True)
class ChunkPlaces:
    """Where the chunks of an array lie in its file, in C order of the grid.

    Attributes:
        offsets: Shape (chunks,), int64.
        sizes: Bytes of each chunk, same shape, int64, >= 1.
    """

    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]


class Hdf5Tree:
    """The groups and arrays in an open file. Every method raises ValueError if the file is not one that dtui writes."""

    def __init__(self, descriptor: int) -> None:
        """Read the superblock.

        Raises:
            ValueError: It is no HDF5 file of the kind that dtui writes.
            OSError: It cannot be read.
        """
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        self._groups: dict[int, dict[bytes, int]] = {}
        values = _SUPERBLOCK.unpack(self._read(0, _SUPERBLOCK.size))
        _require(values[0] == _SIGNATURE, "no HDF5 file")
        _require(values[1:9] == (0, 0, 0, 0, 0, 8, 8, 0), "an HDF5 file of another version than dtui writes")
        _require(values[12] == 0, "it does not begin where the file does")  # and all addresses with it
        self._root = int.from_bytes(self._read(64, 8), "little")

    def close(self) -> None:
        """Stop reading: the descriptor may belong to another file after this."""
        self._descriptor = -1

    def has_array(self, path: str) -> bool:
        """Whether an array of any type is at a path."""
        header = self._locate(path)
        return header is not None and _LAYOUT in self._messages(header)

    def find(self, path: str) -> StoredArray:
        """Return the array at a path."""
        header = self._locate(path)
        _require(header is not None, "there is no such array")
        messages = self._messages(header or 0)
        _require(_LAYOUT in messages, "there is no such array")
        _require(_EXTERNAL not in messages, "its data are in another file")
        dtype = _element_type(messages.get(_DATATYPE, b""))
        shape = _shape(messages.get(_DATASPACE, b""))
        chunk, index = _chunks(messages[_LAYOUT], len(shape), dtype.itemsize)
        codec, level = _compression(messages.get(_PIPELINE, b""), chunk, dtype.itemsize)
        return StoredArray(dtype, shape, chunk, codec, level, index)

    def places(self, array: StoredArray) -> ChunkPlaces:
        """Return where the chunks of an array lie; each chunk must be present exactly once."""
        chunks = math.prod(array.grid)
        entry = 8 + 8 * (len(array.shape) + 1) + 8
        _require(chunks * entry <= self.size, "it has more chunks than its file has room for")
        row = np.dtype([("size", "<u4"), ("left_out", "<u4"), ("at", "<i8", (len(array.shape) + 1,)), ("child", "<u8")])
        leaves = list(self._leaves(array.index, row, chunks, _DEEPEST_INDEX))
        _require(sum(map(len, leaves)) == chunks, "chunks are missing")
        entries = np.concatenate(leaves)
        step = np.array((*array.chunk, 1), np.int64)
        at, remainder = np.divmod(entries["at"], step)
        in_grid = (at >= 0) & (at < np.array((*array.grid, 1), np.int64)) & (remainder == 0)
        _require(bool(in_grid.all()), "a chunk is out of place")
        order = np.ravel_multi_index(tuple(at[:, :-1].T), array.grid)
        sizes, offsets = entries["size"].astype(np.int64), entries["child"]
        _require(bool(np.all(entries["left_out"] == 0)), "a chunk that not all filters were applied to")
        _require(bool(np.all((sizes > 0) & (offsets < self.size))), "a chunk is not in the file")
        places = ChunkPlaces(np.zeros(chunks, np.int64), np.zeros(chunks, np.int64))
        places.offsets[order], places.sizes[order] = offsets.astype(np.int64), sizes
        _require(bool(np.all(places.sizes > 0)), "a chunk is there twice")
        _require(bool(np.all(places.offsets + places.sizes <= self.size)), "a chunk is not in the file")
        return places

    def stored(self, offset: int, size: int) -> bytes:
        """Return the bytes of a chunk as they are stored."""
        return self._read(offset, size)

    def _read(self, at: int, size: int) -> bytes:
        _require(0 <= at <= self.size - size, "it points out of the file")
        data = os.pread(self._descriptor, size, at)
        _require(len(data) == size, "the file ends early")
        return data

    def _locate(self, path: str) -> int | None:
        """Return the offset of the object header of a group or array, None if there is none."""
        header = self._root
        for name in path.strip("/").split("/"):
            if header not in self._groups:
                symbols = self._messages(header).get(_SYMBOLS)
                if symbols is None:
                    return None
                self._groups[header] = self._entries(*struct.unpack_from("<QQ", symbols))
            found = self._groups[header].get(name.encode())
            if found is None:
                return None
            header = found
        return header

    def _messages(self, header: int) -> dict[int, bytes]:
        """Return the messages of an object header, the first of each kind."""
        version, _, _, _, size = struct.unpack("<BBHII", self._read(header, 12))
        _require(version == 1, "an object header of another version than dtui writes")
        blocks, room = [(header + 16, size)], _LARGEST_HEADER
        found: dict[int, bytes] = {}
        for number, (at, length) in enumerate(blocks):
            room -= length
            _require(number < _MOST_BLOCKS and room >= 0, "a header without end")
            block, place = self._read(at, length), 0
            while place + 8 <= length:
                kind, size, flags = struct.unpack_from("<HHB", block, place)
                body = block[place + 8 : place + 8 + size]
                _require(len(body) == size, "a header that is cut off")
                _require(not flags & _SHARED, "a header that is shared with other objects")
                if kind == _CONTINUED:
                    _require(size >= 16, "a header that is cut off")
                    blocks.append(struct.unpack_from("<QQ", body))
                found.setdefault(kind, body)
                place += 8 + size
        _require(len(found.get(_SYMBOLS, bytes(16))) >= 16, "a group that is cut off")
        return found

    def _entries(self, tree: int, heap: int) -> dict[bytes, int]:
        """Return the entries of a group, from name to offset of the object header; links are left out."""
        magic, version, size, _, names = struct.unpack("<4sB3xQQQ", self._read(heap, 32))
        _require(magic == b"HEAP" and version == 0, "a group without names")
        names = self._read(names, min(size, _LARGEST_HEADER))
        entries: dict[bytes, int] = {}
        for node in self._symbol_nodes(tree):
            magic, version, count = struct.unpack("<4sBxH", self._read(node, 8))
            _require(magic == b"SNOD" and version == 1, "a group that is damaged")
            for name, header, cached in struct.iter_unpack("<QQI20x", self._read(node + 8, 40 * count)):
                if cached in (0, 1) and header != _NOWHERE:  # else it is a link
                    entries[names[name : name + _LONGEST_NAME].partition(b"\0")[0]] = header
        return entries

    def _symbol_nodes(self, tree: int) -> list[int]:
        nodes = [tree]
        for depth in range(_DEEPEST_INDEX):
            below: list[int] = []
            for node in nodes:
                level, used = self._node(node, 0)
                _require(len(below) + used <= _MOST_NODES_IN_GROUP, "a group of more than dtui writes")
                children = struct.unpack(f"<{2 * used}Q", self._read(node + 24, 16 * used))[1::2]
                _require(level < _DEEPEST_INDEX - depth, "a group that is damaged")
                below += children
            if level == 0:
                return below
            nodes = below
        raise ValueError("a group that is damaged")

    def _leaves(self, node: int, row: np.dtype[Any], most: int, depth: int) -> Iterator[NDArray[Any]]:
        """Yield the entries of a chunk index, at most `most`."""
        level, used = self._node(node, 1)
        _require(level < depth and used > 0, "an index that is damaged")
        entries = np.frombuffer(self._read(node + 24, used * row.itemsize), row)
        if level == 0:
            yield entries
            return
        for child in entries["child"].tolist():
            for leaf in self._leaves(child, row, most, level):
                most -= len(leaf)
                _require(most >= 0, "an index of more chunks than it has")
                yield leaf

    def _node(self, at: int, kind: int) -> tuple[int, int]:
        """Return the level of an index node, and its number of children."""
        magic, found, level, used = struct.unpack("<4sBBH", self._read(at, 8))
        _require(magic == b"TREE" and found == kind, "an index that is damaged")
        return level, used


def _require(is_so: bool, otherwise: str) -> None:
    if not is_so:
        raise ValueError(otherwise)


def _element_type(message: bytes) -> np.dtype[Any]:
    """Return the element type in a datatype message; only the types that dtui writes are known."""
    for said, dtype in _TYPES.items():
        if message[: len(said)] == said:
            return dtype
    raise ValueError("elements of no type that dtui writes")


def _shape(message: bytes) -> tuple[int, ...]:
    """Return the shape in a dataspace message."""
    _require(len(message) >= 8 and message[0] == 1, "a shape of another version than dtui writes")
    rank, flags = message[1], message[2]
    _require(1 <= rank <= _MOST_AXES and len(message) >= 8 + 8 * rank * (2 if flags & 1 else 1), "no plain shape")
    shape = struct.unpack_from(f"<{rank}Q", message, 8)
    is_fixed = flags == 0 or (flags == 1 and struct.unpack_from(f"<{rank}Q", message, 8 + 8 * rank) == shape)
    _require(is_fixed, "a shape that can grow")
    _require(all(0 < length < 1 << 48 for length in shape), "a shape without elements")
    return shape


def _chunks(message: bytes, rank: int, itemsize: int) -> tuple[tuple[int, ...], int]:
    """Return the chunk shape and the offset of the chunk index from a layout message."""
    _require(message[:2] == b"\3\2", "it is not stored in chunks")
    _require(message[2:3] == bytes([rank + 1]) and len(message) >= 15 + 4 * rank, "chunks of another shape")
    index, *chunk, element = struct.unpack_from(f"<Q{rank + 1}I", message, 3)
    _require(element == itemsize and min(chunk) > 0, "chunks of another type")
    return tuple(chunk), index


def _compression(message: bytes, chunk: tuple[int, ...], itemsize: int) -> tuple[str, int]:
    """Return codec and level from a pipeline message, which must be one that dtui writes."""
    filters = list(_filters(message))
    _require(bool(filters) and filters.pop() == (_FLETCHER, ()), "chunks without a checksum")
    if not filters:
        return "", 0
    _require(len(filters) == 1 and filters[0][0] == _BLOSC2, "filters that dtui does not write")
    values = filters[0][1]
    axes = (len(chunk), *chunk) if len(chunk) > 1 else ()
    size = math.prod(chunk) * itemsize
    is_ours = len(values) >= 7 and values[0] == 1 and values[2:4] == (itemsize, size) and values[7:] == axes
    _require(is_ours, "a filter with other parameters than dtui writes")
    _require(0 < values[4] < 10 and values[5] == _BITSHUFFLE and values[6] in CODECS, "a compression of another kind")
    return CODECS[values[6]], values[4]


def _filters(message: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield number and parameters of each filter in a pipeline message."""
    _require(len(message) >= 8 and message[0] == 1, "chunks without a checksum")
    at = 8
    for _ in range(message[1]):
        _require(len(message) >= at + 8, "filters that are cut off")
        number, name, _, count = struct.unpack_from("<HHHH", message, at)
        at += 8 + name
        _require(name % 8 == 0 and len(message) >= at + 4 * count, "filters that are cut off")
        yield number, struct.unpack_from(f"<{count}I", message, at)
        at += 4 * (count + count % 2)
