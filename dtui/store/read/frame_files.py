"""Finds and reads the files of one stream while they grow and are replaced.

Owns the loop over parts and journals, and the second attempt after compaction replaced a file during the loop.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.store.disk.damaged_chunks import Chunk, no_value, read_around
from dtui.store.format.part_arrays import Node, part_nodes
from dtui.store.format.schema import Sizes, Stream
from dtui.store.read.catalog import FrameSpan, PartSpan, StreamView
from dtui.store.read.part_cache import OpenParts
from dtui.store.read.source import RunSource

_REPLACED = (errno.ENOENT, errno.ESTALE)
_Answer = TypeVar("_Answer")


class StreamFiles:
    """The files of all readable frames of one stream. Not thread-safe.

    Attributes:
        stream: The stream.
        sizes: Of the run.
        view: The frames that can be read, as of the last `refresh`.
        stop: Ordinal after the last frame that could ever be read: a file may be cut or removed meanwhile.
    """

    def __init__(
        self, source: RunSource, stream: Stream, sizes: Sizes, parts: OpenParts, *, is_strict: bool = False
    ) -> None:
        """Prepare; `refresh` looks at the directory.

        Args:
            source: The source of the run.
            stream: The stream.
            sizes: Of the run.
            parts: The cache of open parts.
            is_strict: Whether any damage raises an error, so that it is never copied as NaN.
        """
        self.stream = stream
        self.sizes = sizes
        self.view, self.stop = StreamView(), 0
        self._parts = parts
        self._is_strict = is_strict
        self._catalog = source.catalog(stream, sizes, parts)
        self._damage: dict[str, None] = {}
        self._damaged_chunks: dict[tuple[Path, str, str], set[Chunk]] = {}

    @property
    def faults(self) -> tuple[str, ...]:
        """One line per damaged or missing item."""
        return (*self.view.faults, *self._damage)

    def refresh(self) -> bool:
        """Look at the directory again; Return True if frames or faults changed.

        Raises:
            OSError: The directory cannot be read.
        """
        before = self.view
        self.view = self._catalog.update()
        self.stop = max(self.stop, self.view.stop)
        self.view.iterations.flags.writeable = False
        kept = self.part_paths()
        self._damaged_chunks = {key: some for key, some in self._damaged_chunks.items() if key[0] in kept}
        return before.faults != self.view.faults or not np.array_equal(before.iterations, self.view.iterations)

    def part_paths(self) -> set[Path]:
        """Return the paths of the parts that hold frames."""
        return {span.path for span in self.view.spans if isinstance(span, PartSpan)}

    def journal_paths(self) -> set[Path]:
        """Return the paths of the journals that hold frames."""
        return {span.path for span in self.view.spans if isinstance(span, FrameSpan)}

    def nodes(self, span: PartSpan) -> Mapping[str, Node]:
        """Return the arrays of a part by path."""
        return part_nodes(self.stream, self.sizes, len(span.scalars), span.frames)

    def has(self, span: PartSpan, node: Node) -> bool:
        """Whether a part holds an optional array."""
        return self._parts.file(span.path, span.group).has(node.path)

    def read_part(
        self, span: PartSpan, node: Node, index: tuple[slice, ...], out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Return a piece of one array of a part, in `out` if given; after an error its content is undefined.

        Raises:
            FileNotFoundError: The part was replaced by a larger one.
            RunDamagedError: It is damaged.
        """
        file = self._parts.file(span.path, span.group)
        return file.read(node.path, node.dtype, node.shape(span.frames), index, out)

    def fill_from_part(self, span: PartSpan, node: Node, index: tuple[slice, ...], target: NDArray[Any]) -> None:
        """Read a piece of one array of a part; damaged chunks get "no value" and make one fault.

        Raises:
            FileNotFoundError: The part was replaced by a larger one.
            RunDamagedError: The whole array is lost; or one chunk, if strict.
        """
        key = (span.path, span.group, node.path)
        if key not in self._damaged_chunks:
            try:
                self.read_part(span, node, index, target)
                return
            except RunDamagedError as error:
                if not self.has(span, node):
                    raise
                self.note_damage(error)
                self._damaged_chunks[key] = set()
        shape, chunk = node.shape(span.frames), (*node.chunk, node.frames)
        read_around(
            lambda some: self.read_part(span, node, some), shape, chunk, index, target, self._damaged_chunks[key]
        )

    def pieces(self, frames: range, out: NDArray[Any]) -> Iterator[tuple[PartSpan | FrameSpan, range, NDArray[Any]]]:
        """Yield where some frames are: a part or journal, their positions among its frames, and their columns of `out`.

        Args:
            frames: Positions of the frames, ascending.
            out: Shape (…, len(frames)).
        """
        begin = 0
        for span in self.view.spans:
            wanted, low = _overlap(frames, begin, len(span.iterations))
            begin += len(span.iterations)
            if wanted:
                yield span, wanted, out[..., low : low + len(wanted)]

    def look_twice(self, read: Callable[[], _Answer]) -> _Answer:
        """Return what `read` returns. If compaction replaced a file meanwhile, refresh and read again.

        Raises:
            RunDamagedError: A file was lost, or cannot be read.
        """
        try:
            return read()
        except RunDamagedError:
            raise
        except OSError as error:
            if error.errno not in _REPLACED:
                raise _unreadable(error) from error
            before = self.view.iterations
            self.refresh()
            if not np.array_equal(before, self.view.iterations[: len(before)]):
                lost = f"{error.filename}: was lost while it was read; open the run again"
                raise RunDamagedError(lost) from error
        try:
            return read()
        except RunDamagedError:
            raise
        except OSError as error:
            raise _unreadable(error) from error

    def note_damage(self, error: RunDamagedError) -> None:
        """Add damage to `faults`.

        Raises:
            RunDamagedError: `error` itself, if strict.
        """
        if self._is_strict:
            raise error
        self._damage[str(error)] = None

    def note_lost(self, error: RunDamagedError, target: NDArray[Any]) -> None:
        """Fill `target` with "no value", and add the damage to `faults`.

        Raises:
            RunDamagedError: `error` itself, if strict.
        """
        self.note_damage(error)
        target[...] = no_value(target.dtype)


def positions_in(span: PartSpan, wanted: range) -> slice:
    """Return the positions in the arrays of a part of some of its frames that count."""
    return slice(span.skip + wanted.start, span.skip + wanted[-1] + 1, wanted.step)


def _unreadable(error: OSError) -> RunDamagedError:
    return RunDamagedError(f"{error.filename}: cannot be read, {error.strerror}; open the run again")


def _overlap(frames: range, begin: int, length: int) -> tuple[range, int]:
    """Return the wanted positions within a span of `length` frames from `begin` on, and the rank of the first one."""
    low = max(0, -(-(begin - frames.start) // frames.step))
    high = min(len(frames), -(-(begin + length - frames.start) // frames.step))
    if low >= high:
        return range(0), 0
    some = frames[low:high]
    return range(some.start - begin, some.stop - begin, some.step), low
