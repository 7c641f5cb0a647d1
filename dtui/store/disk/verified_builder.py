"""Builds a sealed file block by block, and reads it back to verify it before it is published.

Owns the comparison of the file with the data. It is needed because PyTables writes wrong rows on a full disk without
raising an error.

The file is built on the disk, not in memory: a part of 1,000 records at paper scale has hundreds of megabytes, and
memory would hold them twice. Bytes that the disk did not keep are found when every block is read back.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError
from dtui.store.disk.hdf5 import codec_and_level
from dtui.store.disk.seal import Seal
from dtui.store.disk.sealed_builder import SealedFileBuilder, chunk_starts
from dtui.store.disk.sealed_file import SealedFile


@dataclass(frozen=True, slots=True)
class _Written:
    """One array, with the place and checksum of each block written so far."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    sums: list[tuple[tuple[slice, ...], int]] = field(default_factory=list)
    chunks: list[tuple[tuple[int, ...], int]] = field(default_factory=list)
    """The same for chunks that were copied as they are stored."""


class ProvenFile:
    """One file under construction: `add` and `write_rows`, then `publish`; `discard` after any failure."""

    def __init__(self, path: Path, tick: Callable[[], None], kind: Seal = Seal.FILE) -> None:
        """Begin.

        Args:
            path: Its name once it is published.
            tick: Called after each block that was written or compared.
            kind: What the seal says that it is.
        """
        self._builder = SealedFileBuilder(path, kind=kind)
        self._tick = tick
        self._written: dict[str, _Written] = {}

    def add(self, node: str, values: NDArray[Any]) -> None:
        """Declare and write a one-dimensional array that is not empty."""
        self._builder.add(node, values)
        self._note(node, values.dtype, values.shape, (slice(0, len(values)),), values)

    def create(
        self, node: str, dtype: np.dtype[Any], shape: tuple[int, ...], chunk: tuple[int, ...], *, hard: bool = False
    ) -> None:
        """Declare an array as `SealedFileBuilder.create` does."""
        self._builder.create(node, dtype, shape, chunk, hard=hard)
        self._written[node] = _Written(np.dtype(dtype), shape)

    def write_rows(self, node: str, rows: range, values: NDArray[Any], first: int = 0) -> None:
        """Write some rows of a declared array, along its last axis from element `first` on."""
        written = self._written[node]
        index: tuple[slice, ...] = (slice(rows.start, rows.stop),)
        if first:
            whole = [slice(0, length) for length in written.shape[1:-1]]
            index = (*index, *whole, slice(first, written.shape[-1]))
        self._builder.write(node, index, values)
        self._note(node, written.dtype, written.shape, index, values.astype(written.dtype, copy=False))

    def copy_chunks(
        self,
        node: str,
        source: SealedFile,
        source_node: str,
        dtype: np.dtype[Any],
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
        *,
        hard: bool,
    ) -> bool:
        """Declare an array and take its chunks from another file as they are stored there.

        Args:
            node: The array.
            source: A file whose every byte was checked; otherwise damage would be copied.
            source_node: The array there.
            dtype: Element type.
            shape: Of the array.
            chunk: Of its chunks.
            hard: As for `create`.

        Returns:
            Whether it was done: only chunks that look like ours are copied.
        """
        compression = codec_and_level(hard=hard)
        if not source.is_stored_as(source_node, dtype, shape, chunk, compression):
            return False
        self.create(node, dtype, shape, chunk, hard=hard)
        self.copy_array(node, source, source_node, shape, chunk)
        return True

    def copy_array(
        self,
        node: str,
        source: SealedFile,
        source_node: str,
        shape: tuple[int, ...],
        chunk: tuple[int, ...],
        at: int = 0,
    ) -> None:
        """Put the chunks of an array of another file into a declared array, as they are stored there.

        Args:
            node: The declared array.
            source: A file whose every byte was checked; otherwise damage would be copied.
            source_node: The array there, with chunks as those of the declared one.
            shape: Its shape.
            chunk: Of its chunks.
            at: Where it begins along the last axis of the declared array; a multiple of a chunk's length.
        """
        for start in chunk_starts(shape, chunk):
            data, place = source.stored_chunk(source_node, start), (*start[:-1], start[-1] + at)
            self._builder.write_chunk(node, place, data)
            self._written[node].chunks.append((place, zlib.crc32(data)))
        self._tick()

    def publish(self) -> None:
        """Seal the file, compare every block with its checksum, and rename it to its final name.

        Raises:
            RunDamagedError: The disk did not keep what was written.
            OSError: The disk is full or fails. In both cases nothing is published.
        """
        self._builder.seal()
        self._prove()
        self._builder.publish()

    def discard(self) -> None:
        """Remove the unfinished file."""
        self._builder.discard()

    def _note(
        self, node: str, dtype: np.dtype[Any], shape: tuple[int, ...], index: tuple[slice, ...], values: NDArray[Any]
    ) -> None:
        self._written.setdefault(node, _Written(dtype, shape)).sums.append((index, _checksum(values)))
        self._tick()

    def _prove(self) -> None:
        path = self._builder.temporary
        file = SealedFile(path)
        try:
            for node, written in self._written.items():
                for index, expected in written.sums:
                    values = file.read(node, written.dtype, written.shape, index)
                    if _checksum(values) != expected:
                        raise RunDamagedError(f"{path}: reads back differently from what was written; check the disk")
                    self._tick()
                for start, expected in written.chunks:
                    if zlib.crc32(file.stored_chunk(node, start)) != expected:
                        raise RunDamagedError(f"{path}: reads back differently from what was written; check the disk")
        finally:
            file.close()


def _checksum(values: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(values).data.cast("B"))
