"""Classes that fail while nothing teaches them: many validations together, and the rows of the output layer.

Owns the rule. One validation of 20 images says little, and classes of a healthy network of 200 lose most of theirs for
a while; but then they are taught more than ever. What fails for 8 validations while its row hardly gets a gradient,
and hardly moves, is a class whose images do not come any more, or come with another label.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.detectors.stream.trailing import medians
from dtui.analysis.quantiles import column_medians
from dtui.analysis.rises.output_rows import OutputRows, Taught
from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, IntArray

LENGTH = 8
"""Validations of which the mean error counts."""
BEFORE = 10
"""Validations before whose median is the usual error."""
LEAST_RISE = 0.2
"""Mean rise, in share of the class."""
LEVEL = 4.5
"""What the product must reach: the rise in units of the class × ln of how much less it is taught than others × ln of
how much less than before. The false-alarm setting: with 200 classes 0.1 false ones a hundred quiet records of the
tuning seeds of tests/truth, where 13 of 20 missing classes and 2 of 26 mislabelled ones are found."""
ERROR_RANGE = (0.02, 0.9)
"""The usual error is taken to be in it where its binomial deviation is computed."""
FIRST = 15
"""First validation at which one can begin, as of the class rule."""
DUST = 1e-9
"""What rounding may take from a rise that is enough."""
GUESSING = 0.75
"""Error of the network before, from which on it guesses: its classes come and go."""


@dataclass(frozen=True, slots=True)
class Untaught:
    """A class that fails and is not taught.

    Attributes:
        validation: Position of the validation from which on its error is high.
        label: The class.
        rise: Mean rise of its error, in share of the class.
        usual: Its error before.
        score: The product, >= LEVEL.
        taught: Gradient of its row as a share of that of the middle class, (0, 1).
        known: Position of the validation, and iteration of the record, at which that is known.
    """

    validation: int
    label: int
    rise: float
    usual: float
    score: float
    taught: float
    known: tuple[int, int]


class UntaughtClasses:
    """Finds them while validations come in; the same however they are cut into calls."""

    def __init__(self, sizes: IntArray) -> None:
        """Begin before the first validation.

        Args:
            sizes: Images of each class, shape (C,).
        """
        self._sizes = np.asarray(sizes, dtype=np.float64)
        self._errors: list[FloatArray] = []
        self._seen = 0
        self._waiting: list[tuple[int, int, IntArray, Sequence[FloatArray]]] = []
        self._iterations: list[int] = []
        self._told: dict[int, int] = {}

    def add(self, validations: IntArray, errors: FloatArray, rows: OutputRows) -> list[Untaught]:
        """Return what is known now, in order.

        Args:
            validations: Iterations of the next validations, shape (n,).
            errors: Share of the judged images of each class that are wrong, shape (C, n); NaN where none was judged.
            rows: Those of the output layer, which know the same records and validations.
        """
        span, found = BEFORE + LENGTH, []
        for at, iteration in enumerate(validations.tolist()):
            self._errors = [*self._errors[-span + 1 :], np.array(errors[:, at], dtype=np.float64)]
            self._iterations = [*self._iterations[-LENGTH + 1 :], iteration]
            begin = self._seen - LENGTH + 1
            self._seen += 1
            if begin >= FIRST and len(labels := self._may_rise()):
                self._waiting.append((begin, self._iterations[0], labels, self._errors))
            found += self._known_at(iteration, rows)
        return found

    def _known_at(self, now: int, rows: OutputRows) -> list[Untaught]:
        """Return what is known at the validation of an iteration: it waits for the records behind those before."""
        found = []
        while self._waiting:
            begin, iteration, labels, errors = self._waiting[0]
            taught = rows.taught(iteration)
            is_known = taught is not None and taught.known <= now
            if not is_known and self._seen - begin <= 2 * LENGTH:
                break
            del self._waiting[0]
            if taught is not None and is_known:
                found += self._judge(begin, labels, errors, taught)
        return found

    def _may_rise(self) -> IntArray:
        """Return the labels whose mean error is far above the lowest before: no other can be above the median."""
        with np.errstate(invalid="ignore"):
            rise = sum(self._errors[BEFORE:]) / LENGTH - np.minimum.reduce(self._errors[:BEFORE])
            return np.flatnonzero(rise >= LEAST_RISE - DUST)

    def _judge(self, begin: int, labels: IntArray, kept: Sequence[FloatArray], taught: Taught) -> list[Untaught]:
        labels = labels[[begin - self._told.get(label, -LENGTH) >= LENGTH for label in labels.tolist()]]
        errors = np.stack([row[labels] for row in kept], axis=1)
        with np.errstate(invalid="ignore"):
            rise = errors[:, BEFORE:].mean(axis=1) - np.median(errors[:, :BEFORE], axis=1)
        rises = np.flatnonzero(rise >= LEAST_RISE - DUST)  # what the middle class rose can only make it less
        if not len(rises):
            return []
        labels, errors, rise = labels[rises], errors[rises], rise[rises]
        among, own = taught.among(labels), taught.own(labels)
        share = np.clip(errors[:, :BEFORE].mean(axis=1), *ERROR_RANGE)
        unit = (share * (1 - share) / self._sizes[labels]) ** 0.25
        with np.errstate(invalid="ignore"):
            may_be = np.flatnonzero((among < 0) & (own < 0) & (rise / unit * among * own >= LEVEL - DUST))
        if not len(may_be):
            return []
        of_all = np.stack(kept, axis=1)
        if guesses(of_all[:, :BEFORE]):
            return []
        before, above = rises_of(of_all)
        found = []
        for at in may_be.tolist():
            label = int(labels[at])
            rise_of = float(above[label].mean())
            score = rise_of / float(unit[at]) * float(among[at] * own[at])
            if rise_of >= LEAST_RISE and score >= LEVEL:
                self._told[label] = begin
                high = errors[at, BEFORE:] - before[label]
                onset = int(np.argmax(high >= high.max() / 2))
                known, usual = (begin + LENGTH - 1, taught.known), float(before[label])
                taught_of = float(np.exp(among[at]))
                found.append(Untaught(begin + onset, label, float(high.mean()), usual, score, taught_of, known))
        return found


def rises_of(errors: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the usual error of each class, shape (C,), and how far it lies above it, less the middle class's rise.

    Args:
        errors: Shape (C, BEFORE + LENGTH).

    Returns:
        NaN for a class that was not judged at one of the validations; the second of shape (C, LENGTH).
    """
    before = np.median(errors[:, :BEFORE], axis=1)
    above = errors[:, BEFORE:] - before[:, None]
    return before, above - np.fmax(column_medians(above), 0.0)


def guesses(before: FloatArray) -> bool:
    """Whether the network had learned next to nothing at some validations, shape (C, n)."""
    known = np.isfinite(before)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(known, before, 0.0).sum(axis=0) / known.sum(axis=0)
    return bool(medians(means) > GUESSING)
