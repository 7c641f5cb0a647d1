"""The TUI under strain in a real pseudo-terminal: an arrow that is held, a run of ten times the length, a long walk."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.bench.pressing import KEY_RATE, bare, hold, keep_answers, middle, opened, press, resident_mb, tap
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import alone, invented
from tests.bench.tui_pty import start_of

LEFT, RIGHT = "\x1b[D", "\x1b[C"
HELD_SECONDS = 5
SWEEP = 75
"""So many columns one way, then back: there are not many more, and at the end an arrow changes nothing."""
BARE = "bare Textual app"
SCREENS = {"Triage": "1", "Layers": "2", "Validation": "3", "Correlation": "4", "Cube": "5", "Runs": "6"}
WALK = ["1?", "\x1b", "nn", "2jjs", "\x1b", "\t3i", "\x1b", "4b", "5v", "6T", "\x1b", "1"]
"""Every screen, with what opens there; keys that are pressed one after the other before anything is waited for."""
WALKS, FILLED = 6, 3
"""After some walks all is there that is kept; further ones add nothing."""


@benchmark
def tui_held() -> list[Measurement]:
    """Backlog and bytes after an arrow was held for 5 s at 60 keys a second, at the paper's scale; ms, bytes a key."""
    keys = [LEFT if place // SWEEP % 2 == 0 else RIGHT for place in range(KEY_RATE * HELD_SECONDS)]
    with bare() as terminal:
        floor, floor_size = hold(terminal, keys)
    found = []
    with opened(invented("paper")) as terminal:
        for name, key in SCREENS.items():
            tap(terminal, key)
            backlog, size = hold(terminal, keys)
            terminal.until_quiet()
            found += [
                Measurement(f"TUI arrow held, {name}: backlog", backlog, BARE, floor, "ms", backlog / floor),
                Measurement(f"TUI arrow held, {name}: a key", size, BARE, floor_size, "B", size / floor_size),
            ]
            quiet = len(terminal.until_quiet())
            found.append(Measurement(f"TUI idle, {name}", quiet, "nothing", 0.0, "B", float(quiet > 0)))
        memory = resident_mb(terminal.pid)
    return [*found, Measurement("TUI memory after that", memory, "allowed", 200.0, "MB", memory / 200)]


KINDS = {
    "step on Triage": ("1", [LEFT] * 8),
    "step on Layers": ("2", [LEFT] * 8),
    "step on Validation": ("3", [LEFT] * 8),
    "next incident": ("1", ["N", "n"] * 4),
    "screen": ("1", ["2", "3", "4", "5", "6", "1"] * 2),
    "help": ("1", ["?", "\x1b"] * 2),
}
"""Keys of each kind, and the screen on which they are pressed."""
STARTS = 3


@benchmark
def tui_tenfold() -> list[Measurement]:
    """Processor time of the start and of keys in a run of 10,000 records, beside one of 1,000 of the same network; ms.

    Answers that took long are kept in both. Both are open at once, and each key is pressed in one and then in the
    other. Then the memory of both, MB.
    """
    runs = {"paper": invented("paper"), "tenfold": invented("tenfold")}
    for run in runs.values():
        keep_answers(run)
    found = _starts(runs)
    with ExitStack() as stack:
        short, long = (stack.enter_context(opened(run)) for run in runs.values())
        for name, (opening, keys) in KINDS.items():
            for terminal in (short, long):
                tap(terminal, opening)
            costs = [(press(short, key), press(long, key)) for key in keys]
            usual, cost = (middle(list(some)).whole for some in zip(*costs, strict=True))
            found.append(Measurement(f"TUI {name}, tenfold run", cost, "the run", usual, "ms", cost / usual))
        usual, cost = resident_mb(short.pid), resident_mb(long.pid)
    return [*found, Measurement("TUI memory, tenfold run", cost, "the run", usual, "MB", cost / usual)]


def _starts(runs: dict[str, Path]) -> list[Measurement]:
    """Return the processor time to the first paint and to all panes, of the second run beside the first."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in runs}
    with tempfile.TemporaryDirectory() as compiled:
        for _ in range(STARTS + 1):  # the first round compiles, and leaves the files in memory
            for name, run in runs.items():
                found[name].append(start_of([sys.executable, "-m", "dtui", str(run)], "Evidence", compiled))
    measured = []
    for what in ("first paint, processor", "panes, processor"):
        usual, cost = (1000 * median(one[what] for one in found[name][1:]) for name in runs)
        measured.append(Measurement(f"TUI to its {what}, tenfold run", cost, "the run", usual, "ms", cost / usual))
    return measured


@benchmark
def tui_memory() -> list[Measurement]:
    """Memory after walks over all screens at the paper's scale, beside a bare Textual app and fewer walks; MB."""
    with bare() as terminal:
        floor = resident_mb(terminal.pid)
    sizes = []
    with alone(invented("paper")) as run, opened(run) as terminal:
        for _ in range(WALKS):
            for keys in WALK:
                tap(terminal, keys)
            sizes.append(resident_mb(terminal.pid))
    first, filled, last = sizes[0], sizes[FILLED - 1], sizes[-1]
    return [
        Measurement("TUI memory after a walk", first, BARE, floor, "MB", first / floor),
        Measurement(f"TUI memory after {FILLED} walks", filled, "after one", first, "MB", filled / first),
        Measurement(f"TUI memory after {WALKS} walks", last, f"after {FILLED}", filled, "MB", last / filled),
    ]
