"""Holds the right of one process to record a run, and checks it as long as the process records.

Owns run.json while a run is recorded.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from dtui.errors import RunExistsError
from dtui.store.disk.atomic_files import stamp_of
from dtui.store.disk.run_folder import Place
from dtui.store.format.schema import RUN_FILE
from dtui.store.run.run_file import Process, RunFile, touch_heartbeat
from dtui.store.run.turns import highest_turn, last_claim


class Ownership:
    """One writer's right. Not thread-safe."""

    def __init__(self, place: Place, run_file: RunFile) -> None:
        """Start from a run.json that this process has just written."""
        self.run_file = run_file
        self._place = place
        self._stamp = stamp_of(place.here / RUN_FILE)
        self._refusal = ""

    def require(self, *, fresh: bool = False) -> None:
        """Refuse to go on if another process has taken the run over, for example because it thought this one dead.

        An old writer may have overwritten our run.json before it saw that it was replaced. Then ours is restored.

        Args:
            fresh: Whether to open the files, so that a network filesystem asks its server and not this host's cache.

        Raises:
            RunExistsError: Another process records the run. This stays so.
            OSError: Our run.json could not be restored, or the folder is gone.
        """
        if self._refusal:
            raise RunExistsError(self._refusal)
        here = self._place.here
        stamp = stamp_of(here / RUN_FILE)
        if stamp == self._stamp and not fresh:
            return
        mine, now = self.run_file, read_or_none(here)
        if highest_turn(here) > mine.turn:
            claim = last_claim(here, mine.run)
            self._refuse(None if claim is None else claim.writer)
        if now is not None and now.writer != mine.writer:
            if now.turn >= mine.turn:
                self._refuse(now.writer)
            mine.write(here)
            stamp = stamp_of(here / RUN_FILE)
        self._stamp = stamp

    def _refuse(self, writer: Process | None) -> NoReturn:
        who = "another process" if writer is None else f"process {writer.pid} on {writer.host}"
        self._refusal = f"{self._place.path}: {who} records it now; nothing more is added here"
        raise RunExistsError(self._refusal)

    def write(self, **changes: Any) -> None:
        """Write run.json with some attributes changed.

        Raises:
            RunExistsError: Another process records the run.
            OSError: It cannot be written. Nothing is changed.
        """
        self.require(fresh=True)
        changed = replace(self.run_file, **changes)
        changed.write(self._place.here)
        self.run_file = changed
        self._stamp = stamp_of(self._place.here / RUN_FILE)

    def beat(self) -> None:
        """Touch the heartbeat, if the run is still ours.

        Raises:
            RunExistsError: Another process records it.
            OSError: It cannot be written.
        """
        self.require(fresh=True)
        touch_heartbeat(self._place.here)


def read_or_none(folder: Path) -> RunFile | None:
    """Return the run.json of a run, None if it cannot be read."""
    try:
        return RunFile.read(folder)
    except OSError:
        return None
