"""Reads a run, live or ended: everything raw, no meaning and no reduction.

Owns the questions that can be asked about the values of a run, and what may be asked: names, rows and positions that
exist. What is in the run, and how it stands, is in `followed_run`. See `dtui.store.format.schema` for the format.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import UsageError
from dtui.model import FloatArray, IntArray
from dtui.model.scalars import Points, scalar_points
from dtui.model.statistics import Rows
from dtui.store.format.derived import as_read
from dtui.store.format.part_arrays import (
    BIN,
    CHANGE_RATIO_NODE,
    CLASS_ERROR_NODE,
    CONFIDENCE_NODE,
    HISTOGRAM_NODE,
    LABEL_NODE,
    filter_node,
    layer_node,
    module_node,
    track_node,
)
from dtui.store.read.followed_run import FollowedRun
from dtui.store.run.anomaly_cache import Key


class RunReader(FollowedRun):
    """The values of one run. `refresh` follows it while it is recorded. Not thread-safe: one thread owns it.

    Attributes and what may be raised when it is opened: see `FollowedRun`.
    """

    # --- records

    def read_filters(self, statistic: str, rows: slice, records: slice) -> FloatArray:
        """Return one statistic of some filters.

        Args:
            statistic: Of those in `contents`.
            rows: On the flat filter axis of the run.
            records: Positions in `record_iterations`.

        Returns:
            Shape (rows, records), float32, rounded to the bits that are kept of it; NaN where there is no value.

        Raises:
            NotRecordedError: The run does not hold it.
            UsageError: There is no such statistic, or a slice runs backwards.
            RunDamagedError: The files were lost while they were read.
        """
        self.contents.filter_statistic(statistic, self.path)
        return self._read_records(filter_node(statistic), ascending(rows, self._streams.sizes.filters), records)

    def read_filter_bins(self, statistic: str, rows: slice, bins: slice) -> FloatArray:
        """Return the coarse level of one statistic of some filters: what a long run is drawn from.

        Args:
            statistic: Of those in `contents`.
            rows: On the flat filter axis of the run, step 1.
            bins: Bin b holds the records at positions `BIN` · b and on, `BIN` of them or those that there are; step 1.

        Returns:
            Shape (rows, bins), float32: in each bin the value farthest from zero, as `read_filters` returns it, the
            positive one of two equally far; NaN where there is no value.

        Raises:
            NotRecordedError: The run does not hold it.
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
            NotRecordedError: The run does not hold it.
            UsageError: There is no such source or statistic, or the slice runs backwards.
        """
        return self._read_statistic(layer_node(source), source, statistic, records)

    def read_modules(self, source: str, statistic: str, records: slice) -> FloatArray:
        """Return one statistic of all modules, shape (modules, records), float32; NaN where there is no value.

        Raises:
            NotRecordedError: The run does not hold it.
            UsageError: There is no such source or statistic, or the slice runs backwards.
        """
        return self._read_statistic(module_node(source), source, statistic, records)

    def read_norms(self, statistic: str, records: slice) -> FloatArray:
        """Return one statistic of all normalisation layers.

        Args:
            statistic: Of those of norms in `contents`.
            records: Positions in `record_iterations`.

        Returns:
            Shape (norms, records), float32, rows as in `structure.norms`, rounded to the bits that are kept of it; NaN
            where there is no value, as in every watch.

        Raises:
            NotRecordedError: The run does not hold it, or no normalisation layers.
            UsageError: There is no such statistic, or the slice runs backwards.
        """
        self.contents.norm_statistic(statistic, self.path)
        return self._read_records(track_node(Rows.NORMS, statistic), range(len(self.structure.norms)), records)

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
        """Return what records hold of a scalar, shape (records,), float64; NaN where it was not logged."""
        return self._streams.records.read_scalar(name, ascending(records, len(self.record_iterations)))

    def read_points(self, name: str) -> Points:
        """Return all values of a scalar and their iterations, also between records; see `scalar_points`."""
        values = self.read_scalar(name, slice(None))
        return scalar_points(self.record_iterations, self.is_watch, values, self.logged.get(name))

    # --- validations

    def read_labels(self, images: slice, validations: slice) -> IntArray:
        """Return predicted labels, shape (images, validations), int32; NO_VALUE where one is damaged, or NOT_JUDGED."""
        rows = ascending(images, self._streams.sizes.images)
        return as_read(self._read_validations(LABEL_NODE, "<i4", rows, validations), self._streams.sizes.classes)

    def read_confidences(self, images: slice, validations: slice) -> IntArray:
        """Return the confidence in those labels, shape (images, validations), int16, 255 is one; NO_VALUE: damaged."""
        return self._read_validations(
            CONFIDENCE_NODE, "<i2", ascending(images, self._streams.sizes.images), validations
        )

    def read_class_errors(self, validations: slice) -> FloatArray:
        """Return the share of wrongly judged images, shape (classes, validations), float32.

        NaN for a class without images, one of which an image was not judged, or where it and labels are damaged.
        """
        return self._read_validations(CLASS_ERROR_NODE, "<f4", range(self._streams.sizes.classes), validations)

    def read_thumbnail(self, image: int) -> bytes:
        """Return the encoded thumbnail of an image, b"" when there is none; data from outside.

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

    def append_decision(self, anomaly: str, status: str, note: str) -> None:
        """Add a person's decision: who, when, what.

        Raises:
            RunDamagedError: The run cannot be written to.
        """
        self._around.append_decision(anomaly, status, note)

    # --- findings

    def kept_findings(self, key: Key, columns: int, rows: int | None = None) -> IntArray | None:
        """Return a table of findings that was kept, shape (rows, columns), or its first rows; data from outside.

        `key` is all that it depends on: another one finds nothing. It must have so many `columns`.
        """
        findings = self._around.findings
        return None if findings is None else findings.read(key, columns, rows)

    def keep_findings(self, key: Key, table: IntArray) -> None:
        """Keep a table of findings in the run's cache; nowhere for a packed run.

        Raises:
            OSError: It cannot be written; nothing else is touched.
        """
        if self._around.findings is not None:
            self._around.findings.write(key, table)

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
    """Return the positions that a slice chooses of so many.

    Raises:
        UsageError: It runs backwards.
    """
    wanted = range(*part.indices(length))
    if wanted.step < 1:
        raise UsageError(f"{part}: runs backwards; give a positive step")
    return wanted


def require_one(path: Path, what: str, position: int, count: int) -> None:
    """Refuse a position that is none of so many.

    Raises:
        UsageError: It is out of range.
    """
    if not 0 <= position < count:
        raise UsageError(f"{path}: {what} {position}: the run has {count} {what}s, counted from 0")
