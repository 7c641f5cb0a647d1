"""Finds which file holds which frames of a stream, while a writer appends and a compactor folds.

Owns the choice between a part and the journals that it was made from.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError, RunRemovedError
from dtui.model import BoolArray, IntArray
from dtui.store.disk.atomic_files import list_folder, unread
from dtui.store.disk.journal import Frame, JournalScanner
from dtui.store.format.joins import Hole, disjoint, is_superseded, kept_stop, unexplained
from dtui.store.format.schema import JOURNAL_FOLDER, PARTS_FOLDER, Stream, parse_journal_name, parse_part_name


@dataclass(frozen=True, eq=False, slots=True)
class PartSpan:
    """The frames that are read from one part.

    Attributes:
        path: The part.
        first: Ordinal of the first frame that is read from it.
        frames: Frames in the part.
        skip: Number of frames at its beginning that are read from another file.
        iterations: Iterations of the frames that are read from it.
        scalars: Names of the scalars in it, in storage order.
        group: Prefix of its node paths: "" in a separate file.
        lost: For each array, the stretches of frames without values: firsts and stops, shape (2, stretches), each
            ascending. They may overlap.
    """

    path: Path
    first: int
    frames: int
    skip: int
    iterations: IntArray
    scalars: tuple[str, ...]
    group: str = ""
    lost: Mapping[str, IntArray] = field(default_factory=dict)

    @property
    def stop(self) -> int:
        """Ordinal after its last frame."""
        return self.first + len(self.iterations)

    @property
    def is_whole(self) -> bool:
        """Whether all frames up to the part's end count: none there is superseded."""
        return self.skip + len(self.iterations) == self.frames

    def lost_at(self, path: str, positions: slice) -> BoolArray:
        """Return for some frames whether an array has no values there, shape (frames,)."""
        wanted = range(self.frames)[positions]
        if path not in self.lost:
            return np.zeros(len(wanted), np.bool_)
        firsts, stops = self.lost[path]
        at = np.arange(wanted.start, wanted.stop, wanted.step)
        result: BoolArray = np.searchsorted(firsts, at, "right") > np.searchsorted(stops, at, "right")
        return result

    def first_frames(self, count: int) -> PartSpan:
        """Return a span of the first `count` frames."""
        return replace(self, iterations=self.iterations[:count])


@dataclass(frozen=True, eq=False, slots=True)
class FrameSpan:
    """Frames of one journal, in order.

    Attributes:
        path: The journal.
        frames: The frames, at least one.
        iterations: Iterations of the frames.
    """

    path: Path
    frames: tuple[Frame, ...]
    iterations: IntArray

    @property
    def first(self) -> int:
        """Ordinal of the first frame."""
        return self.frames[0].ordinal

    @property
    def stop(self) -> int:
        """Ordinal after the last frame."""
        return self.frames[-1].ordinal + 1

    def first_frames(self, count: int) -> FrameSpan:
        """Return a span of the first `count` frames."""
        return replace(self, frames=self.frames[:count], iterations=self.iterations[:count])


@dataclass(frozen=True, eq=False, slots=True)
class PartHead:
    """The data that are read from a new part first: the iterations of all its frames, and the scalar names."""

    iterations: IntArray
    scalars: tuple[str, ...]


@dataclass(frozen=True, eq=False, slots=True)
class StreamView:
    """All readable frames of a stream.

    Attributes:
        spans: The spans, in order of their frames.
        iterations: Shape (n,), int64, ascending, of all spans one after the other.
        stop: Ordinal after the last frame that is readable or superseded.
        faults: One line per damaged or missing stretch.
        is_partial: Whether a file could not be opened for a reason that may pass: the next look tries again.
    """

    spans: tuple[PartSpan | FrameSpan, ...] = ()
    iterations: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    stop: int = 0
    faults: tuple[str, ...] = ()
    is_partial: bool = False

    def ordinal_at(self, iteration: int) -> int | None:
        """Return the ordinal of the first frame at or after an iteration, None if there is none."""
        for span in self.spans:
            if int(span.iterations[-1]) >= iteration:
                return span.first + int(np.searchsorted(span.iterations, iteration))
        return None


