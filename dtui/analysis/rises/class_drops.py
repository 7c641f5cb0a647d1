"""Validations at which a class gets much worse than it does by itself in this run.

Owns the level that a rise must reach, what is left out of it after a drop, and how often a run has risen as high.
"""

from __future__ import annotations

import numpy as np

from dtui.analysis.rises.class_scores import RULE, ClassRule, ClassScores, Rises
from dtui.analysis.rises.last_rows import LastRows
from dtui.dataclass_on_use import dataclass
from dtui.model import BoolArray, FloatArray, IntArray

AT_ONCE = 64
"""Validations that are measured together: few enough for the cache of a processor, and for little memory."""
_RING = 64
"""Positions kept of what a level looks at; the oldest is 2 · 8 + 30 validations back."""


@dataclass(frozen=True, slots=True)
class Drop:
    """Some classes got much worse at one validation.

    It is final. The same validation has another one where further classes are seen to drop when more validations are
    known; each class is in one of them at most.

    Attributes:
        validation: Position of the validation where it began.
        late: Validations after that one until it was known, length - 1.
        classes: Labels, the highest score first.
        rises: Of each of these classes, by how much its error was above its usual one in all of the `length`
            validations, in share of the class, (0, 1].
        length: Validations that the rise held when it was known: 1, 2, 4 or 8; it may go on.
        score: Of the first class: its rise less what the middle class rose, over the square root of its own unit.
        level: What the score had to reach.
        usual: Share of the validations before at which the largest rise of that length over all classes was as high
            as that of the first class, in whole hundredths, [0, 1]: 0 where this run never did that before.
        concentration: Share of the rises of all classes that the first class carries, (0, 1].
    """

    validation: int
    late: int
    classes: tuple[int, ...]
    rises: tuple[float, ...]
    length: int
    score: float
    level: float
    usual: float
    concentration: float


class ClassDrops:
    """Finds the drops of a run while its validations come in.

    However the validations are cut into calls, the drops are the same: a drop is told when the last validation that it
    needs is there, and what is known later changes none. It looks at a rise of 8 validations before one of 4, as that
    began earlier, and what drops there is left out of the levels from then on.
    """

    def __init__(self, sizes: IntArray, alpha: float = RULE.alpha) -> None:
        """Begin before the first validation.

        Args:
            sizes: Images of each class, shape (C,); a class without images never drops.
            alpha: The false-alarm setting, in (0, 1); smaller finds fewer.

        Raises:
            ValueError: A size below 0, another shape, or an alpha out of range.
        """
        sizes = np.asarray(sizes)
        if sizes.ndim != 1 or sizes.min(initial=0) < 0:
            raise ValueError(f"class sizes of shape {sizes.shape}; use one number of images >= 0 for each class")
        if not 0 < alpha < 1:
            raise ValueError(f"alpha {alpha}; use a number between 0 and 1")
        self._classes, self._labels = len(sizes), np.flatnonzero(sizes > 0)
        self._scores = ClassScores(sizes[self._labels])
        self._levels = [_Levels(RULE, which, alpha, len(self._labels)) for which in range(len(RULE.lengths))]
        self._seen = 0
        self._told: dict[int, BoolArray] = {}
        self._held: dict[int, BoolArray] = {}
        self._left_out: set[int] = set()

    def add(self, errors: FloatArray) -> list[Drop]:
        """Return the drops that are known with the next validations, in the order in which they became known.

        Args:
            errors: Share of the judged images of each class that are wrong, shape (C, n); NaN where none was judged.
                A rise over a validation where a class was not judged is no rise.

        Raises:
            ValueError: Another number of classes.
        """
        errors = np.asarray(errors, dtype=np.float64)
        if errors.ndim != 2 or len(errors) != self._classes:
            raise ValueError(f"class errors of shape {errors.shape}; use ({self._classes}, validations)")
        drops: list[Drop] = []
        if len(self._labels):
            rows = (errors if len(self._labels) == self._classes else errors[self._labels]).T
            is_judged = np.isfinite(rows)
            rows = np.ascontiguousarray(rows if is_judged.all() else np.where(is_judged, rows, np.nan))
            for first in range(0, len(rows), AT_ONCE):
                drops += self._judge(rows[first : first + AT_ONCE])
        return drops

    def _judge(self, rows: FloatArray) -> list[Drop]:
        """Return the drops that are known with some validations, shape (n, K)."""
        for levels, rises in zip(self._levels, self._scores.add(rows), strict=True):
            levels.take(rises)
        drops = []
        for row in range(len(rows)):
            now = self._seen
            for levels in self._levels:
                levels.move_to(now, row, self._held, self._left_out)
            for levels in reversed(self._levels):
                begun = now - levels.length + 1
                if levels.rises.may_drop[row] and (found := levels.drops(row, self._told.get(begun))) is not None:
                    drops.append(self._drop(levels, row, begun, found))
            self._forget(now - RULE.longest)
            self._seen += 1
        for levels in self._levels:
            levels.let_go()
        return drops

    def _drop(self, levels: _Levels, row: int, begun: int, found: IntArray) -> Drop:
        """Return a drop of some classes, and leave them out of what is history from now on."""
        rise, score = levels.rises.rise[row], levels.rises.score[row]
        worst = float(rise[found[0]])
        drop = Drop(
            validation=begun,
            late=levels.length - 1,
            classes=tuple(self._labels[found].tolist()),
            rises=tuple(rise[found].tolist()),
            length=levels.length,
            score=float(score[found[0]]),
            level=levels.level,
            usual=levels.how_usual(worst),
            concentration=worst / float(np.fmax(rise, 0.0)[np.isfinite(rise)].sum()),
        )
        hold = range(begun, begun + RULE.hold)
        for at, where in ((begun, self._told), *((at, self._held) for at in hold)):
            where.setdefault(at, np.zeros(len(self._labels), dtype=np.bool_))[found] = True
        if np.count_nonzero(self._told[begun]) > RULE.wide * len(self._labels):
            self._left_out.update(hold)
        for each in self._levels:
            each.leave_out(hold, row, self._held, self._left_out)
        return drop

    def _forget(self, before: int) -> None:
        for kept in (self._told, self._held):
            for at in [at for at in kept if at < before]:
                del kept[at]
        self._left_out = {at for at in self._left_out if at >= before}


