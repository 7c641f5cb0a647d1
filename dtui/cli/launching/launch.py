"""The command `run`: records the training of a command that says nothing of dtui."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from dtui.cli.command import Command, positive
from dtui.cli.outcome import Outcome
from dtui.errors import UsageError
from dtui.run_path import SUFFIX, with_suffix
from dtui.safe_text import safe

if TYPE_CHECKING:
    from dtui.launch_notes import Settings

_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
"""Exit codes of a shell for a command that does not exist, and for one that cannot be executed."""
_FOR_THE_RECORDER = ("batches", "activations", "norms", "keep_around", "top", "name")
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
    parser.add_argument("--batches", action="store_true", help="keep which samples each update was trained on")
    parser.add_argument("--activations", action="store_true", help="keep what filters let through in evaluations")
    parser.add_argument(
        "--norms",
        choices=("layers", "channels"),
        help="channels: keep each channel of normalisation layers",
    )
    parser.add_argument(
        "--keep-around",
        type=positive,
        metavar="N",
        help="watch every iteration, and keep N watches around each that stands out (flight recorder)",
    )
    parser.add_argument(
        "--top", type=positive, metavar="N", help="keep the second label, and the place of the true class among N"
    )
    parser.add_argument("--name", metavar="NAME", help="displayed name of the run (default: that of its folder)")
    parser.add_argument(
        "command", metavar="COMMAND", nargs=argparse.REMAINDER, help="what starts the training, after --"
    )


COMMAND = Command(
    "run",
    "Run a training script as it is, and record it: its model, optimizer and evaluations are found.",
    (
        ("dtui run -- python train.py --lr 0.1", "into runs/train-1, about ten records an epoch"),
        ("dtui run --every 10 --out runs/first -- python -m package.train", "every 10 iterations, into runs/first"),
        ("dtui run --batches --activations -- python train.py", "also the samples of updates, and activations"),
        (
            "dtui run --keep-around 200 --norms channels --top 5 --name baseline -- python train.py",
            "also the flight recorder, channels of norms, and the first five classes, under a name",
        ),
        ("dtui run -- torchrun --nproc-per-node 2 train.py", "a launcher, or a shell script that calls Python"),
    ),
    "launching.launch",
    _arguments,
)


def run_run(options: argparse.Namespace) -> Outcome:
    """Run a command, and say what was recorded of it. The exit code is the command's."""
    import shutil
    import tempfile

    from dtui.cli.launching.summary import summary
    from dtui.launch_notes import Settings

    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        raise UsageError("run: no command; give one after --, as in dtui run -- python train.py")
    shown = options.out or _free_name(command)
    path = with_suffix(shown)
    if options.keep_around and options.every == 1:
        raise UsageError("--keep-around: with --every 1 each iteration is a record; leave one of the two out")
    if not path.name:
        raise UsageError(f"--out {shown}: names no run; give a path such as runs/first")
    try:
        folder = tempfile.mkdtemp(prefix="dtui-run-")
    except OSError as error:
        place = "set TMPDIR to a folder that can be written and has room"
        remark = f"run: nothing is recorded: no temporary folder can be made: {error.strerror or error}; {place}"
        return _ended_like(_run(command, os.environ, lambda: remark))
    try:
        settings = Settings(
            str(path.absolute()), str(path).removesuffix(SUFFIX), options.every, folder, _given(options)
        )
        ended = _run(command, _environment(settings), lambda: summary(command, settings))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _ended_like(ended)


def _run(command: Sequence[str], environment: Mapping[str, str], remark: Callable[[], str]) -> Outcome:
    """Run the command; its exit code is below zero where a signal ended it."""
    from dtui.cli.launching.child import run_child

    try:
        code = run_child(command, environment)
    except OSError as error:
        return _not_started(command[0], error)
    return Outcome(code=code, remark=remark())


def _ended_like(ended: Outcome) -> Outcome:
    """End as the command did, when nothing is left to be removed."""
    from dtui.cli.launching.child import end_like

    if ended.code >= 0:
        return ended
    _tell_at_once(ended.remark)
    return Outcome(code=end_like(ended.code))


def _given(options: argparse.Namespace) -> dict[str, object]:
    """Return the arguments for the Recorder that were given."""
    found = {name: getattr(options, name) for name in _FOR_THE_RECORDER}
    return {name: value for name, value in found.items() if value}


def _not_started(name: str, error: OSError) -> Outcome:
    if isinstance(error, FileNotFoundError):
        return Outcome(code=_NOT_FOUND, remark=f"run: {name}: command not found")
    return Outcome(code=_NOT_EXECUTABLE, remark=f"run: {name}: {error.strerror}")


def _environment(settings: Settings) -> dict[str, str]:
    """Return the environment of the command: every Python in it imports our module when it begins."""
    from dtui.launch_notes import BOOTSTRAP, VARIABLE, as_variable

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
        if word.endswith((".py", ".sh")):
            return Path(word).stem
        if word == "-m" and place + 1 < len(words) and words[place + 1] not in ("torch.distributed.run",):
            parts = words[place + 1].split(".")
            if parts[-1] not in _LAUNCHERS:
                return parts[-2] if parts[-1] == "__main__" and len(parts) > 1 else parts[-1]
    return Path(words[0]).name.partition(".")[0] or "run"


def _tell_at_once(line: str) -> None:
    with suppress(OSError, AttributeError):
        print(f"dtui: {safe(line, 600)}", file=sys.stderr, flush=True)
