"""Merges records and watches into one ascending axis.

Owns the choice if an iteration has both: the record is read, because it measured more.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.model import BoolArray, IntArray
from dtui.model.arrays import is_among
from dtui.store.format.bins import bin_values
from dtui.store.format.part_arrays import BIN
from dtui.store.read.stream_reader import StreamReader


class MergedReader:
    """The records of a run with its watches between them. Without watches it only forwards calls. Not thread-safe.

    Attributes:
        records: The reader of the records.
        watches: The reader of the watches.
        iterations: Iterations of both, shape (n,), int64, ascending, read-only.
        is_watch: Which of them are watches, shape (n,), read-only.
    """

    def __init__(self, records: StreamReader, watches: StreamReader) -> None:
        """Prepare; `refresh` looks at the directory."""
        self.records = records
        self.watches = watches
        self.iterations: IntArray = np.empty(0, np.int64)
        self.is_watch: BoolArray = np.empty(0, np.bool_)
        self._has_watches = False
        self._positions: IntArray = np.empty(0, np.int64)

    def refresh(self) -> bool:
        """Look at the directory again; Return True if frames or faults changed.

        Raises:
            OSError: The directory cannot be read.
        """
        before = self.iterations
        changed = self.records.refresh() | self.watches.refresh()
        self._merge()
        return changed or not np.array_equal(before, self.iterations)

    def part_paths(self) -> set[Path]:
        """Return the parts that frames are read from."""
        return self.records.part_paths() | self.watches.part_paths()

    def read(self, path: str, rows: range, frames: range) -> NDArray[Any]:
        """Return rows of an array at some frames, as `StreamReader.read` does.

        Raises:
            RunDamagedError: A file was lost while it was read.
        """
        if not self._has_watches:
            return self.records.read(path, rows, frames)
        return self._read(frames, lambda reader, some: reader.read(path, rows, some))

    def read_bins(self, path: str, rows: range, bins: range) -> NDArray[Any]:
        """Return the coarse level of a filter statistic, as `StreamReader.read_bins` does.

        Raises:
            RunDamagedError: A part is damaged.
        """
        if not self._has_watches:
            return self.records.read_bins(path, rows, bins)
        return bin_values(self.read(path, rows, range(bins.start * BIN, min(bins.stop * BIN, len(self.iterations)))))

    def read_scalar(self, name: str, frames: range) -> NDArray[np.float64]:
        """Return a scalar at some frames, shape (len(frames),); NaN where it was not logged or is damaged."""
        return self._read(frames, lambda reader, some: reader.read_scalar(name, some))

    def scalar_names(self) -> tuple[str, ...]:
        """Return the names of all scalars, those of records first."""
        return tuple(dict.fromkeys((*self.records.scalar_names(), *self.watches.scalar_names())))

    def _merge(self) -> None:
        records, watches = self.records.iterations, self.watches.iterations
        kept = np.flatnonzero(~is_among(watches, records))
        if not len(kept):
            self.iterations, self._positions = records, np.arange(len(records))
            self.is_watch = np.zeros(len(records), np.bool_)
        else:
            joined = np.concatenate([records, watches[kept]])
            order = np.argsort(joined, kind="stable")
            self.iterations = joined[order]
            self._positions = np.concatenate([np.arange(len(records)), kept])[order]
            self.is_watch = order >= len(records)
        self._has_watches = bool(len(kept))
        for array in (self.iterations, self.is_watch, self._positions):
            array.flags.writeable = False

    def _read(self, frames: range, read: Callable[[StreamReader, range], NDArray[Any]]) -> NDArray[Any]:
        """Gather columns from both readers, with one request to each."""
        if not self._has_watches:
            return read(self.records, frames)
        chosen = np.arange(frames.start, frames.stop, frames.step)
        is_watch, positions = self.is_watch[chosen], self._positions[chosen]
        pieces = []
        for reader, own in ((self.records, positions[~is_watch]), (self.watches, positions[is_watch])):
            some = range(int(own[0]), int(own[-1]) + 1) if len(own) else range(0)
            pieces.append(read(reader, some)[..., own - some.start])
        out = np.empty((*pieces[0].shape[:-1], len(frames)), pieces[0].dtype)
        out[..., ~is_watch], out[..., is_watch] = pieces
        return out
