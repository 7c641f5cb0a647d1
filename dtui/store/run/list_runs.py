"""Finds runs under a folder.

Owns the rule for what counts as a run in a listing.
"""

from __future__ import annotations

import os
from pathlib import Path

from dtui.errors import RunDamagedError, RunNotFoundError
from dtui.run_path import SUFFIX
from dtui.store.disk.seal import is_packed
from dtui.store.format.schema import PACKED_SUFFIX, RUN_FILE, STRUCTURE_FILE
from dtui.store.run.unborn import claimant


def find_runs(
    folder: str | Path, *, has_claims: bool = False, has_remains: bool = False, is_deep: bool = True
) -> tuple[Path, ...]:
    """Return the runs directly in a folder or in folders below it, newest first.

    A run is a directory `NAME.dtui` with a run in it, or a packed run `NAME.h5`; links are not
    followed below `folder`. A directory `NAME.dtui` that may not be read is one, too: opening it says so.

    Args:
        folder: Where to look.
        has_claims: Whether to include directories that a recorder has claimed but not recorded in yet.
        has_remains: Whether to include every directory NAME.dtui, also one that is empty or has lost what names a run.
        is_deep: Whether to look into the folders below it, too.

    Raises:
        RunNotFoundError: There is no such folder.
        RunDamagedError: The permissions do not allow reading it.
    """
    top = Path(folder)
    if not top.is_dir():
        raise RunNotFoundError(f"{top}: no such folder; give a folder of NAME.dtui directories")
    if not os.access(top, os.R_OK | os.X_OK):
        raise RunDamagedError(f"{top}: permission denied; ask its owner for the right to read it")
    found: list[tuple[float, Path]] = []
    for place, folders, files in os.walk(top):
        for name in [name for name in folders if name.endswith(SUFFIX)]:
            folders.remove(name)
            path = Path(place) / name
            times = [_modified(path / file) for file in (RUN_FILE, STRUCTURE_FILE)]
            if max(times) <= 0 and (has_remains or not _may_be_read(path) or (has_claims and claimant(path))):
                times.append(_modified(path))
            if max(times) > 0:
                found.append((max(times), path))
        packed = [path for name in files if name.endswith(PACKED_SUFFIX) and is_packed(path := Path(place) / name)]
        found += [(_modified(path), path) for path in packed]
        if not is_deep:
            break
    return tuple(path for _, path in sorted(found, key=lambda item: (-item[0], str(item[1]))))


def _may_be_read(folder: Path) -> bool:
    """Whether one can look into a folder: nobody else can tell that it holds no run."""
    return os.access(folder, os.R_OK | os.X_OK)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
