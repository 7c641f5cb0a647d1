"""Every command that reads a run, let loose on one in a child process with little memory and little time."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

MOST_SECONDS = 60
MOST_MEMORY = 1 << 30
"""Address space beyond what the process has when it starts."""


@dataclass(frozen=True)
class Survival:
    """What became of the commands: their text by name, and the memory that they took at most, in bytes."""

    texts: dict[str, str]
    memory: int


def survive(run: Path, *, is_compacting: bool = True) -> Survival:
    """Run every command on a run; none may crash, hang, trip over the limit, or print a traceback or escape code.

    Args:
        run: The run; the child's current directory is the one above it.
        is_compacting: Whether to compact it, last.
    """
    import dtui.cli.entry
    import dtui.cli.files
    import dtui.cli.reading
    import dtui.query
    import dtui.reports
    import dtui.store.check
    import dtui.store.compact  # noqa: F401 - all of it before the fork, once

    read_end, write_end = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        status = 1
        try:
            _limit_memory()
            os.chdir(run.parent)
            with os.fdopen(write_end, "w", errors="surrogateescape") as pipe:
                for name, text in _commands(run, is_compacting):
                    pipe.write(f"{name}\0{text}\0")
                pipe.write(f"memory\0{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}\0")
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    output = _read_to_end(read_end, child)
    _, ending = os.waitpid(child, 0)
    *pieces, _ = output.split("\0")
    texts = dict(zip(pieces[::2], pieces[1::2], strict=True))
    assert ending == 0, f"{run}: the child ended with {ending} after {list(texts)}"
    memory = int(texts.pop("memory")) << 10
    for name, text in texts.items():
        assert "bug in dtui" not in text, text
        assert "Traceback" not in text, text
        assert "\x1b" not in text, f"{name}: {text!r}"
    return Survival(texts, memory - (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10))


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _commands(run: Path, is_compacting: bool) -> list[tuple[str, str]]:
    from dtui.cli.entry import main
    from dtui.store import compact

    report = run.parent / "report.txt"
    found = []
    for words in (
        ["info", str(run)],
        ["runs", str(run.parent)],
        ["anomalies", str(run)],
        ["check", str(run)],
        ["check", str(run), "--json"],
        ["report", str(run), "-o", str(report)],
    ):
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            code = main(words)
        assert code in (0, 1, 2, 3), f"{words}: exit code {code}"
        found.append((" ".join(words).replace(str(run), "RUN"), text.getvalue()))
    if report.exists():
        found.append(("report text", report.read_text(errors="surrogateescape")))
    if is_compacting:
        compact.GRACE_SECONDS = 0.0
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            code = compact.main([str(run), "--finish", "--wait"])
        assert code in (0, 1)
        found.append(("compact", text.getvalue()))
    return found


def _read_to_end(descriptor: int, child: int) -> str:
    """Return all that the child writes; kill it, and fail, when it takes too long."""
    import select

    data = b""
    deadline = time.monotonic() + MOST_SECONDS
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            raise AssertionError(f"it hangs: nothing more after {data[-200:]!r}")
        piece = os.read(descriptor, 1 << 16)
        if not piece:
            os.close(descriptor)
            return data.decode(errors="surrogateescape")
        data += piece
