"""The TUI in a real pseudo-terminal: how soon it paints, and what each kind of key costs."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from statistics import median

from tests.bench.pressing import bare, middle, opened, press
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
REPEATS = 5
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
    bare = median(seconds_to([sys.executable, "-c", BARE_APP], "opening") for _ in range(REPEATS))
    found = []
    for name, pattern in (("first paint", "opening"), ("panes", "Evidence")):
        ours = median(seconds_to(dtui, pattern) for _ in range(REPEATS))
        found.append(Measurement(f"TUI to its {name}", ours, "bare Textual app to its first", bare, "s", ours / bare))
    return found


KEYS = {
    "screen": ("2", "3", "4", "5", "6", "1"),
    "next incident": ("N", "n", "N", "n"),
    "row": ("k", "j", "k", "j"),
    "letter of a search": ("/", "c", "o", "n"),
    "letter behind the colon": (":", "l", "a", "y"),
    "step of the cursor": (LEFT,) * 8,
    "help": ("?", "\x1b", "?", "\x1b"),
}
"""Keys of each kind, pressed on the first screen; a search on Layers. The key that opens a line is not counted."""
OPENS = ("/", ":")
BARE = "bare Textual app"


@benchmark
def tui_keys() -> list[Measurement]:
    """Bytes, time to the first byte and the processor's until then of each kind of key, beside a bare Textual app's."""
    with bare() as terminal:
        floor = middle([press(terminal, key) for key in "abcdefgh"])
    found = []
    with opened(invented("paper")) as terminal:
        for kind, keys in KEYS.items():
            if kind == "letter of a search":
                terminal.press("2")
            costs = [press(terminal, key) for key in keys]
            cost = middle([cost for key, cost in zip(keys, costs, strict=True) if key not in OPENS])
            if keys[0] in OPENS:
                terminal.press("\x1b")
            if kind == "letter of a search":
                terminal.press("1")
            found += [
                Measurement(
                    f"TUI {kind}, bytes", cost.size / 1000, BARE, floor.size / 1000, "kB", cost.size / floor.size
                ),
                Measurement(f"TUI {kind}, key to paint", cost.wait, BARE, floor.wait, "ms", cost.wait / floor.wait),
                Measurement(f"TUI {kind}, processor", cost.first, BARE, floor.first, "ms", cost.first / floor.first),
            ]
    return found
