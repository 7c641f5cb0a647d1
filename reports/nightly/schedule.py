"""Writes what cron, systemd and SLURM need to run a night by themselves, for given folders.

Owns how each of them wants a command to be quoted.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from string import Template

from dtui.errors import UsageError
from dtui.run_path import told_path


def schedule(kind: str, folder: Path, out: Path, more: Sequence[str] = (), memory: int = 2 << 30) -> str:
    """Return the lines for one of them, without the last line break.

    Args:
        kind: One of `KINDS`.
        folder: Of the runs.
        out: Of the night.
        more: Further words of the command.
        memory: Bytes that one report may take; a task of a cluster asks for 1 GiB more.

    Raises:
        UsageError: A path holds a line break, which no such file can express.
    """
    words = [*_dtui(), "nightly", str(told_path(folder)), "-o", str(told_path(out)), *more]
    if any(not word.isprintable() for word in words):
        raise UsageError(f"{folder}: the path holds characters that cannot be printed; rename it, or use a link to it")
    text = files("dtui.reports.nightly").joinpath("schedules", f"{kind}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(command=_QUOTING[kind](words), gigabytes=-(-memory // 2**30) + 1).rstrip("\n")


def _dtui() -> list[str]:
    """Return the command that starts this dtui, whatever the path is by then."""
    beside = Path(sys.executable).with_name("dtui")
    return [str(beside)] if shutil.which(beside) else [sys.executable, "-m", "dtui"]


def _for_cron(words: Sequence[str]) -> str:
    return shlex.join(words).replace("%", r"\%")  # to cron a bare one ends the line, also within quotes


def _for_systemd(words: Sequence[str]) -> str:
    return " ".join(_for_unit(word) for word in words)


def _for_unit(word: str) -> str:
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if escaped == word and not set(word) & set(" '\t;") else f'"{escaped}"'


_QUOTING: dict[str, Callable[[Sequence[str]], str]] = {
    "cron": _for_cron,
    "systemd": _for_systemd,
    "sbatch": shlex.join,
}
KINDS = tuple(_QUOTING)
