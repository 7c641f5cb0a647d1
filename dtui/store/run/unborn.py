"""Recognises folders without a record: claimed by a recorder, or left by one that died before its first record."""

from __future__ import annotations

from pathlib import Path

from dtui.store.disk.atomic_files import list_folder
from dtui.store.format.schema import HEARTBEAT_FILE, JOURNAL_FOLDER, PARTS_FOLDER, RESUME_LOCK_FILE, TEMPORARY_MARK
from dtui.store.run.lock import CompactionLock
from dtui.store.run.run_file import Process

_OURS = frozenset({JOURNAL_FOLDER, PARTS_FOLDER, HEARTBEAT_FILE, RESUME_LOCK_FILE})


def is_unborn(folder: Path) -> bool:
    """Whether nothing was recorded in a folder: it is empty, or holds only files made before the first record.

    Raises:
        FileNotFoundError: It does not exist.
        OSError: It cannot be read.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        return False
    names = {entry.name for entry in folder.iterdir()}
    marks = {JOURNAL_FOLDER, RESUME_LOCK_FILE}
    if names and not names & marks and not any(name.startswith(RESUME_LOCK_FILE) for name in names):
        return False
    if any(name not in _OURS and TEMPORARY_MARK not in name for name in names):
        return False
    return not any(list_folder(folder / name) for name in (JOURNAL_FOLDER, PARTS_FOLDER) if name in names)


def claiming(folder: Path) -> Process | None:
    """Return the process that is about to record in a folder, as far as it is not known to be dead; None if none is."""
    return CompactionLock(folder, RESUME_LOCK_FILE).holder()


def claimant(folder: Path) -> str:
    """Return the living process that is about to record in a folder, as "process 7 on host"; "" if there is none."""
    holder = claiming(folder)
    return "" if holder is None else f"process {holder.pid} on {holder.host}"
