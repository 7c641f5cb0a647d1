"""How far the error of each class rises above what the class does by itself, for any number of classes.

Owns the constants of the class rule and what a class is measured with. Every number depends on the validations before
it alone, and is rounded the same whether validations come one by one or many at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dtui.model import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class ClassRule:
    """The constants of the class rule.

    They were frozen before they were judged, on 36 real trainings with 10 classes and on characters rendered in 200
    classes; where no other source is named, that is where a number comes from (FINDINGS, the design of the
    findings, §2.1).

    Attributes:
        alpha: Chance of a false drop that the level is set for; what people turn.
        lengths: For how many validations a rise must hold, m; a fault mostly lasts 4 to 8 validations.
        shares: Share of alpha of each length. Healthy classes lose half for one or two validations now and then, so
            that the short ones have little of it.
        floors: Least rise of each length, in share of the class, at 10 classes or fewer.
        more: What is added to the floors at 100 classes or more, in between by log10: a network of many classes has
            fewer images of each.
        units: Least rise of each length, in standard deviations of the class as the network scatters.
        early: Floors of lengths above 1 are times `early_times` before this validation, for errors still fall.
        early_times: See `early`.
        above: How much the largest error of the rise must exceed the largest of the validations before.
        baseline: Validations before that give a class its usual error (the median), and its largest.
        fewest: Of those that must be judged, and of the scores that a level needs.
        error_range: The usual error is taken to be in it where its binomial deviation is computed: at 0 and 1 that
            would be 0, which no class has.
        deviation: Least deviation of a class, a hundredth.
        trail: Validations before whose successive differences say how much errors scatter.
        trimmed: Twentieths of the smallest squared differences that count, so that a fault does not hide the next.
        scatter: Least dispersion of the network; 1 is binomial, and images that stay right or wrong have less.
        own_scatter: Least dispersion of a class.
        prior: Validations that the dispersion of the network counts for in that of a class.
        prior_scatter: Least dispersion of the network there.
        largest_step: A difference counts for at most so many deviations in the dispersion of a class.
        granule: Half an image: no difference is measured finer.
        first_dispersion: First validation with a dispersion of the network.
        first: First validation at which a drop can begin.
        history: Validations whose largest scores give the level.
        quantile: Of those scores; with the median it gives the Gumbel distribution of the largest score (Gumbel 1958).
        gumbel: Position of that quantile less that of the median on a Gumbel's scale: -ln(-ln .9) + ln(ln 2).
        middle: Position of the median on that scale: -ln(ln 2).
        narrowest: Least width of that distribution.
        hold: Validations for which a class that dropped is no history.
        wide: Above this share of the classes dropped, the whole validations are no history.
        dust: Shares that differ by less are equal: runs hold them in single precision, where 0.3 - 0.1 is not 0.2.
    """

    alpha: float = 0.01
    lengths: tuple[int, ...] = (1, 2, 4, 8)
    shares: tuple[float, ...] = (0.01, 0.04, 0.45, 0.5)
    floors: tuple[float, ...] = (0.6, 0.2, 0.16, 0.12)
    more: tuple[float, ...] = (0.2, 0.2, 0.04, 0.0)
    units: tuple[float, ...] = (5.0, 4.0, 3.0, 2.5)
    early: int = 30
    early_times: float = 1.5
    above: float = 0.06
    baseline: int = 10
    fewest: int = 5
    error_range: tuple[float, float] = (0.01, 0.9)
    deviation: float = 0.01
    trail: int = 20
    trimmed: int = 19
    scatter: float = 0.5
    own_scatter: float = 0.25
    prior: float = 8.0
    prior_scatter: float = 0.1
    largest_step: float = 6.0
    granule: float = 0.5
    first_dispersion: int = 6
    first: int = 15
    history: int = 30
    quantile: float = 0.9
    gumbel: float = 1.884
    middle: float = 0.3665
    narrowest: float = 0.02
    hold: int = 6
    wide: float = 0.25
    dust: float = 1e-6

    @property
    def longest(self) -> int:
        """The longest of the lengths."""
        return self.lengths[-1]


RULE = ClassRule()


@dataclass(frozen=True, eq=False, slots=True)
class Rises:
    """The rises of one length that became complete at n validations; K classes with images.

    Attributes:
        length: Validations that each spans, the last being that of its row.
        rise: Least rise over them, in share of the class, shape (n, K); NaN where a class was not judged at all of
            them, or at fewer than 5 of the 10 before.
        score: The same less what the middle class rose, and at least 0, over the square root of the class's own
            unit, shape (n, K); NaN where the rise is.
        is_high: Whether all holds that a drop needs but the level of the score, shape (n, K).
    """

    length: int
    rise: FloatArray
    score: FloatArray
    is_high: BoolArray


@dataclass(frozen=True, eq=False, slots=True)
class _Starts:
    """What rises are measured with that begin at n validations; each shape (n, K), NaN where a class is not known."""

    usual: FloatArray
    largest: FloatArray
    unit: FloatArray
    root: FloatArray

    def behind(self, before: _Starts) -> _Starts:
        """Return the rows of `before`, then these."""
        return _Starts(*(_behind(getattr(before, name), getattr(self, name)) for name in self.__slots__))

    def last(self, count: int) -> _Starts:
        """Return the last rows, as arrays of their own."""
        return _Starts(*(getattr(self, name)[-count:].copy() for name in self.__slots__))


class ClassScores:
    """Measures validations as they come, and keeps of the past what that needs: some 70 numbers a class."""

    def __init__(self, sizes: IntArray, rule: ClassRule = RULE) -> None:
        """Begin before the first validation.

        Args:
            sizes: Images of each class, all > 0, shape (K,).
            rule: The constants.
        """
        self._rule, self._sizes, self._seen = rule, sizes.astype(np.float64), 0
        classes = len(sizes)
        crowd = float(np.clip(np.log10(max(classes, 1) / 10), 0, 1))
        self._floors = [floor + more * crowd for floor, more in zip(rule.floors, rule.more, strict=True)]
        self._errors = _nothing(rule.trail + 1, classes)
        self._steps = _nothing(rule.trail, classes)
        self._starts = _Starts(*(_nothing(rule.longest - 1, classes) for _ in range(4)))
        self._common: FloatArray = np.zeros((rule.longest - 1, rule.longest))

    def add(self, errors: FloatArray) -> Sequence[Rises]:
        """Return the rises of each length that end at the next validations.

        Args:
            errors: Share of the judged images of each class that are wrong, shape (n, K), n >= 1; NaN where none was
                judged.
        """
        rule, before = self._rule, self._rule.longest - 1
        errors = _behind(self._errors, errors)
        with np.errstate(invalid="ignore", divide="ignore"):
            starts = self._measure(errors).behind(self._starts)
            common = _behind(self._common, self._common_rise(errors, starts.usual))
            found = [self._rises(which, errors, starts, common) for which in range(len(rule.lengths))]
        self._seen += len(errors) - len(self._errors)
        self._errors, self._starts, self._common = (
            errors[-rule.trail - 1 :].copy(),
            starts.last(before),
            common[-before:],
        )
        return found

    def _measure(self, errors: FloatArray) -> _Starts:
        """Return usual and largest error and the units of rises that begin at the new rows."""
        rule, sizes = self._rule, self._sizes
        count = len(errors) - rule.trail - 1
        near = errors[rule.trail + 1 - rule.baseline : -1]
        known = _known(near, rule.baseline)
        ordered = np.sort(sliding_window_view(near, rule.baseline, axis=0), axis=-1)  # NaN last
        is_known = known >= rule.fewest
        usual = np.where(is_known, _middle(ordered, known), np.nan)
        largest = np.where(is_known, _at(ordered, known - 1), np.nan)
        mean = _sum_of(near, rule.baseline) / np.where(is_known, known, np.nan)
        mean = np.clip(mean, *rule.error_range)
        deviation = np.maximum(np.sqrt(mean * (1 - mean) / sizes), rule.deviation)

        changes = np.abs(errors[1:] - errors[:-1])
        step = np.minimum(changes[rule.trail :] / np.maximum(deviation, rule.granule / sizes), rule.largest_step)
        step = np.where(is_known, step * step / 2, np.where(np.isfinite(changes[rule.trail :]), 0.0, np.nan))
        steps = _behind(self._steps, step)
        self._steps = steps[-rule.trail :].copy()
        scatter = np.array(
            [self._scatter(row, changes[row : row + rule.trail], deviation[row]) for row in range(count)]
        )
        prior = rule.prior * np.fmax(scatter, rule.prior_scatter)[:, None]
        of_class = (_sum_of(steps[:-1], rule.trail) + prior) / (_known(steps[:-1], rule.trail) + rule.prior)
        unit = deviation * np.sqrt(np.maximum(scatter, rule.scatter))[:, None]
        own = deviation * np.sqrt(np.maximum(of_class, rule.own_scatter))
        return _Starts(usual, largest, unit, np.sqrt(own))

    def _scatter(self, row: int, changes: FloatArray, deviation: FloatArray) -> float:
        """Return the pooled dispersion before a new row: half the trimmed mean squared change, in deviations."""
        if self._seen + row < self._rule.first_dispersion:
            return np.nan
        squares = (changes / deviation).ravel()
        squares *= squares
        if np.isnan(squares.sum()):
            squares = squares[np.isfinite(squares)]
        if not len(squares):
            return np.nan
        kept = max(1, len(squares) * self._rule.trimmed // 20)
        return float(np.partition(squares, kept - 1)[:kept].sum() / kept / 2)

    def _common_rise(self, errors: FloatArray, usual: FloatArray) -> FloatArray:
        """Return what the middle class rose at the new rows above what was usual 0, 1, … rows before; >= 0."""
        count, longest = len(errors) - self._rule.trail - 1, self._rule.longest
        above = np.stack([usual[longest - 1 - back : longest - 1 - back + count] for back in range(longest)], axis=1)
        rises = np.sort(errors[-count:, None] - above, axis=-1)
        middle = _middle(rises, np.asarray(rises.shape[-1] - np.isnan(rises).sum(axis=-1)))
        return np.fmax(middle, 0.0)

    def _rises(self, which: int, errors: FloatArray, starts: _Starts, common: FloatArray) -> Rises:
        """Return the rises of one length that end at the new rows."""
        rule, length = self._rule, self._rule.lengths[which]
        count, back = len(errors) - rule.trail - 1, self._rule.lengths[which] - 1
        begun = slice(rule.longest - 1 - back, rule.longest - 1 - back + count)
        spans = sliding_window_view(errors[rule.trail + 1 - back :], length, axis=0).transpose(0, 2, 1)
        above = spans - starts.usual[begun, None]
        rise = above.min(axis=1)
        steps = np.arange(length)
        above -= common[begun.start + np.arange(count)[:, None] + steps, steps][..., None]
        score = np.maximum(above.min(axis=1), 0.0) / starts.root[begun]

        start = np.arange(self._seen - back, self._seen - back + count)[:, None]
        times = np.where((start < rule.early) & (length > 1), rule.early_times, 1.0)
        is_high = (start >= rule.first) & (rise >= times * self._floors[which] - rule.dust)
        if is_high.any():  # which is rare
            is_high &= rise / starts.unit[begun] >= rule.units[which]
            is_high &= spans.max(axis=1) > starts.largest[begun] + rule.above + rule.dust
        return Rises(length, rise, score, is_high)


def _nothing(rows: int, classes: int) -> FloatArray:
    return np.full((rows, classes), np.nan)


def _behind(before: FloatArray, new: FloatArray) -> FloatArray:
    return np.concatenate([before, new])


def _sum_of(rows: FloatArray, width: int) -> FloatArray:
    """Return the sums over `width` rows from each row on, NaN counting as 0.

    They are added row by row, so that they are rounded the same however many rows there are.
    """
    count = len(rows) - width + 1
    rows = np.where(np.isnan(rows), 0.0, rows)
    total = rows[:count].copy()
    for step in range(1, width):
        total += rows[step : step + count]
    return total


def _known(rows: FloatArray, width: int) -> IntArray:
    """Return how many of `width` rows from each row on are no NaN."""
    is_known = ~np.isnan(rows)
    count = len(rows) - width + 1
    if is_known.all():
        return np.full((count, rows.shape[1]), width)
    known: IntArray = sliding_window_view(is_known, width, axis=0).sum(axis=-1)
    return known


def _at(ordered: FloatArray, where: IntArray) -> FloatArray:
    """Return the values at positions along the last axis; the last where a position is below 0."""
    first = int(where.flat[0])
    if (where == first).all():  # nearly always
        return ordered[..., first]
    found: FloatArray = np.take_along_axis(ordered, where[..., None], axis=-1)[..., 0]
    return found


def _middle(ordered: FloatArray, known: IntArray) -> FloatArray:
    """Return the medians of the first `known` values along the last axis, NaN where there is none."""
    middle: FloatArray = (_at(ordered, (known - 1) // 2) + _at(ordered, known // 2)) / 2
    return middle
