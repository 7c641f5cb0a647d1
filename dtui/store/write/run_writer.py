"""Writes a run: a directory, its structure and images once, then frame after frame.

Owns all changes that the recording process makes to a run's files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, cast

from dtui.errors import RunExistsError, UsageError
from dtui.model import Column, Gap, ImageSet, Record, RunMetadata, RunStatus, Structure, Trigger, Validation
from dtui.model.findings.kept_weights import WeightsAt
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.run_path import with_suffix
from dtui.store.disk.run_folder import Place
from dtui.store.format.contents import Contents, contents_of_today
from dtui.store.format.flight_lines import trigger_line, weights_lines
from dtui.store.format.frames import field_values, frame_fields
from dtui.store.format.joins import Join
from dtui.store.format.names import run_token
from dtui.store.format.nonfinite_lines import nonfinite_lines
from dtui.store.format.schema import (
    GAPS_FILE,
    IMAGES_FILE,
    JOURNAL_FOLDER,
    LOGGED_FILE,
    NONFINITE_FILE,
    TRIGGERS_FILE,
    WEIGHTS_FILE,
    Sizes,
    Stream,
)
from dtui.store.run.logged_values import FULL, has_room, logged_lines
from dtui.store.run.ownership import Ownership
from dtui.store.run.stop_request import StopWatch
from dtui.store.write.arrange import Arrangement
from dtui.store.write.background_compactor import Compactor
from dtui.store.write.claim import Claim, claim_new
from dtui.store.write.image_file import are_same, write_images
from dtui.store.write.journal_writer import JournalWriter, SyncError
from dtui.store.write.line_queue import LineQueue
from dtui.store.write.new_run import begin_run
from dtui.store.write.resume import PastRun, take_over
from dtui.store.write.syncing import Syncing

_HEARTBEAT_SECONDS = 1.0


class RunWriter:
    """Records one run. Not thread-safe: one thread appends.

    Once it `is_complete`, run.json says how the run ended, and only folding is left.
    """

    def __init__(
        self,
        path: str | Path,
        structure: Structure,
        metadata: RunMetadata,
        *,
        classes: Sequence[str] = (),
        compact: bool = True,
        claim: Claim | None = None,
        contents: Contents | None = None,
        columns: Sequence[Column] = (),
    ) -> None:
        """Create the run.

        Args:
            path: Path of the run. `.dtui` is added if missing; folders above are created.
            structure: The network.
            metadata: What is known before the first record.
            classes: Names in label order, if they are known before the images.
            compact: Whether to fold journals into parts during the recording, and the rest at the end.
            claim: The claim of its path, if this process has one already; `path` is ignored then.
            contents: What the run holds, if that differs from what this dtui measures.
            columns: What else its records and watches hold. Those of validations are a part of the images.

        Raises:
            RunExistsError: The path exists already.
            OSError: It cannot be created. No partial run is left.
        """
        self.path = with_suffix(path).absolute() if claim is None else claim.path
        others = len(structure.parameters), len(structure.adapters), structure.channels
        today = contents_of_today(len(structure.norms), columns, *others)
        held = today if contents is None else contents
        place, owner = begin_run(claim_new(self.path) if claim is None else claim, structure, metadata, classes, held)
        self._begin(place, owner, Sizes.of(structure, held), dict.fromkeys(Stream, 0), compact)

    @classmethod
    def resume(cls, past: PastRun, iteration: int, *, compact: bool = True) -> Self:
        """Go on with a run from a checkpoint.

        Frames at or after `iteration` are superseded just before the first new frame is appended. A training that dies
        earlier changes nothing. The run keeps its format and its list of contents: a statistic that is not in the list
        is not recorded, and one that is no longer measured is NaN.

        Args:
            past: The run to continue.
            iteration: The first update that follows. It equals the number of updates that the checkpoint had done.
            compact: As for a new run.

        Raises:
            RunExistsError: Another process took it over meanwhile.
            OSError: It cannot be written to.
        """
        writer = cls.__new__(cls)
        writer.path = past.path
        sizes = Sizes.of(past.structure, past.contents)
        place, owner, past = take_over(past)
        writer._begin(place, owner, sizes, past.begins, compact)
        writer._stops = past.stops
        if past.images is not None:
            writer._images = past.images
            writer._lay_out(sizes.with_images(past.images))
        writer._join = past.join_at(iteration)
        writer._last = past.last_before(iteration)
        return writer

    def _begin(self, place: Place, owner: Ownership, sizes: Sizes, counts: Mapping[Stream, int], compact: bool) -> None:
        self._place, self._owner = place, owner
        self._process = os.getpid()
        self._join: Join | None = None
        self._images: ImageSet | None = None
        self._closed = self.is_complete = False
        self._stops, self._untouched = counts, set(Stream)
        self._heartbeat_at = float("-inf")
        self._last = dict.fromkeys(Stream, -1)
        self._lines = LineQueue(lambda: owner.require(fresh=True), self._allow_line)
        self._stop_watch = StopWatch(owner.run_file.run, owner.run_file.turn)
        token = run_token(owner.run_file.run)
        folder, version = (lambda: place.here / JOURNAL_FOLDER), sizes.contents.format
        self._journals = {stream: JournalWriter(folder, stream, token, version, counts[stream]) for stream in Stream}
        self._arrangement = Arrangement(self.path, sizes.contents)
        self._syncing = Syncing(list(self._journals.values()))
        self._lay_out(sizes)
        self._compactor = Compactor(place) if compact else None

    def _lay_out(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._fields = {stream: list(frame_fields(stream, sizes).values()) for stream in Stream}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close the run: done, or crashed if an exception passes through."""
        self.close(RunStatus.DONE if kind is None else RunStatus.CRASHED, "" if kind is None else kind.__name__)

    def set_images(self, images: ImageSet) -> None:
        """Store the tracked images; once, before the first validation.

        Raises:
            RunExistsError: Another process has taken the run over.
            UsageError: Other images are set already, or targets, ids and thumbnails do not fit together.
            OSError: They cannot be written. No partial file is left.
        """
        self._owner.require(fresh=True)
        if self._images is not None:
            if are_same(images, self._images):
                return  # the process that was taken over set them after we had looked
            raise UsageError(f"{self.path}: the images are set already; they cannot change during a run")
        with self._place.named():
            write_images(self._place.here / IMAGES_FILE, self._owner.run_file.run, images, self.path)
        self._images = images
        self._lay_out(self._sizes.with_images(images))

    def append_record(self, record: Record) -> None:
        """Append one record.

        Raises:
            RunExistsError: Another process has taken the run over.
            UsageError: A shape does not fit the structure, or its iteration is not after the last one.
            OSError: It could not be written. Its bytes are taken back, and nothing else is lost.
        """
        self._append(Stream.RECORDS, record.iteration, record, record.scalars)

    def append_watch(self, watch: Record) -> None:
        """Append one watch of the flight recorder.

        Raises:
            UsageError: A shape does not fit the structure, or its iteration is not after that of the last watch.
            OSError: It could not be written. Its bytes are taken back, and nothing else is lost.
        """
        self._append(Stream.WATCHES, watch.iteration, watch, watch.scalars)

    def append_validation(self, validation: Validation) -> None:
        """Append one validation.

        Raises:
            RunExistsError: Another process has taken the run over.
            UsageError: The images are not set, a shape does not fit them, or its iteration is not after the last one.
            OSError: It could not be written. Its bytes are taken back, and nothing else is lost.
        """
        if self._images is None:
            raise UsageError(f"{self.path}: a validation before the images; call set_images first")
        self._append(Stream.VALIDATIONS, validation.iteration, validation, {})

    def append_gap(self, gap: Gap) -> None:
        """Note iterations that could not be recorded. If the disk fails now, the line is written later."""
        self._lines.add(GAPS_FILE, [{"first": gap.first, "last": gap.last, "stream": gap.stream, "reason": gap.reason}])

    def append_trigger(self, trigger: Trigger) -> None:
        """Note why watches are kept. If the disk fails now, the line is written later."""
        self._lines.add(TRIGGERS_FILE, [trigger_line(trigger)])

    def append_weights(self, weights: WeightsAt) -> None:
        """Note weights around a trigger, while their file has room. If the disk fails now, they are written later."""
        self._lines.add(WEIGHTS_FILE, weights_lines(self._place.here / WEIGHTS_FILE, weights))

    def append_nonfinite(self, found: BrokenGradients | LookPlan) -> None:
        """Note where gradients were NaN or Inf, while the file has room. If the disk fails now, it is written later."""
        self._lines.add(NONFINITE_FILE, nonfinite_lines(self._place.here / NONFINITE_FILE, found))

    def append_logged(self, iteration: int, values: Mapping[str, float]) -> None:
        """Write values with the iteration at which they were logged. If the disk fails now, they are written later.

        Raises:
            UsageError: The file is full, or a name is too long; no more values are kept.
        """
        lines = list(logged_lines(iteration, values))
        if self._lines.is_full or not has_room(self._place.here / LOGGED_FILE):
            raise UsageError(FULL.format(self.path / LOGGED_FILE))
        self._lines.add(LOGGED_FILE, lines)

    def heartbeat(self) -> None:
        """Touch the heartbeat, at most once a second, and synchronise appended frames every few seconds.

        A failing disk raises no error here; frames that it may have lost become a gap.

        Raises:
            RunExistsError: Another process has taken the run over.
        """
        now = time.monotonic()
        if now - self._heartbeat_at >= _HEARTBEAT_SECONDS:
            self._heartbeat_at = now
            try:
                self._owner.beat()
            except RunExistsError:
                raise
            except OSError:
                pass
        if self._syncing.is_due():
            self.sync()

    def asked_to_stop(self) -> bool:
        """Whether somebody asked this training to stop (`dtui watch --stop`). Never raises."""
        with contextlib.suppress(OSError):  # the folder is gone
            return self._stop_watch.look(self._place.here)
        return False

    def sync(self) -> None:
        """Synchronise all appended frames to the disk; frames that it fails to keep are noted as a gap."""
        self._note_lost(self._syncing.sync())

    def _note_lost(self, errors: Sequence[SyncError]) -> None:
        for error in errors:
            self.append_gap(error.as_gap(self._last[error.stream]))

    def note_reason(self, reason: str) -> None:
        """Note why the run may end without being closed. The reason counts until it is closed or resumed.

        Raises:
            RunExistsError: Another process has taken the run over.
            OSError: It cannot be noted.
        """
        with self._place.named():
            self._owner.write(reason=reason)

    def close(self, status: RunStatus = RunStatus.DONE, reason: str = "") -> None:
        """End the run and fold everything into parts; a second call does nothing.

        Args:
            status: How it ended: done or crashed.
            reason: One line: why it crashed; or, if it is done, what part of the training was not seen.

        Raises:
            OSError: The end, or an earlier gap or trigger, could not be written. All frames are safe.
        """
        if self._closed or os.getpid() != self._process:
            return
        self._closed = True
        self._note_lost(self._syncing.close())
        self._lines.write()
        counts = {str(s): self._stops[s] if s in self._untouched else j.count for s, j in self._journals.items()}
        try:
            with self._place.named():
                ended = datetime.now(UTC).isoformat(timespec="seconds")
                self._owner.write(closed=status, reason=reason, counts=counts, ended=ended)
            self.is_complete = True
            if self._lines.lost:
                what = f"{self._lines.lost:,} gaps, triggers or logged values could not be noted"
                raise OSError(errno.EIO, f"{what}; check the disk, and what {GAPS_FILE} holds", str(self.path))
        except RunExistsError:
            self._compactor = None  # what is folded now is another process's to say
            raise
        finally:
            if self._compactor is not None:
                self._compactor.finish()
            self._place.close()

    def supersede(self) -> None:
        """After a resume, supersede the frames past the checkpoint, if that is not done yet.

        Raises:
            RunExistsError: Another process has taken the run over.
            OSError: It cannot be noted; nothing is superseded.
        """
        self._owner.require()
        if self._join is not None:
            self._owner.write(joins=(*self._owner.run_file.joins, self._join))
            self._join = None

    def _append(self, stream: Stream, iteration: int, source: object, scalars: Mapping[str, float]) -> None:
        if self._closed:
            raise UsageError(f"{self.path}: closed; {stream} cannot be added any more")
        if iteration <= (last := self._last[stream]):
            raise UsageError(f"{self.path}: iteration {iteration} of {stream} is not after the last one, {last}")
        arrays = [self._arrangement.arrange(field, field_values(source, field.name)) for field in self._fields[stream]]
        journal = self._journals[stream]
        with self._place.named():
            if journal.is_between_files:
                self._owner.require(fresh=True)
            self.supersede()
            is_full = journal.append(iteration, arrays, {str(k): float(v) for k, v in scalars.items()})
        self._last[stream] = iteration
        self._untouched.discard(stream)
        with contextlib.suppress(RunExistsError):  # this frame was taken; the next call says so
            self.heartbeat()
        self._lines.write()
        if is_full and self._compactor is not None:
            self._compactor.start()

    def _allow_line(self, file: str, line: Mapping[str, object]) -> Path:
        """Return the path of a line's file; in a resumed run, first supersede what came after the checkpoint.

        A line of logged.jsonl from before the checkpoint supersedes nothing.
        """
        is_past = file == LOGGED_FILE and self._join is not None and cast(int, line["iteration"]) < self._join.iteration
        if not is_past:
            self.supersede()
        return self._place.here / file
