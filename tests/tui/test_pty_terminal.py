"""The terminal of the TUI, in a real pseudo-terminal: what it reads, and how it leaves it on every way out."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import sys
import termios
import time
from pathlib import Path

import pytest

from dtui.tui.renderables.canvas.theme import DARK, LIGHT, Theme
from tests.tui.terminal import PATIENCE_SECONDS, Terminal
from tests.tui.test_input_bytes import REPORTS

LEFT_OFF = (2026, 2004, 1004, 1000, 1002, 1003, 1006, 1015, 1016, 2048, 1049)
STEP_BYTES = 12_000


def dtui(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dtui", *arguments]


def settle(terminal: Terminal) -> None:
    terminal.until("to review")
    terminal.until_quiet()


def assert_given_back(terminal: Terminal, written: bytes) -> None:
    """Hold the program to how it found the terminal."""
    assert [mode for mode in LEFT_OFF if f"\x1b[?{mode}l".encode() not in written] == []
    for code in (b"\x1b[?25h", b"\x1b[?7h", b"\x1b[<u"):
        assert code in written
    assert written.rindex(b"\x1b[?1049l") > written.rfind(b"\x1b[?1049h")
    assert termios.tcgetattr(terminal.fd)[:4] == terminal.before[:4]


def decisions(run: Path) -> list[dict[str, object]]:
    path = run / "triage.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_what_the_terminal_says_by_itself_changes_nothing(sample_run: Path):
    before = decisions(sample_run)
    with Terminal(dtui(str(sample_run), "--theme", "dark"), 120, 40) as terminal:
        settle(terminal)
        for report in REPORTS.values():
            terminal.send(report)
        assert terminal.until_quiet() == b""
        for pause in (0.05, 0.15, 0.4):
            for rest in ("[<35;60;20M", "]11;rgb:ffff/ffff/ffff\x1b\\", "[?1;2c"):
                terminal.send("\x1b")
                time.sleep(pause)  # a slow line
                terminal.send(rest)
        assert terminal.until_quiet() == b""
        assert decisions(sample_run) == before
        os.kill(terminal.pid, signal.SIGTERM)
        start = len(terminal.written)
        assert terminal.wait() == 128 + signal.SIGTERM
        assert_given_back(terminal, terminal.written[start:])


def test_the_theme_is_the_one_for_the_terminals_background(sample_run: Path):
    with Terminal(dtui(str(sample_run)), 80, 24) as terminal:
        terminal.until(r"\x1b\]11;\?\x1b\\")
        terminal.send("\x1b]11;rgb:ffff/ffff/ffff\x1b\\")
        terminal.until(f"(?s){_ground(LIGHT)}.*to review")
        assert re.search(_ground(DARK), terminal.until_quiet().decode(errors="replace")) is None


def _ground(theme: Theme) -> str:
    """Return what sets a theme's ground."""
    red, green, blue = theme.panel.to_bytes(3)
    return f"48;2;{red};{green};{blue}m"


def test_what_is_typed_pasted_and_dragged_arrives(sample_run: Path):
    before = len(decisions(sample_run))
    with Terminal(dtui(str(sample_run)), 120, 40) as terminal:
        settle(terminal)
        assert b"\x1b[?1002h" in terminal.written
        assert b"\x1b[?1003h" not in terminal.written, "a motion without a button costs nothing"
        terminal.send("\x1b[<0;60;4M")
        terminal.until_quiet()
        assert 0 < len(terminal.press("\x1b[<32;70;4M")) <= STEP_BYTES, "the crosshair is dragged"
        terminal.send("\x1b[<0;70;4m")
        terminal.send(b"\xff")
        terminal.send("3")
        terminal.until("Images")
        terminal.press("N")
        terminal.press("m")
        for part in (b"\x1b[200", b"~f x\x1b[31m n\x1b[201~", b"\xc3", b"\xa9\xe9", b"!"):
            terminal.send(part)
            terminal.until_quiet()
        terminal.send("\r")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(decisions(sample_run)) == before:
            assert time.monotonic() < deadline, "the note was not written"
            time.sleep(0.02)
        (noted,) = decisions(sample_run)[before:]
        assert str(noted["note"]).replace("\x1b[31m", "") == "f x né!"
        terminal.press("m")
        terminal.press("\x03")
        terminal.send("2")
        terminal.until("Filters")
        start = len(terminal.written)
        terminal.press("\x03")
        assert terminal.wait() == 0
        assert_given_back(terminal, terminal.written[start:])


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        ("dtui.tui.state.session:Session.perform", "ValueError"),
        ("dtui.tui.terminal.input_bytes:InputBytes.feed", "MemoryError"),
    ],
)
def test_a_crash_gives_the_terminal_back_in_one_line(sample_run: Path, broken: str, error: str):
    module, _, name = broken.partition(":")
    code = (
        f"import sys, {module} as home\n"
        f"def broken(*_): raise {error}('broken on purpose')\n"
        f"home.{name} = broken\n"
        "from dtui.cli import main\n"
        f"sys.exit(main(['--no-mouse', {str(sample_run)!r}]))\n"
    )
    with Terminal([sys.executable, "-c", code], 100, 30) as terminal:
        settle(terminal)
        assert b"\x1b[?1000h" not in terminal.written
        assert b"\x1b[?1002h" not in terminal.written
        start = len(terminal.written)
        terminal.press("j")
        assert terminal.wait() == 2
        written = terminal.written[start:]
        assert b"\x1b[?1049l" in written
        last = written[written.rindex(b"\x1b[?25h") + 6 :]
        assert last.count(b"\n") == 1
        assert b"broken on purpose" in last
        assert termios.tcgetattr(terminal.fd)[:4] == terminal.before[:4]


