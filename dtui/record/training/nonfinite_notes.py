"""Notes in a run where gradients were NaN or Inf; everything here runs on the writer's thread.

Owns when a line is worth it: once each time that it begins, from the first that saw it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from dtui.model import LAYER_STATISTICS, SOURCES, FloatArray, IntArray, Record, Structure
from dtui.model.findings.nonfinite import BrokenGradients, LookPlan
from dtui.model.findings.origin import first_of, order_of, origin_of
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
        self._found: BrokenGradients | None = None
        self._structure: Structure | None = None

    def begin(self, structure: Structure) -> None:
        """Take the layers and normalisation layers of the run."""
        self._structure = structure
        self.names = [layer.name for layer in structure.layers] + [one.name for one in structure.norms]

    def first_of(self, names: Sequence[str]) -> str:
        """Return the one of the layers that hold NaN or Inf to name: where it began, as far as that is known.

        Else it is the one that the forward pass comes to first.

        Args:
            names: At least one, in the order of the run.
        """
        structure = self._structure
        if structure is None:
            return names[0]
        if self._is_broken and self._found is not None:
            origin = origin_of(self._found, order_of(structure), structure.edges)
            layer_of = {norm.name: norm.layer for norm in structure.norms}
            began = [layer_of.get(name, name) for name in (origin.layers if origin is not None else ())]
            names = [name for name in began if name in names] or names
        return first_of(names, structure.edges)

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
        self._is_broken, self._told, self._found = True, found.iteration, found
        if self._count < MOST_NOTES:
            self._count += 1
            store.append_nonfinite(found)
