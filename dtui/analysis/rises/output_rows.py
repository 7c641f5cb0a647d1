"""How much the output of each class is still taught: what its row of the last layer gets of gradients and updates.

While images of a class come with its label and the network errs on them, its row gets the largest gradients of all.
Where a class fails although its row is left alone, its images do not come, or come with another label.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from dtui.analysis.quantiles import column_medians
from dtui.dataclass_on_use import dataclass
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


@dataclass(frozen=True, eq=False)
class _Record:
    """What the rows got until one record, each of shape (C,); logarithms are made when somebody asks."""

    iteration: int
    gradients: FloatArray
    updates: FloatArray

    @cached_property
    def gradients_among(self) -> FloatArray:
        return _among(self.gradients)

    @cached_property
    def updates_among(self) -> FloatArray:
        return _among(self.updates)


@dataclass(frozen=True, eq=False, slots=True)
class Taught:
    """How much the output of each class was taught behind a validation, in logarithms; NaN where that is not known.

    Attributes:
        known: Iteration of the last of the records behind it.
    """

    _before: Sequence[_Record]
    _behind: Sequence[_Record]
    known: int

    def among(self, labels: IntArray) -> FloatArray:
        """Gradients of rows against that of the middle class, mean over the records behind it; 0 is as much."""
        return _mean([one.gradients_among[labels] for one in self._behind], AFTER)

    def soon(self, labels: IntArray) -> FloatArray:
        """Return the same, mean over the first SOON of them."""
        return _mean([one.gradients_among[labels] for one in self._behind[:SOON]], SOON)

    def moved(self, labels: IntArray) -> FloatArray:
        """Updates of rows against that of the middle class, mean over the records behind it; 0 is as much."""
        return _mean([one.updates_among[labels] for one in self._behind], AFTER)

    def own(self, labels: IntArray) -> FloatArray:
        """Updates of rows, against that of the middle class, less the same over the records before."""
        if len(self._before) < FEWEST:
            return np.full(len(labels), np.nan)
        now = _mean([one.updates_among[labels] for one in self._behind], AFTER)
        return now - _mean([one.updates_among[labels] for one in self._before], FEWEST)


def output_layer(layers: Sequence[Layer], classes: int) -> Layer | None:
    """Return the last layer that has one row for each of the classes; None for a network without, or for one class."""
    return next((layer for layer in reversed(layers) if layer.filters == classes > 1), None)


class OutputRows:
    """Follows the rows of an output layer; the same however records and validations are cut into calls."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self._records: list[_Record] = []
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
        self._records += [
            _Record(iteration, gradients[:, at].copy(), updates[:, at].copy())
            for at, iteration in enumerate(iterations.tolist())
        ]
        self._waiting += validations.tolist()
        places = [one.iteration for one in self._records]
        while self._waiting:
            first = bisect_right(places, self._waiting[0])
            if first + AFTER > len(places):
                break
            begin, behind = bisect_left(places, self._waiting[0]), self._records[first : first + AFTER]
            before = self._records[max(0, begin - BEFORE) : begin]
            self._taught[self._waiting.pop(0)] = Taught(before, behind, behind[-1].iteration)
        del self._records[:-KEPT]

    def awaits(self, validation: int) -> bool:
        """Whether too few records behind a validation are known yet."""
        return validation in self._waiting

    def taught(self, validation: int) -> Taught | None:
        """Return how much classes were taught behind a validation, by its iteration; None where that is not known."""
        return self._taught.get(validation)


def _among(values: FloatArray) -> FloatArray:
    """Return logarithms of values against that of the middle row, shape (C,); NaN where nothing was measured."""
    middle = float(column_medians(values[:, None])[0])
    if not middle > 0:
        return np.full(len(values), np.nan)
    with np.errstate(invalid="ignore"):
        ratio: FloatArray = np.log(np.maximum(values.astype(np.float64), LEAST) / middle)
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
