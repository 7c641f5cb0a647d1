"""Decides when the journals of a run are synchronised to the disk, so that a power cut loses only seconds.

Owns that decision.

The writer's thread waits for the disk, the training's thread never does. Records queue up meanwhile, and above 64 MiB
some are dropped. So it synchronises few bytes often, and less often if the disk is slow.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dtui.store.write.journal_writer import JournalWriter, SyncError

SYNC_SECONDS = 5.0
"""What a power cut may cost: as much as ext4 keeps of its own journal."""
SYNC_BYTES = 16 << 20
"""Sooner where so much waits: one call must not take so long that records pile up behind it."""
_PATIENCE = 9.0
"""Later where the last call took long: the thread spends a tenth of its time on it."""
_MOST_BYTES = 64 << 20
_MOST_FULL = 8
"""Files that are full; more bytes or files than these never wait."""


class Syncing:
    """Synchronises the journals of one run. Not thread-safe."""

    def __init__(self, journals: Sequence[JournalWriter]) -> None:
        """Begin with journals without new frames."""
        self._journals = journals
        self._at, self._took = time.monotonic(), 0.0

    def is_due(self) -> bool:
        """Whether to synchronise now."""
        waiting = sum(journal.unsynced for journal in self._journals)
        if waiting >= _MOST_BYTES or any(journal.full_files >= _MOST_FULL for journal in self._journals):
            return True
        seconds = time.monotonic() - self._at
        is_time = waiting >= SYNC_BYTES or (waiting > 0 and seconds >= SYNC_SECONDS)
        return is_time and seconds >= _PATIENCE * self._took

    def sync(self) -> list[SyncError]:
        """Synchronise all appended frames to the disk; returns one error per failed journal."""
        return self._take([journal.sync for journal in self._journals])

    def close(self) -> list[SyncError]:
        """Synchronise as `sync` does, and close the files."""
        return self._take([journal.close for journal in self._journals])

    def _take(self, steps: Sequence[Callable[[], None]]) -> list[SyncError]:
        began, errors = time.monotonic(), []
        for step in steps:
            try:
                step()
            except SyncError as error:
                errors.append(error)
        self._at = time.monotonic()
        self._took = self._at - began
        return errors
