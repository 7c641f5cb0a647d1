"""Every command that reads a run, let loose on one in a child process with little memory and little time."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import io
import os
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dtui.tui.app import DtuiApp

MOST_SECONDS = 60
MOST_MEMORY = 1 << 30
"""Address space beyond what the process has when it starts."""


@dataclass(frozen=True)
class Survival:
    """What became of the commands: their text by name, and the memory that they took at most, in bytes."""

    texts: dict[str, str]
    memory: int


def survive(run: Path, *, is_compacting: bool = True, has_screen: bool = False) -> Survival:
    """Run every command on a run; none may crash, hang, trip over the limit, or print a traceback or escape code.

    Args:
        run: The run; the child's current directory is the one above it.
        is_compacting: Whether to compact it, last.
        has_screen: Whether to look at it on the screen, too.
    """
    import dtui.store.run.life
    import dtui.store.run.lock

    warm_up()
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        status = 1
        try:
            _limit_memory()
            dtui.store.run.life.GLANCE_SECONDS = 0.2  # of looking at a process of another host
            dtui.store.run.life.WATCHED_SECONDS = dtui.store.run.lock.WATCHED_SECONDS = 0.5
            dtui.store.run.lock.UNFINISHED_SECONDS = 0.5
            os.chdir(run.parent)
            with os.fdopen(write_end, "w", errors="surrogateescape") as pipe:
                begin = _resident()
                for name, text in _commands(run, is_compacting, has_screen):
                    pipe.write(f"{name}\0{text}\0")
                pipe.write(f"stderr\0{_written_to_stderr()}\0")
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
                pipe.write(f"memory\0{peak - begin}\0")
            status = 0
        finally:
            os._exit(status)
    os.close(write_end)
    output = _read_to_end(read_end, child)
    _, ending = os.waitpid(child, 0)
    *pieces, _ = output.split("\0")
    texts = dict(zip(pieces[::2], pieces[1::2], strict=True))
    assert ending == 0, f"{run}: the child ended with {ending} after {list(texts)}"
    memory = int(texts.pop("memory"))
    assert not (unasked := texts.pop("stderr")), f"{run}: libraries wrote {unasked}"
    for name, text in texts.items():
        assert "bug in dtui" not in text, text
        assert "Traceback" not in text, text
        assert "\x1b" not in text, f"{name}: {text!r}"
    return Survival(texts, memory)


@functools.cache
def warm_up() -> None:
    """Do once what every child would do for itself first: import modules, read templates and style sheets."""
    from tests.store.conftest import Recording

    with tempfile.TemporaryDirectory() as folder:
        made = Recording(Path(folder) / "run")
        made.append(36)
        made.compact()
        made.close()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            _commands(made.path, is_compacting=False, has_screen=True)


def _written_to_stderr() -> str:
    """Return what did not pass through the commands: of libraries, of threads, of objects that are thrown away."""
    gc.collect()
    return os.pread(2, 1 << 16, 0).decode(errors="replace").replace("\0", "")


def _resident() -> int:
    """Return the bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MOST_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1):
        os.dup2(null, descriptor)
    os.dup2(os.memfd_create("stderr"), 2)
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1)  # what Python itself writes, of a __del__ that raises


def _commands(run: Path, is_compacting: bool, has_screen: bool) -> list[tuple[str, str]]:
    from dtui.cli.entry import main
    from dtui.store.compact import worker as compact

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
    if has_screen:
        packing = run.parent / "again.h5"
        text = io.StringIO()
        with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
            assert main(["pack", str(run), str(packing)]) in (0, 1, 2, 3)
        found += [("pack RUN", text.getvalue()), ("screen", asyncio.run(_look(run)))]
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


async def _look(run: Path) -> str:
    """Return what the screens show of a run, or the line that they leave with."""
    from dtui.tui.app import DtuiApp

    app, shown = DtuiApp(run), []
    async with app.run_test(size=(120, 40)) as pilot:
        for key in ("", "j", "2", "n"):
            await pilot.press(*filter(None, [key]))
            while app.error is None and not _is_settled(app):
                await pilot.pause(0.01)
            if app.error is not None:
                return str(app.error)
            strips = app.screen._compositor.render_strips()
            shown += ["".join(segment.text for segment in strip).rstrip() for strip in strips]
    return "\n".join(shown)


def _is_settled(app: DtuiApp) -> bool:
    """Whether all that was asked for is answered, be it by a failure."""
    with app.loader._lock:
        return app.session is not None and not app.loader._wanted and not app.loader._draining


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
