"""How far the error of each class rises above what the class does by itself, for any number of classes.

Owns the constants of the class rule and what a class is measured with. Every number depends on the validations before
it alone, and is rounded the same whether validations come one by one or many at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from dtui.analysis.rises.last_rows import LastRows
from dtui.dataclass_on_use import dataclass
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
        may_drop: Whether that is so of any class, shape (n,).
    """

    length: int
    rise: FloatArray
    score: FloatArray
    is_high: BoolArray
    may_drop: BoolArray


@dataclass(frozen=True, eq=False, slots=True)
class _Starts:
    """What rises are measured with that begin at n validations; each shape (n, K), NaN where a class is not known."""

    usual: FloatArray
    largest: FloatArray
    unit: FloatArray
    root: FloatArray


class ClassScores:
    """Measures validations as they come, and keeps of the past what that needs: some 110 numbers a class."""

    def __init__(self, sizes: IntArray, rule: ClassRule = RULE) -> None:
        """Begin before the first validation.

        Args:
            sizes: Images of each class, all > 0, shape (K,).
            rule: The constants.
        """
        self._rule, self._sizes, self._seen = rule, sizes.astype(np.float64), 0
        classes = len(sizes)
        crowd = float(np.clip(np.log10(max(classes, 1) / 10), 0, 1))
        self._floors = np.array([floor + more * crowd for floor, more in zip(rule.floors, rule.more, strict=True)])
        self._steps_since = np.concatenate([np.arange(length) for length in rule.lengths])
        self._places = np.repeat(rule.longest - np.array(rule.lengths), rule.lengths) + self._steps_since
        self._errors = LastRows(rule.trail + 1, classes)
        self._steps = LastRows(rule.trail, classes)
        self._starts = [LastRows(rule.longest - 1, classes) for _ in range(4)]
        self._room: FloatArray = np.zeros((rule.trail, classes))  # to work in: new memory costs more than the sums
        self._whole = 0  # last validations at which every class was judged
        self._common: FloatArray = np.zeros((rule.longest - 1, rule.longest))

    def add(self, errors: FloatArray) -> Sequence[Rises]:
        """Return the rises of each length that end at the next validations.

        Args:
            errors: Share of the judged images of each class that are wrong, shape (n, K), n >= 1; NaN where none was
                judged.
        """
        count, new, errors = len(errors), errors, self._errors.extend(errors)
        with np.errstate(invalid="ignore", divide="ignore"):
            measured = zip(self._starts, self._measure(errors), strict=True)
            starts = _Starts(*(kept.extend(new) for kept, new in measured))
            common = np.concatenate([self._common, self._common_rise(errors, starts.usual)])
            found = self._rises(errors, starts, common)
        self._seen += count
        holes = np.flatnonzero(np.isnan(new).any(axis=1))
        self._whole = count - 1 - int(holes[-1]) if len(holes) else self._whole + count
        self._common = common[count:]
        return found

    def _measure(self, errors: FloatArray) -> tuple[FloatArray, ...]:
        """Return usual and largest error and the units of rises that begin at the new rows."""
        rule, sizes = self._rule, self._sizes
        count = len(errors) - rule.trail - 1
        near = errors[rule.trail + 1 - rule.baseline : -1]
        ordered = self._in_order(near)
        is_whole = count == 1 and self._whole > rule.trail  # nearly always, where validations come one by one
        known: IntArray | int = rule.baseline if is_whole else _known(near, rule.baseline)
        usual, largest = _middle(ordered, known), _at(ordered, known - 1).copy()
        mean = _sum_of(near, rule.baseline, is_whole) / known
        if not is_whole:
            is_known = known >= rule.fewest
            usual, largest, mean = (np.where(is_known, each, np.nan) for each in (usual, largest, mean))
        mean = np.minimum(np.maximum(mean, rule.error_range[0]), rule.error_range[1])
        deviation = np.maximum(np.sqrt(mean * (1 - mean) / sizes), rule.deviation)

        changes = np.abs(errors[rule.trail + 1 :] - errors[rule.trail : -1])
        step = np.minimum(changes / np.maximum(deviation, rule.granule / sizes), rule.largest_step)
        step = step * step / 2
        if not is_whole:
            step = np.where(is_known, step, np.where(np.isfinite(changes), 0.0, np.nan))
        steps = self._steps.extend(step)
        scatter = np.array(
            [self._scatter(row, errors[row : row + rule.trail + 1], deviation[row], is_whole) for row in range(count)]
        )
        prior = rule.prior * np.fmax(scatter, rule.prior_scatter)[:, None]
        known = rule.trail if is_whole else _known(steps[:-1], rule.trail)
        of_class = (_sum_of(steps[:-1], rule.trail, is_whole) + prior) / (known + rule.prior)
        unit = deviation * np.sqrt(np.maximum(scatter, rule.scatter))[:, None]
        own = deviation * np.sqrt(np.maximum(of_class, rule.own_scatter))
        return usual, largest, unit, np.sqrt(own)

    def _in_order(self, near: FloatArray) -> FloatArray:
        """Return the errors of the `baseline` rows from each row on, ascending, NaN last, shape (n, K, baseline)."""
        width = self._rule.baseline
        count = len(near) - width + 1
        ordered = self._room_for(count, width).reshape(count, -1, width)
        ordered[...] = _spans(near, width).transpose(0, 2, 1)
        ordered.sort(axis=-1)
        return ordered

    def _room_for(self, count: int, rows: int) -> FloatArray:
        """Return an array of shape (count, rows, K) to work in, until the next is asked for."""
        return self._room[None, :rows] if count == 1 else np.empty((count, rows, len(self._sizes)))

    def _scatter(self, row: int, errors: FloatArray, deviation: FloatArray, is_whole: bool) -> float:
        """Return the pooled dispersion before a new row: half the trimmed mean squared change, in deviations."""
        if self._seen + row < self._rule.first_dispersion:
            return np.nan
        changes = np.subtract(errors[1:], errors[:-1], out=self._room)
        changes /= deviation
        squares = changes.ravel()
        squares *= squares
        if not is_whole and np.isnan(squares.sum()):
            squares = squares[np.isfinite(squares)]
        if not len(squares):
            return np.nan
        kept = max(1, len(squares) * self._rule.trimmed // 20)
        squares.partition(kept - 1)
        return float(squares[:kept].sum() / kept / 2)

    def _common_rise(self, errors: FloatArray, usual: FloatArray) -> FloatArray:
        """Return what the middle class rose at the new rows above what was usual 0, 1, … rows before; >= 0."""
        count, longest = len(errors) - self._rule.trail - 1, self._rule.longest
        rises = self._room_for(count, longest)
        for back in range(longest):
            np.subtract(errors[-count:], usual[longest - 1 - back : longest - 1 - back + count], out=rises[:, back])
        rises.sort(axis=-1)  # NaN last
        known: IntArray | int = rises.shape[-1]
        if np.isnan(rises[..., -1]).any():
            known = np.asarray(known - np.isnan(rises).sum(axis=-1))
        return np.fmax(_middle(rises, known), 0.0)

    def _rises(self, errors: FloatArray, starts: _Starts, common: FloatArray) -> list[Rises]:
        """Return the rises of each length that end at the new rows."""
        rule, lengths = self._rule, self._rule.lengths
        count, classes = len(errors) - rule.trail - 1, errors.shape[1]
        rise, score = np.empty((2, len(lengths), count, classes))
        above, ends = self._room_for(count, sum(lengths)), np.cumsum(lengths).tolist()
        parts = [above[:, end - length : end] for length, end in zip(lengths, ends, strict=True)]
        begun = [slice(rule.longest - length, rule.longest - length + count) for length in lengths]
        spans = [_spans(errors[rule.trail + 2 - length :], length) for length in lengths]
        for which, part in enumerate(parts):
            np.subtract(spans[which], starts.usual[begun[which], None], out=part)
            np.minimum.reduce(part, axis=1, out=rise[which])
        above -= common[self._places + np.arange(count)[:, None], self._steps_since][..., None]
        for which, part in enumerate(parts):
            np.minimum.reduce(part, axis=1, out=score[which])
        np.maximum(score, 0.0, out=score)
        for which, rows in enumerate(begun):
            score[which] /= starts.root[rows]

        is_high = self._is_high(rise)
        may_drop: BoolArray = np.any(is_high, axis=-1)
        for which in np.flatnonzero(may_drop.any(axis=-1)).tolist():  # which is rare
            rows = begun[which]
            is_high[which] &= rise[which] / starts.unit[rows] >= rule.units[which]
            is_high[which] &= spans[which].max(axis=1) > starts.largest[rows] + rule.above + rule.dust
            may_drop[which] = is_high[which].any(axis=-1)
        return [Rises(*each) for each in zip(lengths, rise, score, is_high, may_drop, strict=True)]

    def _is_high(self, rise: FloatArray) -> BoolArray:
        """Return which rises reach their floor, shape (lengths, n, K)."""
        rule = self._rule
        if self._seen + 1 - rule.longest >= max(rule.early, rule.first):
            is_high: BoolArray = rise >= self._floors[:, None, None] - rule.dust
            return is_high
        lengths = np.array(rule.lengths)[:, None]
        start = self._seen + 1 - lengths + np.arange(rise.shape[1])
        times = np.where((start < rule.early) & (lengths > 1), rule.early_times, 1.0)
        floors = times * self._floors[:, None] - rule.dust
        is_high = (start >= rule.first)[..., None] & (rise >= floors[..., None])
        return is_high


def _spans(rows: FloatArray, width: int) -> FloatArray:
    """Return the `width` rows from each row on, shape (n, width, K), as a view."""
    if len(rows) == width:
        return rows[None]
    view: FloatArray = sliding_window_view(rows, width, axis=0).transpose(0, 2, 1)
    return view


def _sum_of(rows: FloatArray, width: int, is_whole: bool) -> FloatArray:
    """Return the sums over `width` rows from each row on, NaN, of which there is none in what is whole, counting as 0.

    They are added row by row, so that they are rounded the same however many rows there are.
    """
    count = len(rows) - width + 1
    if not is_whole:
        rows = np.where(np.isnan(rows), 0.0, rows)
    if count == 1 and rows.shape[1] > 1:  # one column would be added in pairs
        return np.add.reduce(rows, axis=0, keepdims=True)
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


def _at(ordered: FloatArray, where: IntArray | int) -> FloatArray:
    """Return the values at positions along the last axis; the last where a position is below 0."""
    if isinstance(where, int):
        return ordered[..., where]
    first = int(where.flat[0])
    if (where == first).all():  # nearly always
        return ordered[..., first]
    found: FloatArray = np.take_along_axis(ordered, where[..., None], axis=-1)[..., 0]
    return found


def _middle(ordered: FloatArray, known: IntArray | int) -> FloatArray:
    """Return the medians of the first `known` values along the last axis, NaN where there is none."""
    middle: FloatArray = (_at(ordered, (known - 1) // 2) + _at(ordered, known // 2)) / 2
    return middle