class _Levels:
    """The level of one length, from the largest scores of this run so far.

    Attributes:
        length: The length.
        rises: Those that end at the validations at hand.
        level: What a score had to reach when that was last asked.
    """

    def __init__(self, rule: ClassRule, which: int, alpha: float, classes: int) -> None:
        self.length, self.level = rule.lengths[which], np.nan
        self.rises: Rises
        self._rule, self._alpha = rule, alpha * rule.shares[which]
        self._last = LastRows(rule.longest - self.length, classes)
        self._scores: FloatArray
        self._largest, self._highest = np.full(_RING, np.nan), np.full(_RING, np.nan)
        self._often = np.zeros(101, dtype=np.int64)
        self._newest = -self.length

    def take(self, rises: Rises) -> None:
        """Go on to the next validations; `move_to` then goes through them."""
        self.rises = rises
        self._scores = self._last.extend(rises.score)

    def let_go(self) -> None:
        """Keep of the validations at hand only what later ones need."""
        del self.rises, self._scores

    def move_to(self, now: int, row: int, held: dict[int, BoolArray], left_out: set[int]) -> None:
        """Take in the rises that end at validation `now`, of that row."""
        self._newest = now - self.length + 1
        self._largest[self._newest % _RING] = self._best(self._newest, row, held, left_out)
        self._highest[self._newest % _RING] = np.fmax.reduce(self.rises.rise[row])
        before = self._highest[(self._newest - self.length) % _RING]  # the last that is complete before `_newest`
        if not np.isnan(before):
            self._often[_hundredths(before)] += 1

    def drops(self, row: int, told: BoolArray | None) -> IntArray | None:
        """Return the classes that drop where the newest rises begin, the highest score first; None for none."""
        rule, newest = self._rule, self._newest
        stop = newest - self.length + 1
        history = self._largest[np.arange(stop - rule.history, stop) % _RING]
        history = np.sort(history[~np.isnan(history)])
        if len(history) < rule.fewest:
            return None
        median = float(np.median(history))
        quantile = float(history[round(rule.quantile * (len(history) - 1))])
        chance = -np.log(-np.log1p(-self._alpha)) - rule.middle
        self.level = float(median + max((quantile - median) / rule.gumbel, rule.narrowest) * chance)
        score = self.rises.score[row]
        is_drop = self.rises.is_high[row] & (score >= self.level)
        if told is not None:
            is_drop &= ~told
        found = np.flatnonzero(is_drop)
        return found[np.argsort(-score[found], kind="stable")] if len(found) else None

    def leave_out(self, hold: range, row: int, held: dict[int, BoolArray], left_out: set[int]) -> None:
        """Compute again what is history, after some classes at some validations are none any more."""
        for start in range(max(0, hold.start - self.length + 1), min(hold.stop, self._newest + 1)):
            if start >= hold.start or self._is_left_out(start, left_out):
                self._largest[start % _RING] = self._best(start, row, held, left_out)

    def how_usual(self, rise: float) -> float:
        """Return the share of the starts complete before the newest at which a class rose as high."""
        return float(self._often[_hundredths(rise) :].sum() / max(1, self._often.sum()))

    def _is_left_out(self, start: int, left_out: set[int]) -> bool:
        return not left_out.isdisjoint(range(start, start + self.length))

    def _best(self, start: int, row: int, held: dict[int, BoolArray], left_out: set[int]) -> float:
        """Return the largest score of the rises from `start` on that are history, NaN where none is."""
        if left_out and self._is_left_out(start, left_out):
            return np.nan
        scores = self._scores[self._rule.longest - self.length + row - (self._newest - start)]
        if (is_held := held.get(start)) is not None:
            scores = scores[~is_held]
        return float(np.fmax.reduce(scores)) if len(scores) else np.nan


def _hundredths(rise: float) -> int:
    return max(0, min(100, int(100 * (rise + RULE.dust))))
