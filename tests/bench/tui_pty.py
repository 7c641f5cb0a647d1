"""The TUI in a real pseudo-terminal: how soon it paints, and what a step of the cursor costs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented
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
    for name, pattern in (("first paint", "opening"), ("panes", "Evidence")):
        ours = median(seconds_to(dtui, pattern) for _ in range(REPEATS))
        found.append(Measurement(f"TUI to its {name}", ours, "bare Textual app to its first", bare, "s", ours / bare))
    return found


@benchmark
def tui_step() -> list[Measurement]:
    """Bytes and time of a step of the cursor at 150×50, beside a repaint of everything."""
    with Terminal([sys.executable, "-m", "dtui", str(SAMPLE)]) as terminal:
        terminal.until("Evidence")
        terminal.until_quiet()
        terminal.press("3")
        whole = len(terminal.press("2")) + len(terminal.press("3"))
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


KEYS = {
    "screen": ("2", "3", "4", "5", "6", "1"),
    "next incident": ("N", "n", "N", "n"),
    "row": ("k", "j", "k", "j"),
    "letter of a search": ("/", "c", "o", "n"),
    "letter behind the colon": (":", "l", "a", "y"),
    "help": ("?",),
}
"""Keys of each kind, pressed on the first screen; a search on Layers. The key that opens a line is not counted."""
OPENS = ("/", ":")


@benchmark
def tui_keys() -> list[Measurement]:
    """Bytes and time to the first byte of each kind of key, at the paper's scale, beside a repaint of everything."""
    found, frame = [], 1000 / 60
    with Terminal([sys.executable, "-m", "dtui", str(invented("paper"))]) as terminal:
        terminal.until("Evidence")
        terminal.until_quiet()
        for key in ("2", "3", "4", "5", "6", "1"):  # what is asked for the first time is another matter
            terminal.press(key)
        terminal.press("2")
        whole = len(terminal.press("3"))
        terminal.press("1")
        for kind, keys in KEYS.items():
            sizes, times = [], []
            if kind == "letter of a search":
                terminal.press("2")
            for key in keys:
                start, begun = len(terminal.written), time.perf_counter()
                terminal.send(key)
                terminal.until("\x1b\\[")
                waited = 1000 * (time.perf_counter() - begun)
                terminal.until_quiet()
                if key not in OPENS:
                    times.append(waited)
                    sizes.append(len(terminal.written) - start)
            if kind == "help" or keys[0] in OPENS:
                terminal.press("\x1b")
            if kind == "letter of a search":
                terminal.press("1")
            size, wait = median(sizes) / 1000, median(times)
            found += [
                Measurement(f"TUI {kind}, bytes", size, "a screen", whole / 1000, "kB", 1000 * size / whole),
                Measurement(f"TUI {kind}, key to paint", wait, "a frame at 60 Hz", frame, "ms", wait / frame),
            ]
    return found
