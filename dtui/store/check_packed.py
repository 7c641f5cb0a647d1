"""Checks a packed run: every byte of the file, and the decisions next to it.

Owns that check. A second copy would call a packed run fine that the reader finds damaged.
"""

from __future__ import annotations

from pathlib import Path

from dtui.errors import DtuiError
from dtui.store.lines import read_lines
from dtui.store.packed import triage_path
from dtui.store.reader import RunReader
from dtui.store.seal import verify_seal
from dtui.store.verdict import CheckResult, FileCheck, FileState


def check_packed(path: Path) -> CheckResult:
    """Read every byte of a packed run and tell how it stands."""
    faults: tuple[str, ...] = ()
    name = Path(path.name)
    try:
        verify_seal(path, whole=True)
        packed = FileCheck(name, FileState.FINE, "a packed run")
    except OSError as error:
        reason = str(error).removeprefix(f"{path}: ").split(";")[0]
        packed = FileCheck(name, FileState.DAMAGED, f"{reason}: pack the run again, or restore the file from a copy")
    try:
        reader = RunReader(path)
        faults = reader.faults
        reader.close()
    except DtuiError as error:
        faults = (str(error),)
    return CheckResult(path, (packed, *_check_triage(triage_path(path))), faults)


def _check_triage(path: Path) -> tuple[FileCheck, ...]:
    if not path.exists():
        return ()
    name = Path(path.name)
    try:
        lines, bad = read_lines(path)
    except OSError as error:
        return (FileCheck(name, FileState.DAMAGED, f"cannot be read, {error.strerror}"),)
    if bad:
        return (FileCheck(name, FileState.DAMAGED, f"{bad} lines are lost, {len(lines)} are fine"),)
    return (FileCheck(name, FileState.FINE, f"{len(lines)} decisions made since"),)
