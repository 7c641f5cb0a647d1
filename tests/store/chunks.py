"""Where the chunks of an array lie in a file, so that a test can damage one."""

from __future__ import annotations

import os
import struct
from pathlib import Path

from dtui.store.disk.hdf5_arrays import Hdf5Tree, StoredArray


def stored_array(path: Path, node: str) -> StoredArray:
    """Return what a file says of an array."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return Hdf5Tree(descriptor).find(node)
    finally:
        os.close(descriptor)


def chunk_place(path: Path, node: str, number: int = 0) -> tuple[int, int]:
    """Return where a chunk of an array begins in a file, and how many bytes it takes."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        tree = Hdf5Tree(descriptor)
        places = tree.places(tree.find(node))
        return int(places.offsets[number]), int(places.sizes[number])
    finally:
        os.close(descriptor)


def chunk_ranges(path: Path) -> list[tuple[int, int]]:
    """Return the ranges of a file that its seal says are chunks."""
    data = path.read_bytes()
    _, body, count = struct.unpack_from("<8sQQ", data[-40:])
    return [struct.unpack_from("<QQ", data, body + 16 * at) for at in range(count)]
