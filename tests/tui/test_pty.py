"""The program as people start it, in a real pseudo-terminal."""

from __future__ import annotations

import itertools
import os
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.tui.terminal import PATIENCE_SECONDS, Terminal

LEFT = "\x1b[D"
STEP_BYTES, HELP_BYTES = 6_000, 16_000


def dtui(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dtui", *arguments]


def leave(terminal: Terminal) -> None:
    """Press q and hold the program to how it found the terminal."""
    terminal.press("q")
    assert terminal.wait() == 0
    for code in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l"):
        assert code in terminal.written[-600:], "alternate screen, cursor and mouse are given back"
    now = termios.tcgetattr(terminal.fd)
    assert now[:4] == terminal.before[:4]


def test_a_step_of_the_cursor_costs_a_column(sample_run: Path):
    with Terminal(dtui(str(sample_run)), 150, 50) as terminal:
        terminal.until("Evidence")
        terminal.until_quiet()
        for screen in "12346":  # the cube changes as a whole where the crosshair leaves an incident
            terminal.send(screen)
            terminal.until_quiet()
            for key in (LEFT, "."):
                written = min(terminal.press(key), terminal.press(key), key=len)  # an answer may come late, once
                assert 0 < len(written) <= STEP_BYTES, (screen, key, len(written))
        written = terminal.press("?")
        assert written.count(b"every key and mark") == 1
        assert len(written) <= HELP_BYTES
        terminal.press("\x1b")
        leave(terminal)


def test_nothing_is_written_while_nothing_happens(sample_run: Path):
    with Terminal(dtui(str(sample_run)), 150, 50) as terminal:
        terminal.until("Evidence")
        terminal.until_quiet()
        assert terminal.until_quiet() == b""
        leave(terminal)


def test_what_is_said_while_a_run_is_opened_is_written_once(sample_run: Path):
    times = []
    for _ in range(3):  # where the machine is busy, Textual's next frame may be due before what it is to leave out
        with Terminal(dtui(str(sample_run)), 150, 50) as terminal:
            terminal.until("Evidence")
            times.append(terminal.written.count(b"opening"))
            leave(terminal)  # at once: Textual mounts the command line meanwhile, which is no error
    assert min(times) == 1, times


OWN_THREADS = 5
"""The app, the run's, two that read and write the terminal, and one that waits for signals."""


def test_no_other_core_is_kept_busy(sample_run: Path):
    """NumPy's library for matrices has a thread wait on each further core, in a loop at first."""
    with Terminal(dtui(str(sample_run)), OMP_NUM_THREADS="", OPENBLAS_NUM_THREADS="") as terminal:
        terminal.until("Evidence")
        assert len(os.listdir(f"/proc/{terminal.pid}/task")) <= OWN_THREADS
        leave(terminal)


ANY_COLOUR = rb"\x1b\[(?:\d*;)*(?:[34][0-8]|9[0-7]|10[0-7])(?:;\d*)*m"


@pytest.mark.parametrize(
    ("option", "environment", "expected", "forbidden"),
    [
        ("auto", {}, rb"\x1b\[[0-9;]*38;2;", rb"\xff"),
        ("auto", {"COLORTERM": ""}, rb"\x1b\[[0-9;]*38;5;", rb"\x1b\[[0-9;]*[34]8;2;"),
        ("auto", {"COLORTERM": "", "TERM": "xterm"}, rb"Evidence", rb"\x1b\[[0-9;]*[34]8;[25];"),
        ("auto", {"NO_COLOR": "1"}, rb"Evidence", ANY_COLOUR),
        ("never", {}, rb"Evidence", ANY_COLOUR),
    ],
)
def test_colours_are_those_of_the_terminal(sample_run: Path, option, environment, expected, forbidden):
    import re

    with Terminal(dtui("--color", option, str(sample_run)), 100, 30, **environment) as terminal:
        terminal.until("Evidence")
        terminal.until_quiet()
        terminal.press("?")
        terminal.press("\x1b")
        terminal.press(":")
        terminal.press("\x1b")
        assert re.search(expected, terminal.written)
        assert not re.search(forbidden, terminal.written)
        leave(terminal)


def test_ascii_writes_ascii(sample_run: Path):
    with Terminal(dtui("--ascii", str(sample_run)), 100, 30) as terminal:
        terminal.until("Evidence")
        terminal.until_quiet()
        terminal.press("2")
        terminal.press("3")
        terminal.press(":")
        terminal.press("\x1b")
        shown = terminal.written[terminal.written.index(b"Evidence") :]
        assert shown.isascii()
        leave(terminal)


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_is_refused_in_one_line(sample_run: Path, term):
    with Terminal(["env", f"TERM={term}", *dtui(str(sample_run))]) as terminal:
        assert terminal.wait() != 0
        assert b"dtui report" in terminal.written
        assert b"Traceback" not in terminal.written
        assert b"\x1b[?1049h" not in terminal.written


def test_a_path_that_is_no_run_is_one_line_and_the_terminal_is_restored(tmp_path: Path):
    with Terminal(dtui(str(tmp_path / "nothing.dtui"))) as terminal:
        assert terminal.wait() == 3
        assert b"nothing.dtui" in terminal.written
        assert b"Traceback" not in terminal.written
        assert terminal.written.count(b"\x1b[?1049h") == terminal.written.count(b"\x1b[?1049l")


def test_ctrl_c_leaves(sample_run: Path):
    with Terminal(dtui(str(sample_run))) as terminal:
        terminal.until("Evidence")
        terminal.press("\x03")
        terminal.wait()
        assert b"Traceback" not in terminal.written
        assert b"\x1b[?1049l" in terminal.written[-600:]


def test_resizing_down_and_up_again(sample_run: Path):
    with Terminal(dtui(str(sample_run))) as terminal:
        terminal.until("Evidence")
        terminal.until_quiet()
        terminal.resize(20, 5)
        terminal.until("too small")
        terminal.resize(80, 24)
        terminal.until("Evidence")
        leave(terminal)


def until_repainted(terminal: Terminal, words: str) -> None:
    """Resize until a whole repaint shows the words: a partial one writes the cells that changed, and no more."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for columns in itertools.cycle((121, 120)):
        terminal.resize(columns, 40)
        if words.encode() in terminal.until_quiet():
            return
        assert time.monotonic() < deadline, words


def test_a_growing_run_is_followed_from_its_first_record_to_its_end(growing_run):
    with Terminal(dtui(str(growing_run.path)), 120, 40) as terminal:
        terminal.until("Waiting for the first record")
        growing_run.grow(30)
        terminal.until("Evidence")
        until_repainted(terminal, "live 30")
        growing_run.grow(1)
        until_repainted(terminal, "live 31")
        growing_run.close()
        terminal.until("done")
        assert b"\x1b[31mconv" not in terminal.written, "names are shown, not obeyed"
        leave(terminal)
