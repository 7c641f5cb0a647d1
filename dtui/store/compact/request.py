"""Compacts a run in a child process, so that HDF5's failures on a full disk cannot harm the caller.

Owns the messages exchanged with that process.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError
from dtui.store.disk.child_process import child_environment
from dtui.store.run.opening import find_run
from dtui.store.write.background_compactor import compact_command


@dataclass(frozen=True, slots=True)
class CompactResult:
    """What compacting a run did.

    Attributes:
        path: The run.
        published: Parts that are new.
        removed: Files that were removed because a part replaces them.
        is_busy: Another process is compacting this run; nothing was done.
        fault: One line on what stopped it before the end, "" if nothing did; data from outside.
        bytes_before: Size of journals and parts before.
        bytes_after: Size of journals and parts after.
    """

    path: Path
    published: tuple[Path, ...]
    removed: int
    is_busy: bool
    fault: str
    bytes_before: int
    bytes_after: int


def compact_run(path: str | Path) -> CompactResult:
    """Fold journals into parts: all of them once the run has ended, only full ones while it is recorded.

    This takes some seconds longer than the fold itself, because replaced files must wait before they are removed.

    Raises:
        RunNotFoundError: There is no run at this path.
        RunDamagedError: It cannot be read, or compaction broke down.
    """
    folder = find_run(Path(path))
    if not folder.is_dir():  # packed: there is nothing to fold
        size = folder.stat().st_size
        return CompactResult(folder, (), 0, False, "", size, size)
    before = _size(folder)
    done = subprocess.run(
        compact_command(folder.resolve(), "--finish", "--wait"),
        capture_output=True,
        text=True,
        errors="replace",
        env=child_environment(),
        check=False,
    )
    try:
        outcome = json.loads(done.stdout)
    except ValueError as error:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunDamagedError(f"{folder}: compaction failed ({done.returncode}): {last}; try again") from error
    published = tuple(Path(part) for part in outcome["published"])
    return CompactResult(
        folder, published, outcome["removed"], outcome["busy"], outcome["fault"], before, _size(folder)
    )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.suffix in (".dtj", ".h5") else 0
        except OSError:
            continue
    return total
