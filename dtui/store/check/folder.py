"""Checks every byte of every file of a run. A file is fine, damaged or left over.

Owns the full check, and the text that says what data a damaged file loses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from dtui.errors import DtuiError, RunDamagedError
from dtui.number_text import counted
from dtui.store.check.packed import check_packed
from dtui.store.check.result import CheckResult, FileCheck, FileState
from dtui.store.disk.atomic_files import list_folder
from dtui.store.disk.journal import JournalScanner
from dtui.store.disk.json_lines import read_lines
from dtui.store.disk.seal import verify_seal
from dtui.store.format.frames import frame_fields
from dtui.store.format.joins import disjoint, holes_of, is_superseded, kept_stop
from dtui.store.format.names import run_token
from dtui.store.format.part_arrays import part_nodes
from dtui.store.format.schema import (
    FINDINGS_FILE,
    HEARTBEAT_FILE,
    IMAGES_FILE,
    JOURNAL_FOLDER,
    LINE_FILES,
    LOCK_FILE,
    PARTS_FOLDER,
    RESUME_LOCK_FILE,
    RUN_FILE,
    STOP_FILE,
    STRUCTURE_FILE,
    TEMPORARY_MARK,
    Sizes,
    Stream,
    parse_journal_name,
    parse_part_name,
)
from dtui.store.read.part_cache import OpenParts
from dtui.store.read.run_reader import RunReader
from dtui.store.read.unreadable_arrays import lost_arrays
from dtui.store.run.opening import OpenedRun, OpenImages, find_run, open_structure
from dtui.store.run.run_file import RunFile
from dtui.store.run.stop_request import read_stop_request
from dtui.store.run.turns import is_claim

SUPERSEDED = "superseded by a training that was resumed before it"


def check_run(path: str | Path) -> CheckResult:
    """Read every byte of a run and return the state of each file.

    Raises:
        RunNotFoundError: There is no run at this path.
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: The permissions do not allow reading it.
    """
    folder = find_run(Path(path))
    if not folder.is_dir():
        return check_packed(folder)
    try:
        opened = open_structure(folder)
    except RunDamagedError as error:
        lost = FileCheck(Path(STRUCTURE_FILE), FileState.DAMAGED, "the network is lost and with it the whole run")
        return CheckResult(folder, (lost,), (str(error),))
    files = tuple(sorted(_Checker(folder, opened).check(), key=lambda file: str(file.path)))
    try:
        reader = RunReader(folder)
        faults = reader.faults
        reader.close()
    except DtuiError as error:
        faults = (str(error),)
    return CheckResult(folder, files, faults)


_ONE = {Stream.RECORDS: "record", Stream.VALIDATIONS: "validation", Stream.WATCHES: "watch"}


class _Checker:
    """Looks at the files of one run."""

    def __init__(self, folder: Path, opened: OpenedRun) -> None:
        self._folder = folder
        self._run = opened.run
        self._sizes = Sizes.of(opened.structure, opened.contents)
        self._parts = OpenParts(opened.run)
        file = opened.run_file
        self._is_ended = file is not None and (file.closed is not None or file.writer.is_alive() is False)
        self._turn = 1 if file is None else file.turn
        joins = () if opened.run_file is None else opened.run_file.joins
        self._holes = {stream: holes_of(joins, stream) for stream in Stream}

    def check(self) -> Iterator[FileCheck]:
        """Yield the verdict on every file."""
        try:
            yield from self._check_top()
            parts = list(self._check_parts())
            yield from (verdict for verdict, _ in parts)
            fine = [span for verdict, span in parts if span is not None and verdict.state is FileState.FINE]
            yield from self._check_journals(fine)
        finally:
            self._parts.close()

    def _check_top(self) -> Iterator[FileCheck]:
        for path in self._folder.iterdir():
            if path.name not in (JOURNAL_FOLDER, PARTS_FOLDER):
                yield self._check_file(path)
                continue
            try:
                list_folder(path)
            except OSError as error:
                yield self._verdict(path, FileState.DAMAGED, f"{error.strerror}: what it holds is left out")

    def _check_file(self, path: Path) -> FileCheck:
        """Return the verdict on a file that lies in the run itself, by its name."""
        name = path.name
        if TEMPORARY_MARK in name:
            return self._verdict(path, FileState.LEFT_OVER, "a write that did not finish; safe to remove")
        if name == RUN_FILE:
            costs = "status is told from the heartbeat"
            return self._attempt(path, "who recorded the run", costs, self._check_run_file)
        if name == STRUCTURE_FILE:
            return self._attempt(path, "metadata and network", "the run cannot be read", self._check_sealed)
        if name == IMAGES_FILE:
            return self._attempt(path, "the tracked images", "all validations are left out", self._check_images)
        if name == FINDINGS_FILE:
            verdict = self._attempt(path, "findings that took long, a cache", "", self._check_sealed)
            is_fine = verdict.state is FileState.FINE
            return verdict if is_fine else self._verdict(path, FileState.LEFT_OVER, "a damaged cache; made anew")
        if name in LINE_FILES:
            return self._check_lines(path)
        if name == STOP_FILE:
            return self._check_stop(path)
        is_ours = name in (HEARTBEAT_FILE, LOCK_FILE, RESUME_LOCK_FILE) or is_claim(name)
        told = (FileState.FINE, "") if is_ours else (FileState.UNKNOWN, "no file of dtui's; it is never read")
        return self._verdict(path, *told)

    def _check_parts(self) -> Iterator[tuple[FileCheck, tuple[Stream, int, int] | None]]:
        """Yield the verdict on every file in the parts folder, and for a sound part what it holds."""
        fine: dict[Path, tuple[Stream, int, int]] = {}
        for path in self._entries(PARTS_FOLDER):
            span = parse_part_name(path.name)
            if span is None:
                yield self._stray(path), None
                continue
            stream, first, stop = span
            verdict = self._attempt(
                path,
                f"{stream} {first} to {stop - 1}",
                f"{stream} {first} to {stop - 1} are lost unless other files hold them",
                partial(self._check_part, stream, first, stop),
            )
            if verdict.state is FileState.FINE:
                fine[path] = span
            else:
                yield self._narrowed(verdict, path, *span), span
        for path, span in fine.items():
            stream, first, stop = span
            kept = kept_stop(first, stop, self._holes[stream])
            others = [other for where, other in fine.items() if where != path and other[0] is stream]
            if kept == first:
                detail = f"{SUPERSEDED}; dtui compact removes it"
                yield self._verdict(path, FileState.LEFT_OVER, detail), None
            elif any(self._replaces(other, span) for other in others):
                detail = "another part holds it; dtui compact removes it"
                yield self._verdict(path, FileState.LEFT_OVER, detail), None
            else:
                left = f", from {kept} on {SUPERSEDED}" if kept < stop else ""
                yield self._verdict(path, FileState.FINE, f"{stream} {first} to {stop - 1}{left}"), span

    def _replaces(self, one: tuple[Stream, int, int], other: tuple[Stream, int, int]) -> bool:
        """Whether one part makes another of its stream needless.

        That is so if it covers all frames of the other that count, and holds more such frames, or equally many in a
        shorter part.
        """
        (stream, first, stop), (_, their_first, their_stop) = one, other
        kept, their_kept = (kept_stop(*span, self._holes[stream]) for span in (one[1:], other[1:]))
        is_better = (kept - first, first - stop) > (their_kept - their_first, their_first - their_stop)
        return first <= their_first and their_kept <= kept and is_better

    def _check_journals(self, parts: list[tuple[Stream, int, int]]) -> Iterator[FileCheck]:
        for path in self._entries(JOURNAL_FOLDER):
            named = parse_journal_name(path.name)
            if named is None:
                yield self._stray(path)
                continue
            stream, _ = named
            fixed = sum(field.size for field in frame_fields(stream, self._sizes).values())
            scanner = JournalScanner(path, stream, run_token(self._run), fixed)
            try:
                scanner.scan()
            except FileNotFoundError:
                continue
            except OSError as error:
                yield self._verdict(path, FileState.DAMAGED, f"cannot be read, {error.strerror}")
                continue
            ordinals = [frame.ordinal for frame in scanner.frames]
            many = counted(len(ordinals), _ONE[stream], stream)
            held = disjoint([*((a, b) for s, a, b in parts if s is stream), *self._holes[stream]])
            inside = [is_superseded(n, held) for n in ordinals]
            if scanner.damage:
                yield self._verdict(path, FileState.DAMAGED, f"{'; '.join(scanner.damage)}: those {stream} are lost")
            elif self._is_ended and scanner.pending and not scanner.is_torn:
                lost = f"{many}, then {scanner.pending} bytes that are no frame: what lay there is lost"
                yield self._verdict(path, FileState.DAMAGED, lost)
            elif ordinals and all(is_superseded(n, self._holes[stream]) for n in ordinals):
                detail = f"{SUPERSEDED}; dtui compact removes it"
                yield self._verdict(path, FileState.LEFT_OVER, detail)
            elif ordinals and all(inside):
                yield self._verdict(path, FileState.LEFT_OVER, "a part holds all of it; dtui compact removes it")
            elif scanner.pending:
                detail = f"{many}, then {scanner.pending} bytes of one not (yet) whole"
                yield self._verdict(path, FileState.FINE, detail)
            else:
                yield self._verdict(path, FileState.FINE, many)

    def _check_part(self, stream: Stream, first: int, stop: int, path: Path) -> None:
        verify_seal(path, whole=True)
        if lost := self._lost_arrays(path, stream, first, stop, with_data=False):
            raise RunDamagedError(f"{path}: {' and '.join(lost)} is not an array that dtui writes")

    def _narrowed(self, verdict: FileCheck, path: Path, stream: Stream, first: int, stop: int) -> FileCheck:
        """Name the damaged arrays in the verdict on a part, if only the data of some arrays are damaged."""
        try:
            lost = self._lost_arrays(path, stream, first, stop, with_data=True)
        except OSError:
            return verdict
        reason, what = verdict.detail.split(": ")[0], " and ".join(lost) or "nothing that is ever read"
        return replace(verdict, detail=f"{reason}: damaged blocks of {what} read as no value; all else is read")

    def _lost_arrays(self, path: Path, stream: Stream, first: int, stop: int, *, with_data: bool) -> list[str]:
        head = self._parts.read_head(stream, path, first, stop)
        nodes = part_nodes(stream, self._sizes, len(head.scalars), stop - first).values()
        return lost_arrays(self._parts.file(path), nodes, stop - first, with_data=with_data)

    def _check_sealed(self, path: Path) -> None:
        verify_seal(path, whole=True)

    def _check_images(self, path: Path) -> None:
        verify_seal(path, whole=True)
        images = OpenImages(path, self._run)
        images.close()
        self._sizes = self._sizes.with_images(images.images)

    def _check_run_file(self, path: Path) -> None:
        if RunFile.read(path.parent).run != self._run:
            raise RunDamagedError(f"{path}: belongs to another run")

    def _check_lines(self, path: Path) -> FileCheck:
        try:
            lines, bad = read_lines(path)
        except OSError as error:
            return self._verdict(path, FileState.DAMAGED, f"cannot be read, {error.strerror}")
        if bad:
            return self._verdict(path, FileState.DAMAGED, f"{bad} lines are lost, {len(lines)} are fine")
        return self._verdict(path, FileState.FINE, f"{len(lines)} lines")

    def _check_stop(self, path: Path) -> FileCheck:
        try:
            found = read_stop_request(path.parent)
        except OSError:
            return self._verdict(path, FileState.LEFT_OVER, "a damaged request to stop, which stops nothing")
        if found is None or found.run != self._run or found.turn < self._turn:
            return self._verdict(path, FileState.LEFT_OVER, "a request to stop for a training that has ended")
        return self._verdict(path, FileState.FINE, "a request to stop")

    def _attempt(self, path: Path, holds: str, costs: str, attempt: Callable[[Path], None]) -> FileCheck:
        try:
            attempt(path)
        except OSError as error:
            reason = str(error).removeprefix(f"{path}: ").split(";")[0]
            return self._verdict(path, FileState.DAMAGED, f"{reason}: {costs}")
        return self._verdict(path, FileState.FINE, holds)

    def _stray(self, path: Path) -> FileCheck:
        if TEMPORARY_MARK in path.name:
            return self._verdict(path, FileState.LEFT_OVER, "a fold that did not finish; dtui compact removes it")
        return self._verdict(path, FileState.UNKNOWN, "no file of dtui's; it is never read")

    def _entries(self, name: str) -> list[Path]:
        try:
            return sorted(list_folder(self._folder / name))
        except OSError:
            return []

    def _verdict(self, path: Path, state: FileState, detail: str) -> FileCheck:
        return FileCheck(path.relative_to(self._folder), state, detail)
