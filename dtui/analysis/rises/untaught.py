"""Classes that fail while nothing teaches them: many validations together, and the rows of the output layer.

Owns the rule. One validation of 20 images says little, and classes of a healthy network of 200 lose most of theirs for
a while; but then they are taught more than ever. What fails for 8 validations while its row hardly gets a gradient,
and moves less than others and than before, is a class whose images do not come any more. One that comes with another
label is told earlier by the class that took its place, see `renamed.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dtui.analysis.detectors.stream.trailing import medians
from dtui.analysis.quantiles import column_medians
from dtui.analysis.rises.output_rows import OutputRows, Taught
from dtui.analysis.rises.renamed import FAILS, HOLDS, TakenFor, fails_alone, takes_its_place
from dtui.analysis.rises.renamed import LEVEL as RENAMED
from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, FloatArray, IntArray

LENGTH = 8
"""Validations of which the mean error counts."""
BEFORE = 10
"""Validations before whose median is the usual error."""
LEAST_RISE = 0.2
"""Mean rise, in share of the class: rare classes may always fail and hardly be taught, but they broke at no time."""
LEVEL = 0.9
"""What the product must reach: how much more it errs than the network did before × ln of how much smaller its gradient
is than that of others × ln of how much less it moves, the mean of less than others and less than before. The
false-alarm setting: with 200 classes 0.1 false ones a hundred quiet records of the tuning seeds of tests/truth, where
14 of 22 missing classes are found."""
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
        strength: The product of its rule over its level, >= 1.
        taught: Gradient of its row as a share of that of the middle class, (0, 1).
        known: Position of the validation, and iteration of the record, at which that is known.
    """

    validation: int
    label: int
    rise: float
    usual: float
    strength: float
    taught: float
    known: tuple[int, int]


class UntaughtClasses:
    """Finds them while validations come in; the same however they are cut into calls."""

    def __init__(self) -> None:
        """Begin before the first validation."""
        self._errors: list[FloatArray] = []
        self._seen = 0
        self._waiting: list[tuple[int, int, IntArray, Sequence[FloatArray]]] = []
        self._iterations: list[int] = []
        self._told: dict[int, int] = {}

    def add(
        self, validations: IntArray, errors: FloatArray, rows: OutputRows, taken_for: TakenFor | None = None
    ) -> list[Untaught]:
        """Return what is known now, in order.

        Args:
            validations: Iterations of the next validations, shape (n,).
            errors: Share of the judged images of each class that are wrong, shape (C, n); NaN where none was judged.
            rows: Those of the output layer, which know the same records and validations.
            taken_for: What images were taken for at validations so far; without it no class is told by that.
        """
        span, found = BEFORE + LENGTH, []
        for at, iteration in enumerate(validations.tolist()):
            self._errors = [*self._errors[-span + 1 :], np.array(errors[:, at], dtype=np.float64)]
            self._iterations = [*self._iterations[-LENGTH + 1 :], iteration]
            begin = self._seen - LENGTH + 1
            self._seen += 1
            if begin >= FIRST and len(labels := self._may_rise()):
                self._waiting.append((begin, self._iterations[0], labels, self._errors))
            found += self._known_at(iteration, rows, taken_for)
        return found

    def _known_at(self, now: int, rows: OutputRows, taken_for: TakenFor | None) -> list[Untaught]:
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
                found += self._judge(begin, labels, errors, taught, taken_for)
        return found

    def _may_rise(self) -> IntArray:
        """Return the labels whose mean error is far above the lowest before: no other can be above the median."""
        with np.errstate(invalid="ignore"):
            lowest = np.minimum.reduce(self._errors[:BEFORE])
            rise = sum(self._errors[BEFORE:]) / LENGTH - lowest
            early = sum(self._errors[BEFORE : BEFORE + HOLDS]) / HOLDS - lowest
            return np.flatnonzero(np.maximum(rise, early) >= LEAST_RISE - DUST)

    def _judge(
        self, begin: int, labels: IntArray, kept: Sequence[FloatArray], taught: Taught, taken_for: TakenFor | None
    ) -> list[Untaught]:
        labels = labels[[begin - self._told.get(label, -LENGTH) >= LENGTH for label in labels.tolist()]]
        labels, is_missing, is_renamed = _suspects(labels, kept, taught)
        if not len(labels):
            return []
        errors = np.stack(kept, axis=1)
        network = error_before(errors[:, :BEFORE])
        if network > GUESSING:
            return []
        before, above = rises_of(errors)
        found = []
        for label, may_miss, may_be_other in zip(labels.tolist(), is_missing, is_renamed, strict=True):
            strength = 0.0
            if may_miss and above[label].mean() >= LEAST_RISE:
                beyond = before[label] + above[label].mean() - network
                strength = float(beyond * left_alone(np.array([label]), taught)[0]) / LEVEL
            if may_be_other and taken_for is not None and not strength >= 1:
                soon = taught.soon(np.array([label]))
                fails = float(fails_alone(errors[[label], BEFORE:], above[[label]], soon)[0])
                if fails >= FAILS:
                    taken = taken_for(label, slice(begin - BEFORE, begin + HOLDS))
                    strength = fails * takes_its_place(label, taken, BEFORE, len(errors), taught) / RENAMED
            if strength >= 1:
                self._told[label] = begin
                high = errors[label, BEFORE:] - before[label]
                onset = int(np.argmax(high >= high.max() / 2))
                known, usual = (begin + LENGTH - 1, taught.known), float(before[label])
                share = float(np.exp(taught.soon(np.array([label]))[0]))
                found.append(Untaught(begin + onset, label, float(high.mean()), usual, strength, share, known))
        return found


def _suspects(labels: IntArray, kept: Sequence[FloatArray], taught: Taught) -> tuple[IntArray, BoolArray, BoolArray]:
    """Return the labels that may be told, and which of the two they may be; what is not looked at makes both less.

    That is what the middle class rose, what the network erred before, and the class that took another's place.
    """
    errors = np.stack([row[labels] for row in kept], axis=1)
    new, soon, among = errors[:, BEFORE:], taught.soon(labels), taught.among(labels)
    rise = new - np.median(errors[:, :BEFORE], axis=1)[:, None]
    with np.errstate(invalid="ignore"):
        is_renamed = fails_alone(new, rise, soon) >= FAILS
        is_missing = (rise.mean(axis=1) >= LEAST_RISE - DUST) & (among < 0)
        far = new[is_missing].mean(axis=1) * left_alone(labels[is_missing], taught)
        is_missing[is_missing] = far >= LEVEL - DUST
    either = is_missing | is_renamed
    return labels[either], is_missing[either], is_renamed[either]


def left_alone(labels: IntArray, taught: Taught) -> FloatArray:
    """Return ln of how much smaller gradients are, times ln of how much less rows move; 0 where either is not less."""
    moves = (taught.moved(labels) + taught.own(labels)) / 2
    found: FloatArray = np.maximum(-taught.among(labels), 0.0) * np.maximum(-moves, 0.0)
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
    return error_before(before) > GUESSING


def error_before(before: FloatArray) -> float:
    """Return the median over some validations of the mean error of classes, shape (C, n); NaN where none is known."""
    known = np.isfinite(before)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.where(known, before, 0.0).sum(axis=0) / known.sum(axis=0)
    return float(medians(means))