class Catalog:
    """Keeps the view of one stream up to date; reads again only what has changed."""

    def __init__(
        self,
        run: Path,
        stream: Stream,
        token: int,
        fixed: int,
        read_head: Callable[[Path, int, int], PartHead],
        read_holes: Callable[[], Sequence[Hole]],
    ) -> None:
        """Prepare.

        Args:
            run: The run's directory.
            stream: The stream.
            token: The run's token.
            fixed: Bytes of a frame's fixed fields.
            read_head: Opens a part and returns its head, given path, first ordinal and stop; raises RunDamagedError.
            read_holes: Returns the ordinals that are superseded now, in ascending stretches.
        """
        self._read_holes = read_holes
        self._run = run
        self._stream = stream
        self._token = token
        self._fixed = fixed
        self._read_head = read_head
        self._heads: dict[Path, tuple[object, PartHead | str]] = {}
        self._scanners: dict[Path, JournalScanner] = {}
        self._is_strict = True
        self._is_partial = False

    def update(self) -> StreamView:
        """Look at the directory and return the frames that can be read now.

        A file that disappears between listing and opening was replaced by a part, so the folder is listed again. If the
        listing stays out of date, as on NFS, the file is left out. This loses nothing: its part was published long
        before the file was removed.

        Raises:
            OSError: The directory cannot be read.
        """
        # Four attempts raise on a vanished file; the last one leaves such files out.
        for self._is_strict in (True, True, True, True, False):
            with contextlib.suppress(FileNotFoundError):
                return self._update()
        return self._update()

    def _update(self) -> StreamView:
        # Journals are listed before parts: a fold publishes the part before it removes the journal, so that what
        # vanished from the first listing is in the second.
        faults: list[str] = []
        self._is_partial = False
        journals = sorted(
            (parsed[1], path)
            for path in self._list(JOURNAL_FOLDER, faults)
            if (parsed := parse_journal_name(path.name)) and parsed[0] is self._stream
        )
        parts = [
            (named[1], named[2], path)
            for path in self._list(PARTS_FOLDER, faults)
            if (named := parse_part_name(path.name)) and named[0] is self._stream
        ]
        self._forget({path for _, path in journals}, {path for _, _, path in parts})
        frames = [(path, self._scan(path, faults)) for _, path in journals]
        # What is superseded is asked last: it was told before the first frame that supersedes it was written.
        holes = self._read_holes()
        spans = self._choose_parts(parts, holes, faults)
        covered = disjoint([*holes, *((span.first, span.stop) for span in spans)])
        for path, found in frames:
            spans += _stretches(path, found, covered)
        return _assemble(spans, faults, self._stream, holes, self._is_partial)

    def _choose_parts(
        self, parts: list[tuple[int, int, Path]], holes: Sequence[Hole], faults: list[str]
    ) -> list[PartSpan | FrameSpan]:
        """Return the parts to read from.

        If several parts begin at the same frame, the longest is read first. The others are not opened, so damage in
        them does not matter.
        """
        kept = [(first, kept_stop(first, stop, holes), stop, path) for first, stop, path in parts]
        spans: list[PartSpan | FrameSpan] = []
        end = 0
        for first, last, stop, path in sorted(kept, key=lambda part: (part[0], -part[1], part[2])):
            # All its frames that count are in a part before it, or it has none that counts.
            if last <= max(first, end):
                continue
            head = self._head(path, first, stop)
            if not isinstance(head, PartHead):
                faults += [] if head is None else [head]
                continue
            skip = max(0, end - first)
            iterations = head.iterations[skip : last - first]
            spans.append(PartSpan(path, first + skip, stop - first, skip, iterations, head.scalars))
            end = last
        return spans

    def _scan(self, path: Path, faults: list[str]) -> list[Frame]:
        """Return the frames of a journal."""
        scanner = self._scanners.setdefault(path, JournalScanner(path, self._stream, self._token, self._fixed))
        try:
            scanner.scan()
        except FileNotFoundError:
            if self._is_strict:
                raise
            return []
        except OSError as error:
            faults.append(self._passing(path, error))
            return []
        faults += [f"{path.parent / line}; what lay there is left out" for line in scanner.damage]
        return list(scanner.frames)

    def _list(self, folder: str, faults: list[str]) -> list[Path]:
        try:
            return list_folder(self._run / folder)
        except FileNotFoundError:
            if not self._run.is_dir():
                raise RunRemovedError(f"{self._run}: the run was removed while it was read; open another") from None
        except NotADirectoryError as error:
            faults.append(f"{error.filename}: {error.strerror}; what it holds is left out")
        return []

    def _head(self, path: Path, first: int, stop: int) -> PartHead | str | None:
        """Return the head of a part, or what is wrong with it: read again if the file was cut or put back meanwhile."""
        stamp: object = None
        try:
            stat = path.stat()
            stamp = stat.st_ino, stat.st_size, stat.st_mtime_ns
            known = self._heads.get(path)
            head = known[1] if known is not None and known[0] == stamp else self._read_head(path, first, stop)
        except FileNotFoundError:
            if self._is_strict:
                raise
            return None
        except RunDamagedError as error:
            head = str(error)
        except OSError as error:
            stamp, head = None, self._passing(path, error)
        self._heads[path] = stamp, head
        return head

    def _passing(self, path: Path, error: OSError) -> str:
        """Return why a file cannot be read now: too many are open, a server is away, its owner alone may."""
        self._is_partial = True
        return unread(path, error, "its frames are left out")

    def _forget(self, journals: set[Path], parts: set[Path]) -> None:
        self._scanners = {path: scanner for path, scanner in self._scanners.items() if path in journals}
        self._heads = {path: head for path, head in self._heads.items() if path in parts}


