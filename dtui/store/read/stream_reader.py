"""Reads arrays over the frames of one stream, from parts and journals as if they were one.

Owns the border between folded and new frames. Values from both are rounded, left out and derived alike, so that a
number does not change when its frame moves into a part.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError, UsageError
from dtui.model import IntArray, LabelArray
from dtui.model.arrays import is_among
from dtui.store.disk.atomic_files import open_plain
from dtui.store.disk.damaged_chunks import answer_type, no_value
from dtui.store.disk.journal import Frame, read_field
from dtui.store.format.derived import class_errors, norms
from dtui.store.format.frames import frame_fields
from dtui.store.format.part_arrays import CLASS_ERROR_NODE, LABEL_NODE, Node, filter_node, part_nodes
from dtui.store.format.rounding import round_mantissa
from dtui.store.format.schema import LARGEST_ANSWER, Sizes, Stream
from dtui.store.read.catalog import PartSpan, StreamView
from dtui.store.read.coarse_level import gather_bins
from dtui.store.read.frame_files import StreamFiles, positions_in
from dtui.store.read.part_cache import OpenParts
from dtui.store.read.scalar_reader import ScalarReader
from dtui.store.read.source import RunSource

_READ_AT_ONCE = 8 << 20
_NORM_ROWS = 512
_NORM_VALUES = 1 << 19
"""Norms are computed for so many filters at once, or for more of so few values: it takes six times their memory."""


class StreamReader:
    """All readable frames of one stream. Not thread-safe."""

    def __init__(
        self,
        source: RunSource,
        stream: Stream,
        sizes: Sizes,
        parts: OpenParts,
        *,
        targets: LabelArray | None = None,
        is_strict: bool = False,
    ) -> None:
        """Prepare; `refresh` looks at the directory.

        Args:
            source: The source of the run.
            stream: The stream.
            sizes: Of the run.
            parts: The cache of open parts.
            targets: True labels, for validations.
            is_strict: Whether any damage raises an error, so that it is never copied as NaN.
        """
        self._files = StreamFiles(source, stream, sizes, parts, is_strict=is_strict)
        self._targets = np.empty(0, np.uint16) if targets is None else targets
        self._fields = frame_fields(stream, sizes)
        self._scalars = ScalarReader(self._files, sum(field.size for field in self._fields.values()))
        held = sizes.contents
        follow = held.norms if stream is Stream.RECORDS else {}
        self._norms = {
            filter_node(name): (held.filters[name].bits, tuple(map(filter_node, of))) for name, of in follow.items()
        }
        self._layers: IntArray = np.array(sizes.layer_filters, np.int64).reshape(-1, 2)

    @property
    def view(self) -> StreamView:
        """The frames that can be read, as of the last `refresh`."""
        return self._files.view

    @property
    def stop(self) -> int:
        """Ordinal after the last frame that could ever be read."""
        return self._files.stop

    @property
    def iterations(self) -> IntArray:
        """Iterations of all readable frames, shape (n,), ascending, read-only."""
        return self.view.iterations

    @property
    def faults(self) -> tuple[str, ...]:
        """One line per damaged or missing item."""
        return self._files.faults

    def refresh(self) -> bool:
        """Look at the directory again; Return True if frames or faults changed.

        Raises:
            OSError: The directory cannot be read.
        """
        has_changed = self._files.refresh()
        self._scalars.forget(self._files.journal_paths())
        return has_changed

    def nodes(self, span: PartSpan) -> Iterable[Node]:
        """Return the arrays that a part should have."""
        return self._files.nodes(span).values()

    def part_paths(self) -> set[Path]:
        """Return the parts that frames are read from."""
        return self._files.part_paths()

    def read(self, path: str, rows: range, frames: range) -> NDArray[Any]:
        """Return rows of an array at some frames.

        Args:
            path: Path of the array in parts.
            rows: Along its first axis, ascending.
            frames: Positions of the frames, ascending.

        Returns:
            Shape (len(rows), …, len(frames)), of the `answer_type` of the stored type. Damaged chunks of a part become
            NaN, or NO_VALUE in integers, and add one fault.

        Raises:
            RunDamagedError: A part is damaged and the reader is strict.
            UsageError: The answer would take more than LARGEST_ANSWER.
        """
        if path in self._norms:
            return self._read_norms(path, rows, frames)
        out = self._read(path, rows, frames)
        return self._with_lost_errors(out, rows, frames) if path == CLASS_ERROR_NODE else out

    def _read(self, path: str, rows: range, frames: range) -> NDArray[Any]:
        node = part_nodes(self._files.stream, self._files.sizes, 0, len(frames))[path]
        shape = (len(rows), *node.rows[1:], len(frames))
        out = self._room(path, shape, answer_type(node.dtype))

        def fill() -> None:
            for span, wanted, target in self._files.pieces(frames, out):
                if isinstance(span, PartSpan):
                    self._fill_from_part(span, path, rows, positions_in(span, wanted), target)
                else:
                    with open_plain(span.path) as file:
                        for at, position in enumerate(wanted):
                            target[..., at] = self._read_frame(file, span.frames[position], node, rows)

        if out.size:
            self._files.look_twice(fill)
        return out

    def _fill_from_part(self, span: PartSpan, path: str, rows: range, positions: slice, target: NDArray[Any]) -> None:
        node = self._files.nodes(span)[path]
        inner = (*[slice(None)] * (len(node.rows) - 1), positions)
        try:
            for some in _row_blocks(rows, node, target):
                index = (slice(some.start, some.stop, some.step), *inner)
                at = rows.index(some[0])
                self._files.fill_from_part(span, node, index, target[at : at + len(some)])
            lost = span.lost_at(path, positions)
            if lost.any():
                self._files.note_damage(RunDamagedError(_lost_when_packed(span, path)))
                target[..., lost] = no_value(target.dtype)
        except RunDamagedError as error:
            self._files.note_lost(error, target)

    def _with_lost_errors(self, errors: NDArray[Any], rows: range, frames: range) -> NDArray[Any]:
        """Return class errors; compute damaged ones again from the labels."""
        lost = np.isnan(errors) & is_among(np.arange(rows.start, rows.stop, rows.step), self._targets)[:, np.newaxis]
        columns = np.flatnonzero(lost.any(axis=0))
        images, classes = range(self._files.sizes.images), slice(rows.start, rows.stop, rows.step)
        at_once = max(1, _READ_AT_ONCE // max(1, 4 * len(images)))
        for first in range(0, len(columns), at_once):
            some = columns[first : first + at_once]
            begin = int(some[0])
            labels = self._read(LABEL_NODE, images, frames[begin : int(some[-1]) + 1])[:, some - begin]
            found = class_errors(labels, self._targets, self._files.sizes.classes)[classes]
            errors[:, some] = np.where(lost[:, some], found, errors[:, some])
        return errors

    def _read_norms(self, path: str, rows: range, frames: range) -> NDArray[Any]:
        bits, of = self._norms[path]
        out = self._room(path, (len(rows), len(frames)), np.dtype(np.float32))
        at_once = max(_NORM_ROWS, _NORM_VALUES // max(1, len(frames)))
        for first in range(0, len(rows), at_once):
            some = rows[first : first + at_once]
            mean, std = (self.read(source, some, frames) for source in of)
            layers = np.searchsorted(
                np.cumsum(self._layers[:, 0]), np.arange(some.start, some.stop, some.step), "right"
            )
            out[first : first + at_once] = round_mantissa(norms(mean, std, self._layers[layers, 1]), bits)
        return out

    def read_bins(self, path: str, rows: range, bins: range) -> NDArray[Any]:
        """Return the coarse level of a filter statistic: the value farthest from zero of every 8 frames.

        Args:
            path: Path of the statistic at full resolution.
            rows: Range along its first axis, step 1.
            bins: Range of bins, step 1. Bin b covers the frames 8 b to 8 b + 7 that exist.

        Returns:
            Shape (len(rows), len(bins)). The numbers are the same whether a part holds them or they are computed now. A
            damaged part adds one fault; a bin is NaN only if its frames are damaged, too.

        Raises:
            RunDamagedError: A part is damaged and the reader is strict.
            UsageError: The answer would take more than LARGEST_ANSWER.
        """
        out = self._room(path, (len(rows), len(bins)), np.dtype(np.float32))
        return self._files.look_twice(lambda: gather_bins(out, self._files, path, rows, bins, self.read))

    def _room(self, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array for an answer, but refuse a size beyond memory: a small file may declare any shape."""
        size = math.prod(shape) * dtype.itemsize
        if size > LARGEST_ANSWER:
            what = f"{path} of {shape[0]:,} rows at {shape[-1]:,} {self._files.stream}"
            raise UsageError(f"{what}: {size:,} bytes; ask for less")
        return np.empty(shape, dtype)

    def _read_frame(self, file: BinaryIO, frame: Frame, node: Node, rows: range) -> NDArray[Any]:
        """Return rows of a node from a journal frame, shape (len(rows), …)."""
        if node.path == CLASS_ERROR_NODE:
            labels = read_field(file, frame, self._fields["labels"], 0, self._files.sizes.images)
            return class_errors(labels, self._targets, self._files.sizes.classes)[rows.start : rows.stop : rows.step]
        width = node.row_elements
        count = (rows[-1] + 1 - rows.start) * width
        values = read_field(file, frame, self._fields[node.field], node.start + rows.start * width, count)
        values = values.reshape(-1, *node.rows[1:])[:: rows.step]
        return round_mantissa(values, node.bits)

    def read_scalar(self, name: str, frames: range) -> NDArray[np.float64]:
        """Return a scalar at some frames, shape (len(frames),), NaN where it was not logged or is damaged."""
        return self._scalars.read(name, frames)

    def scalar_names(self) -> tuple[str, ...]:
        """Return the names of all scalars, in order of their first appearance."""
        return self._scalars.names()


def _row_blocks(rows: range, node: Node, target: NDArray[Any]) -> Iterator[range]:
    """Yield the rows in blocks of some megabytes and whole chunks, so that memory never holds the answer twice."""
    chunk = node.chunk[0]
    step = max(1, _READ_AT_ONCE * len(rows) // max(1, target.nbytes * chunk)) * chunk
    for first in range(rows.start // chunk * chunk, rows.stop, step):
        some = rows[bisect_left(rows, first) : bisect_left(rows, first + step)]
        if some:
            yield some


def _lost_when_packed(span: PartSpan, path: str) -> str:
    """Return one line on the frames of an array that were damaged before the run was packed."""
    firsts, stops = span.lost[path]
    first, stop, others = int(firsts[0]), int(stops[0]), len(firsts) - 1
    more = f" and {others:,} more stretches" if others else ""
    return f"{span.path}: {path} was damaged at frames {first} to {stop - 1}{more} when it was packed"
