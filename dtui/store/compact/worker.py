"""Folds journals and small parts into larger parts, in its own process: `python -m dtui.store.compact RUN`.

Owns which frames are folded, and when.

The process can be killed at any instant. It verifies a part and then publishes it with one rename. It removes a source
only when none of its frames is needed (see `remove_replaced`). A killed process leaves only temporary files, which the
next one removes.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dtui.errors import DtuiError, RunDamagedError
from dtui.model import LabelArray
from dtui.store.compact.remove_replaced import Sweeper, remove_file
from dtui.store.disk.atomic_files import folder_size, list_folder, make_folder, one_line
from dtui.store.disk.seal import verify_seal
from dtui.store.format.schema import (
    IMAGES_FILE,
    JOURNAL_FOLDER,
    LARGE_PART,
    LOCK_FILE,
    PARTS_FOLDER,
    SMALL_PART,
    TEMPORARY_MARK,
    Sizes,
    Stream,
)
from dtui.store.read.catalog import FrameSpan, PartSpan
from dtui.store.read.open_source import folder_source
from dtui.store.read.part_cache import OpenParts
from dtui.store.read.stream_reader import StreamReader
from dtui.store.run.lock import CompactionLock
from dtui.store.run.opening import OpenedRun, OpenImages, find_directory
from dtui.store.write.part_writer import FoldPlan, fold

GRACE_SECONDS = 5.0
"""How long a published part lives at least beside its sources: so old may the listing of a reader on this host be."""
NETWORK_GRACE_SECONDS = 90.0
"""How long it lives beside them while there is room: a reader on another host sees a listing of a folder that is up to
60 seconds old through NFS (`acdirmax` in nfs(5)), and 20 through sshfs (`dcache_timeout` in sshfs(1))."""
ROOM_BYTES = 128 << 20
"""What journals may hold meanwhile: a large network that is recorded at every update writes as much in seconds."""


class RunCompactor:
    """Compacts one run. Not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Open the run.

        Raises:
            DtuiError: There is no run, or it cannot be read.
        """
        self.path = find_directory(path).absolute()
        self._source = folder_source(self.path)
        self._opened: OpenedRun = self._source.opened
        self._sizes = Sizes.of(self._opened.structure, self._opened.contents)
        self._parts = OpenParts(self._opened.run)
        self._sweeper = Sweeper(self.path, self._opened.run, self._parts)
        self._lock = CompactionLock(self.path)
        self.removed = 0
        self._damaged: set[Path] = set()
        self._readers = {stream: self._reader(stream, None) for stream in (Stream.RECORDS, Stream.WATCHES)}
        with contextlib.suppress(FileNotFoundError, RunDamagedError):
            images = OpenImages(self.path / IMAGES_FILE, self._opened.run)
            images.close()
            found = images.images
            self._sizes = self._sizes.with_images(found)
            self._readers[Stream.VALIDATIONS] = self._reader(Stream.VALIDATIONS, found.targets)

    def _reader(self, stream: Stream, targets: LabelArray | None) -> StreamReader:
        return StreamReader(self._source, stream, self._sizes, self._parts, targets=targets, is_strict=True)

    def close(self) -> None:
        """Close all files."""
        self._parts.close()

    def compact(self, *, finish: bool) -> list[Path] | None:
        """Fold what can be folded.

        Args:
            finish: Also fold journals that are not full, if the run has ended.

        Returns:
            The published parts, or None if another process is compacting.

        Raises:
            RunDamagedError: A source is damaged. It is raised after everything else was folded.
            OSError: The disk is full or fails; what was published before stays.
        """
        if not self._lock.acquire():
            return None
        published: list[Path] = []
        try:
            for folder in (JOURNAL_FOLDER, PARTS_FOLDER):  # version control drops empty ones
                make_folder(self.path / folder)
            self._remove_temporaries()
            self.sweep(self.grace())
            faults: list[RunDamagedError] = []
            for stream, reader in self._readers.items():
                try:
                    self._compact_stream(stream, reader, finish and self._sweeper.is_ended, published)
                except RunDamagedError as error:
                    faults.append(error)
            if faults:
                raise faults[0]
        finally:
            self._lock.release()
        return published

    def _compact_stream(self, stream: Stream, reader: StreamReader, finish: bool, published: list[Path]) -> None:
        """Fold one stream. Damaged parts stay as they are, and the rest is folded around them.

        Raises:
            RunDamagedError: A file is damaged. It is raised after everything else was folded.
        """
        fault: RunDamagedError | None = None
        before: FoldPlan | None = None
        plan = self._plan(stream, reader, finish=finish)
        while plan is not None and plan != before:
            before = plan
            try:
                published.append(self._fold(reader, plan))
            except RunDamagedError as error:
                fault = error
                self._damaged |= {path for path in reader.part_paths() if _is_damaged(path)}
            plan = self._plan(stream, reader, finish=finish)
        if fault is not None:
            raise fault

    def _fold(self, reader: StreamReader, plan: FoldPlan) -> Path:
        last = time.monotonic()

        def tick() -> None:
            nonlocal last
            if time.monotonic() - last > 1.0:
                last = time.monotonic()
                self._lock.touch()

        return fold(self.path, self._opened.run, self._sizes, reader, plan, tick)

    def _plan(self, stream: Stream, reader: StreamReader, *, finish: bool) -> FoldPlan | None:
        """Return the next fold that is worth its cost, or None."""
        reader.refresh()
        self._parts.forget({path for some in self._readers.values() for path in some.part_paths()})
        last = reader.view.spans[-1] if reader.view.spans else None
        for position, spans in _stretches(reader.view.spans, self._damaged):
            plan = _plan_stretch(stream, spans, position, last, finish=finish)
            if plan is not None:
                return plan
        return None

    def sweep(self, grace: float) -> None:
        """Remove files that have not been needed for `grace` seconds; `removed` counts them.

        See `Sweeper.sweep`.
        """
        self.removed += self._sweeper.sweep(self._sizes, grace)

    def grace(self) -> float:
        """Return for how many seconds replaced files should stay, for readers whose listing is old."""
        is_roomy = folder_size(self.path / JOURNAL_FOLDER) < ROOM_BYTES
        return NETWORK_GRACE_SECONDS if is_roomy else GRACE_SECONDS

    @property
    def is_waiting(self) -> bool:
        """Whether replaced files wait for a later `sweep`."""
        return self._sweeper.is_waiting(self._sizes)

    def _remove_temporaries(self) -> None:
        """Remove temporary files of killed compactors. Only the holder of the lock builds parts, so none is in use."""
        locks = self.path.glob(f"{LOCK_FILE}{TEMPORARY_MARK}*")
        parts = [path for path in list_folder(self.path / PARTS_FOLDER) if TEMPORARY_MARK in path.name]
        for path in (*locks, *parts):
            remove_file(path)


def _stretches(
    spans: Sequence[PartSpan | FrameSpan], damaged: set[Path]
) -> Iterator[tuple[int, list[PartSpan | FrameSpan]]]:
    """Yield groups of spans without a hole or a damaged part, each group with its first position."""
    stretch: list[PartSpan | FrameSpan] = []
    start = position = 0
    for span in spans:
        if stretch and (stretch[-1].stop != span.first or span.path in damaged):
            yield start, stretch
            stretch = []
        if span.path not in damaged:
            start = start if stretch else position
            stretch.append(span)
        position += len(span.iterations)
    if stretch:
        yield start, stretch


def _is_damaged(path: Path) -> bool:
    try:
        verify_seal(path, whole=True)
    except OSError as error:
        return isinstance(error, RunDamagedError)
    return False


def _plan_stretch(
    stream: Stream,
    spans: list[PartSpan | FrameSpan],
    position: int,
    last: PartSpan | FrameSpan | None,
    *,
    finish: bool,
) -> FoldPlan | None:
    """Return what to fold of spans without holes, or None; the writer may still append to `last`.

    If the run has ended, all frames become one part. Otherwise 1,024 frames of small spans become a large part, or full
    journals become a small part.
    """
    if finish:
        if len(spans) == 1 and isinstance(spans[0], PartSpan) and spans[0].is_whole:
            return None
        return FoldPlan(stream, spans[0].first, spans[-1].stop, position)
    for group in _foldable_groups(spans, last):
        if group[-1].stop - group[0].first >= LARGE_PART:
            chosen = group
        else:
            chosen = [span for span in group if isinstance(span, FrameSpan)]
        if chosen:
            return FoldPlan(stream, chosen[0].first, chosen[-1].stop, position + chosen[0].first - spans[0].first)
    return None


def _foldable_groups(
    spans: list[PartSpan | FrameSpan], last: PartSpan | FrameSpan | None
) -> Iterator[list[PartSpan | FrameSpan]]:
    """Yield groups of adjacent spans that are small and complete; a group ends when it makes a large part."""
    group: list[PartSpan | FrameSpan] = []
    for span in spans:
        count = len(span.iterations)
        is_open = isinstance(span, FrameSpan) and count < SMALL_PART and span is last
        if count < LARGE_PART and not is_open:
            group.append(span)
            if group[-1].stop - group[0].first < LARGE_PART:
                continue
        if group:
            yield group
        group = []
    if group:
        yield group


def main(arguments: Sequence[str] | None = None) -> int:
    """Compact one run; returns the exit status. Replaced files are removed later."""
    parser = argparse.ArgumentParser(
        prog="python -m dtui.store.compact", description="Fold a run's journals into parts."
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--finish", action="store_true", help="fold everything if the run has ended")
    parser.add_argument(
        "--wait", action="store_true", help="remove what was replaced before returning; tell it as JSON"
    )
    parser.add_argument("--follow", action="store_true", help="first fold at every byte j on standard input, until f")
    options = parser.parse_args(arguments)
    followed = _follow(options.run) if options.follow else 0.0
    outcome: dict[str, object] = {"published": [], "removed": 0, "busy": False, "fault": ""}
    try:
        compactor = RunCompactor(options.run)
        try:
            published = compactor.compact(finish=options.finish)
        except (DtuiError, OSError) as error:
            published, outcome["fault"] = [], one_line(error, options.run)
        compactor.close()
        outcome |= {"busy": published is None, "published": [str(path) for path in published or ()]}
        if options.wait:
            _sweep_later(compactor, GRACE_SECONDS)
            outcome["removed"] = compactor.removed
        elif published and options.finish and os.fork() == 0:
            _sweep_later(compactor, min(compactor.grace(), max(GRACE_SECONDS, followed)))
            os._exit(0)
    except (DtuiError, OSError) as error:
        outcome["fault"] = outcome["fault"] or one_line(error, options.run)  # what stopped it first
    if options.wait:
        sys.stdout.write(json.dumps(outcome) + "\n")
    return 1 if outcome["fault"] else 0


def _follow(path: Path) -> float:
    """Fold full journals whenever the writer asks for it; return when the writer closes the run or dies.

    Returns:
        For how many seconds: after a short training nothing waits for long, as a sweep over settings has many.
    """
    begun = time.monotonic()
    while (words := os.read(0, 4096)) and b"f" not in words:
        with contextlib.suppress(DtuiError, OSError):
            compactor = RunCompactor(path)
            try:
                compactor.compact(finish=False)
            finally:
                compactor.close()
    return time.monotonic() - begun


def _sweep_later(compactor: RunCompactor, grace: float) -> None:
    """Remove replaced files; wait first for those that were replaced a moment ago."""
    compactor.sweep(grace)
    if compactor.is_waiting:
        time.sleep(grace)
        compactor.sweep(grace)
