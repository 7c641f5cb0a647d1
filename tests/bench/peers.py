"""The same values in the formats that others would use, so that they can be read beside ours.

zarr 3 answers every question that we ask: the same chunks, the same bit shuffle before lz4, 4 × 16 chunks in a shard,
and our rounded values, which favours it. TensorBoard holds scalars by name and reads a whole file before it answers: 54
layers × 1,000 records can be asked of it. A scalar for each of 27,560 filters would be 27 million events, and it has
neither an axis of filters nor images by class, so that no row is made up for those questions.
A peer that is not installed is left out, with a line that says so.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

CHUNK = (512, 64)
SHARD = (2048, 1024)
Read = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Peer:
    """Another way to store the values of a benchmark.

    Attributes:
        name: As the table names it.
        path: Its file or folder.
        open: Opens it, unmeasured, and returns what is measured.
    """

    name: str
    path: Path
    open: Callable[[], Read]

    def files(self) -> list[Path]:
        """What has to be dropped from the cache for a cold read."""
        return [path for path in self.path.rglob("*") if path.is_file()] if self.path.is_dir() else [self.path]


def is_installed(package: str) -> bool:
    """Whether a peer can be measured; says so where it cannot."""
    if find_spec(package) is not None:
        return True
    print(f"tests.bench: {package} is not installed and left out; pip install '.[bench]'", file=sys.stderr)
    return False


def zarr_peer(path: Path, blocks: Callable[[], Iterable[np.ndarray]], rows: int, index: Any, chunk: Any) -> list[Peer]:
    """Return an array in zarr 3, made if it is not there.

    Args:
        path: Where it is kept.
        blocks: Yields the array in blocks of rows, the last axis being records.
        rows: Of the array.
        index: What is read of it.
        chunk: Chunk shape; 4 × 16 of them share a file.
    """
    if not is_installed("zarr"):
        return []
    import zarr
    from zarr.codecs import BloscCodec

    if not path.exists():
        array, at = None, 0
        for block in blocks():
            if array is None:
                shape = (rows, block.shape[1])
                array = zarr.create_array(
                    path.with_suffix(".making"),
                    shape=shape,
                    dtype=block.dtype,
                    chunks=chunk,
                    shards=(4 * chunk[0], 16 * chunk[1]),
                    compressors=BloscCodec(cname="lz4", clevel=1, shuffle="bitshuffle"),
                )
            array[at : at + len(block)] = block
            at += len(block)
        path.with_suffix(".making").rename(path)

    def opened() -> Read:
        array = zarr.open_array(path, mode="r")
        return lambda: array[index]

    return [Peer("zarr 3", path, opened)]


def tensorboard_peer(path: Path, values: Callable[[], np.ndarray]) -> list[Peer]:
    """Return a file of scalars, one tag a row, and TensorBoard's own reader of it, which reads the whole file.

    Args:
        path: Folder of the event file.
        values: Shape (tags, steps).
    """
    if not is_installed("tensorboard"):
        return []
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    if not path.exists():
        making = path.with_suffix(".making")
        writer = EventFileWriter(str(making), max_queue_size=1000, flush_secs=600)
        for step, column in enumerate(values().T):
            for row, value in enumerate(column.tolist()):
                summary = Summary(value=[Summary.Value(tag=f"std/{row}", simple_value=value)])
                writer.add_event(Event(step=step, wall_time=float(step), summary=summary))
        writer.close()
        making.rename(path)

    def read() -> np.ndarray:
        events = EventAccumulator(str(path), size_guidance={"scalars": 0})
        events.Reload()
        tags = events.Tags()["scalars"]
        return np.array([[event.value for event in events.Scalars(tag)] for tag in tags])

    return [Peer("TensorBoard", path, lambda: read)]
