"""Keeps the streams of a run, and the files beside them, up to date while it is recorded.

Owns when and in which order the files are read again, and the list of faults of the whole run.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dtui.errors import RunDamagedError
from dtui.model import IntArray
from dtui.store.format.schema import Sizes, Stream
from dtui.store.read.catalog import PartSpan
from dtui.store.read.merged_axis import MergedReader
from dtui.store.read.part_cache import OpenParts
from dtui.store.read.source import RunSource
from dtui.store.read.stream_reader import StreamReader
from dtui.store.read.unreadable_arrays import lost_arrays


class RunStreams:
    """The readable data of one run, as of the last `refresh`. Not thread-safe.

    Attributes:
        path: Path of the run.
        around: Everything besides its frames.
        sizes: Sizes of the run; 0 images and classes before they are known.
        records: The records, with the watches between them.
        validations: None before the images are known.
    """

    def __init__(self, source: RunSource) -> None:
        """Open the streams of a run.

        Raises:
            RunDamagedError: It can no longer be read.
        """
        self.path: Path = source.path
        self.around = source.surroundings
        self.sizes = Sizes.of(source.opened.structure, source.opened.contents)
        self._source = source
        self._parts = OpenParts(source.opened.run)
        self._signature: object = None
        self._seen: tuple[Any, ...] = ((), np.empty(0), np.empty(0), np.empty(0))
        self.records = MergedReader(self._stream(Stream.RECORDS), self._stream(Stream.WATCHES))
        self.validations: StreamReader | None = None
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all files."""
        self._parts.close()
        self.around.close()

    @property
    def by_name(self) -> dict[Stream, StreamReader | None]:
        """The reader of each stream."""
        records, watches = self.records.records, self.records.watches
        return {Stream.RECORDS: records, Stream.VALIDATIONS: self.validations, Stream.WATCHES: watches}

    @property
    def validation_iterations(self) -> IntArray:
        """The iterations of the validations, shape (m,), int64, ascending."""
        return np.empty(0, np.int64) if self.validations is None else self.validations.iterations

    @property
    def faults(self) -> tuple[str, ...]:
        """One line per damaged or missing file; data from outside."""
        return faults_of(self._source, self.by_name)

    @property
    def validation_faults(self) -> tuple[str, ...]:
        """The `faults` that concern validations, or the files beside the frames."""
        return faults_of(self._source, {Stream.VALIDATIONS: self.validations})

    def lost_arrays(self, *, with_data: bool) -> list[str]:
        """Return the unreadable arrays of the parts; see `unreadable_arrays`."""
        spans = [(reader, span) for reader in self.by_name.values() if reader is not None for span in reader.view.spans]
        return [
            f"{span.group}{path}"
            for reader, span in spans
            if isinstance(span, PartSpan)
            for path in lost_arrays(
                self._parts.file(span.path, span.group), reader.nodes(span), span.frames, with_data=with_data
            )
        ]

    def refresh(self) -> bool:
        """Read what was recorded since the last call. Return True if anything changed.

        Raises:
            RunDamagedError: The run was removed or can no longer be read.
        """
        try:
            signature = self.around.signature()
            if signature == self._signature:
                return False
            changed = self.around.read()
            if self.validations is None and self.around.images is not None and self.sizes.contents.has_labels:
                self.sizes = self.sizes.with_images(self.around.images)
                self.validations = self._stream(Stream.VALIDATIONS)
            streams = (self.records,) if self.validations is None else (self.records, self.validations)
            for stream in streams:
                stream.refresh()
            self._parts.forget({path for stream in streams for path in stream.part_paths()})
        except RunDamagedError:
            raise
        except OSError as error:
            raise RunDamagedError(f"{self.path}: cannot be read, {error.strerror}; open the run again") from error
        is_partial = any(stream.view.is_partial for stream in self.by_name.values() if stream is not None)
        self._signature = None if is_partial else signature
        before, self._seen = self._seen, self._frames()
        return changed or not all(map(np.array_equal, before, self._seen))

    def _frames(self) -> tuple[Any, ...]:
        """Return what changes with the frames. A reader that misses a file looks again by itself, between refreshes."""
        return (self.faults, self.records.iterations, self.records.is_watch, self.validation_iterations)

    def _stream(self, stream: Stream) -> StreamReader:
        targets = None if self.around.images is None else self.around.images.targets
        return StreamReader(self._source, stream, self.sizes, self._parts, targets=targets)


def faults_of(source: RunSource, streams: Mapping[Stream, StreamReader | None]) -> tuple[str, ...]:
    """Return one line per damaged or missing file of a run, from its source and the readers of its streams."""
    lines = list(source.surroundings.faults)
    for stream, reader in streams.items():
        if stream is Stream.VALIDATIONS and not source.opened.contents.has_labels:
            continue  # passed over: this dtui reads labels alone
        lines += () if reader is None else reader.faults
        found, seen = (0, 0) if reader is None else (reader.view.stop, reader.stop)
        known = max(seen, source.surroundings.promised(stream))
        if known > found and not (reader and reader.view.is_partial):  # those were told, and are not lost
            what = f"{stream} {found} to {known - 1}"
            lines.append(f"{source.path}: {what}: missing; restore the files that held them")
    return tuple(dict.fromkeys(lines))
