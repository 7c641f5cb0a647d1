"""Pressing keys in a real pseudo-terminal, and what each costs: the wait, the processor's time, the bytes.

A machine that does other things too makes every wait longer; the processor's time says what the program itself takes.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tests.tui.terminal import Terminal

PATIENCE_SECONDS = 1.5
"""A key that has written nothing until then changes nothing."""
TAP_SECONDS = 30.0
TOLD_SECONDS = 600.0
"""Until then everything has been found that is looked for when a large run is opened for the first time."""
KEY_RATE = 60
"""Keys in a second while one is held."""

TYPING_RATE = 5
"""Letters in a second while a name is typed."""

IDLE_SECONDS, IDLE_MS = 1.5, 20.0
"""A program has taken all keys when it writes nothing and takes less of the processor than this for so long."""

BARE_KEYS = """
from textual.app import App
from textual.widgets import Static

class Bare(App):
    count = 0
    def compose(self):
        yield Static("ready")
    def on_key(self, event):
        self.count += 1
        self.query_one(Static).update(f"{event.key} {self.count}")

Bare().run()
"""
"""An app that shows a key and how many there were: the least that an app of Textual does at a key."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a key costs.

    Attributes:
        wait: From the key to the first byte, ms.
        first: Time of the processor until then, all threads, ms.
        whole: Time of the processor until all is quiet, all threads, ms.
        size: Bytes written.
    """

    wait: float
    first: float
    whole: float
    size: int


def processor_ms(pid: int) -> float:
    """Return the processor's time of all threads of a process, ms."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except (OSError, IndexError):
            continue  # a thread that has ended
    return total / 1e6


def resident_mb(pid: int) -> float:
    """Return the memory of a process, MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


def press(terminal: Terminal, key: str) -> Cost:
    """Press a key, and read until all is quiet."""
    start, spent, begun = len(terminal.written), processor_ms(terminal.pid), time.perf_counter()
    terminal.send(key)
    while len(terminal.written) == start and time.perf_counter() - begun < PATIENCE_SECONDS:
        terminal._read(0.02)
    wait, first = 1000 * (time.perf_counter() - begun), processor_ms(terminal.pid) - spent
    terminal.until_quiet()
    return Cost(wait, first, processor_ms(terminal.pid) - spent, len(terminal.written) - start)


def typed(terminal: Terminal, letters: str) -> Cost:
    """Type letters as a hand does; return what one costs, with its share of what is drawn when the hand rests."""
    start, spent, waits, firsts = len(terminal.written), processor_ms(terminal.pid), [], []
    for letter in letters:
        seen, before, begun = len(terminal.written), processor_ms(terminal.pid), time.perf_counter()
        terminal.send(letter)
        while len(terminal.written) == seen and time.perf_counter() - begun < PATIENCE_SECONDS:
            terminal._read(0.02)
        waits.append(1000 * (time.perf_counter() - begun))
        firsts.append(processor_ms(terminal.pid) - before)
        while (left := begun + 1 / TYPING_RATE - time.perf_counter()) > 0:
            terminal._read(left)
    terminal.until_quiet()
    whole, size = processor_ms(terminal.pid) - spent, len(terminal.written) - start
    return Cost(median(waits), median(firsts), whole / len(letters), size // len(letters))


def tap(terminal: Terminal, key: str) -> None:
    """Press a key and wait until the program has taken it; one that changes nothing, and writes nothing, too.

    A program that is never quiet, for a run beside it grows, is waited for no longer than TAP_SECONDS.
    """
    terminal.send(key)
    until_idle(terminal, TAP_SECONDS)


def until_idle(terminal: Terminal, seconds: float) -> None:
    """Wait until the program writes nothing and has nothing to do, no longer than some seconds."""
    spent, until = -IDLE_MS, time.monotonic() + seconds
    while terminal.until_quiet(until) or processor_ms(terminal.pid) - spent >= IDLE_MS:
        spent = processor_ms(terminal.pid)
        if time.monotonic() >= until:
            return


def middle(costs: list[Cost]) -> Cost:
    """Return the medians."""
    values = [[getattr(cost, name) for cost in costs] for name in ("wait", "first", "whole", "size")]
    wait, first, whole, size = map(median, values)
    return Cost(wait, first, whole, round(size))


def bare() -> Terminal:
    """Return the bare app, ready."""
    terminal = Terminal([sys.executable, "-c", BARE_KEYS])
    terminal.until("ready")
    terminal.until_quiet()
    return terminal


def opened(path: Path, columns: int = 150, rows: int = 50) -> Terminal:
    """Return dtui on a run, each screen seen once: what is read for the first time is another matter."""
    terminal = Terminal([sys.executable, "-m", "dtui", str(path)], columns, rows)
    terminal.until("Evidence")
    terminal.until_quiet()
    for key in ("2", "3", "4", "5", "6", "1"):
        tap(terminal, key)
    return terminal


def keep_answers(path: Path) -> None:
    """Open a run, see each screen until everything is said there, and open it again: what was found is kept then.

    The first opening keeps what was found slowly; the next, which finds that, what its first screen shows.
    """
    for _ in range(2):
        with Terminal([sys.executable, "-m", "dtui", str(path)]) as terminal:
            until = time.monotonic() + TOLD_SECONDS
            while b"Evidence" not in terminal.written and time.monotonic() < until:
                terminal.until_quiet(until)  # it says until then that it is looking
            for key in ("", "2", "3", "4", "5", "6", "1"):
                terminal.send(key)
                until_idle(terminal, TOLD_SECONDS)
            spent = -IDLE_MS
            while processor_ms(terminal.pid) - spent >= IDLE_MS:  # what is kept is written once nobody waits
                spent, rest = processor_ms(terminal.pid), time.monotonic() + IDLE_SECONDS
                while (left := rest - time.monotonic()) > 0:
                    terminal._read(left)


def hold(terminal: Terminal, keys: list[str]) -> tuple[float, int]:
    """Send keys as a keyboard repeats them; return ms from the last key to the last byte, and the bytes of a key."""
    start, begun = len(terminal.written), time.perf_counter()
    for place, key in enumerate(keys):
        while (left := begun + place / KEY_RATE - time.perf_counter()) > 0:
            terminal._read(left)
        terminal.send(key)
    last_key = last_byte = time.perf_counter()
    seen, spent = len(terminal.written), -IDLE_MS
    while (now := processor_ms(terminal.pid)) - spent >= IDLE_MS or len(terminal.written) > seen:
        seen, spent, until = len(terminal.written), now, time.perf_counter() + IDLE_SECONDS
        while (left := until - time.perf_counter()) > 0:
            if terminal._read(left):
                last_byte = time.perf_counter()
    return 1000 * (last_byte - last_key), round((len(terminal.written) - start) / len(keys))
