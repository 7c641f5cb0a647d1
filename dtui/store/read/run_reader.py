"""Reads the values of a run, live or ended, as they are stored, without interpretation or reduction.

Owns the methods that read values, and their argument checks: names, rows and positions must exist. `followed_run` holds
the contents and status of the run. See `dtui.store.format.schema` for the format.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import NotRecordedError, UsageError
from dtui.model import FloatArray, IntArray
from dtui.model.statistics import Rows
from dtui.store.format.derived import as_read
from dtui.store.format.part_arrays import (
    BIN,
    CHANGE_RATIO_NODE,
    CLASS_ERROR_NODE,
    CONFIDENCE_NODE,
    HISTOGRAM_NODE,
    LABEL_NODE,
    column_node,
    filter_node,
    layer_node,
    module_node,
    track_node,
)
from dtui.store.format.schema import Stream
from dtui.store.read.catalog import PartSpan
from dtui.store.read.followed_run import FollowedRun
from dtui.store.read.stream_reader import StreamReader
from dtui.store.run.anomaly_cache import FilesUpTo, Findings, files_up_to


class RunReader(FollowedRun):
    """The values of one run. `refresh` follows it while it is recorded. Not thread-safe: one thread owns it.

    For its attributes, and for the errors when it is opened, see `FollowedRun`.
    """

    # --- records

    def read_filters(self, statistic: str, rows: slice, records: slice) -> FloatArray:
        """Return one statistic of some filters.

        Args:
            statistic: One of the filter statistics in `contents`.
            rows: Range on the flat filter axis of the run.
            records: Positions in `record_iterations`.

        Returns:
            Shape (rows, records), float32, rounded to its stored bits; NaN where there is no value.

        Raises:
            NotRecordedError: The run does not hold this statistic.
            UsageError: There is no such statistic, or a slice runs backwards.
            RunDamagedError: The files were lost while they were read.
        """
        self.contents.filter_statistic(statistic, self.path)
        return self._read_records(filter_node(statistic), ascending(rows, self._streams.sizes.filters), records)

    def read_filter_bins(self, statistic: str, rows: slice, bins: slice) -> FloatArray:
        """Return the coarse level of one statistic of some filters; long runs are drawn from it.

        Args:
            statistic: One of the filter statistics in `contents`.
            rows: Range on the flat filter axis of the run, step 1.
            bins: Range of bins, step 1. Bin b covers up to `BIN` records, from position `BIN` · b on.

        Returns:
            Shape (rows, bins), float32: in each bin the value farthest from zero, as `read_filters` returns it, the
            positive one of two equally far; NaN where there is no value.

        Raises:
            NotRecordedError: The run does not hold this statistic.
            UsageError: There is no such statistic, or a slice does not have step 1.
            RunDamagedError: The files were lost while they were read.
        """
        self.contents.filter_statistic(statistic, self.path)
        some = ascending(rows, self._streams.sizes.filters)
        wanted = ascending(bins, -(-len(self.record_iterations) // BIN))
        if some.step != 1 or wanted.step != 1:
            raise UsageError(f"{self.path}: {rows}, {bins}: bins are read one by one; give no step")
        return self._streams.records.read_bins(filter_node(statistic), some, wanted)

    def read_layers(self, source: str, statistic: str, records: slice) -> FloatArray:
        """Return one statistic of all layers, shape (layers, records), float32; NaN where there is no value.

        Raises:
            NotRecordedError: The run does not hold this statistic.
            UsageError: There is no such source or statistic, or the slice runs backwards.
        """
        return self._read_statistic(layer_node(source), source, statistic, records)

    def read_modules(self, source: str, statistic: str, records: slice) -> FloatArray:
        """Return one statistic of all modules, shape (modules, records), float32; NaN where there is no value.

        Raises:
            NotRecordedError: The run does not hold this statistic.
            UsageError: There is no such source or statistic, or the slice runs backwards.
        """
        return self._read_statistic(module_node(source), source, statistic, records)

    def read_norms(self, statistic: str, records: slice) -> FloatArray:
        """Return one statistic of all normalisation layers.

        Args:
            statistic: One of the norm statistics in `contents`.
            records: Positions in `record_iterations`.

        Returns:
            Shape (norms, records), float32, rows as in `structure.norms`, rounded to its stored bits; NaN where there
            is no value, as in every watch.

        Raises:
            NotRecordedError: The run does not hold it, or no normalisation layers.
            UsageError: There is no such statistic, or the slice runs backwards.
        """
        return self.read_rows(Rows.NORMS, statistic, records)

    def read_parameters(self, statistic: str, records: slice) -> FloatArray:
        """Return one statistic of all parameters outside the layers; raises as `read_rows` does."""
        return self.read_rows(Rows.PARAMETERS, statistic, records)

    def read_rows(self, kind: Rows, statistic: str, records: slice, rows: range | None = None) -> FloatArray:
        """Return one statistic of all rows of a kind that has a track of its own, or of some, as `read_norms` does.

        Rows are as in `structure`: its norms, parameters outside the layers, adapters, or channels.

        Raises:
            NotRecordedError: The run does not hold it, or no such rows.
            UsageError: There is no such statistic, or the slice runs backwards.
        """
        self.contents.row_statistic(kind, statistic, self.path)
        every = range(self.contents.rows_of(kind)) if rows is None else rows
        return self._read_records(track_node(kind, statistic), every, records)

    def read_histograms(self, layer: int, records: slice) -> IntArray:
        """Return the weight histograms of a layer, shape (HISTOGRAM_BINS, records), int64; NO_VALUE where damaged.

        Raises:
            UsageError: There is no such layer.
        """
        return self._read_layer(HISTOGRAM_NODE, layer, records)

    def read_change_ratios(self, layer: int, records: slice) -> FloatArray:
        """Return the cumulative change-ratio shares of a layer, shape (edges, records), float32, in [0, 1].

        Raises:
            UsageError: There is no such layer.
        """
        return self._read_layer(CHANGE_RATIO_NODE, layer, records)

    def scalar_names(self) -> tuple[str, ...]:
        """Return the names that were logged, in order of their first appearance; data from outside."""
        return tuple(dict.fromkeys((*self._streams.records.scalar_names(), *self.logged)))

    def read_scalar(self, name: str, records: slice) -> FloatArray:
        """Return a scalar at records, shape (records,), float64; NaN where it was not logged."""
        return self._streams.records.read_scalar(name, ascending(records, len(self.record_iterations)))

    # --- validations

    def read_labels(self, images: slice, validations: slice) -> IntArray:
        """Return predicted labels, shape (images, validations), int32; NO_VALUE if damaged, or NOT_JUDGED."""
        rows = ascending(images, self._streams.sizes.images)
        return as_read(self._read_validations(LABEL_NODE, "<i4", rows, validations), self._streams.sizes.classes)

    def read_confidences(self, images: slice, validations: slice) -> IntArray:
        """Return the confidences in the labels, shape (images, validations), int16; 255 is 1; NO_VALUE if damaged."""
        return self._read_validations(
            CONFIDENCE_NODE, "<i2", ascending(images, self._streams.sizes.images), validations
        )

    def read_class_errors(self, validations: slice) -> FloatArray:
        """Return the share of wrongly judged images, shape (classes, validations), float32.

        NaN for a class without images, for a class with an image that was not judged, and where the error and the
        labels are both damaged.
        """
        return self._read_validations(CLASS_ERROR_NODE, "<f4", range(self._streams.sizes.classes), validations)

    # --- columns

    def column_iterations(self, name: str) -> IntArray:
        """Return the iterations of the frames that hold a column, shape (n,), int64, ascending.

        Raises:
            NotRecordedError: The run does not hold it, or not yet.
        """
        reader, _ = self._column(name)
        return reader.iterations

    def read_column(self, name: str, rows: slice, frames: slice) -> NDArray[Any]:
        """Return a column, such as "score".

        Args:
            name: One of the `columns`.
            rows: Of a frame: images, where the column says nothing else.
            frames: Positions in `column_iterations`.

        Returns:
            Shape (rows, frames), of the column's type; unsigned integers are wider. Where there is no value NaN, or
            `Column.missing`; where the files are damaged NaN, or NO_VALUE.

        Raises:
            NotRecordedError: The run does not hold it, or not yet.
            UsageError: A slice runs backwards.
        """
        reader, length = self._column(name)
        wanted = ascending(frames, len(reader.iterations))
        return reader.read(column_node(name), ascending(rows, length), wanted)

    def _column(self, name: str) -> tuple[StreamReader, int]:
        """Return the reader of the frames that hold a column, and how many rows it has."""
        for stream, reader in self._streams.by_name.items():
            if reader is not None:
                for column, rows in self._streams.sizes.columns(stream):
                    if column.name == name:
                        return reader, rows
        raise NotRecordedError(f"{self.path}: {name} was not recorded in this run")

    def read_thumbnail(self, image: int) -> bytes:
        """Return the encoded thumbnail of an image, b"" if it has none; data from outside.

        Raises:
            UsageError: There is no such image.
            RunDamagedError: images.h5 is damaged.
        """
        require_one(self.path, "image", image, self._streams.sizes.images)
        return self._around.thumbnail(image)

    # --- decisions

    def decisions(self) -> dict[str, tuple[str, str]]:
        """Return people's decisions: anomaly id to the latest (status, note); data from outside."""
        return self._around.decisions()

    def decision_authors(self) -> dict[str, tuple[str, str]]:
        """Return who decided last on each anomaly id, and when (ISO 8601); data from outside."""
        self._around.decisions()
        return self._around.authors()

    def append_decisions(self, decisions: Sequence[tuple[str, str, str]]) -> None:
        """Add a person's decisions, each an id, a status and a note, at once: one by one, thousands take minutes.

        Raises:
            RunDamagedError: The run cannot be written to; none is added.
        """
        self._around.append_decisions(decisions)

    # --- findings

    @property
    def findings(self) -> Findings:
        """What was found in the run, and is kept in its cache; data from outside. A packed run keeps nothing."""
        return self._around.findings

    def validation_files(self) -> tuple[FilesUpTo, ...]:
        """Return where each file of validations ends, in order; what a resumed training superseded does not count."""
        spans = self.frames(Stream.VALIDATIONS).spans
        return files_up_to(self.path, ((one.path, len(one.iterations), isinstance(one, PartSpan)) for one in spans))

    # --- inside

    def _read_records(self, node: str, rows: range, records: slice) -> NDArray[Any]:
        return self._streams.records.read(node, rows, ascending(records, len(self.record_iterations)))

    def _read_statistic(self, node: str, source: str, statistic: str, records: slice) -> NDArray[Any]:
        row, _ = self.contents.layer_statistic(statistic, source, self.path)
        values: NDArray[Any] = self._read_records(node, range(row, row + 1), records)[0]
        return values

    def _read_layer(self, node: str, layer: int, records: slice) -> NDArray[Any]:
        require_one(self.path, "layer", layer, self._streams.sizes.layers)
        values: NDArray[Any] = self._read_records(node, range(layer, layer + 1), records)[0]
        return values

    def _read_validations(self, node: str, dtype: str, rows: range, validations: slice) -> NDArray[Any]:
        frames = ascending(validations, len(self.validation_iterations))
        if self._streams.validations is None:
            return np.empty((len(rows), len(frames)), dtype)
        return self._streams.validations.read(node, rows, frames)


def ascending(part: slice, length: int) -> range:
    """Return the positions that a slice selects on an axis of this length.

    Raises:
        UsageError: It runs backwards.
    """
    wanted = range(*part.indices(length))
    if wanted.step < 1:
        raise UsageError(f"{part}: runs backwards; give a positive step")
    return wanted


def require_one(path: Path, what: str, position: int, count: int) -> None:
    """Refuse a position outside 0 to `count` - 1.

    Raises:
        UsageError: It is out of range.
    """
    if not 0 <= position < count:
        raise UsageError(f"{path}: {what} {position}: the run has {count} {what}s, counted from 0")
