"""Writes and reads stop.json, by which a person asks a training to end itself; only the training obeys it.

Owns that file. It names the turn of the process that is to stop, so that a training which goes on with the run later is
not stopped by it.
"""

from __future__ import annotations

import json
from pathlib import Path

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError, RunNotFoundError, UsageError
from dtui.model import RunStatus
from dtui.store.disk.atomic_files import read_small, stamp_of, write_whole
from dtui.store.disk.json_lines import check_of
from dtui.store.format.contents import require_format
from dtui.store.format.schema import STOP_FILE
from dtui.store.run.decisions import who_and_when
from dtui.store.run.life import Life
from dtui.store.run.opening import find_directory
from dtui.store.run.run_file import RunFile
from dtui.store.run.turns import highest_turn

_LARGEST_REQUEST = 4096
_LONGEST_TEXT = 200


@dataclass(frozen=True, slots=True)
class StopRequest:
    """A request to stop.

    Attributes:
        run: Id of the run.
        turn: Of the process that is to stop; one of a later turn goes on.
        why: A word on the reason, such as "asked" or "nonfinite"; data from outside.
    """

    run: str
    turn: int
    why: str


def leave_stop_request(path: str | Path, why: str = "asked") -> Path:
    """Ask the training that records a run to stop; return the run's folder. A request that is there is replaced.

    Args:
        path: The run.
        why: A word on the reason.

    Raises:
        RunNotFoundError: There is no run, or it is packed into one file.
        RunFormatError: A newer dtui records it.
        UsageError: Nobody records it any more.
        RunDamagedError: Its run.json cannot be read, or the request cannot be written.
    """
    folder = find_directory(Path(path))
    try:
        run_file = RunFile.read(folder)
    except FileNotFoundError as error:
        raise RunNotFoundError(f"{folder}: no run.json, so nobody can be asked to stop; look again later") from error
    require_format(folder, run_file.format)
    if Life(folder).status(run_file) is not RunStatus.LIVE:
        raise UsageError(f"{folder}: nothing records it any more, so there is nothing to stop")
    turn = max(run_file.turn, highest_turn(folder))
    who, when = who_and_when()
    values: dict[str, object] = {
        "run": run_file.run,
        "turn": turn,
        "why": why[:_LONGEST_TEXT],
        "who": who[:_LONGEST_TEXT],
        "when": when,
    }
    try:
        write_whole(folder / STOP_FILE, json.dumps({**values, "check": check_of(values)}).encode())
    except OSError as error:
        raise RunDamagedError(
            f"{folder / STOP_FILE}: cannot be written, {error.strerror}; check the disk and your right to write there"
        ) from error
    return folder


def read_stop_request(folder: Path) -> StopRequest | None:
    """Return the request in a run's folder, None if there is none.

    Raises:
        RunDamagedError: It is damaged; it counts as none.
        OSError: It cannot be read.
    """
    path = folder / STOP_FILE
    try:
        values = json.loads(read_small(path, _LARGEST_REQUEST))
        if values.pop("check") != check_of(values):
            raise ValueError("it fails its check")
        return StopRequest(str(values["run"]), int(values["turn"]), str(values.get("why", "")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError, OverflowError) as error:
        raise RunDamagedError(f"{path}: damaged, {error}; it stops nothing") from error


class StopWatch:
    """Looks for a request that is meant for one recording process; cheap enough for once a second."""

    def __init__(self, run: str, turn: int) -> None:
        """Prepare for the process that records a run in a turn."""
        self._run, self._turn = run, turn
        self._seen: object = None
        self._is_asked = False

    def look(self, folder: Path) -> bool:
        """Whether this process was asked to stop. What cannot be read asks for nothing. Never raises."""
        stamp = stamp_of(folder / STOP_FILE)
        if self._is_asked or stamp == self._seen:
            return self._is_asked
        try:
            found = read_stop_request(folder)
        except OSError:
            found = None
        self._seen = stamp
        self._is_asked = found is not None and found.run == self._run and found.turn >= self._turn
        return self._is_asked
