"""What a key costs on every screen of the TUI, in a real pseudo-terminal at the paper's scale."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tests.bench.pressing import Cost, bare, middle, opened, press, tap, typed
from tests.bench.registry import Measurement, benchmark
from tests.bench.store_runs import invented
from tests.tui.terminal import Terminal

LEFT, RIGHT, ESCAPE = "\x1b[D", "\x1b[C", "\x1b"
STEPS, ROWS = (LEFT, LEFT, RIGHT, RIGHT) * 3, ("j", "k") * 6
"""Often enough that a median of the same code is the same: of three keys it was 9 to 14 ms."""
PLACES = {
    "Triage": ("1", ""),
    "Layers": ("2", "layer3"),
    "Filters": ("2\t", ""),
    "Validation": ("3", "777"),
    "Images": ("3\t", ""),
    "Correlation": ("4", ""),
    "Cube": ("5", ""),
    "Runs": ("6", "ten"),
    "structure": ("2T", ""),
    "filter inspector": ("2\t\r", ""),
    "gallery": ("3i", ""),
    "image": ("3i\r", ""),
    "confusion": ("3C", ""),
}
"""Keys that lead to each screen, to each pane and to what opens there; what is searched for, where there are names: the
first letters select another row."""
ELSEWHERE = {
    "screen": ("2", "3", "4", "5", "6", "1"),
    "next incident": ("N", "n", "N", "n"),
    "letter behind the colon": (":", "l", "a", "y"),
    "help": ("?", ESCAPE, "?", ESCAPE),
}
"""Keys of other kinds, pressed on the first screen."""
UNCOUNTED = ("/", ":", ESCAPE)
"""What opens a line is not counted, nor is Escape: dtui waits after it for the rest of a sequence."""
BARE = "bare Textual app"


@benchmark
def tui_keys() -> list[Measurement]:
    """Bytes, time to the first byte, the processor's until then and until all is quiet, of each kind of key; medians.

    Beside a bare Textual app's. The same as one table, a line for each screen and kind, goes to standard error.
    """
    with bare() as terminal:
        costs = {"bare Textual app": middle([press(terminal, key) for key in "abcdefgh"])}
    with opened(invented("paper")) as terminal:
        for name, keys in ELSEWHERE.items():
            costs[name] = _counted(terminal, keys)
            terminal.press(ESCAPE) if keys[0] == ":" else None
        for place, (way, letters) in PLACES.items():
            costs |= {f"{kind}, {place}": cost for kind, cost in _pressed(terminal, way, letters)}
    print(table(costs), file=sys.stderr)
    floor = costs.pop("bare Textual app")
    return [
        Measurement(f"TUI {name}: {what}", ours, BARE, bares, unit, ours / bares)
        for name, cost in costs.items()
        for what, ours, bares, unit in (
            ("bytes", cost.size / 1000, floor.size / 1000, "kB"),
            ("key to paint", cost.wait, floor.wait, "ms"),
            ("processor", cost.first, floor.first, "ms"),
            ("processor, whole", cost.whole, floor.whole, "ms"),
        )
    ]


def _pressed(terminal: Terminal, way: str, letters: str) -> Iterator[tuple[str, Cost]]:
    """Yield each kind of key on a screen with what it costs, and leave the screen as it was."""
    for key in way:
        tap(terminal, key)
    yield "step", _counted(terminal, STEPS)
    yield "row", _counted(terminal, ROWS)
    if letters:
        terminal.press("/")
        yield "letter of a search", typed(terminal, letters)
        terminal.press(ESCAPE)
    for _ in way[1:]:
        terminal.press(ESCAPE)


def _counted(terminal: Terminal, keys: tuple[str, ...]) -> Cost:
    costs = [press(terminal, key) for key in keys]
    return middle([cost for key, cost in zip(keys, costs, strict=True) if key not in UNCOUNTED])


def table(costs: dict[str, Cost]) -> str:
    """Return the costs as aligned text, a line for each."""
    wide = max(map(len, costs))
    lines = [f"{'':{wide}}  to paint ms  processor ms  whole ms  bytes"]
    for name, cost in costs.items():
        lines.append(f"{name:{wide}}  {cost.wait:11.1f}  {cost.first:12.1f}  {cost.whole:8.1f}  {cost.size:5,}")
    return "\n".join(lines)
