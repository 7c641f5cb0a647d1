"""Builds sealed HDF5 files under a temporary name, and publishes them whole or not at all.

Owns how arrays are stored: their compression, the checksum of each chunk, and that equal numbers give equal bytes.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.store.disk.atomic_files import publish, temporary_path
from dtui.store.disk.hdf5 import CHECKSUM_ONLY, CHUNK_CACHE, COMPRESSION, HARD_COMPRESSION, tables
from dtui.store.disk.seal import Seal, append_seal, merge_ranges


class SealedFileBuilder:
    """Builds one sealed HDF5 file under a temporary name and publishes it."""

    def __init__(self, path: Path, *, kind: Seal = Seal.FILE, in_memory: bool = False) -> None:
        """Begin.

        Args:
            path: Its final name.
            kind: The kind of file that the seal names.
            in_memory: Whether HDF5 builds it in memory. Then a full disk can fail only our own write, never HDF5's.

        Raises:
            OSError: The disk is full or fails. No partial file is left.
        """
        self.path = path
        self.temporary = temporary_path(path)
        self._kind = kind
        self._in_memory = in_memory
        options = {"driver": "H5FD_CORE", "driver_core_backing_store": 0} if in_memory else {}
        options["chunk_cache_size"] = CHUNK_CACHE
        try:
            with self._told_as_disk():
                self._file = tables.open_file(str(self.temporary), "w", pytables_sys_attrs=False, **options)
        except OSError:
            self.temporary.unlink(missing_ok=True)  # HDF5 makes the file, and then finds no room for its first bytes
            raise
        self._arrays: dict[str, Any] = {}

    def create(
        self,
        node: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
        *,
        compress: bool = True,
        hard: bool = False,
    ) -> None:
        """Declare an array; every length in `shape` and `chunk` is at least 1."""
        compression = HARD_COMPRESSION if hard else COMPRESSION
        group, name = node.rsplit("/", 1)
        with self._told_as_disk():
            self._arrays[node] = self._file.create_carray(
                group or "/",
                name,
                atom=tables.Atom.from_dtype(np.dtype(dtype)),
                shape=shape,
                chunkshape=chunk,
                filters=compression if compress else CHECKSUM_ONLY,
                createparents=True,
                track_times=False,  # the same numbers make the same bytes
            )

    def write(self, node: str, index: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Write a block of a declared array."""
        with self._told_as_disk():
            self._arrays[node][index] = values

    @contextmanager
    def _told_as_disk(self) -> Iterator[None]:
        """Turn HDF5's pages of messages about a failing disk into one error."""
        try:
            yield
        except (tables.HDF5ExtError, RuntimeError) as error:
            raise OSError(errno.EIO, "HDF5 could not write it, the disk is full or fails", str(self.path)) from error

    def write_chunk(self, node: str, start: tuple[int, ...], data: bytes) -> None:
        """Write an already compressed chunk of a declared array."""
        with self._told_as_disk():
            self._arrays[node].write_chunk(start, data)

    def add(self, node: str, values: NDArray[Any]) -> None:
        """Declare and write a one-dimensional array that is not empty."""
        self.create(node, values.dtype, values.shape, (min(values.shape[0], 1 << 16),))
        self.write(node, (slice(None),), values)

    def seal(self) -> None:
        """Finish the file on the disk, under its temporary name.

        Raises:
            OSError: The disk is full or fails.
        """
        with self._told_as_disk():
            self._file.flush()
            chunks = merge_ranges(item for array in self._arrays.values() for item in _chunk_ranges(array))
            image = self._file.get_file_image() if self._in_memory else b""
            self._arrays.clear()
            self._file.close()
        if self._in_memory:
            with self.temporary.open("wb") as file:
                file.write(image)
        append_seal(self.temporary, chunks, self._kind)

    def publish(self) -> None:
        """Give the sealed file its name."""
        publish(self.temporary, self.path)

    def discard(self) -> None:
        """Remove the temporary file, if it exists."""
        with suppress(OSError), self._told_as_disk():
            if self._file.isopen:
                self._file.close()
        self.temporary.unlink(missing_ok=True)


def chunk_starts(shape: Sequence[int], chunk: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield the first element of each chunk of an array."""
    return product(*(range(0, int(length), int(step)) for length, step in zip(shape, chunk, strict=True)))


def _chunk_ranges(array: Any) -> Iterator[tuple[int, int]]:
    for start in chunk_starts(array.shape, array.chunkshape):
        info = array.chunk_info(start)
        if info.offset is not None:
            yield int(info.offset), int(info.size)


def write_small_file(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write one-dimensional arrays as a sealed file; empty ones are left out.

    Raises:
        OSError: The disk is full or fails. No partial file is left.
    """
    builder = SealedFileBuilder(path, in_memory=True)
    try:
        for node, values in arrays.items():
            if values.size:
                builder.add(node, values)
        builder.seal()
        builder.publish()
    except BaseException:
        builder.discard()
        raise
