"""The arrays of a part: paths, shapes, chunks, the bits that are kept, and where a frame holds the same values.

Owns as values what `dtui.store.format.schema` specifies under "Arrays in a part". A second copy would let the compactor
write an array that a reader refuses, or keep other bits of a number in a part than a reader does of a journal.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType

import numpy as np

from dtui.model import (
    CHANGE_RATIO_EDGES,
    FILTER_STATISTICS,
    HISTOGRAM_BINS,
    LAYER_STATISTICS,
    RECORDS_A_BIN,
    SOURCES,
)
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

WHOLE = 23
"""Bits of a float32's mantissa: not rounded."""
BLOCK_BYTES = 16 << 20
"""What is written or compared at once."""
KEPT_BITS = {
    "mean": 10,
    "std": 10,
    "norm": 10,
    "share_negative": 10,
    "sum_positive": 10,
    "sum_negative": 10,
    "update_norm": 7,
    "update_ratio": 7,
    "cosine_distance": 7,
    "gradient_mean": 7,
    "gradient_std": 7,
    "gradient_norm": 7,
    "nonfinite": WHOLE,
}
"""Bits of mantissa that are kept of a filter statistic. The relative error is at most 2^-11 (0.05 %) of what is
measured on weights, and 2^-8 (0.4 %) of gradients and updates, which differ by 20 to 80 % from one record to the next.
Counts are kept whole. Parts that an earlier dtui wrote may hold more bits."""
NORMS = {"norm": ("mean", "std"), "gradient_norm": ("gradient_mean", "gradient_std")}
"""Filter statistics that parts of records do not hold: √elements · √(mean² + std²) of what they do hold. Readers
compute them from journals in the same way, and take no notice of them in the parts of an earlier dtui. Watches, which
have no mean and std, hold them."""


@dataclass(frozen=True, slots=True)
class Node:
    """One array of a part, and where a frame holds the same values.

    Attributes:
        path: In the HDF5 file.
        dtype: Element type, little-endian.
        rows: Shape without the last axis, which is the frames.
        chunk: Chunk shape without the last axis.
        frames: Frames in a chunk, at most.
        field: Name of the field in a frame, "" where the values are derived or are scalars.
        start: First element within that field (flat, C order).
        bits: Of mantissa that are kept.
        span: Frames that share one element of the last axis.
        source: Path of the array that this one is the coarse level of, "" for any other.
        is_packed_hard: Whether compressing it may take ten times as long, for a quarter fewer bytes.
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
        """Whether an axis has length 0, so that the node is left out."""
        return 0 in self.rows

    def length(self, frames: int) -> int:
        """Length of the last axis for so many frames."""
        return -(-frames // self.span)

    @property
    def row_elements(self) -> int:
        """Elements in one row of the first axis, for one frame."""
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


def part_nodes(stream: Stream, sizes: Sizes, scalars: int, frames: int) -> Mapping[str, Node]:
    """Return the arrays of a part by path, without /iterations and /document, in storage order.

    Chunk shapes are measured (27,560 filters × 1,000 invented records, blosc2:lz4, fletcher32, cold, loaded machine):
    (512, 64) reads 2,048 filters in 9–17 ms, one filter in 2–4, one record in 14–21; (256, 256) in 10–12, 2–3 and
    45–61; (1024, 128) in 19, 6–7 and 19–29. A part of few frames takes more rows a chunk.
    """
    return _part_nodes(stream, sizes, scalars, frames, frames >= LEAST_BINNED)


@lru_cache(maxsize=256)
def _part_nodes(stream: Stream, sizes: Sizes, scalars: int, frames: int, is_binned: bool) -> Mapping[str, Node]:
    is_small = frames <= 4 * SMALL_PART
    tall = 2048 if is_small else 256
    plan: list[Node] = []

    def add(path: str, dtype: str, rows: tuple[int, ...], chunk: tuple[int, ...], field: str = "", at: int = 0) -> None:
        fitting = tuple(min(most, max(length, 1)) for most, length in zip(chunk, rows, strict=True))
        plan.append(Node(path, np.dtype(dtype), rows, fitting, 256, field, at * math.prod(rows)))

    if stream is not Stream.VALIDATIONS:
        kinds, bins, edges = len(LAYER_STATISTICS), HISTOGRAM_BINS, len(CHANGE_RATIO_EDGES)
        plan += _filter_nodes(stream, sizes.filters, is_small=is_small, is_binned=is_binned)
        for at, source in enumerate(SOURCES):
            add(layer_node(source), "<f4", (kinds, sizes.layers), (1, 64), "layers", at)
            add(module_node(source), "<f4", (kinds, sizes.modules), (1, 64), "modules", at)
        add(HISTOGRAM_NODE, "<u4", (sizes.layers, bins), (1 if frames > SMALL_PART else 16, bins), "histograms")
        add(CHANGE_RATIO_NODE, "<f4", (sizes.layers, edges), (16, edges), "change_ratios")
        add(SCALARS_NODE, "<f8", (scalars,), (1,))
    else:
        add(LABEL_NODE, "<u2", (sizes.images,), (tall,), "labels")
        add(CONFIDENCE_NODE, "|u1", (sizes.images,), (tall,), "confidences")
        add(CLASS_ERROR_NODE, "<f4", (sizes.classes,), (tall,))
    return MappingProxyType({node.path: node for node in plan})


def _filter_nodes(stream: Stream, filters: int, *, is_small: bool, is_binned: bool) -> list[Node]:
    """Return the arrays of filter statistics, then their coarse level where there is one."""
    chunk = (min(2048 if is_small else 512, max(filters, 1)),)
    nodes = [
        Node(
            path=filter_node(statistic),
            dtype=np.dtype("<f4"),
            rows=(filters,),
            chunk=chunk,
            frames=64,
            field="filters",
            start=at * filters,
            bits=KEPT_BITS[statistic],
            is_packed_hard=not is_small,
        )
        for at, statistic in enumerate(FILTER_STATISTICS)
    ]
    bins = [
        replace(node, path=bin_node(statistic), span=BIN, source=node.path)
        for statistic, node in zip(FILTER_STATISTICS, nodes, strict=True)
    ]
    if stream is Stream.RECORDS:
        nodes = [node for node in nodes if node.path not in map(filter_node, NORMS)]
    return nodes + bins if is_binned else nodes


def row_blocks(rows: int, chunk: int, row_bytes: int) -> Iterator[range]:
    """Yield ranges of rows, whole chunks each, of about BLOCK_BYTES.

    Args:
        rows: How many there are.
        chunk: Rows in a chunk.
        row_bytes: Bytes of one row.
    """
    step = max(1, BLOCK_BYTES // (max(1, row_bytes) * chunk)) * chunk
    for start in range(0, rows, step):
        yield range(start, min(start + step, rows))
