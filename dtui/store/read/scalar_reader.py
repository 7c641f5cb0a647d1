"""Reads the scalars that the training logged, from parts and journals.

Owns the scalars of journal frames: a JSON object per frame, which is parsed once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.store.disk.atomic_files import open_plain
from dtui.store.disk.journal import read_scalars
from dtui.store.format.part_arrays import SCALARS_NODE
from dtui.store.read.catalog import FrameSpan, PartSpan
from dtui.store.read.frame_files import StreamFiles, positions_in


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

    def read(self, name: str, frames: range) -> NDArray[np.float64]:
        """Return a scalar at some frames, shape (len(frames),): NaN where it was not logged, LOST_NAN where damaged.

        Raises:
            RunDamagedError: A file was lost; or it is damaged, and the reader is strict.
        """
        out = np.full(len(frames), np.nan)

        def fill() -> None:
            for span, wanted, target in self._files.pieces(frames, out):
                if isinstance(span, FrameSpan):
                    scalars = self._of_frames(span)
                    target[...] = [scalars[position].get(name, np.nan) for position in wanted]
                elif name in span.scalars:
                    self._fill_from_part(span, span.scalars.index(name), wanted, target[np.newaxis])

        self._files.look_twice(fill)
        return out

    def _fill_from_part(self, span: PartSpan, row: int, wanted: range, target: NDArray[Any]) -> None:
        try:
            index = (slice(row, row + 1), positions_in(span, wanted))
            self._files.fill_from_part(span, self._files.nodes(span)[SCALARS_NODE], index, target)
        except RunDamagedError as error:
            self._files.note_lost(error, target)

    def names(self) -> tuple[str, ...]:
        """Return the names of all scalars, in order of their first appearance.

        Raises:
            RunDamagedError: A file was lost.
        """

        def walk() -> tuple[str, ...]:
            names: dict[str, None] = {}
            for span in self._files.view.spans:
                found = [span.scalars] if isinstance(span, PartSpan) else self._of_frames(span)
                for some in found:
                    names.update(dict.fromkeys(some))
            return tuple(names)

        return self._files.look_twice(walk)

    def forget(self, keep: set[Path]) -> None:
        """Drop the parsed scalars of all journals except those in `keep`."""
        self._parsed = {key: value for key, value in self._parsed.items() if key[0] in keep}

    def _of_frames(self, span: FrameSpan) -> list[dict[str, float]]:
        missing = [frame for frame in span.frames if (span.path, frame.ordinal) not in self._parsed]
        if missing:
            with open_plain(span.path) as file:
                for frame in missing:
                    self._parsed[span.path, frame.ordinal] = read_scalars(file, frame, self._fixed)
        return [self._parsed[span.path, frame.ordinal] for frame in span.frames]
