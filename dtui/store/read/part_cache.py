"""Keeps at most 64 parts open, and closes the least recently used first.

Owns the open files of a reader.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from pathlib import Path

import numpy as np

from dtui.errors import RunDamagedError
from dtui.store.disk.sealed_file import SealedFile
from dtui.store.format.documents import decode_document
from dtui.store.format.part_arrays import ITERATIONS_NODE
from dtui.store.format.schema import MOST_NODES, Stream
from dtui.store.read.catalog import PartHead

MOST_OPEN = 64
CHUNKS_KEPT = 32 << 20
"""Bytes of decoded chunks that are kept of all parts together: a run that grows for hours has ever more parts."""
_ITERATION = np.dtype("<i8")


class OpenParts:
    """The parts that a reader has open. Not thread-safe."""

    def __init__(self, run: str) -> None:
        """Prepare; `run` is the id that every part must carry."""
        self._run = run
        self._files: OrderedDict[tuple[Path, str], SealedFile] = OrderedDict()

    def file(self, path: Path, group: str = "") -> SealedFile:
        """Return a part, opened if it is not open yet. Ask anew for each use: it may be closed for another one.

        Args:
            path: Of the file.
            group: The group that holds the part: "" in a separate file.

        Raises:
            FileNotFoundError: The part was replaced by a larger one.
            RunDamagedError: It is damaged.
        """
        file = self._files.pop((path, group), None)
        if file is None:
            file = SealedFile(path, group)
            if len(self._files) >= MOST_OPEN:
                self._close(self._files.popitem(last=False)[1])
        self._files[path, group] = file
        self._forget_chunks()
        return file

    def read_head(self, stream: Stream, path: Path, first: int, stop: int, group: str = "") -> PartHead:
        """Open a part anew, for it may have been cut or put back, and return its head.

        Raises:
            FileNotFoundError: The part was replaced by a larger one.
            RunDamagedError: It is damaged, belongs to another run, or does not match its name.
        """
        if (path, group) in self._files:
            self._close(self._files.pop((path, group)))
        file = self.file(path, group)
        count = stop - first
        if count > path.stat().st_size:
            raise RunDamagedError(f"{path}: its name promises {count} frames, more than it has bytes; it is left out")
        document = decode_document(file.read_document(), path)
        told = tuple(document.get(key) for key in ("run", "stream", "first", "stop"))
        if told != (self._run, str(stream), first, stop):
            raise RunDamagedError(f"{path}: it holds {told}, not what its name and place say; it is left out")
        names = document.get("scalars")
        if not isinstance(names, list) or len(names) > MOST_NODES or not all(isinstance(n, str) for n in names):
            raise RunDamagedError(f"{path}: its scalar names are damaged; it is left out")
        iterations = file.read(ITERATIONS_NODE, _ITERATION, (count,), (slice(None),))
        return PartHead(iterations.astype(np.int64), tuple(names))

    def forget(self, keep: set[Path]) -> None:
        """Close all parts except those in `keep`."""
        for key in [key for key in self._files if key[0] not in keep]:
            self._close(self._files.pop(key))

    def close(self) -> None:
        """Close all parts."""
        self.forget(set())

    def _forget_chunks(self) -> None:
        """Drop decoded chunks of the parts that were not used for longest, where all together take too much."""
        kept = sum([file.kept_bytes for file in self._files.values()])
        if kept <= CHUNKS_KEPT:
            return
        for file in self._files.values():
            if kept <= CHUNKS_KEPT:
                return
            kept -= file.kept_bytes
            file.forget_chunks()

    @staticmethod
    def _close(file: SealedFile) -> None:
        with contextlib.suppress(RunDamagedError):
            file.close()
