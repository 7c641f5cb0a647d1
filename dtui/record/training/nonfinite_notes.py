"""Notes in a run where gradients were NaN or Inf; everything here runs on the writer's thread.

Owns when a line is worth it: once each time that it begins, from the first that saw it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from dtui.model import LAYER_STATISTICS, SOURCES, FloatArray, IntArray, Record
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.record.training.seen import Seen

MOST_NOTES = 64
_GRADIENTS, _COUNT = SOURCES.index("gradients"), LAYER_STATISTICS.index("nonfinite")


class Store(Protocol):
    """Where lines go."""

    def append_nonfinite(self, found: BrokenGradients | LookPlan) -> None:
        """Append a line."""


class NonfiniteNotes:
    """The notes of one run."""

    def __init__(self, updates: int) -> None:
        """Begin a run, or go on after some updates."""
        self.names: list[str] = []
        """Of the layers, then of the normalisation layers."""
        self._sound = updates - 1
        self._told = -1
        self._is_broken = False
        self._count = 0

    def saw(self, store: Store, seen: IntArray | None) -> None:
        """Note what looks before updates saw, as `Seen.as_array` gives it; None for nothing."""
        if seen is not None:
            found = Seen.from_array(seen)
            if not self._is_broken and found.iteration > self._told:
                self._tell(store, found.named(self.names))

    def saw_record(self, store: Store, record: Record) -> None:
        """Note what a record or a watch counted: the layers alone, after the update.

        Where the gradients of all layers are broken, others may have been the first in updates that nobody looked at.
        """
        self.saw_counts(store, record.iteration, record.layers[_GRADIENTS, _COUNT])

    def saw_counts(self, store: Store, iteration: int, counts: FloatArray) -> None:
        """Note how many elements of each layer's gradient were NaN or Inf, shape (L,); NaN where there was none."""
        known, broken = ~np.isnan(counts), np.nan_to_num(counts) > 0
        if iteration <= self._told:
            return
        if not broken.any():
            if known.any():
                self._is_broken, self._sound = False, max(self._sound, iteration)
            return
        is_all = broken.sum() == known.sum()
        if not self._is_broken and (not is_all or iteration - 1 <= self._sound):
            names = np.array(self.names[: len(counts)], dtype=object)
            self._tell(store, BrokenGradients(iteration, tuple(names[broken]), tuple(names[known & ~broken])))
        self._is_broken = True

    def _tell(self, store: Store, found: BrokenGradients) -> None:
        self._is_broken, self._told = True, found.iteration
        if self._count < MOST_NOTES:
            self._count += 1
            store.append_nonfinite(found)
