"""Packs a run on request, in a process of its own, so that HDF5's failures on a full disk stay there.

Owns the conversation with that process, and the refusals before it starts. A second copy would write over a file that
nobody meant.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtui.errors import PackError, RunExistsError, UsageError
from dtui.store.background import child_command, child_environment
from dtui.store.opening import find_run
from dtui.store.schema import PACKED_SUFFIX, TEMPORARY_MARK


@dataclass(frozen=True, slots=True)
class PackResult:
    """What packing a run did.

    Attributes:
        path: The packed run.
        run: What was packed.
        frames: Name of a stream to how many of its frames are in it.
        missing: One line a thing that is not in it although it should be; data from outside.
        bytes: Its size.
    """

    path: Path
    run: Path
    frames: Mapping[str, int]
    missing: tuple[str, ...]
    bytes: int


def pack_run(
    path: str | Path, out: str | Path, *, force: bool = False, progress: Callable[[int, int], None] | None = None
) -> PackResult:
    """Write one sealed file with all that is readable of a run.

    Args:
        path: The run.
        out: The file, whose name ends in ".h5".
        force: Replace a file that is there.
        progress: Called with how much is done, of how much.

    Raises:
        UsageError: `out` cannot be the name of a packed run, or the run is packed already.
        RunExistsError: `out` is there and `force` is not given.
        RunNotFoundError: Nothing at `path` is a run.
        RunDamagedError: The run cannot be read at all.
        PackError: The file could not be written; what was at `out` is untouched.
    """
    folder, target = find_run(Path(path)), Path(out)
    if not folder.is_dir():
        raise UsageError(f"{folder}: a packed run already; copy the file")
    _check_target(folder, target, force)
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            child_command("dtui.store.pack", str(folder.resolve()), str(target.parent.resolve() / target.name)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            errors="replace",
            env=child_environment(),
        )
        try:
            outcome = _listen(process, progress or (lambda *_: None))
        finally:
            _remove_left(target, process.pid)
        log.seek(0)
        last = (log.read().strip().splitlines() or ["no message"])[-1]
    if "fault" in outcome:
        raise PackError(str(outcome["fault"]))
    if "frames" not in outcome:
        raise PackError(f"{target}: packing broke down with {process.returncode}: {last}; try again")
    (progress or (lambda *_: None))(1, 1)
    return PackResult(target, folder, outcome["frames"], tuple(outcome["missing"]), target.stat().st_size)


def _check_target(folder: Path, target: Path, force: bool) -> None:
    if target.is_dir():
        raise UsageError(
            f"{target}: a folder; give the file to write, such as {target / (folder.stem + PACKED_SUFFIX)}"
        )
    if target.suffix != PACKED_SUFFIX:
        raise UsageError(f"{target}: a packed run is one file whose name ends in .h5; say {target}{PACKED_SUFFIX}")
    if not target.parent.is_dir():
        raise UsageError(f"{target}: there is no folder {target.parent}; make it first")
    if folder.resolve() in target.resolve().parents:
        raise UsageError(f"{target}: inside the run itself; choose another place")
    if os.path.lexists(target) and not force:
        raise RunExistsError(f"{target}: something is there already; choose another name, or replace it with --force")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise PackError(f"{target}: permission denied; choose a folder that you may write to")


def _remove_left(target: Path, process: int) -> None:
    """Remove what a process that ended left unfinished: one that was killed removes nothing itself."""
    for left in target.parent.glob(f"{glob.escape(target.name)}{TEMPORARY_MARK}{process}-*"):
        left.unlink(missing_ok=True)


def _listen(process: subprocess.Popen[str], progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Return the last thing that the process says; it ends with whoever interrupts us."""
    outcome: dict[str, Any] = {}
    assert process.stdout is not None
    try:
        with process.stdout:
            for line in process.stdout:
                outcome = json.loads(line)
                if "done" in outcome:
                    progress(outcome["done"], outcome["total"])
        process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    return outcome
