"""Reads the scalars that the training logged, from parts and journals.

Owns the scalars of journal frames: a JSON object per frame, which is parsed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.store.disk.atomic_files import open_plain
from dtui.store.disk.journal import Frame, read_scalars
from dtui.store.format.part_arrays import SCALARS_NODE
from dtui.store.read.catalog import FrameSpan, PartSpan
from dtui.store.read.frame_files import StreamFiles


class ScalarReader:
    """The logged scalars of one stream. Not thread-safe."""

    def __init__(self, files: StreamFiles, fixed: int) -> None:
        """Prepare.

        Args:
            files: The files of the frames.
            fixed: Bytes before the scalars in a payload.
        """
        self._files = files
        self._fixed = fixed
        self._parsed: dict[tuple[Path, int], dict[str, float]] = {}
        self._named: dict[Path, tuple[list[int], dict[str, None]]] = {}

    def read(self, name: str, frames: range) -> NDArray[np.float64]:
        """Return a scalar at some frames, shape (len(frames),): NaN where it was not logged, LOST_NAN where damaged.

        Raises:
            RunDamagedError: A file was lost; or it is damaged, and the reader is strict.
        """
        out = np.full(len(frames), np.nan)

        def from_part(span: PartSpan, steps: slice, target: NDArray[Any]) -> None:
            if name not in span.scalars:
                return
            try:
                row = span.scalars.index(name)
                node = self._files.nodes(span)[SCALARS_NODE]
                self._files.fill_from_part(span, node, (slice(row, row + 1), steps), target[np.newaxis])
            except RunDamagedError as error:
                self._files.note_lost(error, target)

        def from_journal(span: FrameSpan, wanted: range, target: NDArray[Any]) -> None:
            scalars = self._of_frames(span, [span.frames[position] for position in wanted])
            target[...] = [some.get(name, np.nan) for some in scalars]

        self._files.gather(frames, out, from_part, from_journal)
        return out

    def names(self) -> tuple[str, ...]:
        """Return the names of all scalars, in order of their first appearance.

        Raises:
            RunDamagedError: A file was lost.
        """

        def walk() -> tuple[str, ...]:
            names: dict[str, None] = {}
            for span in self._files.view.spans:
                names.update(dict.fromkeys(span.scalars if isinstance(span, PartSpan) else self._named_in(span)))
            return tuple(names)

        return self._files.look_twice(walk)

    def forget(self, keep: set[Path]) -> None:
        """Drop the parsed scalars of all journals except those in `keep`."""
        self._parsed = {key: value for key, value in self._parsed.items() if key[0] in keep}
        self._named = {path: value for path, value in self._named.items() if path in keep}

    def _named_in(self, span: FrameSpan) -> list[str]:
        """Return the names in a journal, in order of their first appearance; each frame is looked at once."""
        ordinals, names = self._named.get(span.path, ([], {}))
        if [frame.ordinal for frame in span.frames[: len(ordinals)]] != ordinals:  # a training went on from before
            ordinals, names = [], {}
        new = span.frames[len(ordinals) :]
        for some in self._of_frames(span, new):
            names.update(dict.fromkeys(some))
        self._named[span.path] = ([*ordinals, *(frame.ordinal for frame in new)], names)
        return list(names)

    def _of_frames(self, span: FrameSpan, frames: Sequence[Frame]) -> list[dict[str, float]]:
        missing = [frame for frame in frames if (span.path, frame.ordinal) not in self._parsed]
        if missing:
            with open_plain(span.path) as file:
                for frame in missing:
                    self._parsed[span.path, frame.ordinal] = read_scalars(file, frame, self._fixed)
        return [self._parsed[span.path, frame.ordinal] for frame in frames]
