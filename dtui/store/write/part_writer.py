"""Writes the frames of one stream as the arrays of a part.

Owns the writing of parts, in separate files and in packed runs. `dtui.store.disk.verified_builder` verifies a file
before it is published.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.dataclass_on_use import dataclass
from dtui.store.disk.hdf5 import codec_and_level
from dtui.store.disk.seal import verify_seal
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.disk.verified_builder import ProvenFile
from dtui.store.format.bins import bin_values
from dtui.store.format.documents import encode_document
from dtui.store.format.part_arrays import ITERATIONS_NODE, SCALARS_NODE, Node, part_nodes, row_blocks
from dtui.store.format.schema import DOCUMENT_NODE, LARGE_PART, PARTS_FOLDER, Sizes, Stream, part_name
from dtui.store.read.catalog import PartSpan
from dtui.store.read.stream_reader import StreamReader


@dataclass(frozen=True, slots=True)
class FoldPlan:
    """Frames that should become one part.

    Attributes:
        stream: Their stream.
        first: Ordinal of the first frame.
        stop: Ordinal after the last frame.
        position: Position of the first frame in the reader's view.
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
        run: Id of the run.
        sizes: Of the run.
        reader: A strict reader; the plan was made from its view.
        plan: The frames to fold.
        tick: Called between blocks, several times a second.

    Returns:
        The published part.

    Raises:
        RunDamagedError: A source is damaged, or the disk did not keep what was written.
        OSError: The disk is full or fails. In both cases nothing is published and no source is changed.
    """
    path = run_folder / PARTS_FOLDER / part_name(plan.stream, plan.first, plan.stop)
    file = ProvenFile(path, tick)
    try:
        with _large_parts(reader, plan) as parts:
            write_frames(file, run, sizes, reader, plan, parts=parts)
        file.publish()
    except BaseException:
        file.discard()
        raise
    return path


def write_frames(
    file: ProvenFile,
    run: str,
    sizes: Sizes,
    reader: StreamReader,
    plan: FoldPlan,
    group: str = "",
    source: SealedFile | None = None,
    parts: Sequence[LargePart] = (),
) -> None:
    """Write frames as the arrays of a part.

    Args:
        file: The file under construction.
        run: The run's id.
        sizes: Of the run.
        reader: The reader; the plan was made from its view.
        plan: The frames.
        group: Prefix of every node path.
        source: A part of exactly these frames, with every byte checked. Its chunks are copied as they are.
        parts: Parts of the first of these frames, likewise.

    Raises:
        RunDamagedError: A source is damaged.
        OSError: It cannot be read, or the disk is full or fails.
    """
    names = reader.scalar_names() if plan.stream is not Stream.VALIDATIONS else ()
    document = encode_document(
        {"run": run, "stream": str(plan.stream), "first": plan.first, "stop": plan.stop, "scalars": list(names)}
    )
    file.add(group + DOCUMENT_NODE, document)
    file.add(group + ITERATIONS_NODE, reader.iterations[plan.position : plan.frames.stop].astype("<i8"))
    for node in part_nodes(plan.stream, sizes, len(names), len(plan.frames)).values():
        if not node.is_empty and not (source is not None and _copy_node(file, source, node, len(plan.frames), group)):
            _write_node(file, reader, node, names, plan.frames, group, parts)


def _copy_node(file: ProvenFile, source: SealedFile, node: Node, frames: int, group: str) -> bool:
    """Copy one array chunk by chunk, if it is stored as we would write it; returns whether it was copied."""
    shape, chunk = _layout(node, frames)
    path = group + node.path
    return file.copy_chunks(path, source, node.path, node.dtype, shape, chunk, hard=node.is_packed_hard)


def _layout(node: Node, frames: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shape and the chunk shape of an array of a part."""
    length = node.length(frames)
    return (*node.rows, length), (*node.chunk, min(length, node.frames))


def _write_node(
    file: ProvenFile,
    reader: StreamReader,
    node: Node,
    names: tuple[str, ...],
    frames: range,
    group: str,
    parts: Sequence[LargePart],
) -> None:
    """Write one array: whole chunks of large parts as they are, all else block by block."""
    path = group + node.path
    shape, chunk = _layout(node, len(frames))
    file.create(path, node.dtype, shape, chunk, hard=node.is_packed_hard)
    copied = _copy_parts(file, path, node, chunk, parts)
    rest = frames[copied:]
    for rows in _blocks(node, len(frames)) if rest else ():
        if node.path == SCALARS_NODE:
            values: NDArray[Any] = np.stack([reader.read_scalar(names[row], rest) for row in rows])
        elif node.span > 1:
            values = bin_values(reader.read(node.source, rows, rest))
        else:
            values = reader.read(node.path, rows, rest).astype(node.dtype, copy=False)
        file.write_rows(path, rows, values, node.length(copied))


def _copy_parts(file: ProvenFile, path: str, node: Node, chunk: tuple[int, ...], parts: Sequence[LargePart]) -> int:
    """Copy the chunks of one array from the first parts that store it as we would; returns how many frames they hold.

    Packing hard takes ten times as long as all else: a long run that ends would pack everything once more.
    """
    copied = 0
    if node.path == SCALARS_NODE:  # of which each part holds its own
        return copied
    for frames, source in parts:
        shape = node.shape(frames)
        if not source.is_stored_as(node.path, node.dtype, shape, chunk, codec_and_level(hard=node.is_packed_hard)):
            break
        file.copy_array(path, source, node.path, shape, chunk, node.length(copied))
        copied += frames
    return copied


LargePart = tuple[int, SealedFile]
"""A number of frames, and the part that holds them alone."""


@contextmanager
def _large_parts(reader: StreamReader, plan: FoldPlan) -> Iterator[list[LargePart]]:
    """Open the parts that hold the first frames of a plan, every byte checked, whose chunks end where a part ends.

    Raises:
        RunDamagedError: One is damaged.
    """
    with ExitStack() as stack:
        found: list[LargePart] = []
        position = 0
        for span in reader.view.spans:
            position += len(span.iterations)
            if position <= plan.position:
                continue
            is_large = isinstance(span, PartSpan) and span.is_whole and not (span.skip or span.frames % LARGE_PART)
            if not is_large or position > plan.frames.stop or span.first != plan.first + sum(one for one, _ in found):
                break
            verify_seal(span.path, whole=True)
            found.append((len(span.iterations), stack.enter_context(closing(SealedFile(span.path)))))
        yield found


def count_blocks(stream: Stream, sizes: Sizes, scalars: int, frames: int) -> int:
    """Return how many blocks `write_frames` writes, for a progress bar."""
    nodes = part_nodes(stream, sizes, scalars, frames).values()
    return 2 + sum(len(list(_blocks(node, frames))) for node in nodes if not node.is_empty)


def _blocks(node: Node, frames: int) -> Iterator[range]:
    """Yield the rows of an array in blocks of whole chunks."""
    return row_blocks(node.rows[0], node.chunk[0], node.row_elements * frames * node.dtype.itemsize)
