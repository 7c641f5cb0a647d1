"""Lists the arrays of a part: paths, shapes, chunks, kept bits, and the place of the same values in a frame.

Owns these as Python values; `dtui.store.format.schema` specifies them as text under "Arrays in a part".
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import CHANGE_RATIO_EDGES, HISTOGRAM_BINS, RECORDS_A_BIN
from dtui.model.statistics import WHOLE
from dtui.store.format.contents import CONFIDENCE, LABEL
from dtui.store.format.frames import column_field, track_field
from dtui.store.format.schema import SMALL_PART, Sizes, Stream

ITERATIONS_NODE = "/iterations"
SCALARS_NODE = "/scalars"
HISTOGRAM_NODE = "/layers/histogram"
CHANGE_RATIO_NODE = "/layers/change_ratio"
LABEL_NODE = "/validation/label"
CONFIDENCE_NODE = "/validation/confidence"
CLASS_ERROR_NODE = "/classes/error"

BIN = RECORDS_A_BIN
"""Frames that share one value of the coarse level."""
LEAST_BINNED = 1024
"""Frames from which on a part has a coarse level: fewer than that fit a screen at full resolution."""

BLOCK_BYTES = 16 << 20
"""What is written or compared at once."""


@dataclass(frozen=True, slots=True)
class Node:
    """One array of a part, and the place of the same values in a frame.

    Attributes:
        path: Path in the HDF5 file.
        dtype: Element type, little-endian.
        rows: Shape without the last axis; the last axis is the frames.
        chunk: Chunk shape without the last axis.
        frames: Most frames in a chunk.
        field: Name of the field in a frame, "" where the values are derived or are scalars.
        start: First element within that field (flat, C order).
        bits: Bits of mantissa that are kept.
        span: Number of frames per element of the last axis.
        source: Path of the full-resolution array if this one is its coarse level, else "".
        is_packed_hard: Whether it is compressed with more effort: ten times the time for a quarter fewer bytes.
    """

    path: str
    dtype: np.dtype[np.generic]
    rows: tuple[int, ...]
    chunk: tuple[int, ...]
    frames: int
    field: str = ""
    start: int = 0
    bits: int = WHOLE
    span: int = 1
    source: str = ""
    is_packed_hard: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether an axis has length 0; then the array is left out."""
        return 0 in self.rows

    def length(self, frames: int) -> int:
        """Return the length of the last axis for a number of frames."""
        return -(-frames // self.span)

    def shape(self, frames: int) -> tuple[int, ...]:
        """Return the shape of the array for a number of frames."""
        return (*self.rows, self.length(frames))

    @property
    def row_elements(self) -> int:
        """Number of elements in one row of the first axis, for one frame."""
        return math.prod(self.rows[1:])


def filter_node(statistic: str) -> str:
    """Return the path of one filter statistic."""
    return f"/filters/{statistic}"


def bin_node(statistic: str) -> str:
    """Return the path of the coarse level of one filter statistic."""
    return f"/bins/{statistic}"


def layer_node(source: str) -> str:
    """Return the path of the layer statistics of one source."""
    return f"/layers/{source}"


def module_node(source: str) -> str:
    """Return the path of the module statistics of one source."""
    return f"/modules/{source}"


def track_node(kind: str, statistic: str) -> str:
    """Return the path of one statistic of another kind of rows."""
    return f"/tracks/{kind}/{statistic}"


def column_node(name: str) -> str:
    """Return the path of a column."""
    return {LABEL.name: LABEL_NODE, CONFIDENCE.name: CONFIDENCE_NODE}.get(name, f"/columns/{name}")


def part_nodes(stream: Stream, sizes: Sizes, scalars: int, frames: int) -> Mapping[str, Node]:
    """Return the arrays of a part by path, without /iterations and /document, in storage order.

    Chunk shapes are measured (27,560 filters × 1,000 invented records, blosc2:lz4, fletcher32, cold, loaded machine):
    (512, 64) reads 2,048 filters in 9–17 ms, one filter in 2–4, one record in 14–21; (256, 256) in 10–12, 2–3 and
    45–61; (1024, 128) in 19, 6–7 and 19–29. A part of few frames has more rows per chunk.
    """
    return _part_nodes(stream, sizes, scalars, frames, frames >= LEAST_BINNED)


@lru_cache(maxsize=256)
def _part_nodes(stream: Stream, sizes: Sizes, scalars: int, frames: int, is_binned: bool) -> Mapping[str, Node]:
    is_small = frames <= 4 * SMALL_PART
    tall = 2048 if is_small else 256
    plan: list[Node] = []

    def add(
        path: str,
        dtype: str,
        rows: tuple[int, ...],
        chunk: tuple[int, ...],
        field: str = "",
        at: int = 0,
        bits: int = WHOLE,
    ) -> None:
        fitting = tuple(min(most, max(length, 1)) for most, length in zip(chunk, rows, strict=True))
        plan.append(Node(path, np.dtype(dtype), rows, fitting, 256, field, at * math.prod(rows), bits))

    if stream is not Stream.VALIDATIONS:
        held = sizes.contents
        kinds, bins, edges = len(held.layers), HISTOGRAM_BINS, len(CHANGE_RATIO_EDGES)
        plan += _filter_nodes(stream, sizes, is_small=is_small, is_binned=is_binned)
        for at, source in enumerate(held.sources):
            add(layer_node(source), "<f4", (kinds, sizes.layers), (1, 64), "layers", at)
            add(module_node(source), "<f4", (kinds, sizes.modules), (1, 64), "modules", at)
        add(HISTOGRAM_NODE, "<u4", (sizes.layers, bins), (1 if frames > SMALL_PART else 16, bins), "histograms")
        add(CHANGE_RATIO_NODE, "<f4", (sizes.layers, edges), (16, edges), "change_ratios")
        add(SCALARS_NODE, "<f8", (scalars,), (1,))
        for track in held.tracks:
            for at, one in enumerate(track.statistics):
                path, field = track_node(track.kind, one.name), track_field(track.kind)
                add(path, "<f4", (track.rows,), (tall,), field, at, one.bits)
    for column, rows in sizes.columns(stream):
        add(column_node(column.name), column.dtype, (rows,), (tall,), column_field(column.name))
    if stream is Stream.VALIDATIONS and sizes.contents.has_labels:
        add(CLASS_ERROR_NODE, "<f4", (sizes.classes,), (tall,))
    return MappingProxyType({node.path: node for node in plan})


def _filter_nodes(stream: Stream, sizes: Sizes, *, is_small: bool, is_binned: bool) -> list[Node]:
    """Return the arrays of filter statistics, then those of their coarse level if there is one."""
    filters, held = sizes.filters, sizes.contents
    chunk = (min(2048 if is_small else 512, max(filters, 1)),)
    nodes = [
        Node(
            path=filter_node(one.name),
            dtype=np.dtype("<f4"),
            rows=(filters,),
            chunk=chunk,
            frames=64,
            field="filters",
            start=at * filters,
            bits=one.bits,
            is_packed_hard=not is_small,
        )
        for at, one in enumerate(held.filters.values())
    ]
    bins = [
        replace(node, path=bin_node(name), span=BIN, source=node.path)
        for name, node in zip(held.filters, nodes, strict=True)
    ]
    if stream is Stream.RECORDS:
        nodes = [node for node in nodes if node.path not in map(filter_node, held.norms)]
    return nodes + bins if is_binned else nodes


def row_blocks(rows: int, chunk: int, row_bytes: int) -> Iterator[range]:
    """Yield ranges of rows; each range has whole chunks and about BLOCK_BYTES.

    Args:
        rows: Number of rows.
        chunk: Rows in a chunk.
        row_bytes: Bytes of one row.
    """
    step = max(1, BLOCK_BYTES // (max(1, row_bytes) * chunk)) * chunk
    for start in range(0, rows, step):
        yield range(start, min(start + step, rows))
