"""Gives each moment of a run the key by which it is paired with moments of another run.

Owns what an epoch and a share of a run are.
"""

from __future__ import annotations

import numpy as np

from dtui.errors import NotRecordedError
from dtui.model import FloatArray, IntArray
from dtui.model.compare import Alignment
from dtui.query.data import RunData

EPOCH = "epoch"
"""The scalar that says in which epoch an iteration was."""


def alignments(*runs: RunData) -> tuple[Alignment, ...]:
    """Return the alignments that some runs allow."""
    has_epochs = all(EPOCH in data.reader.scalar_names() for data in runs)
    return tuple(one for one in Alignment if one is not Alignment.EPOCH or has_epochs)


def keys_of(data: RunData, iterations: IntArray, alignment: Alignment) -> FloatArray:
    """Return the keys of some iterations, float64, ascending, shape (n,).

    An epoch is what was logged as `epoch`, and linear between two such values. A share is in percent of the last
    iteration so far.

    Raises:
        NotRecordedError: Epochs are asked for, and the run has none.
    """
    if alignment is Alignment.SHARE:
        return iterations * (100 / max(1, data.last_iteration))
    if alignment is Alignment.EPOCH:
        known, epochs = _epochs(data)
        if not len(known):
            raise NotRecordedError(
                f"{data.reader.path}: epochs were not recorded; log them with recorder.log(epoch=…), "
                "or compare by iteration or share"
            )
        return np.interp(iterations, known, epochs)
    return iterations.astype(np.float64)


def _epochs(data: RunData) -> tuple[IntArray, FloatArray]:
    """Return iterations and epochs, both ascending; an epoch that falls is left out."""
    if EPOCH not in data.reader.scalar_names():
        return np.zeros(0, np.int64), np.zeros(0)
    iterations, values = data.points(EPOCH)
    finite = np.isfinite(values)
    iterations, values = iterations[finite], values[finite]
    rises = values >= np.maximum.accumulate(values) if len(values) else np.zeros(0, np.bool_)
    return iterations[rises], values[rises]
