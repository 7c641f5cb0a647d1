"""Reads a run, live or ended: everything raw, no meaning and no reduction.

Owns the way from a directory that may come from anywhere to numbers. A second copy would open files without the
guards. See `dtui.store.schema` for the format.
"""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError, UsageError
from dtui.model import (
    FILTER_STATISTICS,
    LAYER_STATISTICS,
    SOURCES,
    ByteArray,
    FloatArray,
    Gap,
    ImageSet,
    IntArray,
    LabelArray,
    RunMetadata,
    RunStatus,
    Structure,
)
from dtui.store.lines import append_line, read_lines
from dtui.store.opening import OpenImages, find_directory, open_structure
from dtui.store.parts import OpenParts
from dtui.store.runfile import RunFile, run_status
from dtui.store.schema import (
    CHANGE_RATIO_NODE,
    CLASS_ERROR_NODE,
    CONFIDENCE_NODE,
    FORMAT_VERSION,
    GAPS_FILE,
    HISTOGRAM_NODE,
    IMAGES_FILE,
    JOURNAL_FOLDER,
    LABEL_NODE,
    PARTS_FOLDER,
    RUN_FILE,
    TRIAGE_FILE,
    Sizes,
    Stream,
    filter_node,
    layer_node,
    module_node,
)
from dtui.store.stream import StreamReader
from dtui.store.tokens import run_token

_WATCHED = (JOURNAL_FOLDER, PARTS_FOLDER)


