"""Claims the path of a run when a recorder is made, before there is anything to record.

A claim is the file resume.lock in the run's folder. It names the process that is about to record there. The folder of a
new run has nothing else until its first record. A run to be replaced stays complete until then.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from dtui.errors import RunExistsError
from dtui.fork_gate import resting
from dtui.patience import Patience
from dtui.run_path import SUFFIX
from dtui.store.disk.atomic_files import sync_folder
from dtui.store.format.schema import (
    HEARTBEAT_FILE,
    JOURNAL_FOLDER,
    LOCK_FILE,
    PACKED_SUFFIX,
    PARTS_FOLDER,
    RESUME_LOCK_FILE,
    RUN_ENTRIES,
    RUN_FILE,
    STRUCTURE_FILE,
    TEMPORARY_MARK,
    TRIAGE_FILE,
    parse_journal_name,
    parse_part_name,
)
from dtui.store.run.decisions import Triage
from dtui.store.run.lock import CompactionLock
from dtui.store.run.turns import is_claim as is_turn
from dtui.store.run.unborn import claimant, is_unborn
from dtui.store.write.resume import require_ended

MOST_NUMBER = 9_999
"""Highest number that a name is given; a longer one is a date or somebody's own."""

FOLDING_SECONDS = 60.0
"""How long a run that is to be replaced may still be folded."""

_TRIES = 100


class Claim:
    """The right of this process to record at one path.

    Giving it up leaves no file. A copy in a forked process does nothing.

    Attributes:
        path: Folder of the run, absolute, because a training may change its working directory.
    """

    def __init__(self, folder: Path, *, is_new: bool = True, replaces: bool = False) -> None:
        """Prepare; the functions below return claims that are in force.

        Args:
            folder: Absolute.
            is_new: Whether the claim creates the folder; otherwise the folder holds a run.
            replaces: Whether that run is replaced.
        """
        self.path = folder
        self._lock = CompactionLock(folder, RESUME_LOCK_FILE)
        self._process = os.getpid()
        self._is_new = is_new
        self._replaces = replaces
        self.made: list[Path] = []
        """Folders that were made for it, the run's own included."""
        self._aside: Path | None = None
        self._is_held = False

    def give_up(self) -> None:
        """Free the path: remove a new run's folder, and the folders above that were made for it."""
        if not self._is_held or os.getpid() != self._process:
            return
        self._is_held = False
        if self._is_new:
            with contextlib.suppress(OSError):
                _clear_unborn(self.path)
        self._lock.release()
        self._leave_no_folder()

    def begin(self) -> None:
        """Make an empty folder at the path, in which only this process creates the run; `complete` or `undo` follows.

        A run to be replaced is moved aside. If somebody removed the folder of the claim, it is made again.

        Raises:
            RunExistsError: Another process has taken the path.
            OSError: It cannot be written.
        """
        if self._replaces:
            self._move_aside()
        if not self._lock.is_ours() and not self._take():
            raise RunExistsError(f"{self.path}: {_what_is_at(self.path)}; record into another run")
        _clear_unborn(self.path)

    def complete(self) -> None:
        """Release the lock after run.json names the writer, and remove the replaced run."""
        self._is_held = False
        self._lock.release()
        with contextlib.suppress(OSError):
            sync_folder(self.path)  # a lock that a power cut brings back would hold up whoever goes on
        if self._aside is not None:
            shutil.rmtree(self._aside, ignore_errors=True)
            self._aside = None

    def undo(self) -> None:
        """Remove everything created since `begin`, and move a replaced run back."""
        self._is_held = False
        _remove_own(self.path)
        self._leave_no_folder()
        if self._aside is not None:
            self._aside.rename(self.path)
            self._aside = None

    def _take(self) -> bool:
        """Make the folder and the lock in it; False if another process has made one of them."""
        for _ in range(_TRIES):
            self._make_folders()
            try:
                if not is_unborn(self.path):
                    return False
                if self._lock.holder() is not None or not self._lock.acquire():
                    self._leave_no_folder()
                    return False
                self._is_held = is_unborn(self.path)
            except FileNotFoundError:
                continue  # whoever held it has given it up at this moment, folder and all
            except PermissionError:
                if self.path in self.made:
                    raise
                return False
            if not self._is_held:  # recorded and ended between our look and our lock
                self._lock.release()
            elif self.path not in self.made:
                self.made.append(self.path)
            return self._is_held
        return False

    def _leave_no_folder(self) -> None:
        """Remove the folders that were made for the claim, if they are empty."""
        for folder in reversed(self.made):
            with contextlib.suppress(OSError):
                folder.rmdir()
        self.made = []

    def _make_folders(self) -> None:
        missing = [folder for folder in (self.path, *self.path.parents) if not folder.exists()]
        for folder in reversed(missing):
            with contextlib.suppress(FileExistsError):
                folder.mkdir()
                self.made.append(folder)

    def _move_aside(self) -> None:
        folding = CompactionLock(self.path)
        patience = Patience(FOLDING_SECONDS)
        while not folding.acquire():
            if patience.is_over:
                raise RunExistsError(f"{self.path}: another process is folding it, so it was not replaced; try again")
            with resting():
                time.sleep(0.1)
        name = self.path.name.removesuffix(SUFFIX)
        aside = self.path.with_name(f"{name}.replaced-{secrets.token_hex(4)}{SUFFIX}")
        try:
            self.path.rename(aside)
        except OSError:
            folding.release()
            raise
        self._replaces, self._is_new = False, True
        for lock in (LOCK_FILE, RESUME_LOCK_FILE):  # both ours
            (aside / lock).unlink(missing_ok=True)
        if not self._take():
            raise RunExistsError(f"{self.path}: another process has taken it; the run that was there is now {aside}")
        self._aside = aside


