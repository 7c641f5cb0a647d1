"""A user who presses anything, in a real pseudo-terminal: every key, text, paste, press and size, reports in between.

`python -m tests.tui.fuzzing RUN… --seconds 900` says what went wrong: an end that nobody asked for, an error in the log
(a pane that raised, too), a decision that no deciding key made, and each message (a key, an answer) that kept the app's
thread for over 200 ms of the processor's time. With `live` for a run, one is recorded meanwhile.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import string
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import NamedTuple

from tests.tui.conftest import GrowingRun
from tests.tui.terminal import Terminal
from tests.tui.test_input_bytes import EVENTS, REPORTS

MOST_SECONDS = 0.2
"""Processor time of the app's thread that one message may take: a key, a press, a size, an answer."""
PROBE = f"""
import os, sys, threading, time, traceback
from textual.message_pump import MessagePump
dispatch, found = MessagePump._dispatch_message, open(os.environ["FUZZ_STALLS"], "a", buffering=1)
main_thread, clock, begun, seen = threading.get_ident(), time.pthread_getcpuclockid(threading.get_ident()), [0.0], [""]
def told(stack):
    return " < ".join(f"{{one.name}} {{one.filename.rpartition('/')[2]}}:{{one.lineno}}" for one in stack)
async def timed(pump, message):
    begun[0] = before = time.thread_time()
    await dispatch(pump, message)
    spent, begun[0] = time.thread_time() - before, 0.0
    if spent > {MOST_SECONDS}:
        print(f"{{1000 * spent:.0f}} ms for {{message!r}} in {{seen[0]}}"[:1500], file=found)
    seen[0] = ""
def watch():
    while True:
        time.sleep(0.05)
        if begun[0] and not seen[0] and time.clock_gettime(clock) - begun[0] > {MOST_SECONDS} / 2:
            seen[0] = told(traceback.extract_stack(sys._current_frames()[main_thread])[:-15:-1])
threading.Thread(target=watch, daemon=True).start()
MessagePump._dispatch_message = timed
from dtui.tui.loader import Loader
decide, decided = Loader.decide, open(os.environ["FUZZ_DECIDED"], "a", buffering=1)
def telling(loader, *what):
    print(f"{{what}} {{told(traceback.extract_stack()[-2:-9:-1])}}", file=decided)
    decide(loader, *what)
Loader.decide = telling
from dtui.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""dtui, with what each message costs its thread, and who has decisions written."""

DECIDING = "fxmu"
SIZES = ((10, 3), (20, 5), (59, 15), (60, 16), (80, 24), (100, 30), (150, 50), (300, 80), (500, 120))
NAMED = {
    **{f"alt+{letter}": b"\x1b" + letter.encode() for letter in "bj0"},
    **{f"ctrl+{chr(96 + code)}": bytes([code]) for code in range(1, 27) if code not in (3, 9, 13, 17, 26)},
    **{name: f"\x1b[{end}".encode() for name, end in {"up": "A", "down": "B", "right": "C", "left": "D"}.items()},
    **{f"shift+{name}": f"\x1b[1;2{end}".encode() for name, end in {"right": "C", "left": "D"}.items()},
    **{name: f"\x1b[{end}".encode() for name, end in {"home": "H", "end": "F", "shift+tab": "Z"}.items()},
    **{f"page{name}": f"\x1b[{code}~".encode() for name, code in {"up": 5, "down": 6}.items()},
    **{"delete": b"\x1b[3~", "f1": b"\x1bOP", "f5": b"\x1b[15~", "kitty j": b"\x1b[106u", "kitty F": b"\x1b[102;2:1u"},
    **{"tab": b"\t", "enter": b"\r", "escape": b"\x1b", "backspace": b"\x7f", "not UTF-8": b"\xff\xc3"},
}
TEXTS = (
    *(b"505", b"class 4", b"conv1", b"nonsense", b"[", b"(((", b"!b", b"9" * 40, "漢字 é\u202e".encode(), b"y" * 60),
    *(b"screen", b"dead", b"layer3.0.conv1", b"-1", b"1e9", b"a.svg", b"a.png", b"a.csv"),
)
"""None holds a deciding key: a line may be refused, and then its letters are keys."""
PASTES = (b"f x m u\r", b"\x1b[31mred", b"4\n5\n6", b"[@click=app.quit]x[/]", b"\x00\x07\xff", b"word " * 500)
KEPT_EVENTS = 60
SETTLE_SECONDS = 10.0
"""A run that grows is never quiet: it is waited for no longer than this."""


