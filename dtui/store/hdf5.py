"""The only place that touches PyTables: sealed HDF5 files that are safe to open wherever they come from.

Owns the guards around HDF5 and PyTables. A second importer could open a file before the guards are up, and
`tables.open_file` alone runs whatever pickle a file carries in an attribute.

Guards: no pickle is ever loaded; the seal is verified before HDF5 parses the file; only known paths are opened, never
through a link; an array has the declared type, shape and chunks (contiguous, external and virtual data sets are
refused) before memory is taken for it; every failure inside the libraries becomes a RunDamagedError.
"""

from __future__ import annotations

import errno
import os
import pickle
import warnings
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.store.files import publish, temporary_path
from dtui.store.schema import LARGEST_CHUNK
from dtui.store.seal import Seal, append_seal, merge_ranges, verify_seal

_locking = os.environ.get("HDF5_USE_FILE_LOCKING")
os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"  # HDF5 reads it once, when PyTables is imported

import tables  # noqa: E402
import tables.atom  # noqa: E402
import tables.attributeset  # noqa: E402

if _locking is None:  # a training's other libraries and child processes keep their locks
    del os.environ["HDF5_USE_FILE_LOCKING"]
else:
    os.environ["HDF5_USE_FILE_LOCKING"] = _locking


class _NoPickle:
    """Stands where PyTables expects the pickle module."""

    HIGHEST_PROTOCOL = pickle.HIGHEST_PROTOCOL
    UnpicklingError = pickle.UnpicklingError
    PicklingError = pickle.PicklingError

    @staticmethod
    def loads(*_: object, **__: object) -> object:
        raise pickle.UnpicklingError("pickles in run files are never loaded")

    @staticmethod
    def dumps(*_: object, **__: object) -> bytes:
        raise pickle.PicklingError("run files hold no pickles")


for _kind in vars(tables.exceptions).values():
    if isinstance(_kind, type) and issubclass(_kind, Warning):  # they quote the file, escape codes and all
        warnings.filterwarnings("ignore", category=_kind)
for _module in (tables.attributeset, tables.atom):
    if not hasattr(_module, "pickle"):
        raise ImportError(
            f"PyTables {tables.__version__}: {_module.__name__} has no pickle to disarm; use 3.10 or 3.11"
        )


@cache
def _disarm() -> None:
    """Take the pickles out of PyTables, for the whole process, before it opens the first file from outside.

    Not at import: the recording process only writes, and the training in it may use PyTables, or pandas, itself.
    """
    for module in (tables.attributeset, tables.atom):
        module.pickle = _NoPickle


@contextmanager
def pickles_given_back() -> Iterator[None]:
    """Open runs within it in a process that trains: its PyTables has its pickles again afterwards, if it had before."""
    modules = (tables.attributeset, tables.atom)
    before = [module.pickle for module in modules]
    try:
        yield
    finally:
        if _NoPickle not in before:
            for module, pickles in zip(modules, before, strict=True):
                module.pickle = pickles
            _disarm.cache_clear()


FAILURES = (
    tables.HDF5ExtError,
    tables.NodeError,
    pickle.PickleError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    MemoryError,
    ArithmeticError,
    AssertionError,
    Warning,
)
"""What PyTables raises on a file that is not what it claims to be."""

