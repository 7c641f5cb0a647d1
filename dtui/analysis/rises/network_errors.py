"""Validations at which the whole network gets much worse than it does by itself in this run.

Owns the constants of the network-error rule, and which mean of class errors it looks at.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from dtui.dataclass_on_use import dataclass
from dtui.model import FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class NetworkRule:
    """The constants of the network-error rule.

    Frozen before they were judged on real trainings with 10 classes (FINDINGS, the design of the findings, §2), but for
    `images` and `smallest`. The mean over many images scatters less: its binomial deviation falls with their root. At
    6,000 images it is 0.004, and a rise of 0.05 is 13 of them, where at 1,000 it is 5. So what stands for that scatter,
    the least rise and the least deviation, shrinks with the root of the images judged. What stands for a training that
    is uneasy by itself does not: that is no matter of images, and measured on the run (`often`, `beyond`).

    Attributes:
        beyond: Least rise, in deviations of the mean error.
        least_deviation: Added to the deviation, so that a very even run is not called uneasy.
        least_rise: In share of the images.
        often: Least rise, in what this run has risen twice in the `memory` validations before.
        often_most: That counts for at most so much, so that two faults do not hide a third.
        held: Share of the rise that must be left at the next validation.
        at_once: A rise as high need not hold; not from scatter, so that it does not shrink.
        baseline: Validations before whose median is the usual error.
        fewest: Of those that must be known.
        trail: Validations before that give the deviation.
        recent: Latest validations whose median is the usual error too, against the steps from one to the next.
        fewest_recent: Of those that must be known.
        memory: See `often`; the last one before the rise is left out, for a fault may begin there.
        first: First validation at which a rise can begin.
        images: Images that the least rise and deviation were set for: 10 classes of 100.
        smallest: The least rise shrinks no further: trainings that nothing is wrong with move by a hundredth or two.
        dust: Shares that differ by less are equal: runs hold them in single precision.
    """

    beyond: float = 5.0
    least_deviation: float = 0.006
    least_rise: float = 0.05
    often: float = 1.25
    often_most: float = 0.12
    held: float = 0.5
    at_once: float = 0.25
    baseline: int = 10
    fewest: int = 5
    trail: int = 20
    recent: int = 5
    fewest_recent: int = 3
    memory: int = 30
    first: int = 15
    images: int = 1000
    smallest: float = 0.02
    dust: float = 1e-6

    def scale(self, images: int) -> float:
        """Return what the least rise and deviation are multiplied by for a number of images, (0, 1]."""
        return max(min(1.0, math.sqrt(self.images / images)), self.smallest / self.least_rise)


RULE = NetworkRule()


@dataclass(frozen=True, slots=True)
class NetworkRise:
    """The mean error of the network got much larger at one validation. It is final.

    Attributes:
        validation: Position of the validation where it began.
        late: Validations after that one until it was known: 0 where it is so large that it need not hold, else those
            to the next one that was judged, mostly 1.
        before: Usual mean error before it, a share of the images.
        rise: By how much the mean error was above that.
        score: The rise in deviations of the mean error.
        level: What the rise had to reach.
    """

    validation: int
    late: int
    before: float
    rise: float
    score: float
    level: float


class NetworkErrors:
    """Finds the rises of a run while its validations come in; the same however they are cut into calls."""

    def __init__(self, images: int = RULE.images) -> None:
        """Begin before the first validation.

        Args:
            images: Judged at a validation, >= 1; with up to 1,000 the rule is that of 10 classes.

        Raises:
            ValueError: There is no image.
        """
        if images < 1:
            raise ValueError(f"network error: {images} images; there must be at least 1")
        scale = RULE.scale(images)
        self._least_rise, self._least_deviation = RULE.least_rise * scale, RULE.least_deviation * scale
        self._seen = 0
        self._errors: deque[float] = deque(maxlen=RULE.baseline)
        self._trail: deque[float] = deque(maxlen=RULE.trail)
        self._rises: deque[float] = deque(maxlen=RULE.memory)
        self._waiting: NetworkRise | None = None

    def add(self, mean_errors: FloatArray) -> list[NetworkRise]:
        """Return the rises that are known with the next validations, in the order in which they became known.

        Args:
            mean_errors: As `mean_error` returns them, shape (n,); NaN where the network was not judged.

        Raises:
            ValueError: Another shape.
        """
        errors = np.asarray(mean_errors, dtype=np.float64)
        if errors.ndim != 1:
            raise ValueError(f"mean errors of shape {errors.shape}; use (validations,)")
        return [rise for error in errors.tolist() for rise in self._look(error)]

    def _look(self, error: float) -> list[NetworkRise]:
        """Return what is known with one more validation."""
        found, now, waiting = [], self._seen, self._waiting
        self._seen += 1
        if not math.isfinite(error):
            error = np.nan
        elif waiting is not None:
            self._waiting = None
            if error - waiting.before >= RULE.held * waiting.rise - RULE.dust:
                found.append(_known_at(waiting, now))
        before = _median(self._errors, RULE.fewest)
        rise = error - before
        risen = (self._risen(now, error) or self._risen_lately(now, error)) if now >= RULE.first else None
        if risen is not None:
            if risen.rise >= RULE.at_once - RULE.dust:
                found.append(risen)
            else:
                self._waiting = risen
        self._errors.append(error)
        self._trail.append(error)
        self._rises.append(rise)
        return found

    def _risen(self, now: int, error: float) -> NetworkRise | None:
        """Return the rise above the median of ten validations if it is high enough, whether or not it must hold."""
        rises = list(self._rises)
        scatter = _median(map(abs, rises[-RULE.trail :]), 1)
        return self._judge(now, error, _median(self._errors, RULE.fewest), scatter)

    def _risen_lately(self, now: int, error: float) -> NetworkRise | None:
        """Return the rise above the last validations, against the scatter from one to the next.

        Where a training still learns, the median of ten validations is far above the last ones, and so are the rises
        that would give the deviation.
        """
        errors = list(self._trail)
        steps = [abs(later - sooner) for sooner, later in pairwise(errors)]
        scatter = _median(steps, RULE.fewest) / np.sqrt(2)
        return self._judge(now, error, _median(errors[-RULE.recent :], RULE.fewest_recent), float(scatter))

    def _judge(self, now: int, error: float, before: float, scatter: float) -> NetworkRise | None:
        known = sorted(each for each in list(self._rises)[:-1] if not math.isnan(each))
        often = known[-2] if len(known) > 1 else RULE.often_most
        level = max(self._least_rise, RULE.often * min(often, RULE.often_most))
        rise, deviation = error - before, 1.4826 * scatter + self._least_deviation
        if not (rise >= level - RULE.dust and rise > RULE.beyond * deviation):
            return None
        return NetworkRise(now, 0, before, rise, rise / deviation, max(level, RULE.beyond * deviation))


def mean_error(errors: FloatArray, sizes: IntArray) -> FloatArray:
    """Return the mean over the classes with images of their errors, shape (n,).

    Args:
        errors: Share of the judged images of each class that are wrong, shape (C, n); NaN where none was judged.
        sizes: Images of each class, shape (C,).

    Returns:
        NaN where the error of a class with images is not known: the mean of the others is another number, and it
        would jump. NaN throughout where no class has images.
    """
    present = np.asarray(errors, dtype=np.float64)[np.asarray(sizes) > 0]
    if not len(present):
        return np.full(np.shape(errors)[1], np.nan)
    result: FloatArray = present.mean(axis=0)
    return result


def _known_at(rise: NetworkRise, now: int) -> NetworkRise:
    return NetworkRise(rise.validation, now - rise.validation, rise.before, rise.rise, rise.score, rise.level)


def _median(values: Iterable[float], fewest: int) -> float:
    """Return the median of the values that are no NaN, NaN where there are fewer than `fewest`."""
    known = sorted(value for value in values if not math.isnan(value))
    return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2 if len(known) >= max(1, fewest) else np.nan
