"""What stands on a terminal after many keys, each of which wrote only what changed, is what a whole painting shows."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.tui.terminal import Terminal
from tests.unit.renderables.terminal_grid import TerminalGrid

WIDTH, HEIGHT = 100, 30
KEYS = (
    "2",
    "j",
    "k",
    "\x1b[C",
    "\t",
    "\r",
    "j",
    "?",
    "\x1b",
    "3",
    "n",
    ":",
    "l",
    "\x1b",
    "C",
    "\x1b[D",
    "5",
    "j",
    "1",
    "n",
)
MODES = {
    "truecolor": {},
    "256": {"COLORTERM": ""},
    "16": {"COLORTERM": "", "TERM": "xterm"},
    "none": {"NO_COLOR": "1"},
}


@pytest.mark.parametrize("mode", MODES)
def test_what_was_written_bit_by_bit_is_what_is_painted_whole(sample_run: Path, mode: str) -> None:
    with Terminal([sys.executable, "-m", "dtui", str(sample_run)], WIDTH, HEIGHT, **MODES[mode]) as terminal:
        terminal.until("to review")
        terminal.until_quiet()
        grid = painted_whole(terminal)
        for key in KEYS:
            read = len(terminal.written)
            terminal.send(key)
            terminal.until_quiet()
            grid.feed(terminal.written[read:].decode())
        assert grid.looks() == painted_whole(terminal).looks()


def painted_whole(terminal: Terminal) -> TerminalGrid:
    """Have all of a screen painted, as after a change of its size; return what stands on it."""
    for width in (WIDTH + 1, WIDTH):
        read = len(terminal.written)
        terminal.resize(width, HEIGHT)
        terminal.until_quiet()
    grid = TerminalGrid(WIDTH, HEIGHT).feed(terminal.written[read:].decode())
    assert grid.written >= WIDTH * HEIGHT
    return grid
