"""What stands on a terminal after many keys, each of which wrote only what changed, is what a whole painting shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.tui.terminal import PATIENCE_SECONDS, Terminal, until_all_quiet
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


def test_what_was_written_bit_by_bit_is_what_is_painted_whole(sample_run: Path) -> None:
    """In every number of colours, at once: most of the time is waiting until no more comes."""
    command = [sys.executable, "-m", "dtui", str(sample_run)]
    with ExitStack() as opened:
        terminals = [opened.enter_context(Terminal(command, WIDTH, HEIGHT, **mode)) for mode in MODES.values()]
        for terminal in terminals:
            terminal.until("to review")
        until_all_quiet(terminals)
        grids = all_painted_whole(terminals)
        for key in KEYS:
            read = [len(terminal.written) for terminal in terminals]
            for terminal in terminals:
                terminal.send(key)
            until_all_quiet(terminals)
            for grid, terminal, known in zip(grids, terminals, read, strict=True):
                grid.feed(terminal.written[known:].decode())
        whole = all_painted_whole(terminals)
    for mode, grid, wanted in zip(MODES, grids, whole, strict=True):
        assert grid.looks() == wanted.looks(), mode


COVERS = {"nothing": "", "help": "?", "a line that is typed": ":lay"}


@pytest.mark.parametrize("cover", COVERS)
def test_what_strayed_onto_the_screen_goes_when_it_is_drawn_anew(sample_run: Path, cover: str) -> None:
    with Terminal([sys.executable, "-m", "dtui", str(sample_run)], WIDTH, HEIGHT) as terminal:
        terminal.until("to review")
        terminal.until_quiet()
        if COVERS[cover]:
            terminal.press(COVERS[cover])
        grid = painted_whole(terminal)
        whole = grid.looks()
        for y in range(1, HEIGHT + 1):
            grid.feed(f"\x1b[{y};{2 * y}H\x1b[0;7mBroadcast message\x1b[m")
        assert grid.looks() != whole
        grid.feed(terminal.press("\x0c").decode())
        assert grid.looks() == whole


def test_the_mouse_is_left_alone_where_it_would_hold_the_key_esc(sample_run: Path) -> None:
    """GNU screen, which names itself in STY, passes Esc on only with the next key while the mouse is on."""
    for name, is_on in (("", True), ("4711.pts-0.host", False)):
        with Terminal([sys.executable, "-m", "dtui", str(sample_run)], WIDTH, HEIGHT, STY=name) as terminal:
            assert (b"\x1b[?1000h" in terminal.until("Error|1049h.*25l")) is is_on


def painted_whole(terminal: Terminal) -> TerminalGrid:
    """Have all of a screen painted, as after a change of its size; return what stands on it."""
    (grid,) = all_painted_whole([terminal])
    return grid


def all_painted_whole(terminals: Sequence[Terminal]) -> list[TerminalGrid]:
    """Have all of each screen painted; return what stands on them."""
    for width in (WIDTH + 1, WIDTH):
        read = [len(terminal.written) for terminal in terminals]
        for terminal in terminals:
            terminal.resize(width, HEIGHT)
        deadline = time.monotonic() + PATIENCE_SECONDS
        until_all_quiet(terminals)
        while any(len(one.written) - known < width * HEIGHT for one, known in zip(terminals, read, strict=True)):
            assert time.monotonic() < deadline, "a program that was busy has painted nothing"
            until_all_quiet(terminals)
    grids = []
    for terminal, known in zip(terminals, read, strict=True):
        grids.append(TerminalGrid(WIDTH, HEIGHT).feed(terminal.written[known:].decode()))
        assert grids[-1].written >= WIDTH * HEIGHT
    return grids
