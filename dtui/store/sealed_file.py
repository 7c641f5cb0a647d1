"""Reads sealed HDF5 files, wherever they come from.

Owns what a file has to show before it is read: the seal is verified before HDF5 parses the file; only known paths are
opened, never through a link; an array has the declared type, shape and chunks (contiguous, external and virtual data
sets are refused) before memory is taken for it; every failure inside the libraries becomes a RunDamagedError. A second
copy would forget one of these. That PyTables loads no pickle is in `dtui.store.hdf5`.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.model import ByteArray
from dtui.store.hdf5 import (
    CHUNK_CACHE,
    COMPRESSION,
    FAILURES,
    GROUP,
    HARD_COMPRESSION,
    LEAF,
    disarm,
    kind_of,
    tables,
    why,
)
from dtui.store.schema import DOCUMENT_NODE, LARGEST_CHUNK, LARGEST_DOCUMENT
from dtui.store.seal import verify_seal

_MOST_OPEN_ARRAYS = 4
_BYTE = np.dtype("|u1")


class SealedFile:
    """An HDF5 file of a run, open for reading. Not thread-safe."""

    def __init__(self, path: Path, group: str = "") -> None:
        """Verify the seal and open.

        Args:
            path: The file.
            group: In front of every node path: "" in a file of its own, such as "/records" in a packed run.

        Raises:
            FileNotFoundError: It is not there (any more).
            RunDamagedError: It is damaged, or not what it should be.
        """
        disarm()
        verify_seal(path)
        self.path = path
        self._group = group
        self._arrays: OrderedDict[str, Any] = OrderedDict()
        try:
            self._file = self._open()
        except RunDamagedError:
            verify_seal(path)  # replaced, or stale, since it was verified: it is not there now, or another one is
            self._file = self._open()

    def _open(self) -> Any:
        with self._translated("opening it"):
            return tables.open_file(str(self.path), "r", chunk_cache_size=CHUNK_CACHE)

    def close(self) -> None:
        """Close the file."""
        self._arrays.clear()
        with self._translated("closing it"):
            self._file.close()

    def read(
        self, node: str, dtype: np.dtype[Any], shape: tuple[int, ...], index: tuple[slice | int, ...]
    ) -> NDArray[Any]:
        """Return a part of one array.

        Args:
            node: Its path.
            dtype: The element type that it must have.
            shape: The shape that it must have.
            index: What to read.

        Raises:
            RunDamagedError: The array is missing, is something else, or fails its checksum.
        """
        array = self._arrays.pop(node, None)
        with self._translated(f"reading {node}"):
            if array is None:
                array = self._find(node)
                if array.dtype != dtype or tuple(map(int, array.shape)) != shape:
                    raise ValueError(f"{_said(array)} where {dtype} {shape} is expected")
                if len(self._arrays) >= _MOST_OPEN_ARRAYS:
                    self._arrays.popitem(last=False)[1].close()
            self._arrays[node] = array
            try:
                return np.asarray(array[index])
            except tables.HDF5ExtError as error:
                raise ValueError("a block of its data is damaged") from error

    def length(self, node: str, dtype: np.dtype[Any], longest: int) -> int:
        """Return the length of a one-dimensional array, which must be at most `longest`.

        Raises:
            RunDamagedError: The array is missing, is something else, or too long.
        """
        with self._translated(f"reading {node}"):
            array = self._find(node)
            if array.dtype != dtype or array.ndim != 1 or int(array.shape[0]) > longest:
                raise ValueError(f"{_said(array)} where at most {longest} {dtype} are expected")
            return int(array.shape[0])

    def read_document(self) -> ByteArray:
        """Return the JSON document of the file, or of its group, shape (bytes,), uint8.

        Raises:
            RunDamagedError: It is missing, is something else, or too long.
        """
        size = self.length(DOCUMENT_NODE, _BYTE, LARGEST_DOCUMENT)
        return self.read(DOCUMENT_NODE, _BYTE, (size,), (slice(None),))

    def is_stored_as(
        self, node: str, dtype: np.dtype[Any], shape: tuple[int, ...], chunk: tuple[int, ...], *, hard: bool
    ) -> bool:
        """Whether an array is there whose stored chunks are those that a builder would make of the same numbers."""
        if not self.has(node):
            return False
        with self._translated(f"looking at {node}"):
            array = self._find(node)
            found = (array.dtype, tuple(map(int, array.shape)), tuple(map(int, array.chunkshape)), array.filters)
            return bool(found == (dtype, shape, chunk, HARD_COMPRESSION if hard else COMPRESSION))

    def stored_chunk(self, node: str, start: tuple[int, ...]) -> bytes:
        """Return the bytes of the chunk that begins at an element, compressed as they are; no checksum is verified.

        Raises:
            RunDamagedError: There is none, or it is absurdly large.
        """
        with self._translated(f"reading {node}"):
            array = self._find(node)
            info = array.chunk_info(start)
            if info.offset is None or info.filter_mask or info.size > LARGEST_CHUNK:
                raise ValueError(f"no plain chunk at {start}")
            return bytes(array.read_chunk(start))

    def has(self, node: str) -> bool:
        """Whether an array is there, whatever it may be.

        Raises:
            RunDamagedError: The file cannot be searched.
        """
        with self._translated(f"looking for {node}"):
            group, name = self._group_of(node)
            return group is not None and kind_of(group, name) == LEAF

    def _group_of(self, node: str) -> tuple[Any, str]:
        """Return the group that a node is in, None where there is none, and the node's name there."""
        group = self._file.root
        *folders, name = f"{self._group}{node}".strip("/").split("/")
        for folder in folders:
            if kind_of(group, folder) != GROUP:
                return None, name
            group = group._f_get_child(folder)
        return group, name

    def _find(self, path: str) -> Any:
        group, name = self._group_of(path)
        if group is None:
            raise ValueError("there is no such group")
        if kind_of(group, name) != LEAF:
            raise ValueError("there is no such array")
        array = group._f_get_child(name)
        if not isinstance(array, tables.CArray) or isinstance(array, tables.EArray) or array.chunkshape is None:
            raise ValueError(f"{type(array).__name__}, which is no chunked array")
        if int(np.prod([int(n) for n in array.chunkshape], dtype=object)) * array.dtype.itemsize > LARGEST_CHUNK:
            raise ValueError(f"chunks of {tuple(map(int, array.chunkshape))} elements")
        return array

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            raise RunDamagedError(
                f"{self.path}: {doing} failed: {why(error)}; dtui check tells what it cost"
            ) from error


def _said(array: Any) -> str:
    return f"{array.dtype} {tuple(map(int, array.shape))}"
