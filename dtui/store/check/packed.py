"""Checks a packed run.

Owns the check of a packed file and of the decisions next to it.
"""

from __future__ import annotations

from pathlib import Path

from dtui.errors import DtuiError
from dtui.store.check.result import CheckResult, FileCheck, FileState
from dtui.store.disk.json_lines import read_lines
from dtui.store.disk.seal import verify_seal
from dtui.store.read.packed_run import triage_path
from dtui.store.read.run_reader import RunReader


def check_packed(path: Path) -> CheckResult:
    """Read every byte of a packed run and return its verdict."""
    reason, faults, lost = "", [], []
    try:
        verify_seal(path, whole=True)
    except OSError as error:
        reason = _reason(error, path)
    try:
        reader = RunReader(path)
        faults = list(reader.faults)
        lost = reader.lost_arrays(with_data=bool(reason))
        reader.close()
    except DtuiError as error:
        faults = [str(error)]
        reason = reason or _reason(error, path)
    if not reason and not lost:
        packed = FileCheck(Path(path.name), FileState.FINE, "a packed run")
    else:
        damaged = f"{' and '.join(lost)} cannot be read" if lost else ""
        told = "; ".join(filter(None, [reason, damaged]))
        advice = "pack the run again, or restore the file from a copy"
        packed = FileCheck(Path(path.name), FileState.DAMAGED, f"{told}: {advice}")
    return CheckResult(path, (packed, *_check_triage(triage_path(path))), tuple(faults))


def _reason(error: Exception, path: Path) -> str:
    """Return the fault alone: without the file name and without the advice that the message adds."""
    return str(error).removeprefix(f"{path}: ").split(";")[0]


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
