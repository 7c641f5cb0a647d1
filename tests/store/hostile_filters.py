"""Filter pipelines as an attacker would write them, in place of the one that an array has."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

from dtui.store.disk.hdf5_arrays import Hdf5Tree
from dtui.store.disk.seal import Seal, append_seal
from tests.store.chunks import chunk_ranges
from tests.store.hostile import unseal

PIPELINE = 0xB
BLOSC2, FLETCHER = 32026, 3
FILTERS = (1, 2, 3, 3, 4, 5, 6, 305, 307, 32000, 32001, 32001, 32004, 32008, 32015, 32026, 32026, 32026, 65535, 0)
"""Numbers of filters, those that are registered and that PyTables has more often."""
VALUES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 255, 1 << 16, 1 << 20, (1 << 31) - 1, 1 << 31, (1 << 32) - 1)


def random_pipeline(rng: random.Random, room: int, ours: bytes) -> bytes:
    """Return a pipeline message of so many bytes: one of anything, or ours with a few numbers changed."""
    if rng.random() < 0.3:
        message = bytearray(ours)
        for _ in range(rng.choice([1, 1, 2, 4])):
            message[rng.randrange(len(message))] = rng.choice([0, 1, 2, 3, 255, rng.randrange(256)])
        return bytes(message)
    filters = b""
    count = rng.choice([0, 1, 1, 2, 2, 3, 4])
    for _ in range(count):
        number = rng.choice(FILTERS)
        values = [rng.choice(VALUES) for _ in range(rng.choice([0, 0, 1, 2, 4, 6, 7, 7, 9, 10]))]
        name = rng.choice([b"", b"", b"blosc2\0\0", b"x" * 8])
        one = struct.pack("<HHHH", number, len(name), rng.choice([0, 1, 1, 0xFFFF]), len(values)) + name
        one += struct.pack(f"<{len(values)}I", *values) + bytes(4 * (len(values) % 2))
        if len(filters) + len(one) + 8 <= room:
            filters += one
    said = count if rng.random() < 0.8 else rng.randrange(256)
    return (struct.pack("<BB6x", rng.choice([1, 1, 1, 2, 0]), said) + filters).ljust(room, b"\0")


def pipeline_place(path: Path, node: str) -> tuple[int, bytes]:
    """Return where the pipeline message of an array begins in its file, and the message."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        tree = Hdf5Tree(descriptor)
        header = tree._locate(node)
        assert header is not None
        message = tree._messages(header)[PIPELINE]
    finally:
        os.close(descriptor)
    return path.read_bytes().index(message, header), message


def put_pipeline(path: Path, node: str, message: bytes, kind: Seal) -> None:
    """Give an array of a sealed file another pipeline, and the file a seal that is right."""
    at, before = pipeline_place(path, node)
    assert len(message) == len(before)
    ranges = chunk_ranges(path)
    unseal(path)
    with path.open("r+b") as file:
        file.seek(at)
        file.write(message)
    append_seal(path, ranges, kind)
