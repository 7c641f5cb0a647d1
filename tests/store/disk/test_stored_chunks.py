"""What is read without HDF5 is what PyTables wrote, and a crafted chunk is refused or has the shape asked for."""

from __future__ import annotations

import os
import random
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from dtui.errors import RunDamagedError
from dtui.store.disk.hdf5_arrays import Hdf5Tree, StoredArray
from dtui.store.disk.hdf5_chunks import decode_chunk, fletcher32
from dtui.store.disk.sealed_builder import SealedFileBuilder
from dtui.store.disk.sealed_file import SealedFile

FORGED = 2000
CASES = {
    "bytes": ("|u1", (70_001,), (65_536,)),
    "numbers": ("<i8", (300,), (256,)),
    "labels": ("<u2", (50, 40), (7, 33)),
    "in blocks": ("<f8", (15, 150, 35), (13, 129, 33)),
    "of one row": ("<f4", (12, 5, 70), (1, 5, 64)),
    "counts": ("<u4", (3, 64, 20), (2, 64, 20)),
}


def slow_fletcher32(data: bytes) -> int:
    first = second = 0
    for at in range(0, len(data), 2):
        first += data[at] << 8 | (data[at + 1] if at + 1 < len(data) else 0)
        second += first
    low, high = ((total - 1) % 0xFFFF + 1 if total else 0 for total in (first, second))
    return high << 16 | low


@pytest.mark.parametrize("size", [0, 1, 2, 3, 719, 720, 721, 65_536, 131_072, 131_077, 400_001])
def test_the_checksum_is_that_of_hdf5(size: int) -> None:
    data = random.Random(size).randbytes(size)
    assert fletcher32(data) == slow_fletcher32(data)
    assert fletcher32(bytes(size)) == 0


def values_of(kind: str, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind == "zeros":
        return np.zeros(shape, dtype)
    if kind == "noise":
        return rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize)).astype(np.uint8).view(dtype).reshape(shape)
    return np.cumsum(rng.integers(0, 3, shape), axis=-1).astype(dtype)


@pytest.mark.parametrize("kind", ["zeros", "noise", "smooth"])
@pytest.mark.parametrize("case", CASES)
def test_what_was_written_is_read(tmp_path: Path, case: str, kind: str) -> None:
    dtype, shape, chunk = CASES[case]
    values = values_of(kind, dtype, shape)
    builder = SealedFileBuilder(tmp_path / "x.h5")
    for hard, compress in ((False, True), (True, True), (False, False)):
        builder.create(f"/group/a{hard:d}{compress:d}", values.dtype, shape, chunk, hard=hard, compress=compress)
        builder.write(f"/group/a{hard:d}{compress:d}", tuple(slice(None) for _ in shape), values)
    builder.seal()
    builder.publish()
    file, rng = SealedFile(tmp_path / "x.h5"), random.Random(0)
    whole: tuple[slice, ...] = tuple(slice(None) for _ in shape)
    some = [tuple(part(rng, length) for length in shape[: rng.randint(1, len(shape))]) for _ in range(6)]
    for node, index in product(("a01", "a11", "a00"), [whole, *some]):
        found = file.read(f"/group/{node}", values.dtype, shape, index)
        assert found.tobytes() == np.ascontiguousarray(values[index]).tobytes(), (node, index)
        assert found.shape == values[index].shape
    file.close()
    with pytest.raises(RunDamagedError):
        file.read("/group/a01", values.dtype, shape, whole)


def part(rng: random.Random, length: int) -> slice:
    first, stop = sorted((rng.randrange(length), rng.randrange(length)))
    return slice(first, first + 1) if rng.random() < 0.2 else slice(first, stop + 1, rng.choice([1, 1, 2, 3, 7, 1000]))


def test_a_forged_chunk_is_refused_or_has_the_shape_asked_for(repository: Path) -> None:
    """Its checksum is right, as anyone can compute it. What would end the process ends this one."""
    descriptor = os.open(next((repository / "sample_runs/mnist-faults.dtui/parts").glob("records-*")), os.O_RDONLY)
    tree, rng, refused = Hdf5Tree(descriptor), random.Random(0), 0
    chunks: list[tuple[StoredArray, bytes]] = []
    for node in ("/document", "/iterations", "/filters/std", "/filters/nonfinite", "/layers/histogram", "/scalars"):
        array = tree.find(node)
        places = tree.places(array)
        chunks.append((array, tree.stored(int(places.offsets[0]), int(places.sizes[0]))))
    os.close(descriptor)
    for _ in range(FORGED):
        array, stored = rng.choice(chunks)
        data = bytearray(stored[:-4])
        header = int.from_bytes(data[11:15], "big")
        low, high = rng.choice([(0, len(data)), (0, header + 80), (header, header + 96), (len(data) - 120, len(data))])
        for _ in range(rng.choice([1, 1, 2, 5, 20])):
            data[min(rng.randrange(low, high), len(data) - 1)] = rng.choice([0, 127, 128, 255, rng.randrange(256)])
        forged = bytes(data)
        try:
            found = decode_chunk(forged + fletcher32(forged).to_bytes(4, "little"), array)
        except ValueError:
            refused += 1
        else:
            assert (found.shape, found.dtype) == (array.chunk, array.dtype)
    assert FORGED // 4 < refused < FORGED
