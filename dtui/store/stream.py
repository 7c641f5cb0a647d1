"""Reads arrays over the frames of one stream, across parts and journals, while both change.

Owns the seam between folded and new frames. A second copy would round or order them differently on one side.
"""

from __future__ import annotations

import errno
import math
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError, UsageError
from dtui.model import BoolArray, IntArray, LabelArray
from dtui.store.bins import bin_values
from dtui.store.catalog import FrameSpan, PartSpan, StreamView
from dtui.store.derived import class_errors, norms
from dtui.store.files import open_plain
from dtui.store.journal import Frame, read_field, read_scalars
from dtui.store.parts import OpenParts
from dtui.store.rounding import round_mantissa
from dtui.store.schema import (
    BIN,
    CLASS_ERROR_NODE,
    KEPT_BITS,
    LARGEST_ANSWER,
    NORMS,
    SCALARS_NODE,
    Node,
    Sizes,
    Stream,
    filter_node,
    frame_fields,
    part_nodes,
)
from dtui.store.source import RunSource

_READ_AT_ONCE = 8 << 20
_NORM_ROWS = 512
_NORM_VALUES = 1 << 21
"""Norms are computed for so many filters at once, or for more of so few values: it takes six times their memory."""
_REPLACED = (errno.ENOENT, errno.ESTALE)


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
            source: Where the run is.
            stream: Which frames.
            sizes: Of the run.
            parts: Where open parts are kept.
            targets: True labels, for validations.
            is_strict: Raise on every damage, so that it is never copied on as NaN.
        """
        self._stream = stream
        self._sizes = sizes
        self._parts = parts
        self._targets = np.empty(0, np.uint16) if targets is None else targets
        self._is_strict = is_strict
        self._fields = frame_fields(stream, sizes)
        self._fixed = sum(field.size for field in self._fields.values())
        self._catalog = source.catalog(stream, sizes, parts)
        follow = NORMS if stream is Stream.RECORDS else {}
        self._norms = {filter_node(name): (KEPT_BITS[name], tuple(map(filter_node, of))) for name, of in follow.items()}
        counts = np.array(sizes.layer_filters, np.int64).reshape(-1, 2)
        self._elements: IntArray = np.repeat(counts[:, 1], counts[:, 0])
        self._scalars: dict[tuple[Path, int], dict[str, float]] = {}
        self._damage: dict[str, None] = {}
        self.view = StreamView()

    @property
    def iterations(self) -> IntArray:
        """Of all readable frames, shape (n,), ascending, read-only."""
        return self.view.iterations

    @property
    def faults(self) -> tuple[str, ...]:
        """One line a thing that is damaged or missing."""
        return (*self.view.faults, *self._damage)

    def refresh(self) -> bool:
        """Look at the directory again; True if frames or faults changed.

        Raises:
            OSError: The directory cannot be read.
        """
        before = self.view
        self.view = self._catalog.update()
        self.view.iterations.flags.writeable = False
        journals = {span.path for span in self.view.spans if isinstance(span, FrameSpan)}
        self._scalars = {key: value for key, value in self._scalars.items() if key[0] in journals}
        return before.faults != self.view.faults or not np.array_equal(before.iterations, self.view.iterations)

    def part_paths(self) -> set[Path]:
        """Return the parts that frames are read from."""
        return {span.path for span in self.view.spans if isinstance(span, PartSpan)}

    def read(self, path: str, rows: range, frames: range) -> NDArray[Any]:
        """Return rows of an array at some frames.

        Args:
            path: Path of the array in parts.
            rows: Along its first axis, ascending.
            frames: Positions of the frames, ascending.

        Returns:
            Shape (len(rows), …, len(frames)). Where a part is damaged: NaN and one more fault.

        Raises:
            RunDamagedError: A part is damaged and the element type has no NaN, or the reader is strict.
            UsageError: The answer would take more than LARGEST_ANSWER.
        """
        if path in self._norms:
            return self._read_norms(path, rows, frames)
        node = part_nodes(self._stream, self._sizes, 0, len(frames))[path]
        shape = (len(rows), *node.rows[1:], len(frames))
        out = self._room(path, shape, node.dtype)

        def from_part(span: PartSpan, positions: slice, target: NDArray[Any]) -> None:
            layout = part_nodes(self._stream, self._sizes, len(span.scalars), span.frames)[path]
            inner = (*[slice(None)] * (len(node.rows) - 1), positions)
            try:
                _require_values(span, path, positions)
                for some in _row_blocks(rows, layout, target):
                    index = (slice(some.start, some.stop, some.step), *inner)
                    values = self._parts.read(span.path, layout, span.frames, index, span.group)
                    at = rows.index(some[0])
                    target[at : at + len(some)] = values
            except RunDamagedError as error:
                self._note_damage(error, target)

        def from_journal(span: FrameSpan, wanted: range, target: NDArray[Any]) -> None:
            with open_plain(span.path) as file:
                for at, position in enumerate(wanted):
                    target[..., at] = self._read_frame(file, span.frames[position], node, rows)

        return self._gather(frames, out, from_part, from_journal) if out.size else out

    def _read_norms(self, path: str, rows: range, frames: range) -> NDArray[Any]:
        bits, of = self._norms[path]
        out = self._room(path, (len(rows), len(frames)), np.dtype(np.float32))
        at_once = max(_NORM_ROWS, _NORM_VALUES // max(1, len(frames)))
        for first in range(0, len(rows), at_once):
            some = rows[first : first + at_once]
            mean, std = (self.read(source, some, frames) for source in of)
            elements = self._elements[some.start : some.stop : some.step]
            out[first : first + at_once] = round_mantissa(norms(mean, std, elements), bits)
        return out

    def read_bins(self, path: str, rows: range, bins: range) -> NDArray[Any]:
        """Return the coarse level of a filter statistic: the value farthest from zero of every 8 frames.

        Args:
            path: Path of the statistic at full resolution.
            rows: Along its first axis, ascending, one by one.
            bins: Which bins, one by one; bin b holds the frames 8 b to 8 b + 7 that there are.

        Returns:
            Shape (len(rows), len(bins)). The same numbers whether a part holds them or they are made now; one more
            fault where a part is damaged, and NaN if its frames are, too.

        Raises:
            RunDamagedError: A part is damaged and the reader is strict.
            UsageError: The answer would take more than LARGEST_ANSWER.
        """
        for is_last in (False, True):
            try:
                return self._gather_bins(path, rows, bins)
            except OSError as error:
                self._look_again(error, is_last)
        raise AssertionError

    def _room(self, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """Return an array for an answer, unless it would fit no memory: a small file may declare any shape."""
        size = math.prod(shape) * dtype.itemsize
        if size > LARGEST_ANSWER:
            what = f"{path} of {shape[0]:,} rows at {shape[-1]:,} {self._stream}"
            raise UsageError(f"{what}: {size:,} bytes; ask for less")
        return np.empty(shape, dtype)

    def _gather_bins(self, path: str, rows: range, bins: range) -> NDArray[Any]:
        out = self._room(path, (len(rows), len(bins)), np.dtype(np.float32))
        done = np.zeros(len(bins), np.bool_)
        for span, node, own in self._binned_spans(path):
            low, high = max(own.start, bins.start), min(own.stop, bins.stop)
            if low >= high:
                continue
            target = slice(low - bins.start, high - bins.start)
            first = low - own.start + -(-span.skip // BIN)
            try:
                index = (slice(rows.start, rows.stop), slice(first, first + high - low))
                values = self._parts.read(span.path, node, span.frames, index, span.group)
                if values.shape == out.shape:
                    return values
                out[:, target], done[target] = values, True
            except RunDamagedError as error:
                if self._is_strict:
                    raise
                self._damage[str(error)] = None  # the part may hold the frames themselves unharmed
        for low, high in _runs_of(~done):
            frames = range((bins.start + low) * BIN, min((bins.start + high) * BIN, len(self.iterations)))
            out[:, low:high] = bin_values(self.read(path, rows, frames))
        return out

    def _binned_spans(self, path: str) -> Iterator[tuple[PartSpan, Node, range]]:
        """Yield the parts that hold whole bins of a statistic, its coarse level there, and which bins of the view."""
        begin = 0
        for span in self.view.spans:
            stop = begin + len(span.iterations)
            if isinstance(span, PartSpan) and (begin - span.skip) % BIN == 0:
                nodes = part_nodes(self._stream, self._sizes, len(span.scalars), span.frames)
                node = next((node for node in nodes.values() if node.source == path), None)
                is_end = stop == len(self.iterations) and span.skip + len(span.iterations) == span.frames
                own = range(-(-begin // BIN), -(-stop // BIN) if is_end else stop // BIN)
                if node is not None and own and self._parts.has(span.path, node, span.group):
                    yield span, node, own
            begin = stop

    def _read_frame(self, file: BinaryIO, frame: Frame, node: Node, rows: range) -> NDArray[Any]:
        """Return rows of a node from a journal frame, shape (len(rows), …)."""
        if node.path == CLASS_ERROR_NODE:
            labels = read_field(file, frame, self._fields["labels"], 0, self._sizes.images)
            return class_errors(labels, self._targets, self._sizes.classes)[rows.start : rows.stop : rows.step]
        width = node.row_elements
        count = (rows[-1] + 1 - rows.start) * width
        values = read_field(file, frame, self._fields[node.field], node.start + rows.start * width, count)
        values = values.reshape(-1, *node.rows[1:])[:: rows.step]
        return round_mantissa(values, node.bits)

    def _note_damage(self, error: RunDamagedError, target: NDArray[Any]) -> None:
        if self._is_strict or not np.issubdtype(target.dtype, np.floating):
            raise error
        target[...] = np.nan
        self._damage[str(error)] = None

    def read_scalar(self, name: str, frames: range) -> NDArray[np.float64]:
        """Return a scalar at some frames, shape (len(frames),), NaN where it was not logged or is damaged."""
        out = np.full(len(frames), np.nan)

        def from_part(span: PartSpan, steps: slice, target: NDArray[Any]) -> None:
            if name not in span.scalars:
                return
            layout = part_nodes(self._stream, self._sizes, len(span.scalars), span.frames)[SCALARS_NODE]
            try:
                index = (span.scalars.index(name), steps)
                target[...] = self._parts.read(span.path, layout, span.frames, index, span.group)
            except RunDamagedError as error:
                self._note_damage(error, target)

        def from_journal(span: FrameSpan, wanted: range, target: NDArray[Any]) -> None:
            scalars = self._frame_scalars(span)
            target[...] = [scalars[position].get(name, np.nan) for position in wanted]

        self._gather(frames, out, from_part, from_journal)
        return out

    def scalar_names(self) -> tuple[str, ...]:
        """Return the names of all scalars, in order of their first appearance."""
        for is_last in (False, True):
            try:
                names: dict[str, None] = {}
                for span in self.view.spans:
                    found = [span.scalars] if isinstance(span, PartSpan) else self._frame_scalars(span)
                    for some in found:
                        names.update(dict.fromkeys(some))
                return tuple(names)
            except OSError as error:
                self._look_again(error, is_last)
        raise AssertionError

    def _frame_scalars(self, span: FrameSpan) -> list[dict[str, float]]:
        missing = [frame for frame in span.frames if (span.path, frame.ordinal) not in self._scalars]
        if missing:
            with open_plain(span.path) as file:
                for frame in missing:
                    self._scalars[span.path, frame.ordinal] = read_scalars(file, frame, self._fixed)
        return [self._scalars[span.path, frame.ordinal] for frame in span.frames]

    def _gather(
        self,
        frames: range,
        out: NDArray[Any],
        from_part: Callable[[PartSpan, slice, NDArray[Any]], None],
        from_journal: Callable[[FrameSpan, range, NDArray[Any]], None],
    ) -> NDArray[Any]:
        for is_last in (False, True):
            try:
                begin = 0
                for span in self.view.spans:
                    wanted, low = _overlap(frames, begin, len(span.iterations))
                    begin += len(span.iterations)
                    if not wanted:
                        continue
                    target = out[..., low : low + len(wanted)]
                    if isinstance(span, PartSpan):
                        steps = slice(span.skip + wanted.start, span.skip + wanted[-1] + 1, wanted.step)
                        from_part(span, steps, target)
                    else:
                        from_journal(span, wanted, target)
                break
            except OSError as error:
                self._look_again(error, is_last)
        return out

    def _look_again(self, error: OSError, is_last: bool) -> None:
        """Find where the frames of a file went that compaction replaced; whatever else failed is raised."""
        if isinstance(error, RunDamagedError) or error.errno not in _REPLACED or is_last:
            if isinstance(error, RunDamagedError):
                raise error
            raise RunDamagedError(f"{error.filename}: cannot be read, {error.strerror}; open the run again") from error
        before = self.view.iterations
        self.refresh()
        if not np.array_equal(before, self.view.iterations[: len(before)]):
            raise RunDamagedError(f"{error.filename}: was lost while it was read; open the run again") from error


def _row_blocks(rows: range, node: Node, target: NDArray[Any]) -> Iterator[range]:
    """Yield the rows in blocks of some megabytes, whole chunks each, so that an answer is not held twice at a time."""
    chunk = node.chunk[0]
    step = max(1, _READ_AT_ONCE * len(rows) // max(1, target.nbytes * chunk)) * chunk
    for first in range(rows.start // chunk * chunk, rows.stop, step):
        some = rows[bisect_left(rows, first) : bisect_left(rows, first + step)]
        if some:
            yield some


def _runs_of(chosen: BoolArray) -> Iterator[tuple[int, int]]:
    """Yield the start and stop of every run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _require_values(span: PartSpan, path: str, positions: slice) -> None:
    """Refuse frames of an array that were damaged when the run was packed.

    Raises:
        RunDamagedError: Some of the frames are among them.
    """
    for first, stop in span.lost.get(path, ()):
        if positions.start < stop and first < positions.stop:
            raise RunDamagedError(f"{span.path}: {path} was damaged at frames {first} to {stop - 1} when it was packed")


def _overlap(frames: range, begin: int, length: int) -> tuple[range, int]:
    """Return which positions within a span of `length` frames from `begin` on are wanted, and the first's rank."""
    low = max(0, -(-(begin - frames.start) // frames.step))
    high = min(len(frames), -(-(begin + length - frames.start) // frames.step))
    if low >= high:
        return range(0), 0
    some = frames[low:high]
    return range(some.start - begin, some.stop - begin, some.step), low
