"""Reads everything in a run besides its frames: its status, images, gaps, and people's decisions.

Owns when these files are read again.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from dtui.errors import RunDamagedError, RunRemovedError, RunReplacedError
from dtui.model import Gap, ImageSet, RunStatus, Trigger
from dtui.model.findings.kept_weights import WeightsAt
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.model.scalars import Points
from dtui.store.disk.atomic_files import list_folder, stamp_of, unread
from dtui.store.disk.json_lines import LineTail, read_lines
from dtui.store.disk.read_once import ReadOnce
from dtui.store.format.flight_lines import parse_trigger, weights_in
from dtui.store.format.joins import Join, gaps_that_count, parse_gap, triggers_that_count
from dtui.store.format.nonfinite_lines import nonfinite_in
from dtui.store.format.schema import (
    FINDINGS_FILE,
    GAPS_FILE,
    IMAGES_FILE,
    JOURNAL_FOLDER,
    LOGGED_FILE,
    NONFINITE_FILE,
    PARTS_FOLDER,
    RUN_FILE,
    STRUCTURE_FILE,
    TRIAGE_FILE,
    TRIGGERS_FILE,
    WEIGHTS_FILE,
    Stream,
)
from dtui.store.run.anomaly_cache import Findings, FindingsFile
from dtui.store.run.decisions import Triage
from dtui.store.run.life import Life
from dtui.store.run.logged_values import LoggedValues
from dtui.store.run.opening import OpenedRun, OpenImages
from dtui.store.run.run_file import RunFile

T = TypeVar("T")

_WATCHED_FOLDERS = (JOURNAL_FOLDER, PARTS_FOLDER)
_WATCHED_SUFFIXES = (".h5", ".dtj", ".jsonl")


class Surroundings(ABC):
    """Everything besides the frames of one open run. Not thread-safe."""

    def __init__(self, triage: Triage) -> None:
        self.gaps: tuple[Gap, ...] = ()
        self.triggers: tuple[Trigger, ...] = ()
        self.logged: Mapping[str, Points] = {}
        self.joins: tuple[Join, ...] = ()
        self.findings = Findings()
        self._triage = triage
        self._decisions: dict[str, tuple[str, str]] = {}
        self._open_images: OpenImages | None = None
        self._image_fault = ""
        self._is_to_try_again = False  # the images could not be read for a reason that may pass

    def close(self) -> None:
        """Close the images."""
        if self._open_images is not None:
            self._open_images.close()
            self._open_images = None

    def _open(self, path: Path, run: str, group: str = "") -> None:
        """Open the images, or note why they cannot be read.

        Raises:
            FileNotFoundError: There are none.
        """
        self._image_fault, self._is_to_try_again = "", False
        try:
            self._open_images = OpenImages(path, run, group)
        except FileNotFoundError:
            raise
        except RunDamagedError as error:
            self._image_fault = f"{error}; validations are left out"
        except OSError as error:  # too many open files, a server that is away
            self._is_to_try_again = True
            self._image_fault = unread(path, error, "validations are left out")

    @property
    def images(self) -> ImageSet | None:
        """The tracked images without their thumbnails, None before they are known."""
        return None if self._open_images is None else self._open_images.images

    def thumbnail(self, image: int) -> bytes:
        """Return the encoded thumbnail of an image, b"" if it has none.

        Raises:
            RunDamagedError: The images are damaged.
        """
        return b"" if self._open_images is None else self._open_images.thumbnail(image)

    def decisions(self) -> dict[str, tuple[str, str]]:
        """Return the latest (status, note) by anomaly id; none if the decisions cannot be read."""
        return self._triage.read()

    def authors(self) -> dict[str, tuple[str, str]]:
        """Return who decided last and when, by anomaly id, as the last `decisions` read it; data from outside."""
        return dict(self._triage.authors)

    @abstractmethod
    def kept_weights(self) -> list[WeightsAt]:
        """Return the weights kept around triggers, those that count and can be read."""

    @abstractmethod
    def broken_gradients(self) -> tuple[list[BrokenGradients], LookPlan | None]:
        """Return where gradients were NaN or Inf, what counts and can be read, and which updates were looked at."""

    def append_decisions(self, decisions: Sequence[tuple[str, str, str]]) -> None:
        """Add a person's decisions, each an id, a status and a note, with their author and time.

        Raises:
            RunDamagedError: They cannot be written.
        """
        self._triage.append(decisions)

    @property
    @abstractmethod
    def faults(self) -> tuple[str, ...]:
        """One line per damaged or missing file."""

    @abstractmethod
    def read(self) -> bool:
        """Read the files that may have changed. Return True if anything changed.

        Raises:
            OSError: A file cannot be read.
        """

    @abstractmethod
    def status(self) -> RunStatus:
        """Return the status of the run now."""

    @abstractmethod
    def settle(self) -> None:
        """Wait some seconds to see whether a process on another host is alive, for a caller that asks only once."""

    @property
    @abstractmethod
    def reason(self) -> str:
        """One line on why the run ended, "" if no reason was given; data from outside."""

    @property
    def ended(self) -> str:
        """When the run was closed, ISO 8601 with offset; "" where that is not known; data from outside."""
        return ""

    @abstractmethod
    def promised(self, stream: Stream) -> int:
        """Return the number of frames when the run was closed, 0 while it is open."""

    @abstractmethod
    def signature(self) -> object:
        """Return a value that changes whenever a file of the run changes (names, sizes, times) or is to be tried again.

        Raises:
            RunDamagedError: The run is gone.
            OSError: It cannot be read.
        """


class FolderSurroundings(Surroundings):
    """The small files in a run's directory."""

    def __init__(self, path: Path, opened: OpenedRun) -> None:
        super().__init__(Triage(path / TRIAGE_FILE))
        self.findings = FindingsFile(path / FINDINGS_FILE, opened.run)
        self._path = path
        self._run = opened.run
        self._run_file: RunFile | None = opened.run_file
        self._run_file_faults = opened.faults
        self._structure = stamp_of(path / STRUCTURE_FILE)
        self._line_faults = self._cut = tuple[str, ...]()
        self._once = ReadOnce(path, (STRUCTURE_FILE, IMAGES_FILE), {RUN_FILE: RunFile.read})
        self._life = Life(path)
        self._unread: tuple[tuple[int, int, int] | None, ...] = ()
        self._logged_tail, self._logged = LineTail(path / LOGGED_FILE), LoggedValues()

    @property
    def faults(self) -> tuple[str, ...]:
        """One line per damaged or missing file."""
        small = (*filter(None, [self._image_fault]), *self._cut, *self._line_faults)
        return (*self._run_file_faults, *small, *self._triage.faults)

    def read(self) -> bool:
        """Read the files that may have changed. Return True if anything changed."""
        before, self._cut = self._told(), self._once.faults()
        if self._open_images is None:
            self._read_images()
        self._read_run_file()
        gaps, gap_faults = self._read_lines(GAPS_FILE, parse_gap, "gaps")
        triggers, trigger_faults = self._read_lines(TRIGGERS_FILE, parse_trigger, "triggers")
        joins, self.joins = self.joins, self.joins if self._run_file is None else self._run_file.joins
        logged_faults = self._read_logged(is_joined=joins != self.joins)
        self.gaps = self.gaps if gaps is None else gaps_that_count(gaps, self.joins)
        self.triggers = self.triggers if triggers is None else triggers_that_count(triggers, self.joins)
        self._line_faults = (*gap_faults, *trigger_faults, *logged_faults)
        self._unread = tuple(stamp_of(self._path / name) for name in (WEIGHTS_FILE, NONFINITE_FILE))
        self._decisions = self.decisions()
        return before != self._told()

    def status(self) -> RunStatus:
        """Return the status of the run now."""
        return self._life.status(self._run_file)

    def settle(self) -> None:
        """Wait some seconds to see whether a process on another host is alive, for a caller that asks only once."""
        self._life.settle(self._run_file)

    @property
    def reason(self) -> str:
        """One line on why the run ended, "" if no reason was given; data from outside."""
        told = "" if self._run_file is None else self._run_file.reason
        return told or self._life.explain(self._run_file)

    @property
    def ended(self) -> str:
        """When the run was closed, ISO 8601 with offset; "" where that is not known; data from outside."""
        return "" if self._run_file is None else self._run_file.ended

    def promised(self, stream: Stream) -> int:
        """Return the number of frames when the run was closed, 0 while it is open."""
        counts = {} if self._run_file is None else dict(self._run_file.counts or {})
        promised = counts.get(str(stream), 0)
        return promised if isinstance(promised, int) else 0

    def signature(self) -> object:
        """Return a value that changes whenever a file of the run changes, or is to be tried again."""
        self._require_same()
        found = []
        for folder in (self._path, *(self._path / name for name in _WATCHED_FOLDERS)):
            if folder == self._path and not folder.is_dir():
                raise RunRemovedError(f"{self._path}: the run was removed while it was read; open another")
            try:
                entries = list(folder.iterdir()) if folder == self._path else list_folder(folder)
            except (FileNotFoundError, NotADirectoryError):
                continue
            for path in entries:
                if path.name == FINDINGS_FILE:
                    continue  # says nothing new
                if path.suffix in _WATCHED_SUFFIXES or path.name == RUN_FILE:
                    try:
                        stat = path.lstat()
                    except OSError as error:
                        if error.errno not in (errno.ENOENT, errno.ESTALE):
                            raise
                        continue
                    found.append((str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino))
        return object() if self._is_to_try_again else sorted(found)

    def kept_weights(self) -> list[WeightsAt]:
        """Return the weights kept around triggers, those that count and can be read."""
        try:
            lines, _ = read_lines(self._path / WEIGHTS_FILE)
        except OSError:
            return []  # which `dtui check` tells
        return weights_in(lines, self.joins)

    def broken_gradients(self) -> tuple[list[BrokenGradients], LookPlan | None]:
        """Return where gradients were NaN or Inf, what counts and can be read, and which updates were looked at."""
        try:
            lines, _ = read_lines(self._path / NONFINITE_FILE)
        except OSError:
            return [], None  # which `dtui check` tells
        return nonfinite_in(lines, self.joins)

    def append_decisions(self, decisions: Sequence[tuple[str, str, str]]) -> None:
        """Add a person's decisions, unless another run has replaced this one."""
        self._require_same()
        super().append_decisions(decisions)

    def _require_same(self) -> None:
        """Refuse to go on if another run is at the path: a training was started again and replaced this run."""
        if stamp_of(self._path / STRUCTURE_FILE) == self._structure:
            return
        try:
            found = RunFile.read(self._path).run
        except OSError:
            return
        if found != self._run:
            raise RunReplacedError(f"{self._path}: another run has taken its place; open it again")

    def _read_images(self) -> None:
        try:
            self._open(self._path / IMAGES_FILE, self._run)
        except FileNotFoundError:
            names = [name for some in _WATCHED_FOLDERS for name in (self._path / some).glob(f"{Stream.VALIDATIONS}-*")]
            lost = f"{self._path / IMAGES_FILE}: missing; validations are left out, restore it from a copy"
            self._image_fault = lost if names else ""

    def _read_run_file(self) -> None:
        try:
            fresh = RunFile.read(self._path)
        except OSError:
            return
        if fresh.run == self._run:
            self._run_file = fresh
            self._run_file_faults = ()

    def _told(self) -> tuple[object, ...]:
        logged = id(self.logged)  # made anew where it changes
        return (
            self._open_images,
            self._run_file,
            self.gaps,
            self.triggers,
            self._unread,
            logged,
            self._decisions,
            self.faults,
        )

    def _read_logged(self, *, is_joined: bool) -> tuple[str, ...]:
        """Read the values logged since the last call; returns the faults of the file."""
        path = self._path / LOGGED_FILE
        try:
            new = self._logged_tail.read()
        except OSError as error:
            return (unread(path, error, "what was logged between records is left out"),)
        if new is not None:
            self._logged = LoggedValues() if new[1] else self._logged
            self._logged.add(new[0])
        if new is not None or is_joined:
            self.logged = self._logged.points(self.joins)
        lost = self._logged_tail.bad + self._logged.bad
        return (f"{path}: {lost} damaged lines are left out",) if lost else ()

    def _read_lines(
        self, name: str, parse: Callable[[dict[str, object]], T | None], what: str
    ) -> tuple[tuple[T, ...] | None, tuple[str, ...]]:
        """Return the parsed lines of a file, None if it cannot be read, and its faults."""
        path = self._path / name
        try:
            lines, bad = read_lines(path)
        except OSError as error:
            return None, (unread(path, error, f"{what} are left out"),)
        found = tuple(value for line in lines if (value := parse(line)) is not None)
        lost = bad + len(lines) - len(found)
        return found, (f"{path}: {lost} damaged lines are left out",) if lost else ()
