"""Packs a run on request in a child process, so that HDF5's failures on a full disk cannot harm the caller.

Owns the messages exchanged with that process, and the checks before it starts.
"""

from __future__ import annotations

import glob
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dtui.dataclass_on_use import dataclass
from dtui.errors import PackError, RunDamagedError, RunExistsError, UsageError
from dtui.output import OutputTarget, find_target
from dtui.store.disk.child_process import child_command, child_environment
from dtui.store.format.schema import PACKED_SUFFIX, TEMPORARY_MARK
from dtui.store.run.opening import find_run


@dataclass(frozen=True, slots=True)
class PackResult:
    """What packing a run did.

    Attributes:
        path: The packed run.
        run: The path of the run that was packed.
        frames: For each stream by name, the number of frames packed.
        missing: One line per missing item; data from outside.
        bytes: Its size.
    """

    path: Path
    run: Path
    frames: Mapping[str, int]
    missing: tuple[str, ...]
    bytes: int
    is_printed: bool = False
    """Whether it went to standard output, so that nothing else may be printed there."""


def pack_run(
    path: str | Path, out: str | Path, *, force: bool = False, progress: Callable[[int, int], None] | None = None
) -> PackResult:
    """Write everything readable of a run into one sealed file.

    Args:
        path: The run.
        out: The file, whose name ends in ".h5"; or a pipe, a device or "-" for standard output.
        force: Replace a file that is there.
        progress: Called with the blocks done and the blocks in total.

    Raises:
        UsageError: `out` cannot be the name of a packed run, or the run is packed already.
        RunExistsError: `out` exists and `force` is not given.
        RunNotFoundError: Nothing at `path` is a run.
        RunDamagedError: The run cannot be read at all.
        OutputError: `out` cannot be written.
        PackError: The file could not be made. A file at `out` is unchanged.
    """
    folder = find_run(Path(path))
    if not folder.is_dir():
        raise UsageError(f"{folder}: a packed run already; copy the file")
    target = find_target(out)
    _check_target(folder, target, force)
    if target.file is not None:
        outcome = _pack(folder, target.file, progress)
        size = target.file.stat().st_size
    else:
        with tempfile.TemporaryDirectory(prefix="dtui-pack-") as room:
            packed = Path(room) / f"run{PACKED_SUFFIX}"
            outcome = _pack(folder, packed, progress)
            size = packed.stat().st_size
            target.copy_from(packed)
    missing = tuple(outcome["missing"])
    return PackResult(target.name, folder, outcome["frames"], missing, size, target.is_standard_output)


def _pack(folder: Path, file: Path, progress: Callable[[int, int], None] | None) -> dict[str, Any]:
    """Pack a run into a plain file in a child process; returns the child's last message."""
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        process = subprocess.Popen(
            child_command("dtui.store.pack", str(folder.resolve()), str(file.resolve())),
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
            _remove_left(file, process.pid)
        log.seek(0)
        last = (log.read().strip().splitlines() or ["no message"])[-1]
    if outcome.get("is_unreadable"):
        raise RunDamagedError(str(outcome["fault"]))
    if "fault" in outcome:
        raise PackError(str(outcome["fault"]))
    if "frames" not in outcome:
        raise PackError(f"{file}: packing failed ({process.returncode}): {last}; try again")
    (progress or (lambda *_: None))(1, 1)
    return outcome


def _check_target(folder: Path, target: OutputTarget, force: bool) -> None:
    name, file = target.name, target.file
    if file is None:
        if target.is_standard_output and sys.stdout.isatty():
            raise UsageError("standard output is a terminal, and a packed run is not text; redirect it, or give a file")
        return
    if name.suffix != PACKED_SUFFIX:
        raise UsageError(f"{name}: a packed run is one file whose name ends in .h5; say {name}{PACKED_SUFFIX}")
    if folder.resolve() in file.parents:
        raise UsageError(f"{name}: inside the run itself; choose another place")
    if os.path.lexists(name) and not force:
        raise RunExistsError(f"{name}: something is there already; choose another name, or replace it with --force")


def _remove_left(target: Path, process: int) -> None:
    """Remove the unfinished file of a child that ended; a killed process cannot remove it."""
    for left in target.parent.glob(f"{glob.escape(target.name)}{TEMPORARY_MARK}{process}-*"):
        left.unlink(missing_ok=True)


def _listen(process: subprocess.Popen[str], progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Read the child's messages and return the last one. The child is ended if this process is interrupted."""
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
