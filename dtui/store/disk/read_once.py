"""Watches the files that are read once, when a run is opened: damage that comes later is told, for the next reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from dtui.store.disk.atomic_files import stamp_of
from dtui.store.disk.seal import verify_seal


class ReadOnce:
    """Files of a folder, as they were when the run was opened."""

    def __init__(self, folder: Path, sealed: tuple[str, ...], others: Mapping[str, Callable[[Path], object]]) -> None:
        """Begin with what is there now: damage of that was told when it was read.

        Args:
            folder: Of the run.
            sealed: Names of sealed files.
            others: Names of other files, each with what reads it in the folder, and raises an OSError if it is damaged.
        """
        self._folder, self._others = folder, others
        self._stamps = {name: stamp_of(folder / name) for name in (*sealed, *others)}
        self._faults: dict[str, str] = {}

    def faults(self) -> tuple[str, ...]:
        """Return a line for each file that was cut, damaged or removed since."""
        for name, before in self._stamps.items():
            path = self._folder / name
            now = stamp_of(path)
            if now == before:
                continue
            self._stamps[name] = now
            self._faults.pop(name, None)
            try:
                self._others[name](self._folder) if name in self._others else verify_seal(path)
            except OSError:
                self._faults[name] = f"{path}: was damaged while it was open; restore it from a copy"
        return tuple(self._faults.values())
