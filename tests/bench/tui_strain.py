"""The TUI under strain in a real pseudo-terminal: an arrow that is held, a run of ten times the length, a long walk."""

from __future__ import annotations

from tests.bench.pressing import KEY_RATE, Cost, bare, hold, middle, opened, press, resident_mb
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented
from tests.tui.terminal import Terminal

LEFT, RIGHT = "\x1b[D", "\x1b[C"
HELD_SECONDS = 5
SWEEP = 75
"""So many columns one way, then back: there are not many more, and at the end an arrow changes nothing."""
BARE = "bare Textual app"
SCREENS = {"Triage": "1", "Layers": "2", "Validation": "3", "Cube": "5"}
WALK = [*"1?", "\x1b", *"nn2jjs", "\x1b", "\t", "3", "i", "\x1b", *"4b5v6T", "\x1b", "1"]
"""Every screen, with what opens there."""
WALKS = 5


@benchmark
def tui_held() -> list[Measurement]:
    """Backlog and bytes after an arrow was held for 5 s at 60 keys a second, at the paper's scale; ms, bytes a key."""
    keys = [LEFT if place // SWEEP % 2 == 0 else RIGHT for place in range(KEY_RATE * HELD_SECONDS)]
    with bare() as terminal:
        floor, floor_size = hold(terminal, keys)
    found = []
    with opened(invented("paper")) as terminal:
        for name, key in SCREENS.items():
            terminal.press(key)
            backlog, size = hold(terminal, keys)
            terminal.until_quiet()
            found += [
                Measurement(f"TUI arrow held, {name}: backlog", backlog, BARE, floor, "ms", backlog / floor),
                Measurement(f"TUI arrow held, {name}: a key", size, BARE, floor_size, "B", size / floor_size),
            ]
        quiet = len(terminal.until_quiet())
    found.append(Measurement("TUI idle", quiet, "nothing", 0.0, "B", float(quiet > 0)))
    return found


@benchmark
def tui_tenfold() -> list[Measurement]:
    """Processor time of keys in a run of 10,000 records, beside one of 1,000 of the same network; ms."""
    with opened(invented("paper")) as terminal:
        short = _costs(terminal)
    with opened(invented("tenfold")) as terminal:
        long = _costs(terminal)
    found = []
    for name, cost in long.items():
        usual = short[name].whole
        found.append(Measurement(f"TUI {name}, tenfold run", cost.whole, "the run", usual, "ms", cost.whole / usual))
    return found


@benchmark
def tui_memory() -> list[Measurement]:
    """Memory after five walks over all screens at the paper's scale, beside one walk and a bare Textual app; MB."""
    with bare() as terminal:
        floor = resident_mb(terminal.pid)
    sizes = []
    with opened(invented("paper")) as terminal:
        for _ in range(WALKS):
            for key in WALK:
                terminal.press(key)
            sizes.append(resident_mb(terminal.pid))
    return [
        Measurement("TUI memory after a walk", sizes[0], BARE, floor, "MB", sizes[0] / floor),
        Measurement(f"TUI memory after {WALKS} walks", sizes[-1], "after one", sizes[0], "MB", sizes[-1] / sizes[0]),
    ]


def _costs(terminal: Terminal) -> dict[str, Cost]:
    """Return what keys of each kind cost."""
    found = {}
    for name, opening, keys in (
        ("step on Triage", "1", [LEFT] * 8),
        ("step on Layers", "2", [LEFT] * 8),
        ("next incident", "1", ["N", "n"] * 3),
        ("screen", "1", ["2", "3", "4", "5", "6", "1"] * 2),
        ("help", "1", ["?", "\x1b"] * 2),
    ):
        terminal.press(opening)
        found[name] = middle([press(terminal, key) for key in keys])
    return found