class RunReader:
    """One run. `refresh` follows it while it is recorded. Not thread-safe: one thread owns it.

    Positions along the records and validations axes count what is readable: damaged stretches are left out and
    told in `faults`.

    Attributes:
        path: Its directory.
        format_version: Of the files.
        metadata: What was known before the first record.
        structure: The network.
        images: The tracked images without their thumbnails, None before they are known.
    """

    def __init__(self, path: Path) -> None:
        """Open.

        Args:
            path: The run's directory, with or without `.dtui`.

        Raises:
            RunNotFoundError: Nothing there is a run.
            RunFormatError: A newer dtui wrote it.
            RunDamagedError: It cannot be read at all.
        """
        self.path = find_directory(Path(path))
        opened = open_structure(self.path)
        self.format_version = FORMAT_VERSION
        self.metadata: RunMetadata = opened.metadata
        self.structure: Structure = opened.structure
        self.images: ImageSet | None = None
        self._run = opened.run
        self._run_file = opened.run_file
        self._classes = opened.classes
        self._opening_faults = opened.faults
        self._sizes = Sizes(self.structure.filters, len(self.structure.layers), len(self.structure.modules))
        self._parts = OpenParts(self._run)
        self._open_images: OpenImages | None = None
        self._image_fault = ""
        self._gaps: tuple[Gap, ...] = ()
        self._line_faults: tuple[str, ...] = ()
        self._signature: object = None
        self._triage = self._triage_stamp()
        self._records = self._stream(Stream.RECORDS)
        self._validations: StreamReader | None = None
        try:
            self.refresh()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all files."""
        self._parts.close()
        if self._open_images is not None:
            self._open_images.close()
            self._open_images = None

    # --- what there is

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order; data from outside."""
        return self._classes if self.images is None else self.images.classes

    @property
    def record_iterations(self) -> IntArray:
        """Shape (n,), int64, ascending."""
        return self._records.iterations

    @property
    def validation_iterations(self) -> IntArray:
        """Shape (m,), int64, ascending."""
        return np.empty(0, np.int64) if self._validations is None else self._validations.iterations

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What could not be recorded, in order of recording."""
        return self._gaps

    @property
    def faults(self) -> tuple[str, ...]:
        """One line a file that is damaged or missing; data from outside."""
        streams = [self._records.faults, () if self._validations is None else self._validations.faults]
        image_fault = (self._image_fault,) if self._image_fault else ()
        lines = [*self._opening_faults, *image_fault, *self._line_faults, *streams[0], *streams[1]]
        return tuple(dict.fromkeys([*lines, *self._lost_tail()]))

    def status(self) -> RunStatus:
        """Tell how the run stands at this moment."""
        return run_status(self.path, self._run_file)

    def refresh(self) -> bool:
        """Look for what was recorded since; True if frames, images, gaps, decisions, faults or the end changed.

        Raises:
            RunDamagedError: The run was removed or can no longer be read.
        """
        try:
            signature = self._take_signature()
            if signature == self._signature:
                return False
            before = (self._gaps, self._run_file, self.faults, self.images)
            changed = self._read_small_files() | self._records.refresh() | (self._triage_stamp() != self._triage)
            self._triage = self._triage_stamp()
            if self._validations is not None:
                changed |= self._validations.refresh()
            keep = self._records.part_paths() | (set() if self._validations is None else self._validations.part_paths())
            self._parts.forget(keep)
        except RunDamagedError:
            raise
        except OSError as error:
            raise RunDamagedError(f"{self.path}: cannot be read, {error.strerror}; open the run again") from error
        self._signature = signature
        return changed or before != (self._gaps, self._run_file, self.faults, self.images)

    # --- records

    def read_filters(self, statistic: str, rows: slice, records: slice) -> FloatArray:
        """Return one statistic of some filters.

        Args:
            statistic: Of FILTER_STATISTICS.
            rows: On the flat filter axis of the run.
            records: Positions in `record_iterations`.

        Returns:
            Shape (rows, records), float32, rounded to 12 bits of mantissa; NaN where there is no value.

        Raises:
            UsageError: There is no such statistic, or a slice runs backwards.
            RunDamagedError: The files were lost while they were read.
        """
        _require(statistic, FILTER_STATISTICS, "filter statistic")
        return self._read_records(filter_node(statistic), _range(rows, self._sizes.filters), records)

    def read_layers(self, source: str, statistic: str, records: slice) -> FloatArray:
        """Return one statistic of all layers, shape (layers, records), float32; NaN where there is no value.

        Raises:
            UsageError: There is no such source or statistic, or the slice runs backwards.
        """
        return self._read_statistic(layer_node(source), source, statistic, records)

    def read_modules(self, source: str, statistic: str, records: slice) -> FloatArray:
        """Return one statistic of all modules, shape (modules, records), float32; NaN where there is no value.

        Raises:
            UsageError: There is no such source or statistic, or the slice runs backwards.
        """
        return self._read_statistic(module_node(source), source, statistic, records)

    def read_histograms(self, layer: int, records: slice) -> IntArray:
        """Return the weight histograms of a layer, shape (HISTOGRAM_BINS, records), uint32.

        Raises:
            UsageError: There is no such layer.
            RunDamagedError: A part is damaged there.
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
        return self._records.scalar_names()

    def read_scalar(self, name: str, records: slice) -> FloatArray:
        """Return a logged scalar, shape (records,), float64; NaN where it was not logged."""
        return self._records.read_scalar(name, _range(records, len(self.record_iterations)))

    # --- validations

    def read_labels(self, images: slice, validations: slice) -> LabelArray:
        """Return predicted labels, shape (images, validations), uint16.

        Raises:
            RunDamagedError: A part is damaged there.
        """
        return self._read_validations(LABEL_NODE, "<u2", _range(images, self._sizes.images), validations)

    def read_confidences(self, images: slice, validations: slice) -> ByteArray:
        """Return the confidence in the predicted labels, shape (images, validations), uint8, 255 is one.

        Raises:
            RunDamagedError: A part is damaged there.
        """
        return self._read_validations(CONFIDENCE_NODE, "|u1", _range(images, self._sizes.images), validations)

    def read_class_errors(self, validations: slice) -> FloatArray:
        """Return the share of wrongly judged images, shape (classes, validations), float32.

        NaN for a class without images.
        """
        return self._read_validations(CLASS_ERROR_NODE, "<f4", range(self._sizes.classes), validations)

    def read_thumbnail(self, image: int) -> bytes:
        """Return the encoded thumbnail of an image, b"" when there is none; data from outside.

        Raises:
            UsageError: There is no such image.
            RunDamagedError: images.h5 is damaged.
        """
        if not 0 <= image < self._sizes.images:
            raise UsageError(f"{self.path}: image {image}: the run has {self._sizes.images} images, counted from 0")
        return b"" if self._open_images is None else self._open_images.thumbnail(image)

    # --- decisions

    def decisions(self) -> dict[str, tuple[str, str]]:
        """Return people's decisions: anomaly id to the latest (status, note); data from outside."""
        found: dict[str, tuple[str, str]] = {}
        for line in read_lines(self.path / TRIAGE_FILE)[0]:
            if isinstance(line.get("what"), str):
                found[str(line["what"])] = (str(line.get("status", "")), str(line.get("note", "")))
        return found

    def append_decision(self, anomaly: str, status: str, note: str) -> None:
        """Add a person's decision: who, when, what.

        Raises:
            RunDamagedError: The run cannot be written to.
        """
        when = datetime.now().astimezone().isoformat(timespec="seconds")
        values = {"who": _user(), "when": when, "what": anomaly, "status": status, "note": note}
        try:
            append_line(self.path / TRIAGE_FILE, values)
        except OSError as error:
            what = f"{self.path / TRIAGE_FILE}: the decision could not be written, {error.strerror}"
            raise RunDamagedError(f"{what}; check the disk and your right to write there") from error

    # --- inside

    def _stream(self, stream: Stream) -> StreamReader:
        targets = None if self.images is None else self.images.targets
        return StreamReader(self.path, stream, run_token(self._run), self._sizes, self._parts, targets=targets)

    def _read_records(self, node: str, rows: range, records: slice) -> NDArray[Any]:
        return self._records.read(node, rows, _range(records, len(self.record_iterations)))

    def _read_statistic(self, node: str, source: str, statistic: str, records: slice) -> NDArray[Any]:
        _require(source, SOURCES, "source")
        row = _require(statistic, LAYER_STATISTICS, "layer statistic")
        values: NDArray[Any] = self._read_records(node, range(row, row + 1), records)[0]
        return values

    def _read_layer(self, node: str, layer: int, records: slice) -> NDArray[Any]:
        if not 0 <= layer < self._sizes.layers:
            raise UsageError(f"{self.path}: layer {layer}: the run has {self._sizes.layers} layers, counted from 0")
        values: NDArray[Any] = self._read_records(node, range(layer, layer + 1), records)[0]
        return values

    def _read_validations(self, node: str, dtype: str, rows: range, validations: slice) -> NDArray[Any]:
        frames = _range(validations, len(self.validation_iterations))
        if self._validations is None:
            return np.empty((len(rows), len(frames)), dtype)
        return self._validations.read(node, rows, frames)

    def _read_small_files(self) -> bool:
        """Read what is small and may have changed; True if images or the run's end are new."""
        changed = False
        if self._open_images is None:
            try:
                self._open_images = OpenImages(self.path, self._run)
                self.images = self._open_images.images
                self._image_fault = ""
                self._sizes = Sizes(
                    self._sizes.filters,
                    self._sizes.layers,
                    self._sizes.modules,
                    len(self.images.ids),
                    len(self.images.classes),
                )
                self._validations = self._stream(Stream.VALIDATIONS)
                changed = True
            except FileNotFoundError:
                self._image_fault = self._missing_images()
            except OSError as error:
                self._image_fault = f"{error}; validations are left out"
        if self._run_file is not None:
            try:
                fresh = RunFile.read(self.path)
                changed |= fresh != self._run_file
                self._run_file = fresh if fresh.run == self._run else self._run_file
            except OSError:
                changed = True
        lines, bad = read_lines(self.path / GAPS_FILE)
        gaps = tuple(gap for line in lines if (gap := _gap(line)) is not None)
        changed |= gaps != self._gaps
        self._gaps = gaps
        lost = bad + len(lines) - len(gaps)
        self._line_faults = (f"{self.path / GAPS_FILE}: {lost} damaged lines are left out",) if lost else ()
        return changed

    def _triage_stamp(self) -> tuple[int, int]:
        try:
            stat = (self.path / TRIAGE_FILE).stat()
        except OSError:
            return 0, 0
        return stat.st_size, stat.st_mtime_ns

    def _missing_images(self) -> str:
        """Return a fault if there are validations although there are no images."""
        names = [path.name for folder in _WATCHED for path in (self.path / folder).glob(f"{Stream.VALIDATIONS}-*")]
        return f"{self.path / IMAGES_FILE}: missing; validations are left out, restore it from a copy" if names else ""

    def _lost_tail(self) -> list[str]:
        """Tell frames that were there when the run was closed and are not any more."""
        counts = {} if self._run_file is None else dict(self._run_file.counts or {})
        lost = []
        for stream, reader in ((Stream.RECORDS, self._records), (Stream.VALIDATIONS, self._validations)):
            found = 0 if reader is None else reader.view.stop
            promised = counts.get(str(stream), 0)
            if isinstance(promised, int) and promised > found:
                lost.append(
                    f"{self.path}: {stream} {found} to {promised - 1}: missing; restore the files that held them"
                )
        return lost

    def _take_signature(self) -> object:
        """Return what changes whenever a file of the run does: names, sizes, times."""
        found = []
        for folder in (self.path, *(self.path / name for name in _WATCHED)):
            if not folder.is_dir():
                if folder == self.path:
                    raise RunDamagedError(f"{self.path}: the run was removed while it was read; open another")
                continue
            for path in folder.iterdir():
                if path.suffix in (".h5", ".dtj", ".jsonl") or path.name == RUN_FILE:
                    try:
                        stat = path.stat()
                    except FileNotFoundError:
                        continue
                    found.append((str(path), stat.st_size, stat.st_mtime_ns))
        return sorted(found)


def _gap(line: dict[str, object]) -> Gap | None:
    first, last, stream = line.get("first"), line.get("last"), line.get("stream")
    if not isinstance(first, int) or not isinstance(last, int) or stream not in tuple(Stream):
        return None
    return Gap(first, last, str(stream), str(line.get("reason", "")))


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


def _require(name: str, names: tuple[str, ...], what: str) -> int:
    """Return the position of a name among those that there are."""
    if name not in names:
        raise UsageError(f"{name!r} is no {what}; there are {', '.join(names)}")
    return names.index(name)


def _range(part: slice, length: int) -> range:
    wanted = range(*part.indices(length))
    if wanted.step < 1:
        raise UsageError(f"{part}: runs backwards; give a positive step")
    return wanted
