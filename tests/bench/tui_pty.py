"""The TUI in a real pseudo-terminal: how soon it paints."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from tests.bench.pressing import keep_answers
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented
from tests.tui.terminal import Terminal

SAMPLE = Path(__file__).parents[2] / "sample_runs" / "mnist-faults.dtui"
BARE_APP = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("opening")

Bare().run()
"""
REPEATS = 7
UNSEEN = ", no screen kept"
SETTLED_SECONDS = 1.5
"""Without a byte for so long, all panes are filled."""
TICKS = os.sysconf("SC_CLK_TCK")


def spent(terminal: Terminal) -> float:
    """Return the processor time of the program so far, in seconds."""
    fields = Path(f"/proc/{terminal.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def started(command: list[str], folder: str, cache: str = "") -> Terminal:
    """Start a program that finds itself compiled, and what it kept for its user, in a folder; or that in `cache`."""
    own = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": folder, "XDG_CACHE_HOME": cache or folder}
    return Terminal(command, **own)


def start_of(command: list[str], last: str, folder: str, cache: str = "") -> dict[str, float]:
    """Return clock and processor time to the first paint, and to the last byte after `last` was written; in seconds."""
    begun = time.perf_counter()
    with started(command, folder, cache) as terminal:
        terminal.until("opening")
        found = {"first paint": time.perf_counter() - begun, "first paint, processor": spent(terminal)}
        if not re.search(last.encode(), terminal.written):
            terminal.until(last)
        while True:
            found |= {"panes": time.perf_counter() - begun, "panes, processor": spent(terminal)}
            if not terminal._read(SETTLED_SECONDS):
                return found


def answer_of(command: list[str], folder: str) -> dict[str, float]:
    """Return clock and processor time until a key is answered that is pressed as soon as there is something to see."""
    begun = time.perf_counter()
    with started(command, folder) as terminal:
        terminal.until("Evidence")
        terminal.send("?")
        terminal.until("Esc closes")
        return {"first key": time.perf_counter() - begun, "first key, processor": spent(terminal)}


@benchmark
def tui_start() -> list[Measurement]:
    """From the command to the first paint, to all panes and to the answer to a key, beside the first paint of an empty
    Textual app.

    Both run compiled, as they are installed. The clock of a busy machine says little: the processor time counts. The
    runs have ended and were opened before, so all panes are those of the last time; a key waits until the run is open.
    Where no screen is kept, as of a live run, panes come when the run is open.
    """
    bare_app = [sys.executable, "-c", BARE_APP]
    runs = {"sample": SAMPLE, "paper": invented("paper")}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ("bare", *runs)}
    for run in runs.values():
        keep_answers(run)
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(REPEATS + 1):
            found["bare"].append(start_of(bare_app, "opening", folder))
            for name, run in runs.items():
                command = [sys.executable, "-m", "dtui", str(run)]
                with tempfile.TemporaryDirectory() as empty:
                    unseen = start_of(command, "Evidence", folder, empty)
                found[name].append(
                    start_of(command, "Evidence", folder)
                    | answer_of(command, folder)
                    | {f"{what}{UNSEEN}": cost for what, cost in unseen.items() if what.startswith("panes")}
                )
    measured = []
    for name in runs:
        for what in found[name][0]:
            of_bare = re.sub("panes|first key", "first paint", what.removesuffix(UNSEEN))
            ours = median(one[what] for one in found[name][1:])  # the first round compiles
            bare = median(one[of_bare] for one in found["bare"][1:])
            reference = "bare Textual app to its first"
            measured.append(Measurement(f"TUI to its {what}, {name}", ours, reference, bare, "s", ours / bare))
    return measured
