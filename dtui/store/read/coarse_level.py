"""Reads the coarse level of a stream from parts, and computes it for frames whose part does not hold it.

Owns which bins of a part are also bins of the whole run: a part may begin in the middle of a bin.
`dtui.store.format.bins` defines a bin.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dtui.errors import RunDamagedError
from dtui.model import BoolArray
from dtui.store.format.bins import bin_values
from dtui.store.format.part_arrays import BIN, Node
from dtui.store.read.catalog import PartSpan
from dtui.store.read.frame_files import StreamFiles


def gather_bins(
    out: NDArray[Any],
    files: StreamFiles,
    path: str,
    rows: range,
    bins: range,
    read: Callable[[str, range, range], NDArray[Any]],
) -> NDArray[Any]:
    """Return the coarse level of a filter statistic.

    Args:
        out: Array for the answer, shape (len(rows), len(bins)), float32.
        files: The files of the frames.
        path: Path of the statistic at full resolution.
        rows: Range along its first axis, step 1.
        bins: Range of bins, step 1.
        read: Returns rows of an array at some frames.

    Returns:
        `out`, or the array read from a part if that is the whole answer; so no answer is copied.

    Raises:
        FileNotFoundError: A part was replaced by a larger one.
        RunDamagedError: A part is damaged and the reader is strict.
    """
    done = np.zeros(len(bins), np.bool_)
    for span, node, own in _binned_spans(files, path):
        low, high = max(own.start, bins.start), min(own.stop, bins.stop)
        if low >= high:
            continue
        target = slice(low - bins.start, high - bins.start)
        first = low - own.start + -(-span.skip // BIN)
        try:
            index = (slice(rows.start, rows.stop), slice(first, first + high - low))
            values = files.read_part(span, node, index)
            if values.shape == out.shape:
                return values
            out[:, target], done[target] = values, True
        except RunDamagedError as error:
            files.note_damage(error)  # the part may hold the frames themselves unharmed
    for low, high in _runs_of(~done):
        frames = range((bins.start + low) * BIN, min((bins.start + high) * BIN, len(files.view.iterations)))
        out[:, low:high] = bin_values(read(path, rows, frames))
    return out


def _binned_spans(files: StreamFiles, path: str) -> Iterator[tuple[PartSpan, Node, range]]:
    """Yield each part that holds whole bins of a statistic, with its array of bins and their place in the view."""
    begin, frames = 0, len(files.view.iterations)
    for span in files.view.spans:
        stop = begin + len(span.iterations)
        if isinstance(span, PartSpan) and (begin - span.skip) % BIN == 0:
            node = next((node for node in files.nodes(span).values() if node.source == path), None)
            is_end = stop == frames and span.skip + len(span.iterations) == span.frames
            own = range(-(-begin // BIN), -(-stop // BIN) if is_end else stop // BIN)
            if node is not None and own and files.has(span, node):
                yield span, node, own
        begin = stop


def _runs_of(chosen: BoolArray) -> Iterator[tuple[int, int]]:
    """Yield the start and stop of every stretch of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]])))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
