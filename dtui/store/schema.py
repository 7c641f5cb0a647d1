"""The format of a run on disk, version 1: file names, frame layout, node paths, element types and limits.

Owns everything that a program in another language would need to read a run. A second copy would let a file
written by one module be read wrongly by another.

A run is a directory `NAME.dtui`:

    run.json                       who writes it, whether it was closed, where it was resumed; replaced atomically
    heartbeat                      its modification time is the writer's sign of life
    structure.h5                   metadata, classes, modules, layers, graph; written once
    images.h5                      targets, ids and thumbnails of the tracked images; written once
    journal/<stream>-<first>.dtj   the newest frames of a stream, appended; named by the ordinal of its first frame
    parts/<stream>-<first>-<stop>.h5   frames `first` to `stop` (exclusive) of a stream; immutable, published by rename
    gaps.jsonl                     what could not be recorded, a line a gap
    triggers.jsonl                 what the flight recorder fired on, a line a trigger; optional
    triage.jsonl                   people's decisions on anomalies, a line a decision
    findings.h5                    anomalies that took long to find: a cache that a viewer of an ended run writes, where
                                   it may; /document (JSON: run, tables with key and rows), /findings/table<n>
                                   (rows, columns) int64; ignored where anything in the key differs
    compact.lock                   who is folding journals into parts at the moment
    resume.lock                    who is taking the run over from a dead writer at the moment

There are three streams: `records`, `validations` and `watches`. A watch is a frame of the flight recorder, laid out
as a record, NaN in what it does not measure; a run without one has no file of that stream. The ordinal of a frame is
its position in its stream, from 0. Every `.h5` file ends in a seal (see `dtui.store.seal`).

A training that goes on from a checkpoint is a join, an item of "joins" in run.json: the iteration of its first update,
of each stream the ordinals that it supersedes (first, stop), and how many lines of gaps.jsonl and triggers.jsonl came
before it. It is written before the first frame that follows it. Superseded frames do not count: of a part they are the
last ones.

Arrays in a part of n records or watches: F filters, L layers, M modules, S scalars; of n validations: I images, C
classes. All are chunked. A node with an axis of length 0 is left out.

    /iterations              (n,)          int64, ascending
    /document                (bytes,)      uint8, JSON: stream, first, stop, run, scalars (names in storage order)
    /filters/<statistic>     (F, n)        float32, mantissa rounded to KEPT_BITS
                                           (in records without norm and gradient_norm, which follow: see NORMS)
    /bins/<statistic>        (F, ⌈n / 8⌉)  float32, the value farthest from zero of 8 frames (NaN left out, the
                                           positive one of two equally far); optional, in parts of 1,024 frames or more
    /layers/<source>         (K, L, n)     float32, K = len(LAYER_STATISTICS)
    /modules/<source>        (K, M, n)     float32
    /layers/histogram        (L, bins, n)  uint32
    /layers/change_ratio     (L, edges, n) float32
    /scalars                 (S, n)        float64, NaN where a name was not logged; a logged NaN has the bits
                                           7FF8000000000001 (in runs of before 0.1.0 it has not)
    /validation/label        (I, n)        uint16
    /validation/confidence   (I, n)        uint8
    /classes/error           (C, n)        float32, NaN for a class without images

A packed run is one such file, NAME.h5, whose seal says so. It is made once and never changes:

    /document                JSON: format, run, status and reason (how it had ended), streams (to frames, and to the
                             stretches of frames at which an array without NaN was damaged), images, joins, lines (of
                             each .jsonl file), missing (a line a thing that could not be packed)
    /structure/document      the array of structure.h5
    /images/…                those of images.h5
    /<stream>/…              those of one part that holds all readable frames of the stream, in order from 0

Later decisions on it go to NAME.triage.jsonl next to it, each with the id of the run.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
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
    ImageSet,
    Structure,
)

FORMAT_VERSION = 1

SUFFIX = ".dtui"
RUN_FILE = "run.json"
HEARTBEAT_FILE = "heartbeat"
STRUCTURE_FILE = "structure.h5"
IMAGES_FILE = "images.h5"
GAPS_FILE = "gaps.jsonl"
TRIGGERS_FILE = "triggers.jsonl"
FINDINGS_FILE = "findings.h5"
TRIAGE_FILE = "triage.jsonl"
LINE_FILES = (GAPS_FILE, TRIGGERS_FILE, TRIAGE_FILE)
LOCK_FILE = "compact.lock"
RESUME_LOCK_FILE = "resume.lock"
JOURNAL_FOLDER = "journal"
PARTS_FOLDER = "parts"
JOURNAL_SUFFIX = ".dtj"
PART_SUFFIX = ".h5"
PACKED_SUFFIX = ".h5"
TEMPORARY_MARK = ".tmp-"

SMALL_PART = 32
"""Frames in a full journal file, and in the part that it becomes."""
LARGE_PART = 1024
"""Frames in the part that full small parts become together."""

STRUCTURE_GROUP = "/structure"
IMAGES_GROUP = "/images"
ITERATIONS_NODE = "/iterations"
DOCUMENT_NODE = "/document"
SCALARS_NODE = "/scalars"
HISTOGRAM_NODE = "/layers/histogram"
CHANGE_RATIO_NODE = "/layers/change_ratio"
LABEL_NODE = "/validation/label"
CONFIDENCE_NODE = "/validation/confidence"
CLASS_ERROR_NODE = "/classes/error"
TARGETS_NODE = "/targets"
FINDINGS_NODE = "/findings/table"
THUMBNAILS_NODE = "/thumbnails"
THUMBNAIL_OFFSETS_NODE = "/thumbnail_offsets"

MOST_FILTERS = 20_000_000
MOST_IMAGES = 4_000_000
MOST_NODES = 1_000_000
MOST_CLASSES = 65_536
MOST_VALUES = 5_000_000
"""In a JSON document: each takes up to a hundred bytes of memory once it is parsed."""
LAST_ITERATION = (1 << 62) - 1
LARGEST_SCALARS = 4 << 20
LARGEST_DOCUMENT = 64 << 20
LARGEST_THUMBNAILS = 1 << 40
LARGEST_CHUNK = 64 << 20
LARGEST_ANSWER = 2 << 30
"""Bytes that one question about a run may take in memory."""

BIN = RECORDS_A_BIN
"""Frames that share one value of the coarse level."""
LEAST_BINNED = 1024
"""Frames from which on a part has a coarse level: fewer than that fit a screen at full resolution."""

WHOLE = 23
"""Bits of a float32's mantissa: not rounded."""
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


