"""The command `run`: records the training of a command that says nothing of dtui."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path

from dtui.cli.command import Command, positive
from dtui.cli.launching.child import end_like, run_child
from dtui.cli.outcome import Outcome
from dtui.errors import DtuiError, UsageError
from dtui.launch_notes import BOOTSTRAP, OPTIMIZER, PYTHON, TORCH, VARIABLE, Notes, Settings, as_variable, shown_path
from dtui.run_path import SUFFIX, with_suffix
from dtui.safe_text import safe

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell for a command that does not exist, and for one that cannot be executed."""
_LAUNCHERS = ("torchrun", "accelerate", "launch", "deepspeed", "srun", "mpirun", "nice", "env", "time", "uv", "run")


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--every",
        type=positive,
        metavar="N",
        help="iterations between records (default: a tenth of an epoch, 100 at most)",
    )
    parser.add_argument(
        "--out", metavar="RUN", help="where to record (default: runs/SCRIPT-NUMBER, the first number that is free)"
    )
    parser.add_argument(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="what starts the training, after --"
    )


COMMAND = Command(
    "run",
    "Run a training script as it is, and record it: its model, optimizer and evaluations are found.",
    (
        ("dtui run -- python train.py --lr 0.1", "into runs/train-1, about ten records an epoch"),
        ("dtui run --every 10 --out runs/first -- python -m package.train", "every 10 iterations, into runs/first"),
        ("dtui run -- torchrun --nproc-per-node 2 train.py", "a launcher, or a shell script that calls Python"),
    ),
    "launching.launch",
    _arguments,
)


def run_run(options: argparse.Namespace) -> Outcome:
    """Run a command, and say what was recorded of it. The exit code is the command's."""
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise UsageError("run: no command; give one after --, as in dtui run -- python train.py")
    shown = options.out or _free_name(command)
    path = with_suffix(shown)
    if not path.name:
        raise UsageError(f"--out {shown}: names no run; give a path such as runs/first")
    folder = tempfile.mkdtemp(prefix="dtui-run-")
    try:
        settings = Settings(str(path.absolute()), str(path).removesuffix(SUFFIX), options.every, folder)
        try:
            code = run_child(command, _environment(settings))
        except OSError as error:
            return _not_started(command[0], error)
        remark = _told(command, settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if code < 0:
        _tell_at_once(remark)
        return Outcome(code=end_like(code))
    return Outcome(code=code, remark=remark)


def _not_started(name: str, error: OSError) -> Outcome:
    if isinstance(error, FileNotFoundError):
        return Outcome(code=_NOT_FOUND, remark=f"run: {name}: command not found")
    return Outcome(code=_NOT_EXECUTABLE, remark=f"run: {name}: {error.strerror}")


def _environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the command: every Python in it imports our module when it begins."""
    before = os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join([str(BOOTSTRAP), before] if before else [str(BOOTSTRAP)])
    return {**os.environ, "PYTHONPATH": path, VARIABLE: as_variable(settings)}


def _free_name(command: Sequence[str]) -> str:
    name = script_name(command)
    taken = (Path("runs") / f"{name}-{number}" for number in count(1))
    return str(next(path for path in taken if not os.path.lexists(with_suffix(path))))


def script_name(command: Sequence[str]) -> str:
    """Return the name of what a command runs: a file of Python or shell, the module after -m, or its program."""
    words = list(command)
    for place, word in enumerate(words):
        if word.endswith((".py", ".sh")) and Path(word).stem:
            return Path(word).stem
        if word == "-m" and place + 1 < len(words) and words[place + 1] not in ("torch.distributed.run",):
            parts = words[place + 1].split(".")
            if parts[-1] not in _LAUNCHERS:
                return parts[-2] if parts[-1] == "__main__" and len(parts) > 1 else parts[-1]
    return Path(words[0]).name.partition(".")[0] or "run"


def _told(command: Sequence[str], settings: Settings) -> str:
    """Return one line on what was recorded, and what to add to the script where something was not."""
    notes = Notes(settings.folder)
    left = notes.read()
    recorded = list(dict.fromkeys(note.recorded for note in left if note.recorded))
    problems = list(dict.fromkeys(note.problem for note in left if note.problem))
    if not recorded:
        return f"run: {_why_not(command, notes, problems)}"
    said = [_run_in_words(path, settings) for path in recorded]
    return "; ".join([*said, *problems])


def _why_not(command: Sequence[str], notes: Notes, problems: Sequence[str]) -> str:
    name = Path(command[0]).name
    if problems and "left alone" in problems[0]:
        return problems[0]
    if problems:
        why = "; ".join(problems)
    elif not notes.has(PYTHON):
        why = f"{name} started no Python that reads PYTHONPATH (python -I and -E do not)"
    elif not notes.has(TORCH):
        return f"nothing is recorded: {name} imported no torch"
    elif not notes.has(OPTIMIZER):
        why = f"{name} made no optimizer of torch.optim"
    else:
        why = f"{name} made an optimizer, but no update"
    return f"nothing is recorded: {why}; to record it, add to the script: {_LINE}"


_LINE = 'recorder = dtui.Recorder("runs/first", model, optimizer), after both are made'


def _run_in_words(path: str, settings: Settings) -> str:
    """Return what a run holds, in a few words."""
    from dtui.query import open_run

    shown = shown_path(settings, path)
    with suppress(DtuiError, OSError):
        with open_run(Path(path)) as query:
            info = query.info()
        held = f"{info.records:,} record{'s' * (info.records != 1)}"
        if info.validations:
            return f"{shown}: {held}, {info.validations:,} evaluation{'s' * (info.validations != 1)}"
        return (
            f"{shown}: {held}, no evaluation was found; to record one, add to the script: {_LINE}, and around the "
            "evaluation: with recorder.validation(loader):"
        )
    return f"{shown}: nothing was recorded before the training ended"


def _tell_at_once(line: str) -> None:
    with suppress(OSError, AttributeError):
        print(f"dtui: {safe(line, 600)}", file=sys.stderr, flush=True)
