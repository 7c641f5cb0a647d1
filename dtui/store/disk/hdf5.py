"""Imports PyTables; no other module does. PyTables writes our files but never reads one.

Owns the settings of PyTables: no file locks, no printed warnings, and the compression of all run files. PyTables never
opens a file from outside, because it runs pickles that a file contains and HDF5 crashes on some crafted files.
`sealed_file` reads files.
"""

from __future__ import annotations

import os
import warnings

__all__ = ["CHECKSUM_ONLY", "CHUNK_CACHE", "COMPRESSION", "FAILURES", "HARD_COMPRESSION", "codec_and_level", "tables"]

_locking = os.environ.get("HDF5_USE_FILE_LOCKING")
os.environ["HDF5_USE_FILE_LOCKING"] = "FALSE"  # HDF5 reads it once, when PyTables is imported

import tables  # noqa: E402

if _locking is None:  # a training's other libraries and child processes keep their locks
    del os.environ["HDF5_USE_FILE_LOCKING"]
else:
    os.environ["HDF5_USE_FILE_LOCKING"] = _locking

for _kind in vars(tables.exceptions).values():
    if isinstance(_kind, type) and issubclass(_kind, Warning):
        warnings.filterwarnings("ignore", category=_kind)
if int(tables.hdf5_version.split(".")[0]) > 1:  # by default it writes what `dtui.store.disk.hdf5_arrays` does not read
    raise ImportError(f"PyTables {tables.__version__} comes with HDF5 {tables.hdf5_version}; use one that has HDF5 1.x")


FAILURES = (
    tables.HDF5ExtError,
    tables.NodeError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,
    MemoryError,
    ArithmeticError,
    AssertionError,
    SystemError,
    Warning,
)
"""What PyTables raises where it cannot write."""

# Bits, not bytes, are shuffled: a rounded mantissa leaves planes of zeros. lz4hc takes five times as long to write as
# lz4, and leaves a quarter less of a smooth statistic, which is read a little faster; zstd would save another sixth and
# take three times as long to read.
COMPRESSION = tables.Filters(complevel=1, complib="blosc2:lz4", shuffle=False, bitshuffle=True, fletcher32=True)
HARD_COMPRESSION = COMPRESSION.copy(complevel=5, complib="blosc2:lz4hc")
CHECKSUM_ONLY = tables.Filters(complevel=0, fletcher32=True)
# Each open array has a cache of decompressed chunks, which the library has 16 MB for; with 13 statistics that adds up.
CHUNK_CACHE = 5 << 19


def codec_and_level(*, hard: bool) -> tuple[str, int]:
    """Return the codec and the level that arrays are compressed with.

    Args:
        hard: Whether compression may take longer to save bytes.
    """
    filters = HARD_COMPRESSION if hard else COMPRESSION
    return filters.complib.partition(":")[2], filters.complevel