class Event(NamedTuple):
    """Something that happens to the program.

    Attributes:
        what: In words.
        data: What the terminal sends.
        size: Columns and rows that the terminal has from then on; None where they stay.
    """

    what: str
    data: bytes = b""
    size: tuple[int, int] | None = None


def events(dice: random.Random, deciding: bool) -> list[Event]:
    """Return a few things that happen one after the other; deciding keys are among them only if they may be."""
    kind, keys = dice.random(), string.digits + string.ascii_letters + string.punctuation + " "
    if deciding:
        told = [Event(dice.choice(("n", " ", "*", "N"))) for _ in range(dice.randint(0, 3))]
        told += [Event(dice.choice(DECIDING)), Event(dice.choice(("noted", "")))]
        return [event._replace(data=event.what.encode()) for event in told] + [
            Event("enter", b"\r"),
            Event("esc", b"\x1b"),
        ]
    if kind < 0.6:
        pressed = [dice.choice(keys) for _ in range(dice.randint(1, 8))]
        return [Event(key, key.encode()) for key in pressed if key not in DECIDING + "q"]
    if kind < 0.72:
        return [Event(name, NAMED[name]) for name in dice.choices(sorted(NAMED), k=dice.randint(1, 6))]
    if kind < 0.78:
        opens, closes = dice.choice(":/E"), dice.choice((b"\r", b"\x1b", b"\t\r"))
        return [Event(opens, opens.encode()), *_typed(dice.choice(TEXTS)), Event(repr(closes), closes)]
    if kind < 0.82:
        pasted = b"\x1b[200~" + dice.choice(PASTES) + b"\x1b[201~"
        return [Event(dice.choice((":", "/", "", "2"))), Event("paste", pasted)]
    if kind < 0.88:
        said = REPORTS | {name: data for name, (data, _) in EVENTS.items()}
        return [Event(name, said[name]) for name in dice.choices(sorted(said), k=3)]
    if kind < 0.96:
        return [_mouse(dice) for _ in range(dice.randint(1, 5))]
    if kind < 0.995:
        size = dice.choice(SIZES) if dice.random() < 0.7 else (dice.randint(10, 500), dice.randint(3, 120))
        return [Event(f"size {size}", size=size)]
    return [Event("leave", dice.choice((b"q", b"\x03", b"\x11")))]


def _typed(text: bytes) -> Iterator[Event]:
    """A text as keys that come at once, for a program cannot tell that from fast fingers; none of them decides."""
    yield Event(repr(text), text)


def _mouse(dice: random.Random) -> Event:
    button, end = dice.choice((0, 0, 0, 32, 64, 65, 80, 81)), dice.choice("MMm")
    x, y = dice.randint(1, 160), dice.randint(1, 55)
    return Event(f"mouse {button}{end} {x},{y}", f"\x1b[<{button};{x};{y}{end}".encode())


