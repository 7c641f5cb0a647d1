"""Reads and writes turn-<n>.json, which names the n-th process to record a run.

Owns the rule for who may become the next writer.

A process claims a turn by creating a file that must not exist yet. On any filesystem only one process can do that. A
turn is never given back. The writer with the highest turn records the run. A writer with a lower turn stops as soon as
it sees a higher one; this may take a minute, because its host caches file attributes. Frames that it appends until then
do no harm: the new writer begins at ordinals that the old one cannot reach, and its join supersedes all frames in
between.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict
from pathlib import Path

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunExistsError
from dtui.store.disk.atomic_files import create_whole, open_again, open_plain
from dtui.store.disk.json_lines import check_of
from dtui.store.run.run_file import Process

_STRIDE = 1_000_000
_MOST_FRAMES = 9_000_000_000
"""Ordinals have ten digits in the names of files."""
_LARGEST_CLAIM = 4096
_NAME = re.compile(r"turn-(\d{10})\.json")


@dataclass(frozen=True, slots=True)
class Claim:
    """One turn at recording a run.

    Attributes:
        turn: Its number; the process that made the run has turn 1, and no file.
        writer: The process that claimed it, None if the file cannot be read.
        fence: Lower bound for the ordinals of its frames, 0 if the file cannot be read.
    """

    turn: int
    writer: Process | None
    fence: int


def highest_turn(folder: Path) -> int:
    """Return the last claimed turn, 1 if none was claimed."""
    try:
        names = os.listdir(folder)
    except OSError:
        return 1
    return max((int(found[1]) for name in names if (found := _NAME.fullmatch(name))), default=1)


def last_claim(folder: Path, run: str) -> Claim | None:
    """Return the last claim, None if there is none."""
    turn = highest_turn(folder)
    if turn == 1:
        return None
    try:
        with open_plain(folder / claim_name(turn)) as file:
            values = json.loads(file.read(_LARGEST_CLAIM))
        if values.pop("check") != check_of(values) or values["run"] != run:
            return Claim(turn, None, 0)
        writer = values["writer"]
        process = Process(int(writer["pid"]), str(writer["host"]), str(writer["boot"]), int(writer["started"]))
        return Claim(turn, process, max(0, int(values["fence"])))
    except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError):
        return Claim(turn, None, 0)


def claim_turn(folder: Path, run: str, turn: int, fence: int) -> None:
    """Claim a turn for this process.

    Args:
        folder: The run.
        run: Its id.
        turn: One more than the last.
        fence: As in `Claim`.

    Raises:
        RunExistsError: Another process was faster, or the run was taken over too often.
        OSError: It cannot be written.
    """
    if turn >= 10**10 or fence > _MOST_FRAMES:
        raise RunExistsError(f"{folder}: was resumed too often; record into another run")
    values: dict[str, object] = {"run": run, "turn": turn, "writer": asdict(Process.this()), "fence": fence}
    data = json.dumps({**values, "check": check_of(values)}).encode()
    path = folder / claim_name(turn)
    made = create_whole(path, data, synced=True)
    if made is None:  # a filesystem without links
        try:
            descriptor = open_again(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW)
        except FileExistsError:
            made = False
        else:
            made = True
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)
    if not made:
        raise RunExistsError(f"{folder}: another process has resumed it meanwhile; let only one record it")


def claim_name(turn: int) -> str:
    """Return the name of the file that claims a turn."""
    return f"turn-{turn:010d}.json"


def is_claim(name: str) -> bool:
    """Whether a file in a run's folder claims a turn."""
    return _NAME.fullmatch(name) is not None


def ordinal_out_of_reach(last: int) -> int:
    """Return an ordinal that a writer now at `last` cannot reach before it sees that it was replaced.

    The distance is at least a million frames: a minute and a half at ten thousand frames a second. An old writer looks
    once a second, and before each new file of 32 frames.
    """
    return (last // _STRIDE + 2) * _STRIDE
