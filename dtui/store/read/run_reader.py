"""Reads a run, live or ended: everything raw, no meaning and no reduction.

Owns the questions that can be asked about a run, and what may be asked: names, rows and positions that there are. See
`dtui.store.format.schema` for the format.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import UsageError
from dtui.model import (
    BoolArray,
    FloatArray,
    Gap,
    ImageSet,
    IntArray,
    RunMetadata,
    RunStatus,
    Structure,
    Trigger,
)
from dtui.model.scalars import Points, scalar_points
from dtui.model.statistics import Rows
from dtui.store.format.contents import Contents
from dtui.store.format.derived import as_read
from dtui.store.format.joins import Join, seams
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
from dtui.store.format.schema import Stream
from dtui.store.read.catalog import StreamView
from dtui.store.read.open_source import open_source
from dtui.store.read.run_streams import RunStreams
from dtui.store.read.valid_requests import ascending, require_one
from dtui.store.run.anomaly_cache import Key


class RunReader:
    """One run. `refresh` follows it while it is recorded. Not thread-safe: one thread owns it.

    Positions along the records and validations axes count what is readable: damaged stretches are left out and
    told in `faults`.

    Attributes:
        path: Its directory, or its packed file.
        format_version: Of the files.
        contents: What the run holds: the statistics that can be asked for.
        metadata: What was known before the first record.
        structure: The network.
    """

    def __init__(self, path: Path) -> None:
        """Open.

        Args:
            path: The run's directory, with or without `.dtui`, or its packed file.

        Raises:
            RunNotFoundError: Nothing there is a run.
            RunFormatError: A newer dtui wrote it.
            RunDamagedError: It cannot be read at all.
        """
        source = open_source(Path(path))
        self.path, opened = source.path, source.opened
        self.contents: Contents = opened.contents
        self.format_version = opened.contents.format
        self.metadata: RunMetadata = opened.metadata
        self.structure: Structure = opened.structure
        self._classes = opened.classes
        self._streams = RunStreams(source)
        self._around = self._streams.around

    def close(self) -> None:
        """Close all files."""
        self._streams.close()

    # --- what there is

    @property
    def images(self) -> ImageSet | None:
        """The tracked images without their thumbnails, None before they are known."""
        return self._around.images

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order; data from outside."""
        return self._classes if self.images is None else self.images.classes

    @property
    def record_iterations(self) -> IntArray:
        """Of records, and of watches where there is no record, shape (n,), int64, ascending."""
        return self._streams.records.iterations

    @property
    def is_watch(self) -> BoolArray:
        """Which of the `record_iterations` are watches of the flight recorder, shape (n,)."""
        return self._streams.records.is_watch

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What the flight recorder fired on, in order of recording; data from outside."""
        return self._around.triggers

    @property
    def logged(self) -> Mapping[str, Points]:
        """What was logged between records: name to iterations, no one twice, and values, NaN as LOGGED_NAN."""
        return self._around.logged

    @property
    def validation_iterations(self) -> IntArray:
        """Shape (m,), int64, ascending."""
        return self._streams.validation_iterations

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be recorded, in order of recording."""
        return self._around.gaps

    @property
    def faults(self) -> tuple[str, ...]:
        """One line a file that is damaged or missing; data from outside."""
        return self._streams.faults

    @property
    def validation_faults(self) -> tuple[str, ...]:
        """Those of the `faults` that touch what is known of validations: anomalies may be missing there."""
        return self._streams.validation_faults

    def lost_arrays(self, *, with_data: bool) -> list[str]:
        """Return the arrays of parts that are not as they should be, by path; `with_data` reads all of them."""
        return self._streams.lost_arrays(with_data=with_data)

    @property
    def joins(self) -> tuple[Join, ...]:
        """Where the training was resumed from a checkpoint, in order of time."""
        return self._around.joins

    @property
    def seams(self) -> tuple[int, ...]:
        """Iterations at which the curves are joined: where the training went on from a checkpoint, ascending."""
        return seams(self.joins)

    def frames(self, stream: Stream) -> StreamView:
        """Return which frames of a stream can be read, and which files they are in."""
        reader = self._streams.by_name[stream]
        return StreamView() if reader is None else reader.view

    def status(self) -> RunStatus:
        """Tell how the run stands at this moment."""
        return self._around.status()

    def settle(self) -> None:
        """Take up to some seconds to see whether a process of another host lives; for a `status` that is asked once."""
        self._around.settle()

    @property
    def reason(self) -> str:
        """One line on why the run ended, "" where nobody said; data from outside."""
        return self._around.reason

    def refresh(self) -> bool:
        """Look for what was recorded since; True if anything in it changed.

        Raises:
            RunDamagedError: The run was removed or can no longer be read.
        """
        return self._streams.refresh()

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
