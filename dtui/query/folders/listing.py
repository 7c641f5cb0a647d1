"""Lists the runs of a folder, each with a text that changes when the run does."""

from __future__ import annotations

from pathlib import Path

from dtui.dataclass_on_use import dataclass
from dtui.errors import RunDamagedError
from dtui.query.folders.fingerprint import fingerprint
from dtui.store import find_runs
from dtui.store.run.unborn import is_unborn


@dataclass(frozen=True, slots=True)
class FoundRun:
    """A run in a folder, before it is opened.

    Attributes:
        name: Its path below the folder, with `/` between parts; data from outside.
        path: Where it is.
        fingerprint: Changes whenever data or decisions of the run do; "" if its files cannot be read.
    """

    name: str
    path: Path
    fingerprint: str


def find_all_runs(folder: str | Path) -> tuple[FoundRun, ...]:
    """Return everything below a folder that is a run, or is called like one, by name.

    Raises:
        RunNotFoundError: There is no such folder.
        RunDamagedError: The permissions do not allow reading it.
    """
    top = Path(folder)
    found = [
        FoundRun(path.relative_to(top).as_posix(), path, _fingerprint(path))
        for path in find_runs(top, has_claims=True, has_remains=True)
    ]
    return tuple(sorted(found, key=lambda run: run.name))


def has_recorded_nothing(path: Path) -> bool:
    """Whether a directory was made for a run, and holds nothing of one yet."""
    try:
        return is_unborn(path)
    except OSError:
        return False


def _fingerprint(path: Path) -> str:
    try:
        return fingerprint(path)
    except RunDamagedError:
        return ""
