"""Takes a run over from a recording process that has ended, so that a training can go on from a checkpoint.

Owns the rule for who may continue a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.errors import DtuiError, RunDamagedError, RunExistsError, UsageError
from dtui.model import ImageSet, Structure
from dtui.model.columns import is_known
from dtui.model.scalars import Points
from dtui.run_path import with_suffix
from dtui.store.disk.atomic_files import list_folder, make_folder
from dtui.store.disk.json_lines import read_lines
from dtui.store.disk.run_folder import Place
from dtui.store.format.contents import Contents, is_known_format
from dtui.store.format.joins import Join
from dtui.store.format.schema import (
    GAPS_FILE,
    HEARTBEAT_FILE,
    IMAGES_FILE,
    JOURNAL_FOLDER,
    LOGGED_FILE,
    NONFINITE_FILE,
    PARTS_FOLDER,
    RESUME_LOCK_FILE,
    RUN_FILE,
    TRIGGERS_FILE,
    WEIGHTS_FILE,
    Stream,
    parse_journal_name,
    parse_part_name,
)
from dtui.store.read.catalog import StreamView
from dtui.store.read.run_reader import RunReader
from dtui.store.run.life import refuse_living
from dtui.store.run.lock import CompactionLock
from dtui.store.run.opening import find_directory, open_structure
from dtui.store.run.ownership import Ownership, read_or_none
from dtui.store.run.run_file import Process, RunFile, touch_heartbeat
from dtui.store.run.turns import Claim, claim_turn, last_claim, ordinal_out_of_reach
from dtui.store.run.unborn import claimant, is_unborn


@dataclass(frozen=True, eq=False, slots=True)
class PastRun:
    """The state of a run that no process records.

    Attributes:
        path: Its directory.
        run: Its id.
        run_file: run.json, None if it cannot be read.
        structure: The network.
        classes: Names in label order.
        images: The tracked images, None if there are none yet.
        views: The readable frames of each stream.
        stops: For each stream, the ordinal after every frame that was ever written.
        lines: For each file of lines, the number of lines.
        contents: What the run holds; this does not change.
        fence: Lower bound for the ordinals of new frames, because an old writer may still append at `stops`.
        logged: Values logged between records: name to iterations and values.
    """

    path: Path
    run: str
    run_file: RunFile | None
    structure: Structure
    classes: tuple[str, ...]
    images: ImageSet | None
    views: Mapping[Stream, StreamView]
    stops: Mapping[Stream, int]
    lines: Mapping[str, int]
    contents: Contents
    fence: int = 0
    logged: Mapping[str, Points] = field(default_factory=dict, repr=False)

    @property
    def columns(self) -> frozenset[str]:
        """The names of the columns that its frames hold, as far as they are known."""
        listed = (*self.contents.columns, *(() if self.images is None else self.images.columns))
        return frozenset(column.name for column in listed)

    @property
    def begins(self) -> dict[Stream, int]:
        """The ordinal of the next frame of each stream."""
        return {stream: max(stop, self.fence) for stream, stop in self.stops.items()}

    @property
    def last_iteration(self) -> int:
        """Iteration of the last record or validation, -1 if there is none."""
        return max((int(view.iterations[-1]) for view in self.views.values() if len(view.iterations)), default=-1)

    def join_at(self, iteration: int) -> Join:
        """Return the join of a training whose first update is `iteration`."""
        holes = {}
        for stream, begin in self.begins.items():
            first = self.views[stream].ordinal_at(iteration)
            holes[str(stream)] = (self.stops[stream] if first is None else first, begin)
        return Join(iteration, holes, self.lines)

    def last_validation_before(self, iteration: int) -> int | None:
        """Return the iteration of the last validation before an iteration, None if there is none."""
        last = self.last_before(iteration)[Stream.VALIDATIONS]
        return None if last < 0 else last

    def last_record_before(self, iteration: int) -> int:
        """Return the iteration of the last record before an iteration, -1 if there is none."""
        return self.last_before(iteration)[Stream.RECORDS]

    def last_before(self, iteration: int) -> dict[Stream, int]:
        """Return for each stream the iteration of the last frame before an iteration, -1 if there is none."""
        last = {}
        for stream, view in self.views.items():
            count = int(np.searchsorted(view.iterations, iteration))
            last[stream] = int(view.iterations[count - 1]) if count else -1
        return last


def find_past(path: str | Path) -> PastRun | None:
    """Return the run to resume; None if there is none yet.

    A folder without a record does not count as a run: it is claimed, or its process died before the first record.

    Raises:
        RunExistsError: A living process records it.
        RunNotFoundError: The path exists, but is not a run.
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: It cannot be read, or its images are lost.
        UsageError: It holds data that this dtui does not record.
    """
    wanted = with_suffix(path)
    if not (wanted.exists() or wanted.is_symlink()) or (wanted.is_dir() and is_unborn(wanted)):
        return None
    folder = find_directory(wanted).absolute()  # os.chdir may come before it is taken over
    try:
        refuse_recorded(folder)
        return _look_at(folder)
    except OSError as error:
        if isinstance(error, DtuiError):
            raise
        raise RunDamagedError(f"{folder}: cannot be read, {error.strerror}; check the disk and your rights") from error


def refuse_recorded(folder: Path) -> None:
    """Refuse a run that a living process records, has just begun, or is just taking over.

    Args:
        folder: Folder of the run; only run.json must exist in it.

    Raises:
        RunExistsError: A living process does. A process on another host is watched for
            `dtui.store.run.life.WATCHED_SECONDS` first.
    """
    run_file = read_or_none(folder)
    if run_file is not None and not is_known_format(run_file.format):
        return  # it is refused for that
    claim = last_claim(folder, "" if run_file is None else run_file.run)
    if claim is not None and (run_file is None or claim.turn > run_file.turn):
        refuse_living(folder, claim.writer)
    elif run_file is None or run_file.closed is None:
        refuse_living(folder, None if run_file is None else run_file.writer)


def _look_at(folder: Path) -> PastRun:
    opened = open_structure(folder)
    _require_known(folder, opened.contents.unwritten)  # before damage of its images is looked for
    if not opened.contents.has_labels:
        raise UsageError(f"{folder}: has no place for labels of images; go on with it in a newer dtui")
    reader = RunReader(folder)
    try:
        _require_known(
            folder, [] if reader.images is None else [one.name for one in reader.images.columns if not is_known(one)]
        )
        views = {stream: reader.frames(stream) for stream in Stream}
        names = [name for kind in (JOURNAL_FOLDER, PARTS_FOLDER) for name in _names(folder / kind)]
        if reader.images is None and any(name.startswith(f"{Stream.VALIDATIONS}-") for name in names):
            raise RunDamagedError(
                f"{folder / IMAGES_FILE}: missing or damaged, so new validations would not fit the old ones; "
                "restore it from a copy, or record into another run"
            )
        stops = {stream: max(views[stream].stop, _stop_of(stream, names, opened.run_file)) for stream in Stream}
        lines = {
            name: len(read_lines(folder / name)[0])
            for name in (GAPS_FILE, TRIGGERS_FILE, LOGGED_FILE, WEIGHTS_FILE, NONFINITE_FILE)
        }
        known = (folder, opened.run, opened.run_file, reader.structure, reader.classes, reader.images)
        return PastRun(*known, views, stops, lines, opened.contents, logged=dict(reader.logged))
    finally:
        reader.close()


def _require_known(folder: Path, unwritten: Sequence[str]) -> None:
    if unwritten:
        names = ", ".join(unwritten)
        raise UsageError(f"{folder}: holds {names}, which this dtui does not record; go on with it in a newer dtui")


def require_ended(folder: Path) -> None:
    """Refuse a run that a living process records, or is about to.

    Raises:
        RunExistsError: A living process does.
    """
    who = claimant(folder)
    if who:
        raise RunExistsError(f"{folder}: {who} is about to record it; stop it first, or record into another run")
    if (folder / RUN_FILE).exists() or (folder / HEARTBEAT_FILE).exists():
        refuse_recorded(folder)


def take_over(past: PastRun) -> tuple[Place, Ownership, PastRun]:
    """Make this process the one that records a run.

    If the old writer is known to be dead, nobody else can append. If it is only silent, on another host, it may wake
    up. Then the frames are counted again after the takeover, and new frames begin at ordinals that it cannot reach.

    Returns:
        The folder, the right to record, and the run as it is now.

    Raises:
        RunExistsError: Another process takes the run over, or did so since `past` was read.
        OSError: It cannot be written to.
    """
    lock = CompactionLock(past.path, RESUME_LOCK_FILE)
    if not lock.acquire():
        raise RunExistsError(f"{past.path}: another process is resuming it at this moment; let only one record it")
    try:
        place = Place(past.path, lambda folder: is_ours(folder, past.run))
        here = place.here
        claim = last_claim(here, past.run)
        if read_or_none(here) != past.run_file:
            raise RunExistsError(f"{past.path}: another process has resumed it meanwhile; let only one record it")
        is_gone = _is_gone(past.run_file, claim)
        fence = 0 if claim is None else claim.fence
        if not is_gone:
            fence = ordinal_out_of_reach(max(*past.stops.values(), fence))
        turn = 1 + max(1 if past.run_file is None else past.run_file.turn, 1 if claim is None else claim.turn)
        claim_turn(here, past.run, turn, fence)
        joins = () if past.run_file is None else past.run_file.joins
        for folder in (JOURNAL_FOLDER, PARTS_FOLDER):  # version control drops empty ones
            make_folder(here / folder)
        touch_heartbeat(here)
        run_file = RunFile(past.contents.format, past.run, Process.this(), joins=joins, turn=turn)
        run_file.write(here)
    finally:
        lock.release()
    owner = Ownership(place, run_file)
    owner.require(fresh=True)
    return place, owner, replace(past if is_gone else _count_again(past), fence=fence)


def _is_gone(run_file: RunFile | None, claim: Claim | None) -> bool:
    """Whether nobody can append to a run any more: its last writer closed it, or is known to be dead."""
    if run_file is None or (claim is not None and claim.turn > run_file.turn):
        return False
    return run_file.closed is not None or run_file.writer.is_alive() is False


def _count_again(past: PastRun) -> PastRun:
    """Return the run as read after the other writer was replaced; unchanged if it cannot be read again."""
    try:
        return _look_at(past.path)
    except OSError:
        return past


def is_ours(folder: Path, run: str) -> bool:
    """Whether a folder holds a run that this process records."""
    found = read_or_none(folder)
    return found is not None and found.run == run and found.writer == Process.this()


def _names(folder: Path) -> list[str]:
    return [path.name for path in list_folder(folder)] if folder.is_dir() else []


def _stop_of(stream: Stream, names: list[str], run_file: RunFile | None) -> int:
    """Return the ordinal after all frames of a stream, according to file names and run.json."""
    promised = {} if run_file is None else dict(run_file.counts or {})
    found = [promised.get(str(stream), 0)]
    for name in names:
        part, journal = parse_part_name(name), parse_journal_name(name)
        if part is not None and part[0] is stream:
            found.append(part[2])
        if journal is not None and journal[0] is stream:
            found.append(journal[1])
    return max(number for number in found if isinstance(number, int))