def _stretches(path: Path, found: list[Frame], covered: Sequence[Hole]) -> list[FrameSpan]:
    """Return the frames of a journal that are neither in a part nor superseded, as stretches without holes."""
    stretches: list[list[Frame]] = []
    for frame in found:
        if is_superseded(frame.ordinal, covered):
            continue
        if not stretches or stretches[-1][-1].ordinal + 1 != frame.ordinal:
            stretches.append([])
        stretches[-1].append(frame)
    return [
        FrameSpan(path, tuple(frames), np.array([frame.iteration for frame in frames], np.int64))
        for frames in stretches
    ]


def _assemble(
    spans: list[PartSpan | FrameSpan], faults: list[str], stream: Stream, holes: Sequence[Hole], is_partial: bool
) -> StreamView:
    """Sort spans, and add a fault for each missing stretch between them.

    While a file cannot be opened, nothing is called missing: what that file holds is not lost.
    A span with contradictory iterations is left out. A span whose iterations begin before the last one belongs to a
    resumed training whose join was lost; it supersedes all frames at or after its first iteration.
    """
    kept: list[PartSpan | FrameSpan] = []
    end = 0
    for span in sorted(spans, key=lambda span: span.first):
        if span.first < end or np.any(np.diff(span.iterations) <= 0):
            faults.append(f"{span.path}: its iterations contradict the files around it; it is left out")
            continue
        before, begin = _last_iteration(kept), int(span.iterations[0])
        for first, stop in () if is_partial else unexplained(end, span.first, holes):
            after = f"after iteration {before}" if kept else "at the beginning"
            faults.append(f"{stream} {first} to {stop - 1}, {after}: missing; restore the files that held them")
        if begin <= before:
            _cut_from(kept, begin)
            faults.append(
                f"{span.path}: resumed at or before iteration {begin}, but run.json does not tell where; "
                f"{stream} {begin} to {before} of before are left out, earlier ones may be superseded as well"
            )
        kept.append(span)
        end = span.stop
    # Superseded frames after the last readable one are not missing: the next frame follows them.
    for first, stop in holes:
        end = stop if first <= end < stop else end
    iterations = np.concatenate([span.iterations for span in kept]) if kept else np.empty(0, np.int64)
    return StreamView(tuple(kept), iterations, end, tuple(faults), is_partial)


def _last_iteration(spans: list[PartSpan | FrameSpan]) -> int:
    return int(spans[-1].iterations[-1]) if spans else -1


def _cut_from(spans: list[PartSpan | FrameSpan], iteration: int) -> None:
    """Remove from the end of the spans every frame at or after an iteration."""
    while _last_iteration(spans) >= iteration >= 0 and spans:
        span = spans.pop()
        count = int(np.searchsorted(span.iterations, iteration))
        if count:
            spans.append(span.first_frames(count))
