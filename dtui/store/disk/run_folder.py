"""Holds the folder of a run open while it is recorded, even if the folder or one above it is renamed.

Owns the descriptor of the run's folder.

A path may mean another folder after os.chdir, a rename or a changed link. A descriptor always means the same folder.
All files are opened below it as /proc/self/fd/N/…, which HDF5 and child processes can open, too. If the descriptor is
lost, the absolute path is used, provided that the same run is there.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dtui.store.disk.atomic_files import open_again

_FOLDER = os.O_RDONLY | os.O_DIRECTORY


class Place:
    """The folder of one run, held open. Not thread-safe."""

    def __init__(self, path: Path, is_ours: Callable[[Path], bool] = lambda _: False) -> None:
        """Hold a folder.

        Args:
            path: Where it is now.
            is_ours: Whether another folder at the same path holds the same run, for example a copy made because the
                disk was full.

        Raises:
            OSError: It is not there.
        """
        self.path = path.absolute()
        """Where it was in the beginning, for messages."""
        self._is_ours = is_ours
        self._descriptor = -1
        self._hold(open_again(self.path, _FOLDER))

    def __del__(self) -> None:
        self.close()

    @property
    def here(self) -> Path:
        """The path for opening its files now. Ask again for every file, because it can change.

        Raises:
            FileNotFoundError: The folder was removed.
        """
        if not self._is_held():
            self._find_again()
        return self._below

    @property
    def descriptor(self) -> int | None:
        """The descriptor that a child process must inherit to open `here`, None if it needs none."""
        return self._descriptor if self._below != self.path else None

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor >= 0 and self._is_identical():
            os.close(self._descriptor)
        self._descriptor = -1

    @contextmanager
    def named(self) -> Iterator[None]:
        """Replace the descriptor path by the real path in errors."""
        try:
            yield
        except OSError as error:
            below, name = str(self._below), str(error.filename or "")
            if name.startswith(below):
                error.filename = str(self.path) + name[len(below) :]
            raise

    def _hold(self, descriptor: int) -> None:
        self.close()
        found = os.fstat(descriptor)
        self._descriptor, self._identity = descriptor, (found.st_dev, found.st_ino)
        self._below = Path(f"/proc/self/fd/{descriptor}")
        with contextlib.suppress(OSError):
            if os.path.samestat(self._below.stat(), found):
                return
        self._below = self.path  # a system without /proc

    def _is_identical(self) -> bool:
        """Whether the descriptor still means the folder. Other code may have closed and reused it."""
        return self._links() is not None

    def _is_held(self) -> bool:
        """Whether the descriptor still means the folder, and nobody has removed it."""
        return bool(self._links())

    def _links(self) -> int | None:
        """Return how many names the folder has, 0 once it was removed; None where the descriptor means another file."""
        try:
            found = os.fstat(self._descriptor)
        except OSError:
            return None
        return found.st_nlink if (found.st_dev, found.st_ino) == self._identity else None

    def _find_again(self) -> None:
        """Hold the folder at the path, if it is the same folder or holds the same run."""
        descriptor = open_again(self.path, _FOLDER)
        found = os.fstat(descriptor)
        if (found.st_dev, found.st_ino) == self._identity or self._is_ours(self.path):
            self._hold(descriptor)
            return
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, "the folder of the run was removed", str(self.path))
