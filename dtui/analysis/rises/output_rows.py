"""How much the output of each class is still taught: what its row of the last layer gets of gradients and updates.

While images of a class come with its label and the network errs on them, its row gets the largest gradients of all.
Where a class fails although its row is left alone, its images do not come, or come with another label.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dtui.analysis.quantiles import column_medians
from dtui.model import FloatArray, IntArray, Layer

AFTER = 7
"""Records behind a validation that say how much a class was taught from it on: a fault mostly lasts 4 to 16."""
SOON = 6
"""The first of them: images that are mislabelled for 3 to 8 records come with their label again soon after."""
BEFORE = 20
"""Records before it that say how much the class was taught before."""
FEWEST = 10
"""Of those that must be known."""
LARGEST = 4.0
"""Logarithms count for at most so much: a row that gets nothing at all is no stranger than one with a fiftieth."""
LEAST = 1e-30
KEPT = 64
"""Records that are kept: with more of them from one validation to the next the last ones before it are not lost."""
ANSWERS = 24
"""Validations whose answers are kept."""


@dataclass(frozen=True, eq=False, slots=True)
class Taught:
    """How much the output of each class was taught behind a validation, in logarithms of shape (C,), NaN: not known.

    Attributes:
        among: Gradient of its row against that of the middle class, mean over the records behind it; 0 is as much.
        soon: The same, mean over the first SOON of them.
        own: Update of its row, against that of the middle class, less the same over the records before.
        known: Iteration of the last of these records.
    """

    among: FloatArray
    soon: FloatArray
    own: FloatArray
    known: int


def output_layer(layers: Sequence[Layer], classes: int) -> Layer | None:
    """Return the last layer that has one row for each of the classes; None for a network without, or for one class."""
    return next((layer for layer in reversed(layers) if layer.filters == classes > 1), None)


class OutputRows:
    """Follows the rows of an output layer; the same however records and validations are cut into calls."""

    def __init__(self, classes: int) -> None:
        """Begin before the first record."""
        self._classes = classes
        self._iterations: list[int] = []
        self._gradients: list[FloatArray] = []
        self._updates: list[FloatArray] = []
        self._waiting: list[int] = []
        self._taught: dict[int, Taught] = {}

    def add(self, iterations: IntArray, gradients: FloatArray, updates: FloatArray, validations: IntArray) -> None:
        """Go on.

        Args:
            iterations: Of the next records, shape (n,), ascending.
            gradients: Gradient norm of each row, shape (C, n); NaN where none was recorded.
            updates: ‖Δw‖ over ‖w before‖ of each row, likewise.
            validations: Iterations of the next validations, ascending.
        """
        for old in list(self._taught)[:-ANSWERS]:
            del self._taught[old]
        self._iterations += iterations.tolist()
        self._gradients += list(_among(gradients).T)
        self._updates += list(_among(updates).T)
        self._waiting += validations.tolist()
        places = np.asarray(self._iterations)
        while self._waiting:
            begin = int(np.searchsorted(places, self._waiting[0]))
            first = int(np.searchsorted(places, self._waiting[0], "right"))
            if first + AFTER > len(places):
                break
            self._taught[self._waiting.pop(0)] = self._measure(begin, first)
        for kept in (self._iterations, self._gradients, self._updates):
            del kept[:-KEPT]

    def awaits(self, validation: int) -> bool:
        """Whether too few records behind a validation are known yet."""
        return validation in self._waiting

    def taught(self, validation: int) -> Taught | None:
        """Return how much classes were taught behind a validation, by its iteration; None where that is not known."""
        return self._taught.get(validation)

    def _measure(self, begin: int, first: int) -> Taught:
        behind = slice(first, first + AFTER)
        before = self._updates[max(0, begin - BEFORE) : begin]
        own = _mean(self._updates[behind], AFTER) - _mean(before, FEWEST) if before else np.full(self._classes, np.nan)
        among, soon = _mean(self._gradients[behind], AFTER), _mean(self._gradients[behind][:SOON], SOON)
        return Taught(among, soon, own, self._iterations[behind.stop - 1])


def _among(values: FloatArray) -> FloatArray:
    """Return logarithms of values against that of the middle row, shape (C, n); NaN where nothing was measured."""
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = column_medians(values)
        ratio: FloatArray = np.log(np.maximum(values, LEAST) / np.where(middle > 0, middle, np.nan))
    return np.clip(ratio, -LARGEST, LARGEST)


def _mean(rows: Sequence[FloatArray], fewest: int) -> FloatArray:
    """Return the mean of the known values of each class, NaN where there are fewer than `fewest`; added in order."""
    total, count = np.zeros(len(rows[0])), np.zeros(len(rows[0]))
    for row in rows:
        is_known = np.isfinite(row)
        total += np.where(is_known, row, 0.0)
        count += is_known
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count >= fewest, total / count, np.nan)
