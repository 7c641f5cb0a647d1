"""Trains the demo, here or in a process of its own while the screen shows its run."""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from dtui.cli.files import Progress
from dtui.cli.on_screen.opening import show
from dtui.cli.outcome import Exit, Outcome
from dtui.errors import DtuiError, MissingExtraError, RecorderError, RunExistsError, UsageError
from dtui.run_path import with_suffix

FIRST_RECORD_SECONDS = 120.0
"""How long the demo's training may take to its first record, imports included."""

FAREWELL_SECONDS = 20.0
"""How long a training may take to close its run."""

_PR_SET_PDEATHSIG = 1
"""Of linux/prctl.h."""


def run_demo(options: argparse.Namespace) -> Outcome:
    """Train the demo: with --headless in this process, else in a child process while the TUI shows the run."""
    for package in ("torch", "mlxtend"):
        if find_spec(package) is None:
            raise MissingExtraError(f"demo: {package} is not installed; pip install '.[demo]' in dtui's folder")
    path = _demo_path(options.path)
    if options.headless:
        return _train(path, options)
    from dtui.tui.terminal.capabilities import require_terminal

    require_terminal()
    return _watch(path, options)


def _demo_path(given: str | None) -> Path:
    """Return the path of the run to record: as given, or the first free name under ./runs."""
    if given is not None:
        path = with_suffix(given)
        if path.exists():
            raise RunExistsError(f"{path}: a run is already there; give another name, or open it with dtui {path}")
        return path
    numbers = range(1, 10_000)
    names = (Path("runs") / (f"demo-{number}.dtui" if number > 1 else "demo.dtui") for number in numbers)
    free = next((path for path in names if not path.exists()), None)
    if free is None:
        raise UsageError("runs: no free name for another demo; give one, as in dtui demo runs/mine")
    return free


def _train(path: Path, options: argparse.Namespace) -> Outcome:
    # The network is small: more threads than free cores made the demo eight times slower on a busy machine of two.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    signal.signal(signal.SIGTERM, _leave)
    from dtui.demo.training import train_demo

    path.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(f"training into {path}")
    train_demo(path, iterations=options.iterations, every=options.every, seed=options.seed, progress=progress)
    return Outcome(f"{path}: recorded; open it with dtui {path}")


def _leave(*_: object) -> None:
    """Handle the signal to end the demo: the run is closed properly and does not count as crashed."""
    raise SystemExit(0)


def _watch(path: Path, options: argparse.Namespace) -> Outcome:
    command = [sys.executable, "-m", "dtui", "demo", str(path), "--headless"]
    for name in ("iterations", "every", "seed"):
        command += [f"--{name}", str(getattr(options, name))]
    with tempfile.TemporaryFile("w+", errors="replace") as log:
        training = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=_end_with_us
        )
        try:
            print(f"dtui: training a small network into {path} …", file=sys.stderr, flush=True)
            _wait_for_run(path, training, log)
            show(path, options)
        finally:
            finished = training.poll() is not None
            _end(training)
    how = "done" if finished else "stopped"
    return Outcome(f"{path}: training {how}; open it again with dtui {path}", Exit.DONE)


def _end_with_us() -> None:
    """Ask Linux to end this child when its parent ends, also after a closed terminal or a kill."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM))


def _wait_for_run(path: Path, training: subprocess.Popen[bytes], log: IO[str]) -> None:
    """Wait until the run can be opened. If the training ends before that, raise with the last lines that it printed."""
    from dtui.query import open_run

    deadline = time.monotonic() + FIRST_RECORD_SECONDS
    while time.monotonic() < deadline:
        try:
            with open_run(path) as query:
                if query.info().records:
                    return
        except DtuiError:
            pass  # not there yet; the deadline says when that is a failure
        if training.poll() is not None:
            raise RecorderError(f"{path}: the training ended before its first record: {_last_line(log)}")
        time.sleep(0.1)
    raise RecorderError(f"{path}: no record after {FIRST_RECORD_SECONDS:.0f} s; try dtui demo --headless to see why")


def _last_line(log: IO[str]) -> str:
    log.seek(0)
    lines = log.read().strip().splitlines()
    return lines[-1].removeprefix("dtui: ") if lines else "it said nothing"


def _end(training: subprocess.Popen[bytes]) -> None:
    """End a training, so that it closes its run, and wait for it."""
    if training.poll() is not None:
        return
    training.terminate()  # see _leave
    try:
        training.wait(FAREWELL_SECONDS)
    except subprocess.TimeoutExpired:
        training.kill()
        training.wait()
