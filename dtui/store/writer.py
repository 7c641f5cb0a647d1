"""Writes a run: a directory, its structure and images once, then frame after frame.

Owns what the recording process does to a run's files. A second copy would have two processes append to one journal.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunExistsError, UsageError
from dtui.model import Gap, ImageSet, Record, RunMetadata, RunStatus, Structure, Trigger, Validation
from dtui.store.background import Compactor
from dtui.store.documents import images_document, run_document
from dtui.store.joins import Join
from dtui.store.journal import JournalWriter
from dtui.store.lines import append_line
from dtui.store.resuming import PastRun, take_over
from dtui.store.runfile import Process, RunFile, stamp_of, touch_heartbeat
from dtui.store.schema import (
    DOCUMENT_NODE,
    FORMAT_VERSION,
    GAPS_FILE,
    IMAGES_FILE,
    JOURNAL_FOLDER,
    PARTS_FOLDER,
    RUN_FILE,
    STRUCTURE_FILE,
    TARGETS_NODE,
    THUMBNAIL_OFFSETS_NODE,
    THUMBNAILS_NODE,
    TRIGGERS_FILE,
    Field,
    Sizes,
    Stream,
    frame_fields,
)
from dtui.store.tokens import run_token, with_suffix

_HEARTBEAT_SECONDS = 1.0


class RunWriter:
    """Records one run. Not thread-safe: one thread appends."""

    def __init__(
        self,
        path: str | Path,
        structure: Structure,
        metadata: RunMetadata,
        *,
        classes: Sequence[str] = (),
        compact: bool = True,
    ) -> None:
        """Create the run.

        Args:
            path: Where; `.dtui` is added where it is lacking, folders above are made.
            structure: The network.
            metadata: What is known before the first record.
            classes: Names in label order, when they are known before the images are.
            compact: Fold journals into parts beside the recording, and the rest when it is closed.

        Raises:
            RunExistsError: Something is there already.
            OSError: It cannot be created; nothing is left behind.
        """
        from dtui.store.sealed_builder import write_small_file

        self.path = with_suffix(path)
        run_file = RunFile(FORMAT_VERSION, uuid.uuid4().hex, Process.this())
        try:
            self.path.mkdir(parents=True)
        except FileExistsError as error:
            raise RunExistsError(f"{self.path}: something is there already; choose another name") from error
        try:
            for folder in (JOURNAL_FOLDER, PARTS_FOLDER):
                (self.path / folder).mkdir()
            document = run_document(run_file.run, structure, metadata, classes)
            write_small_file(self.path / STRUCTURE_FILE, {DOCUMENT_NODE: document})
            touch_heartbeat(self.path)
            run_file.write(self.path)
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise
        self._begin(run_file, Sizes.of(structure), dict.fromkeys(Stream, 0), compact)

    @classmethod
    def resume(cls, past: PastRun, iteration: int, *, compact: bool = True) -> Self:
        """Go on with a run from a checkpoint.

        What was recorded at or after `iteration` is superseded, but not before the first new frame is about to be
        appended: a training that dies earlier has changed nothing.

        Args:
            past: The run as it was found.
            iteration: Of the first update that follows: as many updates as the checkpoint had done.
            compact: As for a new run.

        Raises:
            RunExistsError: Another process took it over since.
            OSError: It cannot be written to.
        """
        writer = cls.__new__(cls)
        writer.path = past.path
        sizes = Sizes.of(past.structure)
        run_file = take_over(past)
        writer._begin(run_file, sizes, past.stops, compact)
        if past.images is not None:
            writer._images = past.images
            writer._sizes = sizes.with_images(past.images)
        writer._join = past.join_at(iteration)
        writer._last = past.last_before(iteration)
        return writer

    def _begin(self, run_file: RunFile, sizes: Sizes, counts: Mapping[Stream, int], compact: bool) -> None:
        self._run_file = run_file
        self._run_file_stamp = stamp_of(self.path / RUN_FILE)
        self._join: Join | None = None
        self._sizes = sizes
        self._images: ImageSet | None = None
        self._closed = self._is_complete = False
        self._heartbeat_at = float("-inf")
        self._last = dict.fromkeys(Stream, -1)
        self._waiting_lines: list[tuple[str, dict[str, object]]] = []
        token = run_token(run_file.run)
        self._journals = {s: JournalWriter(self.path / JOURNAL_FOLDER, s, token, counts[s]) for s in Stream}
        self._fields = list(frame_fields(Stream.RECORDS, sizes).values())
        self._compactor = Compactor(self.path) if compact else None

    def __enter__(self) -> Self:
        """Return the writer itself."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        """Close the run: done, or crashed when an exception passes through."""
        self.close(RunStatus.DONE if kind is None else RunStatus.CRASHED, "" if kind is None else kind.__name__)

    def set_images(self, images: ImageSet) -> None:
        """Store the tracked images; once, before the first validation.

        Raises:
            UsageError: They are set already, or do not fit together.
            OSError: They cannot be written; nothing is left behind.
        """
        from dtui.store.sealed_builder import write_small_file

        if self._images is not None:
            raise UsageError(f"{self.path}: the images are set already; they cannot change during a run")
        targets = np.ascontiguousarray(images.targets, "<u2")
        count = len(targets)
        if len(images.ids) != count or len(images.thumbnails) not in (0, count):
            raise UsageError(
                f"{self.path}: {count} targets, {len(images.ids)} ids, {len(images.thumbnails)} thumbnails; "
                "give one of each an image"
            )
        if count and (np.any(targets[1:] < targets[:-1]) or int(targets[-1]) >= len(images.classes)):
            raise UsageError(f"{self.path}: targets must be ascending and below {len(images.classes)} classes")
        arrays: dict[str, NDArray[Any]] = {
            DOCUMENT_NODE: images_document(self._run_file.run, images),
            TARGETS_NODE: targets,
        }
        if images.thumbnails:
            arrays[THUMBNAIL_OFFSETS_NODE] = np.cumsum([0, *map(len, images.thumbnails)], dtype="<i8")
            arrays[THUMBNAILS_NODE] = np.frombuffer(b"".join(images.thumbnails), np.uint8)
        write_small_file(self.path / IMAGES_FILE, arrays)
        self._images = images
        self._sizes = self._sizes.with_images(images)

    def append_record(self, record: Record) -> None:
        """Append one record.

        Raises:
            RunExistsError: Another process has taken the run over.
            UsageError: A shape does not fit the structure, or its iteration is not after the last one.
            OSError: It could not be written; what was written of it is taken back and nothing else is lost.
        """
        self._append(Stream.RECORDS, record.iteration, self._fields, record, record.scalars)

    def append_watch(self, watch: Record) -> None:
        """Append one watch of the flight recorder.

        Raises:
            UsageError: A shape does not fit the structure, or its iteration is not after that of the last watch.
            OSError: It could not be written; what was written of it is taken back and nothing else is lost.
        """
        self._append(Stream.WATCHES, watch.iteration, self._fields, watch, watch.scalars)

    def append_validation(self, validation: Validation) -> None:
        """Append one validation.

        Raises:
            RunExistsError: Another process has taken the run over.
            UsageError: The images are not set, a shape does not fit them, or its iteration is not after the last one.
            OSError: It could not be written; what was written of it is taken back and nothing else is lost.
        """
        if self._images is None:
            raise UsageError(f"{self.path}: a validation before the images; call set_images first")
        fields = list(frame_fields(Stream.VALIDATIONS, self._sizes).values())
        self._append(Stream.VALIDATIONS, validation.iteration, fields, validation, {})

    def append_gap(self, gap: Gap) -> None:
        """Note iterations that could not be recorded; kept and written later when the disk does not take it now."""
        values = {"first": gap.first, "last": gap.last, "stream": gap.stream, "reason": gap.reason}
        self._append_line(GAPS_FILE, values)

    def append_trigger(self, trigger: Trigger) -> None:
        """Note why watches are kept; kept itself and written later when the disk does not take it now."""
        numbers = {"score": trigger.score, "times": trigger.times}
        known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        where = {"layer": trigger.layer, "filters": list(trigger.filters)}
        self._append_line(TRIGGERS_FILE, {"iteration": trigger.iteration, "kind": trigger.kind, **where, **known})

    def heartbeat(self) -> None:
        """Give a sign of life, at most once a second; a failing disk is not reported here."""
        now = time.monotonic()
        if now - self._heartbeat_at >= _HEARTBEAT_SECONDS:
            self._heartbeat_at = now
            with contextlib.suppress(OSError):
                touch_heartbeat(self.path)

    def note_reason(self, reason: str) -> None:
        """Note why the run may end without being closed: that counts until it is closed, or goes on elsewhere.

        Raises:
            RunExistsError: Another process has taken the run over.
            OSError: It cannot be noted.
        """
        self._require_ownership()
        noted = replace(self._run_file, reason=reason)
        noted.write(self.path)
        self._run_file, self._run_file_stamp = noted, stamp_of(self.path / RUN_FILE)

    @property
    def is_complete(self) -> bool:
        """Whether the run says how it ended, and only folding is left."""
        return self._is_complete

    def close(self, status: RunStatus = RunStatus.DONE, reason: str = "") -> None:
        """End the run and have everything folded into parts; a second call does nothing.

        Args:
            status: How it ended: done or crashed.
            reason: One line on why.

        Raises:
            OSError: The end could not be noted; all frames are safe.
        """
        if self._closed or os.getpid() != self._run_file.writer.pid:
            return
        self._closed = True
        for journal in self._journals.values():
            journal.close()
        if self._waiting_lines:
            self._write_lines()
        counts = {str(stream): journal.count for stream, journal in self._journals.items()}
        try:
            self._require_ownership()
            replace(self._run_file, closed=status, reason=reason, counts=counts).write(self.path)
            self._is_complete = True
        finally:
            if self._compactor is not None:
                self._compactor.finish()

    def supersede(self) -> None:
        """After a resume, have what was recorded past the checkpoint superseded, if that has not been done yet.

        Raises:
            RunExistsError: Another process has taken the run over.
            OSError: It cannot be noted; nothing is superseded.
        """
        self._require_ownership()
        if self._join is not None:
            joined = replace(self._run_file, joins=(*self._run_file.joins, self._join))
            joined.write(self.path)
            self._run_file, self._join = joined, None
            self._run_file_stamp = stamp_of(self.path / RUN_FILE)

    def _require_ownership(self) -> None:
        """Refuse to go on where another process records the run: it found this one dead, on another host."""
        if stamp_of(self.path / RUN_FILE) == self._run_file_stamp:
            return
        try:
            now = RunFile.read(self.path)
        except OSError:
            return
        if now.writer != self._run_file.writer:
            raise RunExistsError(
                f"{self.path}: process {now.writer.pid} on {now.writer.host} records it now; nothing more is added here"
            )

    def _append(self, stream: Stream, iteration: int, fields: Sequence[Field], source: object, scalars: Any) -> None:
        if self._closed:
            raise UsageError(f"{self.path}: closed; {stream} cannot be added any more")
        if iteration <= self._last[stream]:
            last = self._last[stream]
            raise UsageError(f"{self.path}: iteration {iteration} of {stream} is not after the last one, {last}")
        arrays = []
        for field in fields:
            array = np.ascontiguousarray(getattr(source, field.name), field.dtype)
            if array.shape != field.shape:
                raise UsageError(f"{self.path}: {field.name} has shape {array.shape}, this run needs {field.shape}")
            arrays.append(array)
        self.supersede()
        is_full = self._journals[stream].append(iteration, arrays, {str(k): float(v) for k, v in scalars.items()})
        self._last[stream] = iteration
        self.heartbeat()
        if self._waiting_lines:
            self._write_lines()
        if is_full and self._compactor is not None:
            self._compactor.start()

    def _append_line(self, file: str, values: dict[str, object]) -> None:
        self._waiting_lines.append((file, values))
        self._write_lines()

    def _write_lines(self) -> None:
        try:
            self.supersede()
        except OSError:
            return
        while self._waiting_lines:
            file, values = self._waiting_lines[0]
            try:
                append_line(self.path / file, values)
            except OSError:
                return
            del self._waiting_lines[0]
