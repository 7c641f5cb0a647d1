"""Builds one part from the frames of journals and smaller parts, and proves it before it is published.

Owns the writing of parts. A second copy would publish a part that was not compared with its source: on a full disk
PyTables writes wrong rows without an error.

The part is built on the disk, not in memory: a part of 1,000 records at paper scale has hundreds of megabytes, and its
image in memory would be held twice. What the disk did not take is found when every block is read back and compared.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.store.documents import encode_document
from dtui.store.hdf5 import SealedFile, SealedFileBuilder
from dtui.store.schema import (
    DOCUMENT_NODE,
    ITERATIONS_NODE,
    PARTS_FOLDER,
    SCALARS_NODE,
    Node,
    Sizes,
    Stream,
    part_name,
    part_nodes,
)
from dtui.store.stream import StreamReader

BLOCK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """Frames that should become one part.

    Attributes:
        stream: Their stream.
        first: Ordinal of the first.
        stop: Ordinal after the last.
        position: Of the first in the reader's view.
    """

    stream: Stream
    first: int
    stop: int
    position: int

    @property
    def frames(self) -> range:
        """Positions in the reader's view."""
        return range(self.position, self.position + self.stop - self.first)


def fold(
    run_folder: Path, run: str, sizes: Sizes, reader: StreamReader, plan: FoldPlan, tick: Callable[[], None]
) -> Path:
    """Build, verify and publish one part.

    Args:
        run_folder: The run's directory.
        run: Its id.
        sizes: Of the run.
        reader: A strict reader whose view the plan was made from.
        plan: What to fold.
        tick: Called between blocks, some times a second.

    Returns:
        The published part.

    Raises:
        RunDamagedError: A source is damaged, or the disk did not keep what was written.
        OSError: The disk is full or fails. In each case nothing is published and no source is touched.
    """
    path = run_folder / PARTS_FOLDER / part_name(plan.stream, plan.first, plan.stop)
    names = reader.scalar_names() if plan.stream is Stream.RECORDS else ()
    nodes = part_nodes(plan.stream, sizes, len(names), len(plan.frames))
    builder = SealedFileBuilder(path)
    sums: dict[str, list[int]] = {}
    try:
        document = encode_document(
            {"run": run, "stream": str(plan.stream), "first": plan.first, "stop": plan.stop, "scalars": list(names)}
        )
        builder.add(DOCUMENT_NODE, document)
        builder.add(ITERATIONS_NODE, reader.iterations[plan.position : plan.frames.stop].astype("<i8"))
        for node in nodes.values():
            if not node.is_empty:
                sums[node.path] = list(_write_node(builder, reader, node, names, plan.frames, tick))
        builder.seal()
        _verify(builder.temporary, nodes, sums, document, plan, tick)
        builder.publish()
    except BaseException:
        builder.discard()
        raise
    return path


def _write_node(
    builder: SealedFileBuilder,
    reader: StreamReader,
    node: Node,
    names: tuple[str, ...],
    frames: range,
    tick: Callable[[], None],
) -> Iterator[int]:
    """Write one array block by block; yields the checksum of each block."""
    count = len(frames)
    builder.create(node.path, node.dtype, (*node.rows, count), (*node.chunk, min(count, node.frames)))
    for rows in _row_blocks(node, count):
        if node.path == SCALARS_NODE:
            values: NDArray[Any] = np.stack([reader.read_scalar(names[row], frames) for row in rows])
        else:
            values = reader.read(node.path, rows, frames)
        builder.write(node.path, (slice(rows.start, rows.stop),), values)
        yield zlib.crc32(np.ascontiguousarray(values).data.cast("B"))
        tick()


def _row_blocks(node: Node, frames: int) -> Iterator[range]:
    """Yield ranges of rows, whole chunks each, of about BLOCK_BYTES."""
    chunk = node.chunk[0]
    row_bytes = max(1, node.row_elements * frames * node.dtype.itemsize)
    step = max(1, BLOCK_BYTES // (row_bytes * chunk)) * chunk
    for start in range(0, node.rows[0], step):
        yield range(start, min(start + step, node.rows[0]))


def _verify(
    path: Path,
    nodes: dict[str, Node],
    sums: dict[str, list[int]],
    document: NDArray[np.uint8],
    plan: FoldPlan,
    tick: Callable[[], None],
) -> None:
    """Read a finished part back and compare every block with what was to be written."""
    count = len(plan.frames)
    file = SealedFile(path)
    try:
        found = file.read(DOCUMENT_NODE, document.dtype, document.shape, (slice(None),))
        wrong = not np.array_equal(found, document)
        for name, blocks in sums.items():
            node = nodes[name]
            for rows, expected in zip(_row_blocks(node, count), blocks, strict=True):
                index = (slice(rows.start, rows.stop),)
                values = file.read(name, node.dtype, (*node.rows, count), index)
                wrong |= zlib.crc32(np.ascontiguousarray(values).data.cast("B")) != expected
                tick()
        if wrong:
            raise RunDamagedError(f"{path}: reads back differently from what was written; check the disk")
    finally:
        file.close()
