"""Follows paths that a recorder has claimed and recorded nothing at yet: a training may crash before its first record.

Owns how that is told from one that still sets itself up, or whose process goes on without it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dtui.model import RunStatus
from dtui.query.watching.events import EventKind, WatchEvent
from dtui.store.format.schema import RUN_FILE
from dtui.store.run.run_file import Process
from dtui.store.run.unborn import claiming

LEAVING_SECONDS = 10.0
"""A process that fails gives its claim up, and takes some seconds to end. One that is there after this goes on."""


class Claims:
    """The claims that were seen at one place. Not thread-safe."""

    def __init__(self) -> None:
        """Begin with none."""
        self._of: dict[Path, Process] = {}
        self._left_at: dict[Path, float] = {}

    def __contains__(self, path: Path) -> bool:
        """Whether a claim was seen there, and what became of it is not known."""
        return path in self._of

    def see(self, path: Path) -> None:
        """Note a path that is claimed now."""
        holder = claiming(path)
        if holder is not None:
            self._of.setdefault(path, holder)

    def crashed(self, now: float) -> Iterator[WatchEvent]:
        """Look at each claim; return an event for each whose process is gone, and has recorded nothing.

        A process of another host that has given its claim up counts as gone.

        Args:
            now: Seconds, of any clock that only rises.
        """
        for path, holder in list(self._of.items()):
            if claiming(path) == holder:
                self._left_at.pop(path, None)
                continue
            has_begun = (path / RUN_FILE).exists()
            if not has_begun and holder.is_alive() and now - self._left_at.setdefault(path, now) < LEAVING_SECONDS:
                continue
            del self._of[path]
            self._left_at.pop(path, None)
            if not has_begun and not holder.is_alive():
                yield _event(path, holder)


def _event(path: Path, holder: Process) -> WatchEvent:
    where = str(path.absolute())
    sentence = f"crashed before its first record: process {holder.pid} on {holder.host} is gone; its output may say why"
    key = f"crash of {holder.pid} {holder.started} on {holder.host}"
    return WatchEvent(EventKind.CRASH, key, path.stem, where, RunStatus.CRASHED, None, sentence, {"reason": ""})
