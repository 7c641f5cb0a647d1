"""The TUI in a real pseudo-terminal: how soon it paints, and what a step of the cursor costs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

from tests.bench.registry import Measurement, benchmark
from tests.tui.terminal import Terminal

SAMPLE = Path(__file__).parents[2] / "sample_runs" / "mnist-faults.dtui"
BARE = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static("opening")

Bare().run()
"""
REPEATS, STEPS = 5, 10
LEFT = "\x1b[D"


def seconds_to(command: list[str], pattern: str) -> float:
    begun = time.perf_counter()
    with Terminal(command) as terminal:
        terminal.until(pattern)
        return time.perf_counter() - begun


@benchmark
def tui_start() -> list[Measurement]:
    """From the command to the first paint and to the whole screen, beside an empty Textual app."""
    dtui = [sys.executable, "-m", "dtui", str(SAMPLE)]
    bare = median(seconds_to([sys.executable, "-c", BARE], "opening") for _ in range(REPEATS))
    found = []
    for name, pattern in (("first paint", "opening"), ("panes", "Filters")):
        ours = median(seconds_to(dtui, pattern) for _ in range(REPEATS))
        found.append(Measurement(f"TUI to its {name}", ours, "bare Textual app to its first", bare, "s", ours / bare))
    return found


@benchmark
def tui_step() -> list[Measurement]:
    """Bytes and time of a step of the cursor at 150×50, beside a repaint of everything."""
    with Terminal([sys.executable, "-m", "dtui", str(SAMPLE)]) as terminal:
        terminal.until("Filters")
        terminal.until_quiet()
        whole = len(terminal.press("2")) + len(terminal.press("1"))
        sizes, times = [], []
        for _ in range(STEPS):
            start = len(terminal.written)
            begun = time.perf_counter()
            terminal.send(LEFT)
            terminal.until("\x1b\\[")
            times.append(1000 * (time.perf_counter() - begun))
            terminal.until_quiet()
            sizes.append(len(terminal.written) - start)
    size, wait = median(sizes) / 1000, median(times)
    frame = 1000 / 60
    return [
        Measurement("TUI step of the cursor, bytes", size, "all panes", whole / 2000, "kB", 2000 * size / whole),
        Measurement("TUI step of the cursor, key to paint", wait, "a frame at 60 Hz", frame, "ms", wait / frame),
    ]
