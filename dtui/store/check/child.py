"""Checks a run in a child process, because a crafted file may crash a library that reads it.

Owns the verdict on a file that crashes its reader. A seal is no protection: anyone who crafts a file can also seal it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

from dtui.errors import DtuiError
from dtui.store.check.folder import check_run
from dtui.store.check.result import CheckResult, FileCheck, FileState
from dtui.store.disk.atomic_files import list_folder
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.format.schema import DOCUMENT_NODE, PART_SUFFIX, PARTS_FOLDER
from dtui.store.run.opening import find_run

_PROBE_SECONDS = 60


def check_run_apart(path: str | Path) -> CheckResult:
    """Check a run as `check_run` does, but survive files that crash or hang the process that reads them.

    Raises:
        RunNotFoundError: There is no run at this path.
        RunFormatError: A newer dtui wrote it.
        RunDamagedError: The permissions do not allow reading it.
    """
    found = find_run(Path(path))
    told, ending = _in_child(lambda: _as_text(check_run(path)), seconds=0)
    if ending == 0:
        return _from_text(told)
    if ending > 0:
        return check_run(path)  # the child had an error to tell: have it here
    how = f"reading it ends the process ({signal.strsignal(-ending) or -ending})"
    files = [
        FileCheck(file.relative_to(found) if found.is_dir() else Path(found.name), FileState.DAMAGED, how)
        for file in _sealed_files(found)
        if _in_child(partial(_open, file), seconds=_PROBE_SECONDS)[1] < 0
    ]
    line = f"{found}: {how}; do not open it: it is damaged, or was made to do this"
    return CheckResult(found, tuple(files), (line,))


def _sealed_files(run: Path) -> list[Path]:
    if not run.is_dir():
        return [run]
    found = [path for path in run.iterdir() if path.suffix == PART_SUFFIX]
    with contextlib.suppress(OSError):
        found += [path for path in list_folder(run / PARTS_FOLDER) if path.suffix == PART_SUFFIX]
    return sorted(found)


def _open(path: Path) -> str:
    file = SealedFile(path)
    file.has(DOCUMENT_NODE)
    file.close()
    return ""


def _in_child(work: Callable[[], str], seconds: int) -> tuple[str, int]:
    """Run some work in a fork of this process. This process must have no other threads.

    Args:
        work: Returns its result as text.
        seconds: Time limit, after which the child is killed; 0 for no limit.

    Returns:
        The text and 0. If the work raised: "" and 1. If it crashed: "" and minus the signal number.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read_end)
            faulthandler.disable()  # a crash is told in one line; a dump of it would bury that
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(seconds)
            with os.fdopen(write_end, "w", encoding="ascii") as pipe:
                pipe.write(work())
            os._exit(0)
        except (DtuiError, OSError):
            os._exit(1)
        finally:
            os._exit(2)
    os.close(write_end)
    with os.fdopen(read_end, encoding="ascii") as pipe:
        told = pipe.read()
    return told, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _as_text(result: CheckResult) -> str:
    files = [[str(file.path), str(file.state), file.detail] for file in result.files]
    return json.dumps([str(result.path), files, list(result.faults)])


def _from_text(text: str) -> CheckResult:
    path, files, faults = json.loads(text)
    checks = tuple(FileCheck(Path(name), FileState(state), detail) for name, state, detail in files)
    return CheckResult(Path(path), checks, tuple(faults))