# Bits, not bytes, are shuffled: a rounded mantissa leaves planes of zeros. lz4hc takes five times as long to write as
# lz4, and leaves a quarter less of a smooth statistic, which is read a little faster; zstd would save another sixth and
# take three times as long to read.
_COMPRESSION = tables.Filters(complevel=1, complib="blosc2:lz4", shuffle=False, bitshuffle=True, fletcher32=True)
_HARD_COMPRESSION = _COMPRESSION.copy(complevel=5, complib="blosc2:lz4hc")
# Each open array has a cache of decompressed chunks. The library's usual 16 MB, in 10 parts × 13 statistics, are 2 GB;
# one filter's chunks in 1,024 frames are 2 MB, and asking for it again is what a cache is good for.
_CHUNK_CACHE = 5 << 19
_MOST_OPEN_ARRAYS = 4
_CHECKSUM_ONLY = tables.Filters(complevel=0, fletcher32=True)


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
        _disarm()
        verify_seal(path)
        self.path = path
        self._group = group
        self._arrays: OrderedDict[str, Any] = OrderedDict()
        with self._translated("opening it"):
            self._file = tables.open_file(str(path), "r", chunk_cache_size=_CHUNK_CACHE)

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
                    raise ValueError(f"{array.dtype} {tuple(array.shape)} where {dtype} {shape} is expected")
                if len(self._arrays) >= _MOST_OPEN_ARRAYS:
                    self._arrays.popitem(last=False)[1].close()
            self._arrays[node] = array
            return np.asarray(array[index])

    def length(self, node: str, dtype: np.dtype[Any], longest: int) -> int:
        """Return the length of a one-dimensional array, which must be at most `longest`.

        Raises:
            RunDamagedError: The array is missing, is something else, or too long.
        """
        with self._translated(f"reading {node}"):
            array = self._find(node)
            if array.dtype != dtype or array.ndim != 1 or int(array.shape[0]) > longest:
                raise ValueError(f"{array.dtype} {tuple(array.shape)} where at most {longest} {dtype} are expected")
            return int(array.shape[0])

    def is_stored_as(
        self, node: str, dtype: np.dtype[Any], shape: tuple[int, ...], chunk: tuple[int, ...], *, hard: bool
    ) -> bool:
        """Whether an array is there whose stored chunks are those that a builder would make of the same numbers."""
        if not self.has(node):
            return False
        with self._translated(f"looking at {node}"):
            array = self._find(node)
            found = (array.dtype, tuple(map(int, array.shape)), tuple(map(int, array.chunkshape)), array.filters)
            return bool(found == (dtype, shape, chunk, _HARD_COMPRESSION if hard else _COMPRESSION))

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
        *folders, name = self._names(node)
        with self._translated(f"looking for {node}"):
            group = self._file.root
            for folder in folders:
                if folder not in group._v_groups:
                    return False
                group = group._v_groups[folder]
            return name in group._v_leaves

    def _names(self, node: str) -> list[str]:
        return f"{self._group}{node}".strip("/").split("/")

    def _find(self, path: str) -> Any:
        group = self._file.root
        *folders, name = self._names(path)
        for folder in folders:
            if folder not in group._v_groups:
                raise ValueError("there is no such group")
            group = group._v_groups[folder]
        if name not in group._v_leaves:
            raise ValueError("there is no such array")
        array = group._v_leaves[name]
        if not isinstance(array, tables.CArray) or isinstance(array, tables.EArray) or array.chunkshape is None:
            raise ValueError(f"{type(array).__name__}, which is no chunked array")
        if int(np.prod([int(n) for n in array.chunkshape], dtype=object)) * array.dtype.itemsize > LARGEST_CHUNK:
            raise ValueError(f"chunks of {array.chunkshape} elements")
        return array

    @contextmanager
    def _translated(self, doing: str) -> Iterator[None]:
        try:
            yield
        except FAILURES as error:
            reason = " ".join(str(error).split())[-160:] or type(error).__name__
            raise RunDamagedError(f"{self.path}: {doing} failed: {reason}; dtui check tells what it cost") from error


class SealedFileBuilder:
    """Builds one sealed HDF5 file under a temporary name and publishes it."""

    def __init__(self, path: Path, *, kind: Seal = Seal.FILE, in_memory: bool = False) -> None:
        """Begin.

        Args:
            path: Its name once it is published.
            kind: What the seal says that it is.
            in_memory: Let HDF5 build it in memory, so that a full disk can fail nowhere but in our own write.
        """
        self.path = path
        self.temporary = temporary_path(path)
        self._kind = kind
        self._in_memory = in_memory
        options = {"driver": "H5FD_CORE", "driver_core_backing_store": 0} if in_memory else {}
        options["chunk_cache_size"] = _CHUNK_CACHE
        self._file = tables.open_file(str(self.temporary), "w", pytables_sys_attrs=False, **options)
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
        compression = _HARD_COMPRESSION if hard else _COMPRESSION
        group, name = node.rsplit("/", 1)
        with self._told_as_disk():
            self._arrays[node] = self._file.create_carray(
                group or "/",
                name,
                atom=tables.Atom.from_dtype(np.dtype(dtype)),
                shape=shape,
                chunkshape=chunk,
                filters=compression if compress else _CHECKSUM_ONLY,
                createparents=True,
                track_times=False,  # the same numbers make the same bytes
            )

    def write(self, node: str, index: tuple[slice, ...], values: NDArray[Any]) -> None:
        """Write a block of a declared array."""
        with self._told_as_disk():
            self._arrays[node][index] = values

    @contextmanager
    def _told_as_disk(self) -> Iterator[None]:
        """Turn what HDF5 says of a disk that does not take its bytes, pages of it, into one error."""
        try:
            yield
        except (tables.HDF5ExtError, RuntimeError) as error:
            raise OSError(errno.EIO, "HDF5 could not write it, the disk is full or fails", str(self.path)) from error

    def write_chunk(self, node: str, start: tuple[int, ...], data: bytes) -> None:
        """Write a stored chunk of a declared array as it is."""
        with self._told_as_disk():
            self._arrays[node].write_chunk(start, data)

    def add(self, node: str, values: NDArray[Any], *, compress: bool = True) -> None:
        """Declare and write a one-dimensional array that is not empty."""
        self.create(node, values.dtype, values.shape, (min(values.shape[0], 1 << 16),), compress=compress)
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
        """Remove whatever there is of the temporary file."""
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
        OSError: The disk is full or fails; nothing is left behind.
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
