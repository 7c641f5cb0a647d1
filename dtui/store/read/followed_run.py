"""Opens a run and follows it while it is recorded: its contents and its status.

Owns no values of statistics; `run_reader` reads those.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dtui.model import BoolArray, Column, Gap, ImageSet, IntArray, RunMetadata, RunStatus, Structure, Trigger
from dtui.model.findings.kept_weights import WeightsAt
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.model.scalars import Points
from dtui.store.format.contents import Contents
from dtui.store.format.joins import Join, seams
from dtui.store.format.schema import Stream
from dtui.store.read.catalog import StreamView
from dtui.store.read.open_source import open_source
from dtui.store.read.run_streams import RunStreams


class FollowedRun:
    """One run. `refresh` follows it while it is recorded. Not thread-safe: one thread owns it.

    Positions along the records and validations axes count readable frames only. Damaged stretches are left out and
    listed in `faults`.

    Attributes:
        path: Its directory, or its packed file.
        run_id: 32 hexadecimal digits; another run at the same path has another.
        format_version: Of the files.
        contents: What the run holds: the statistics that can be read.
        metadata: What was known before the first record.
        structure: The network.
    """

    def __init__(self, path: Path) -> None:
        """Open.

        Args:
            path: The run's directory, with or without `.dtui`, or its packed file.

        Raises:
            RunNotFoundError: There is no run at this path.
            RunFormatError: A newer dtui wrote it.
            RunDamagedError: It cannot be read at all.
        """
        source = open_source(Path(path))
        self.path, opened = source.path, source.opened
        self.run_id = opened.run
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
    def columns(self) -> tuple[Column, ...]:
        """What frames hold beside statistics; further ones of validations are known once the images are."""
        return tuple(column for stream in Stream for column, _ in self._streams.sizes.columns(stream))

    @property
    def record_iterations(self) -> IntArray:
        """Iterations of records, and of watches without a record, shape (n,), int64, ascending."""
        return self._streams.records.iterations

    @property
    def is_watch(self) -> BoolArray:
        """Which of the `record_iterations` are watches of the flight recorder, shape (n,)."""
        return self._streams.records.is_watch

    @property
    def triggers(self) -> tuple[Trigger, ...]:
        """What the flight recorder fired on, in order of recording; data from outside."""
        return self._around.triggers

    def kept_weights(self) -> list[WeightsAt]:
        """Return the weights that the flight recorder kept around triggers, in order of recording; read anew each time.

        Lines that do not describe weights are left out.
        """
        return self._around.kept_weights()

    def broken_gradients(self) -> tuple[list[BrokenGradients], LookPlan | None]:
        """Return where gradients were NaN or Inf, in order of recording, and which updates were looked at; read anew.

        Lines that describe neither are left out.
        """
        return self._around.broken_gradients()

    @property
    def logged(self) -> Mapping[str, Points]:
        """Values logged between records: name to iterations, all different, and values, NaN as LOGGED_NAN."""
        return self._around.logged

    @property
    def validation_iterations(self) -> IntArray:
        """The iterations of the validations, shape (m,), int64, ascending."""
        return self._streams.validation_iterations

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps: what could not be recorded, in order of recording."""
        return self._around.gaps

    @property
    def faults(self) -> tuple[str, ...]:
        """One line per damaged or missing file; data from outside."""
        return self._streams.faults

    @property
    def validation_faults(self) -> tuple[str, ...]:
        """The `faults` that concern validations: anomalies may be missing there."""
        return self._streams.validation_faults

    def lost_arrays(self, *, with_data: bool) -> list[str]:
        """Return the unreadable arrays of parts, by path of the part; `with_data` reads all data."""
        return self._streams.lost_arrays(with_data=with_data)

    @property
    def joins(self) -> tuple[Join, ...]:
        """The joins: where the training was resumed from a checkpoint, in order of time."""
        return self._around.joins

    @property
    def seams(self) -> tuple[int, ...]:
        """Iterations at which the training went on from a checkpoint, so that curves are joined there; ascending."""
        return seams(self.joins)

    def frames(self, stream: Stream) -> StreamView:
        """Return the readable frames of a stream, and the files that hold them."""
        reader = self._streams.by_name[stream]
        return StreamView() if reader is None else reader.view

    def status(self) -> RunStatus:
        """Return the status of the run now."""
        return self._around.status()

    def settle(self) -> None:
        """Wait some seconds to see whether a process on another host is alive, for a caller that asks only once."""
        self._around.settle()

    @property
    def reason(self) -> str:
        """One line on why the run ended, "" if no reason was given; data from outside."""
        return self._around.reason

    @property
    def ended(self) -> str:
        """When the run was closed, ISO 8601 with offset; "" where that is not known; data from outside."""
        return self._around.ended

    def refresh(self) -> bool:
        """Read what was recorded since the last call. Return True if anything changed.

        Raises:
            RunDamagedError: The run was removed or can no longer be read.
        """
        return self._streams.refresh()
