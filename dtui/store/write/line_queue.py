"""Queues lines for gaps.jsonl, triggers.jsonl and logged.jsonl while the disk cannot write them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from dtui.store.disk.json_lines import LineRefusedError, append_line

MOST_WAITING = 100_000
"""Lines; more than these are lost, and counted."""

Line = Mapping[str, object]


class LineQueue:
    """The lines of one writer, in order. Not thread-safe."""

    def __init__(self, prepare: Callable[[], None], allow: Callable[[str, Line], Path]) -> None:
        """Begin with an empty queue.

        Args:
            prepare: Called before lines are written. If it raises OSError, the lines wait.
            allow: Given the name of a file and its next line, returns the file's path. If it raises OSError, the lines
                wait.
        """
        self._prepare = prepare
        self._allow = allow
        self._waiting: deque[tuple[str, Line]] = deque()
        self._refused = 0

    @property
    def is_full(self) -> bool:
        """Whether the queue is full, so that a further line would be lost."""
        return len(self._waiting) >= MOST_WAITING

    @property
    def lost(self) -> int:
        """Number of lines that are not in their file."""
        return len(self._waiting) + self._refused

    def add(self, file: str, lines: Iterable[Line]) -> None:
        """Write lines to a file, or queue them behind waiting lines."""
        for line in lines:
            if self.is_full:
                self._refused += 1
            else:
                self._waiting.append((file, line))
        self.write()

    def write(self) -> None:
        """Write waiting lines until the disk fails."""
        if not self._waiting:
            return
        try:
            self._prepare()
            while self._waiting:
                file, line = self._waiting[0]
                try:
                    append_line(self._allow(file, line), line)
                except LineRefusedError:
                    self._refused += 1
                self._waiting.popleft()
        except OSError:
            return