def test_a_terminal_that_is_gone_ends_it(sample_run: Path):
    command = " ".join(dtui(str(sample_run)))
    with Terminal(["bash", "--norc", "-c", f"trap '' HUP; exec {command} 2>/dev/null"], 100, 30) as terminal:
        settle(terminal)
        assert terminal.hang_up() == 2
    with Terminal(dtui(str(sample_run)), 100, 30) as terminal:
        settle(terminal)
        assert terminal.hang_up() in (128 + signal.SIGHUP, 2)  # whichever is seen first, the signal or the end


def test_a_terminal_that_takes_no_bytes_does_not_hold_up_an_end(sample_run: Path):
    with Terminal(dtui(str(sample_run)), 150, 50) as terminal:
        settle(terminal)
        terminal.send("2")  # more than a terminal buffers
        select.select([terminal.fd], [], [], PATIENCE_SECONDS)
        os.kill(terminal.pid, signal.SIGTERM)
        _, status = os.waitpid(terminal.pid, 0)
        terminal.status = os.waitstatus_to_exitcode(status)
        assert terminal.status == 128 + signal.SIGTERM
        assert termios.tcgetattr(terminal.fd)[:4] == terminal.before[:4]
        terminal.until(r"\x1b\[\?1049l")  # now that it takes bytes again


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back(sample_run: Path):
    with Terminal(["bash", "--norc", "-i"], 120, 40, PS1="ready> ") as terminal:
        terminal.until("ready> ")
        terminal.send(f"set -b; {' '.join(dtui(str(sample_run)))}\r")
        settle(terminal)
        terminal.send("\x1a")
        assert b"\x1b[?1049l" in terminal.until("(?s)Stopped.*ready> ")
        terminal.send("bg\r")
        terminal.until("Stopped")
        terminal.send("fg\r")
        back = terminal.until("to review")
        assert b"\x1b[?1049h" in back
        assert b"\x1b[?1002h" in back
        terminal.until_quiet()
        assert len(terminal.press("\x1b[D")) > 0
        terminal.send("\x1a")
        terminal.until("Stopped")
        terminal.send("kill %1\r")
        left = terminal.until("Exit 143")
        assert b"\x1b[?1049h" not in left, "it ends without taking the terminal again"
        terminal.send("exit\r")
        terminal.wait()


def test_a_process_killed_by_force_leaves_a_terminal_that_can_be_used(sample_run: Path):
    with Terminal(["bash", "--norc", "-i"], 100, 30, PS1="ready> ") as terminal:
        terminal.until("ready> ")
        terminal.send(f"sh -c 'echo pid $$; exec {' '.join(dtui(str(sample_run)))}'\r")
        pid = int(re.search(rb"pid (\d+)", terminal.until(r"pid \d+\r"))[1])
        settle(terminal)
        os.kill(pid, signal.SIGKILL)
        left = terminal.until("without a word")
        assert [mode for mode in LEFT_OFF if f"\x1b[?{mode}l".encode() not in left] == []
        assert b"\x1b[?25h" in left
        terminal.send("echo $((6 * 7))\r")
        terminal.until("42")
        terminal.send("exit\r")
        terminal.wait()
