"""Tells whether a run has changed, without opening it.

Owns which files count: all that hold data or decisions, and none that only say that somebody works on the run.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from dtui.errors import RunDamagedError
from dtui.store.disk.atomic_files import list_folder, open_plain
from dtui.store.format.schema import (
    FINDINGS_FILE,
    HEARTBEAT_FILE,
    JOURNAL_FOLDER,
    LOCK_FILE,
    PARTS_FOLDER,
    RESUME_LOCK_FILE,
    STOP_FILE,
    TEMPORARY_MARK,
)
from dtui.store.read.packed_run import triage_path

_SAYS_NOTHING = frozenset({FINDINGS_FILE, HEARTBEAT_FILE, LOCK_FILE, RESUME_LOCK_FILE, STOP_FILE})
_TAIL = 4096
"""Bytes at the end of each file that count: sealed files have their checksums there, and other files only grow."""


def fingerprint(path: Path) -> str:
    """Return a text that changes whenever data or decisions of a run do; the same for a copy of the run.

    Times of files do not count. A copy, a restored backup and another host see the same text.

    Args:
        path: The directory of a run, or a packed run.

    Raises:
        RunDamagedError: It cannot be read.
    """
    try:
        files = sorted(_files(path)) if path.is_dir() else [path, triage_path(path)]
        digest = hashlib.sha256()
        for file in files:
            try:
                size, tail = _end_of(file)
            except FileNotFoundError:
                continue
            name = os.fsencode(file.relative_to(path if path.is_dir() else path.parent))
            digest.update(b"%d %b %d %b" % (len(name), name, size, hashlib.sha256(tail).digest()))
    except OSError as error:
        reason = error.strerror or error
        raise RunDamagedError(f"{path}: cannot be read ({reason}); check your right to read it") from error
    return digest.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    for place in (folder, folder / JOURNAL_FOLDER, folder / PARTS_FOLDER):
        try:
            entries = list_folder(place)
        except FileNotFoundError:
            continue
        for entry in entries:
            is_ours = entry.name not in _SAYS_NOTHING and TEMPORARY_MARK not in entry.name
            if is_ours and entry.is_file() and not entry.is_symlink():
                yield entry


def _end_of(file: Path) -> tuple[int, bytes]:
    """Return the size and the last bytes of a file."""
    with open_plain(file) as opened:
        size = os.fstat(opened.fileno()).st_size
        opened.seek(max(0, size - _TAIL))
        return size, opened.read(_TAIL)
