"""A run that is open and followed while it is recorded: what is in it, and how it stands.

Owns nothing of the values themselves: those are asked of `run_reader`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dtui.model import BoolArray, Gap, ImageSet, IntArray, RunMetadata, RunStatus, Structure, Trigger
from dtui.model.scalars import Points
from dtui.store.format.contents import Contents
from dtui.store.format.joins import Join, seams
from dtui.store.format.schema import Stream
from dtui.store.read.catalog import StreamView
from dtui.store.read.open_source import open_source
from dtui.store.read.run_streams import RunStreams


class FollowedRun:
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
