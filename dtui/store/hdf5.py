"""The only place that imports PyTables: disarmed for files from anywhere, and set up the same for readers and builders.

Owns the guards around the library: it loads no pickle, takes no lock and prints no warning. A second importer could
open a file before the guards are up, and `tables.open_file` alone runs whatever pickle a file carries in an attribute.
What a file itself has to show before it is read is in `dtui.store.sealed_file`.
"""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

__all__ = [
    "CHECKSUM_ONLY",
    "CHUNK_CACHE",
    "COMPRESSION",
    "FAILURES",
    "GROUP",
    "HARD_COMPRESSION",
    "LEAF",
    "disarm",
    "kind_of",
    "pickles_given_back",
    "tables",
    "why",
]

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


GROUP, LEAF = "Group", "Leaf"


def kind_of(group: Any, name: str) -> str:
    """Return what a group holds under a name: GROUP, LEAF, a kind of link, or none of these.

    The names in the group are not listed, as PyTables itself does to look one up: that crashes on a name that is
    no text, and costs as much as there are.
    """
    return str(group._g_get_objinfo(name))


def why(error: BaseException) -> str:
    """Return the reason in an error of PyTables: of HDF5's trace from the outermost call to the innermost, its end."""
    trace, _, rest = str(error).partition("End of HDF5 error back trace")
    lines = trace.strip().splitlines() if rest else [str(error)]
    return " ".join(lines[-1].split())[-160:] or type(error).__name__


@cache
def disarm() -> None:
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
            disarm.cache_clear()


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
    SystemError,
    Warning,
)
"""What PyTables raises on a file that is not what it claims to be."""

# Bits, not bytes, are shuffled: a rounded mantissa leaves planes of zeros. lz4hc takes five times as long to write as
# lz4, and leaves a quarter less of a smooth statistic, which is read a little faster; zstd would save another sixth and
# take three times as long to read.
COMPRESSION = tables.Filters(complevel=1, complib="blosc2:lz4", shuffle=False, bitshuffle=True, fletcher32=True)
HARD_COMPRESSION = COMPRESSION.copy(complevel=5, complib="blosc2:lz4hc")
# Each open array has a cache of decompressed chunks. The library's usual 16 MB, in 10 parts × 13 statistics, are 2 GB;
# one filter's chunks in 1,024 frames are 2 MB, and asking for it again is what a cache is good for.
CHUNK_CACHE = 5 << 19
CHECKSUM_ONLY = tables.Filters(complevel=0, fletcher32=True)
