"""Reads sealed HDF5 files, including files from people we do not trust.

Owns the checks before reading: the seal is verified before anything is parsed; an array must have the declared type and
shape before memory is allocated for it; every failure becomes a RunDamagedError. The HDF5 library never opens a file
here, because a crafted file can crash it: `dtui.store.disk.hdf5_arrays` finds the arrays, and
`dtui.store.disk.hdf5_chunks` decodes them.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.model import ByteArray
from dtui.store.disk.atomic_files import open_plain
from dtui.store.disk.hdf5_arrays import ChunkPlaces, Hdf5Tree, StoredArray
from dtui.store.disk.hdf5_chunks import decode_chunk
from dtui.store.disk.seal import verify_seal
from dtui.store.format.schema import DOCUMENT_NODE, LARGEST_CHUNK, LARGEST_DOCUMENT, LARGEST_GROWTH

_MOST_OPEN_ARRAYS = 16
_CHUNK_CACHE = 5 << 19
"""Bytes of decoded chunks that are kept of each file: one filter's chunks in 1,024 frames are 2 MB, and asking for the
filter beside it is what they are good for."""
_BYTE = np.dtype("|u1")
_FAILURES = (OSError, ValueError, LookupError, ArithmeticError, MemoryError, struct.error)


class _Piece(NamedTuple):
    """The wanted part of one chunk along one axis: the chunk, the elements in it, and their place in the answer."""

    chunk: int
    source: slice
    target: slice


class SealedFile:
    """An HDF5 file of a run, open for reading. Not thread-safe."""

    def __init__(self, path: Path, group: str = "") -> None:
        """Verify the seal and open.

        Args:
            path: The file.
            group: Prefix of every node path: "" in a separate file, "/records" for example in a packed run.

        Raises:
            FileNotFoundError: The file does not exist, or no longer exists.
            RunDamagedError: It is damaged, or not what it should be.
        """
        verify_seal(path)
        self.path = path
        self._group = group
        self._arrays: OrderedDict[str, tuple[StoredArray, ChunkPlaces]] = OrderedDict()
        self._chunks: OrderedDict[tuple[str, int], NDArray[Any]] = OrderedDict()
        self._chunk_bytes = 0
        try:
            self._open_file()
        except RunDamagedError:
            verify_seal(path)  # replaced, or stale, since it was verified: it is not there now, or another one is
            self._open_file()

    def _open_file(self) -> None:
        self._file = open_plain(self.path)
        try:
            with self._translated("opening it"):
                self._tree = Hdf5Tree(self._file.fileno())
        except BaseException:
            self._file.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._arrays.clear()
        self._chunks.clear()
        self._tree.close()
        self._file.close()

    def read(
        self,
        node: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        index: tuple[slice, ...],
        out: NDArray[Any] | None = None,
    ) -> NDArray[Any]:
        """Return a part of one array.

        Args:
            node: Its path.
            dtype: The element type that it must have.
            shape: The shape that it must have.
            index: What to read, one slice per axis; further axes are read whole.
            out: Filled and returned, if given; it has the shape of the part. After an error its content is undefined.

        Raises:
            RunDamagedError: The array is missing, is something else, or fails its checksum.
        """
        items = (*index, *(slice(None) for _ in shape[len(index) :]))
        with self._translated(f"reading {node}"):
            wanted = [_positions(item, length) for item, length in zip(items, shape, strict=True)]
            filled = np.empty(tuple(map(len, wanted)), dtype) if out is None else out
            self._fill(filled, node, dtype, shape, wanted)
            return filled

    def _fill(
        self, out: NDArray[Any], node: str, dtype: np.dtype[Any], shape: tuple[int, ...], wanted: Sequence[range]
    ) -> None:
        array, places = self._open(node)
        if (array.dtype, array.shape) != (dtype, shape):
            raise ValueError(f"{_said(array)} where {dtype} {shape} is expected")
        axes = [_pieces(positions, step) for positions, step in zip(wanted, array.chunk, strict=True)]
        for pieces in product(*axes):
            place = int(np.ravel_multi_index([piece.chunk for piece in pieces], array.grid))
            chunk = self._chunk(node, array, places, place)
            out[tuple(piece.target for piece in pieces)] = chunk[tuple(piece.source for piece in pieces)]

    def length(self, node: str, dtype: np.dtype[Any], longest: int) -> int:
        """Return the length of a one-dimensional array, which must be at most `longest`.

        Raises:
            RunDamagedError: The array is missing, is something else, or too long.
        """
        with self._translated(f"reading {node}"):
            array = self._tree.find(self._group + node)
            if array.dtype != dtype or len(array.shape) != 1 or array.shape[0] > longest:
                raise ValueError(f"{_said(array)} where at most {longest} {dtype} are expected")
            return array.shape[0]

    def read_document(self) -> ByteArray:
        """Return the JSON document of the file, or of its group, shape (bytes,), uint8.

        Raises:
            RunDamagedError: It is missing, is something else, or too long.
        """
        size = self.length(DOCUMENT_NODE, _BYTE, LARGEST_DOCUMENT)
        return self.read(DOCUMENT_NODE, _BYTE, (size,), (slice(None),))

    def is_stored_as(
        self,
        node: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
        compression: tuple[str, int],
    ) -> bool:
        """Whether the stored chunks of an array are those that a builder would make from the same numbers.

        Args:
            node: Its path.
            dtype: Element type.
            shape: Of the array.
            chunk: Of its chunks.
            compression: Codec and level.
        """
        try:
            array = self._tree.find(self._group + node)
        except _FAILURES:
            return False  # whoever reads it says what is wrong with it
        return (array.dtype, array.shape, array.chunk, (array.codec, array.level)) == (dtype, shape, chunk, compression)

    def stored_chunk(self, node: str, start: tuple[int, ...]) -> bytes:
        """Return the compressed bytes of the chunk that begins at an element. No checksum is verified.

        Raises:
            RunDamagedError: There is no such chunk, or it is far too large.
        """
        with self._translated(f"reading {node}"):
            array, places = self._open(node)
            at = [first // step for first, step in zip(start, array.chunk, strict=True)]
            return self._stored(places, int(np.ravel_multi_index(at, array.grid)))

    def has(self, node: str) -> bool:
        """Whether an array of any type is there.

        Raises:
            RunDamagedError: The file cannot be searched.
        """
        with self._translated(f"looking for {node}"):
            return self._tree.has_array(self._group + node)

    def _open(self, node: str) -> tuple[StoredArray, ChunkPlaces]:
        """Return an array and where its chunks are."""
        found = self._arrays.pop(node, None)
        if found is None:
            array = self._tree.find(self._group + node)
            if array.chunk_bytes > LARGEST_CHUNK:
                raise ValueError(f"chunks of {array.chunk} elements")
            if array.nbytes > LARGEST_CHUNK + LARGEST_GROWTH * self._tree.size:
                raise ValueError(f"{_said(array)} in a file of {self._tree.size:,} bytes")
            found = array, self._tree.places(array)
            if len(self._arrays) >= _MOST_OPEN_ARRAYS:
                self._arrays.popitem(last=False)
        self._arrays[node] = found
        return found

    def _chunk(self, node: str, array: StoredArray, places: ChunkPlaces, place: int) -> NDArray[Any]:
        """Return the elements of a chunk, from the cache if they are in it."""
        chunk = self._chunks.pop((node, place), None)
        if chunk is None:
            room = None
            while self._chunks and self._chunk_bytes + array.chunk_bytes > _CHUNK_CACHE:
                room = self._chunks.popitem(last=False)[1]
                self._chunk_bytes -= room.nbytes
            chunk = decode_chunk(self._stored(places, place), array, room)
            self._chunk_bytes += chunk.nbytes
        self._chunks[node, place] = chunk
        return chunk

    @property
    def kept_bytes(self) -> int:
        """Bytes of decoded chunks that are kept."""
        return self._chunk_bytes

    def forget_chunks(self) -> None:
        """Drop the decoded chunks; they are decoded again when they are asked for."""
        self._chunks.clear()
        self._chunk_bytes = 0

    def _stored(self, places: ChunkPlaces, place: int) -> bytes:
        size = int(places.sizes[place])
        if size > LARGEST_CHUNK:
            raise ValueError(f"a chunk of {size} bytes")
        return self._tree.stored(int(places.offsets[place]), size)

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except _FAILURES as error:
            reason = " ".join(str(error).split())[-160:] or type(error).__name__
            raise RunDamagedError(f"{self.path}: {doing} failed: {reason}; dtui check tells what it cost") from error


def _said(array: StoredArray) -> str:
    return f"{array.dtype} {array.shape}"


def _positions(item: slice, length: int) -> range:
    """Return the positions that a slice selects along an axis, ascending."""
    wanted = range(length)[item]
    if wanted.step < 1:
        raise ValueError(f"{item} runs backwards")
    return wanted


def _pieces(wanted: range, step: int) -> list[_Piece]:
    """Return the chunks of `step` elements that hold some positions along an axis, and where in them."""
    pieces, done = [], 0
    while done < len(wanted):
        chunk = wanted[done] // step
        first = wanted[done] - chunk * step
        count = min(len(wanted) - done, -(-(step - first) // wanted.step))
        source = slice(first, first + (count - 1) * wanted.step + 1, wanted.step)
        pieces.append(_Piece(chunk, source, slice(done, done + count)))
        done += count
    return pieces
