"""A disk that forgets, at a power cut, everything that was not synchronised."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class Disk:
    """What of a folder would be there after a power cut: the least that POSIX promises.

    A file has the bytes that it had when it was last synchronised, and none where it never was. A folder has the names
    that it had when it was last synchronised: what was made, renamed or removed since did not happen.
    """

    def __init__(self, root: Path) -> None:
        """Begin with a folder that is there, and empty."""
        self.syncs = 0
        self._root = root.stat().st_ino
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, tuple[int, bool]]] = {self._root: {}}

    @contextmanager
    def watched(self) -> Iterator[Disk]:
        """Take note of every synchronisation; the real one is left out, as its only effect would be to take time."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "fsync", self._note)
            patch.setattr(os, "fdatasync", self._note)
            yield self

    def _note(self, descriptor: int) -> None:
        self.syncs += 1
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            entries = {entry.name: (entry.inode(), entry.is_dir()) for entry in os.scandir(descriptor)}
            self._folders[found.st_ino] = entries
        else:
            with open(f"/proc/self/fd/{descriptor}", "rb") as file:
                self._files[found.st_ino] = file.read()

    def cut(self, target: Path, torn: bytes = b"") -> None:
        """Make a folder as the disk has it after a power cut.

        Args:
            target: The folder to make.
            torn: What follows the synchronised bytes of a file that has been written to since, as where its length
                reached the disk and its bytes did not.
        """
        self._restore(self._root, target, torn)

    def _restore(self, inode: int, target: Path, torn: bytes) -> None:
        target.mkdir(parents=True)
        for name, (child, is_folder) in self._folders.get(inode, {}).items():
            if is_folder:
                self._restore(child, target / name, torn)
            else:
                kept = self._files.get(child, b"")
                (target / name).write_bytes(kept + (torn if name.endswith(".dtj") else b""))
