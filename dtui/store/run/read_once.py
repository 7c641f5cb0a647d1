"""Watches the files of a run that are read once: what was read of them counts, but whoever opens it next lacks them."""

from __future__ import annotations

from pathlib import Path

from dtui.store.disk.seal import verify_seal
from dtui.store.run.run_file import RunFile, stamp_of


class ReadOnce:
    """Sealed files and the run file, as they were when the run was opened."""

    def __init__(self, folder: Path, sealed: tuple[str, ...], run_file: str) -> None:
        """Begin with what is there now: damage of that was told when it was read."""
        self._folder, self._run_file = folder, run_file
        self._stamps = {name: stamp_of(folder / name) for name in (*sealed, run_file)}
        self._faults: dict[str, str] = {}

    def faults(self) -> tuple[str, ...]:
        """Return a line for each file that was cut, damaged or removed since."""
        for name, stamp in self._stamps.items():
            path = self._folder / name
            now = stamp_of(path)
            if now == stamp:
                continue
            self._stamps[name] = now
            self._faults.pop(name, None)
            try:
                RunFile.read(self._folder) if name == self._run_file else verify_seal(path)
            except OSError:
                self._faults[name] = f"{path}: was damaged while it was open; restore it from a copy"
        return tuple(self._faults.values())