class Stream(StrEnum):
    """A sequence of frames of one kind."""

    RECORDS = "records"
    VALIDATIONS = "validations"
    WATCHES = "watches"


FRAME_MAGIC = b"dtJ1"
FRAME_HEADER = struct.Struct("<4sBBHIIQqII")
"""magic, format version, stream (0 records, 1 validations, 2 watches), 0, token of the run, payload bytes, ordinal,
iteration, CRC-32 of the payload, CRC-32 of the header before this field."""
STREAM_CODES = {Stream.RECORDS: 0, Stream.VALIDATIONS: 1, Stream.WATCHES: 2}
PAYLOAD_ALIGNMENT = 8
"""A payload is its fixed fields, then a JSON object of scalars padded with spaces to this many bytes."""


@dataclass(frozen=True, slots=True)
class Field:
    """One array at a fixed place in a frame's payload.

    Attributes:
        name: Of the attribute in Record or Validation.
        dtype: Element type, little-endian.
        shape: Of one frame.
        offset: Bytes from the start of the payload.
    """

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[int, ...]
    offset: int

    @property
    def size(self) -> int:
        """Bytes in the payload."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Sizes:
    """The lengths of a run's axes, fixed by its structure and its images."""

    filters: int
    layers: int
    modules: int
    images: int = 0
    classes: int = 0
    layer_filters: tuple[tuple[int, int], ...] = ()
    """Of each layer: how many filters, and elements in each."""

    @classmethod
    def of(cls, structure: Structure) -> Sizes:
        """Return the sizes of a run whose images are not known yet."""
        filters = tuple((layer.filters, math.prod(layer.shape) // layer.filters) for layer in structure.layers)
        return cls(structure.filters, len(structure.layers), len(structure.modules), layer_filters=filters)

    def with_images(self, images: ImageSet) -> Sizes:
        """Return the sizes once the images are known."""
        return replace(self, images=len(images.ids), classes=len(images.classes))


def frame_fields(stream: Stream, sizes: Sizes) -> dict[str, Field]:
    """Return the fixed fields of a frame's payload by name, in storage order."""
    if stream is not Stream.VALIDATIONS:
        statistics = (len(SOURCES), len(LAYER_STATISTICS))
        plan: list[tuple[str, str, tuple[int, ...]]] = [
            ("filters", "<f4", (len(FILTER_STATISTICS), sizes.filters)),
            ("layers", "<f4", (*statistics, sizes.layers)),
            ("modules", "<f4", (*statistics, sizes.modules)),
            ("histograms", "<u4", (sizes.layers, HISTOGRAM_BINS)),
            ("change_ratios", "<f4", (sizes.layers, len(CHANGE_RATIO_EDGES))),
        ]
    else:
        plan = [("labels", "<u2", (sizes.images,)), ("confidences", "|u1", (sizes.images,))]
    fields: dict[str, Field] = {}
    offset = 0
    for name, dtype, shape in plan:
        fields[name] = Field(name, np.dtype(dtype), shape, offset)
        offset += fields[name].size
    return fields


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
        return int(np.prod(self.rows[1:], dtype=np.int64))


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


def journal_name(stream: Stream, first: int) -> str:
    """Return the file name of the journal that begins with the frame `first`."""
    return f"{stream}-{first:010d}{JOURNAL_SUFFIX}"


def part_name(stream: Stream, first: int, stop: int) -> str:
    """Return the file name of the part that holds the frames `first` to `stop`."""
    return f"{stream}-{first:010d}-{stop:010d}{PART_SUFFIX}"


def parse_journal_name(name: str) -> tuple[Stream, int] | None:
    """Return stream and first ordinal, None for any other file."""
    numbers = _numbers(name, JOURNAL_SUFFIX, 1)
    return None if numbers is None else (numbers[0], numbers[1][0])


def parse_part_name(name: str) -> tuple[Stream, int, int] | None:
    """Return stream, first ordinal and stop, None for any other file."""
    numbers = _numbers(name, PART_SUFFIX, 2)
    if numbers is None or not numbers[1][0] < numbers[1][1]:
        return None
    return numbers[0], numbers[1][0], numbers[1][1]


def _numbers(name: str, suffix: str, count: int) -> tuple[Stream, list[int]] | None:
    if not name.endswith(suffix):
        return None
    head, *digits = name[: -len(suffix)].split("-")
    if head not in tuple(Stream) or len(digits) != count:
        return None
    if not all(len(text) == 10 and text.isascii() and text.isdigit() for text in digits):
        return None
    return Stream(head), [int(text) for text in digits]