class Fuzzer:
    """One program on one run, and what went wrong with it."""

    def __init__(self, run: Path, seed: int, folder: Path) -> None:
        self._run, self._seed, self._dice = run, seed, random.Random(seed)
        self._folder, self._stalls, self._log = folder, folder / "stalls", folder / "state" / "dtui" / "tui.log"
        self._decided = folder / "decided"
        self._stalls.touch()
        self._decided.touch()
        self._last: deque[str] = deque(maxlen=KEPT_EVENTS)
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()

    def go(self, seconds: float, most: float = float("inf")) -> list[str]:
        """Let things happen for so long, and at most so many; return what went wrong."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.counts["events"] < most:
            decisions = self._decisions()
            with self._started() as terminal:
                while terminal.status is None and time.monotonic() < end and self.counts["events"] < most:
                    deciding = self._dice.random() < 0.04
                    if deciding or self.counts["bursts"] % 25 == 24:
                        self._settle(terminal)
                        decisions = self._check(decisions)
                    for event in events(self._dice, deciding):
                        self._happen(terminal, event)
                    self.counts["bursts"] += 1
                    if deciding:
                        self.counts["deciding"] += 1
                        self._settle(terminal)
                        decisions = self._decisions()
                self._settle(terminal)
                self._check(decisions)
        return self.problems

    @contextmanager
    def _started(self) -> Iterator[Terminal]:
        command = [sys.executable, "-c", PROBE, str(self._run)]
        variables = {
            "XDG_STATE_HOME": str(self._folder / "state"),
            "FUZZ_STALLS": str(self._stalls),
            "FUZZ_DECIDED": str(self._decided),
        }
        here = Path.cwd()
        os.chdir(self._folder)  # where exports go
        try:
            terminal = Terminal(command, *self._dice.choice(SIZES), **variables)
        finally:
            os.chdir(here)
        self.counts["starts"] += 1
        self._last.clear()
        with terminal:
            terminal.until("1049h")
            terminal.written = b""
            if self._dice.random() < 0.8:  # else what happens while it opens
                terminal.until_quiet(time.monotonic() + 10)
            yield terminal

    def _happen(self, terminal: Terminal, event: Event) -> None:
        if terminal.status is not None:
            return
        self._last.append(event.what)
        self.counts["events"] += 1
        if event.size is not None:
            terminal.resize(*event.size)
        else:
            with suppress(OSError):  # it has ended, as is seen below
                terminal.send(event.data or event.what.encode())
        pause = self._dice.choice((0.0, 0.0, 0.01, 0.05))
        while terminal._read(pause):
            pause = 0.0
        self._see_end(terminal)
        terminal.written = terminal.written[-10_000:]
        if event.what == "leave":
            self._settle(terminal)

    def _see_end(self, terminal: Terminal) -> None:
        if b"\x1b[?1049l" in terminal.written:  # it gave the terminal back, and is on its way out
            terminal.wait()
        else:
            pid, status = os.waitpid(terminal.pid, os.WNOHANG)
            if not pid:
                return
            terminal.status = os.waitstatus_to_exitcode(status)
            while terminal._read(0.05):
                pass
        left = terminal.written.rpartition(b"\x1b[?1049l")[2][-1500:].decode(errors="replace")
        if terminal.status != 0 or "leave" not in self._last:
            self._blame(f"ended with {terminal.status}: {left!r}")

    def _settle(self, terminal: Terminal) -> None:
        """Read until it writes nothing and no thread of it wants the processor, or for a while."""
        until = time.monotonic() + SETTLE_SECONDS
        while terminal.status is None and time.monotonic() < until:
            if not terminal.until_quiet(until) and not any(_wants_processor(terminal.pid) for _ in range(3)):
                break
            self._see_end(terminal)
            terminal.written = terminal.written[-10_000:]

    def _decisions(self) -> bytes:
        return self._decided.read_bytes()

    def _check(self, decisions: bytes) -> bytes:
        """Note what went wrong since the last time, and return all decisions so far."""
        if self._decisions() != decisions:
            said = f"{decisions[-400:]!r}, then {self._decisions()[len(decisions) :][:800]!r}"
            self._blame(f"decided without a deciding key: {said}")
        for path, said in ((self._log, "Traceback"), (self._stalls, "")):
            text = path.read_text() if path.is_file() else ""
            if text and said in text:
                self._blame(f"{path.name}: {text[-3000:]}")
            if text:
                os.truncate(path, 0)
        return self._decisions()

    def _blame(self, problem: str) -> None:
        self.counts["problems"] += 1
        told = (
            f"{self._run.name}, seed {self._seed}, event {self.counts['events']}: {problem}\n  after {list(self._last)}"
        )
        self.problems.append(told)
        print(told, flush=True)


def _wants_processor(pid: int) -> bool:
    """Whether a thread runs, or waits for its turn: on a busy machine that may be long."""
    time.sleep(0.02)
    states = [_state(task) for task in Path(f"/proc/{pid}/task").glob("*/stat")]
    return "R" in states or "D" in states


def _state(stat: Path) -> str:
    try:
        return stat.read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""  # the thread has ended


@contextmanager
def growing(folder: Path) -> Iterator[Path]:
    """A run that a thread records: a record every tenth of a second."""
    run, ended = GrowingRun(folder / "growing"), threading.Event()

    def grow() -> None:
        while not ended.wait(0.1):
            run.grow(1)

    run.grow(50)
    thread = threading.Thread(target=grow)
    thread.start()
    try:
        yield run.path
    finally:
        ended.set()
        thread.join()
        run.close()


def fuzz(run: str, seed: int, seconds: float, most: float = float("inf")) -> tuple[list[str], Counter[str]]:
    """Fuzz a copy of a run, or one that grows if the run is "live"; return what went wrong, and counts."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy = folder / Path(run).name
        if run != "live":
            (shutil.copytree if Path(run).is_dir() else shutil.copy)(run, copy)
        with growing(folder) if run == "live" else nullcontext(copy) as path:
            fuzzer = Fuzzer(path, seed, folder)
            return fuzzer.go(seconds, most), fuzzer.counts


def main() -> None:
    """Fuzz some runs, each for its share of the time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=0)
    wishes = parser.parse_args()
    for place, run in enumerate(wishes.runs):
        problems, counts = fuzz(run, wishes.seed + place, wishes.seconds / len(wishes.runs))
        print(f"{run}: {len(problems)} problems; {dict(counts)}", flush=True)


if __name__ == "__main__":
    main()