def take_claim(path: Path) -> Claim | None:
    """Claim a free path; None if it is taken, or claimed by a living process.

    A folder left by a process that died before its first record counts as free.

    Raises:
        OSError: It cannot be written.
    """
    claim = Claim(Path(os.path.abspath(path)))
    return claim if claim._take() else None


def claim_new(path: Path) -> Claim:
    """Claim a free path.

    Raises:
        RunExistsError: The path is not free.
        OSError: It cannot be written.
    """
    claim = take_claim(path)
    if claim is None:
        raise RunExistsError(f"{path}: {_what_is_at(path)}; choose another name")
    return claim


def claim_numbered(path: Path, *, among_living: bool = True) -> Claim:
    """Claim a path; if it is taken, claim the path with the next number: NAME-2.dtui, NAME-3.dtui, …

    Args:
        path: NAME.dtui.
        among_living: Whether to skip a run that a living process records; otherwise it is an error.

    Raises:
        RunExistsError: No number is free, or a living process records the run.
        OSError: It cannot be written.
    """
    for candidate in _numbered(path):
        claim = take_claim(candidate)
        if claim is not None:
            return claim
        if not among_living:
            require_ended(candidate)
    raise RunExistsError(f"{path}: {MOST_NUMBER:,} runs of this name are there; choose another name")


def claim_replacement(path: Path) -> Claim:
    """Claim the path of a run to replace, or a free path. The old run stays until the new one's first record.

    Raises:
        RunExistsError: There is something else than a run, a living process records it, or it holds files that are not
            dtui's and would be lost.
        OSError: It cannot be written.
    """
    folder = Path(os.path.abspath(path))
    claim = take_claim(folder)
    if claim is not None:
        return claim
    refusal = "choose another path, or remove it yourself"
    if folder.is_symlink() or not folder.is_dir() or not {RUN_FILE, STRUCTURE_FILE} & set(os.listdir(folder)):
        raise RunExistsError(f"{path}: {_what_is_at(path)}, and only a run is replaced; {refusal}")
    require_ended(folder)
    strange = next(_strange_entries(folder), None)
    if strange is not None:
        raise RunExistsError(f"{path}: to be replaced, but {strange} in it is no file of dtui's; move that elsewhere")
    triage = Triage(folder / TRIAGE_FILE)
    decisions = sum(status != "new" or bool(note) for status, note in triage.read().values())
    if decisions or triage.faults:
        raise RunExistsError(f"{path}: to be replaced, but people have decided on its anomalies; {refusal}")
    return hold_run(folder, replaces=True)


def hold_run(folder: Path, *, replaces: bool = False) -> Claim:
    """Claim a run that no process records, so that no other process resumes or replaces it.

    Raises:
        RunExistsError: Another process has claimed it.
        OSError: It cannot be written.
    """
    claim = Claim(Path(os.path.abspath(folder)), is_new=False, replaces=replaces)
    claim._is_held = claim._lock.acquire()
    if not claim._is_held:
        raise RunExistsError(f"{folder}: {claimant(folder)} is about to record it; let only one record it")
    return claim


def _what_is_at(path: Path) -> str:
    """Return text that says what is at a path that cannot be claimed."""
    if path.is_symlink():
        return "a link is already there"
    try:
        who = claimant(path)
        if who and is_unborn(path):
            return f"{who} is about to record there"
        is_run = path.is_dir() and {RUN_FILE, STRUCTURE_FILE} & set(os.listdir(path))
    except OSError:
        is_run = set()
    return "a run is already there" if is_run else "something that is no run is already there"


def _clear_unborn(folder: Path) -> None:
    """Remove the files of an unfinished creation, but not the claim."""
    for name in (JOURNAL_FOLDER, PARTS_FOLDER):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).rmdir()
    for path in folder.iterdir():
        if path.name == HEARTBEAT_FILE or (TEMPORARY_MARK in path.name and RESUME_LOCK_FILE not in path.name):
            path.unlink(missing_ok=True)


def _remove_own(folder: Path) -> None:
    """Remove dtui's files from a folder, and the folder if it is empty then."""
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.name in RUN_ENTRIES or TEMPORARY_MARK in path.name or is_turn(path.name):
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        folder.rmdir()


def _numbered(path: Path) -> Iterator[Path]:
    """Yield a path, then numbered ones: first above all existing numbers, then unused numbers below."""
    yield path
    stem = path.name.removesuffix(SUFFIX)
    form = re.compile(rf"{re.escape(stem)}-([2-9]|[1-9]\d{{1,3}})({re.escape(SUFFIX)}|{re.escape(PACKED_SUFFIX)})")
    found = [(form.fullmatch(name), name) for name in os.listdir(path.absolute().parent)]
    taken = {int(match[1]) for match, name in found if match and not is_unborn(path.with_name(name))}
    highest = max(taken, default=1)
    for number in (*range(highest + 1, MOST_NUMBER + 1), *range(2, highest)):
        if number not in taken:
            yield path.with_name(f"{stem}-{number}{SUFFIX}")


def _strange_entries(folder: Path) -> Iterator[str]:
    """Yield the names of entries in a run that are not dtui's."""
    for name in sorted(os.listdir(folder)):
        if name not in RUN_ENTRIES and TEMPORARY_MARK not in name and not is_turn(name):
            yield name
    for place, parse in ((JOURNAL_FOLDER, parse_journal_name), (PARTS_FOLDER, parse_part_name)):
        names = os.listdir(folder / place) if (folder / place).is_dir() else []
        yield from (f"{place}/{name}" for name in names if parse(name) is None and TEMPORARY_MARK not in name)
