"""Compares each watch with the history of the run, and fires if a value is far above its usual size.

Owns the rules for triggers. They use past watches only, compute in float64, and run on the writer's thread.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from dtui.model import BoolArray, FloatArray, Layer, Trigger
from dtui.model.records import MOST_TRIGGER_FILTERS
from dtui.record.flight.norm_meter import Norm

_Float64 = NDArray[np.float64]

WARM_UP = 100
"""Watches before anything but a non-finite value may fire: the first updates are unlike all later ones."""
MEMORY = 50
"""Watches over which the history forgets: longer than momentum remembers, shorter than a stage of a schedule."""
RECENT = 4
"""Watches over whose mean the loss and the gradient are judged: those of one batch are too noisy alone."""
SOFTENING = 0.05
"""Added to every deviation, in powers of e: what hardly ever changes must change by this much to count at all."""
CLIP = 5.0
"""Deviations to which a value is clipped before it enters the history: a jump is not the usual at once."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The limits above which a series fires: robust z above `score`, and the value above `times` its usual size."""

    score: float
    times: float


LIMITS = {
    "loss": Limit(4.0, 3.0),
    "gradient": Limit(4.0, 3.0),
    "loss at once": Limit(8.0, 6.0),
    "gradient at once": Limit(8.0, 6.0),
    "update": Limit(8.0, 4.0),
    "filter": Limit(20.0, 4.0),
}
"""Chosen after seeing nine trainings of the demo's network. In five healthy ones (12,000 watches) the largest z were
3.1, 3.2, 5.4 and 10.3. A bit flip reached 66 to 80 as a filter, a twentyfold learning rate 11 to 20 as an update,
poisoned labels 3.7 to 12 as a loss. `times` keeps what is significant and small from firing.
"""


class History:
    """Exponentially weighted mean and mean absolute deviation of some series."""

    def __init__(self, series: int) -> None:
        """Begin without a history.

        Args:
            series: Number of series.
        """
        self._mean = np.zeros(series)
        self._deviation = np.zeros(series)
        self._count = np.zeros(series)

    def judge(self, values: _Float64) -> tuple[_Float64, _Float64]:
        """Return how far values are above the history; then add them to it.

        Args:
            values: Shape (series,), NaN where there is no value.

        Returns:
            Robust z and the difference to the mean, each shape (series,); NaN without a value or before the warm-up.
        """
        above = np.where(self._count >= WARM_UP, values - self._mean, np.nan)
        score: _Float64 = above / (1.2533 * self._deviation + SOFTENING)
        self._add(values)
        return score, above

    def _add(self, values: _Float64) -> None:
        known = ~np.isnan(values)
        self._count += known
        rate = 1 / np.clip(self._count, 1, MEMORY)
        away = np.where(known, values - self._mean, 0.0)
        most = np.where(self._count > MEMORY, CLIP * (self._deviation + SOFTENING), np.inf)
        away = np.clip(away, -most, most)
        self._mean += rate * away
        self._deviation += np.where(known, rate * (np.abs(away) - self._deviation), 0.0)


class Judge:
    """Judges watch after watch of one network."""

    def __init__(self, layers: Sequence[Layer], rest: int) -> None:
        """Begin without a history.

        Args:
            layers: Layers of the network.
            rest: Number of watches without a hit before a kind may fire again, so that lasting trouble fires once.
        """
        self._layers = layers
        self._rest = rest
        self._quiet: dict[str, int] = {}
        self._histories = {kind: History(1) for kind in LIMITS if kind != "filter"}
        self._recent: dict[str, deque[float]] = {kind: deque(maxlen=RECENT) for kind in ("loss", "gradient")}
        sizes = [layer.filters for layer in layers]
        self._filters = History(sum(sizes))
        self.totals: tuple[float, float] = (0.0, 0.0)
        """Norms of all gradients and of all updates of the watch that was judged last, 0 where there is none."""
        self._layer_of = np.repeat(np.arange(len(sizes)), sizes)
        firsts: dict[int, list[int]] = {}
        for layer in layers:
            firsts.setdefault(layer.filters, []).append(layer.first_filter)
        self._tables = [np.array(first)[:, None] + np.arange(size) for size, first in firsts.items()]

    def judge(
        self,
        iteration: int,
        norms: FloatArray,
        nonfinite: FloatArray | None,
        loss: float,
        first_of: Callable[[Sequence[str]], str] = itemgetter(0),
    ) -> list[Trigger]:
        """Return the triggers at a watch, and add the watch to the history, unless it is broken.

        Args:
            iteration: Iteration of the watch.
            norms: Rows as in Norm, shape (3, F), over the finite elements; NaN where there is none.
            nonfinite: Elements that are NaN or Inf, same shape; None if there are none.
            loss: The logged loss, NaN if none was logged; infinite if it is infinite or was logged as NaN.
            first_of: Returns which of the layers that hold NaN or Inf, at least one, is named.
        """
        self.totals = (0.0, 0.0)
        if nonfinite is not None or math.isinf(loss):
            return self._rested([self._judge_nonfinite(iteration, nonfinite, first_of)])
        with np.errstate(all="ignore"):
            totals = np.sqrt(np.nansum(norms.astype(np.float64) ** 2, axis=1))
            self.totals = (float(totals[Norm.GRADIENT]), float(totals[Norm.UPDATE]))
            found = [
                self._judge_total(iteration, "loss", loss),
                self._judge_total(iteration, "gradient", float(totals[Norm.GRADIENT])),
                self._judge_total(iteration, "update", float(totals[Norm.UPDATE])),
                self._judge_filters(iteration, norms[Norm.UPDATE]),
            ]
        return self._rested([trigger for trigger in found if trigger is not None])

    def _rested(self, found: list[Trigger]) -> list[Trigger]:
        """Return the triggers whose kind did not fire for long enough."""
        kinds = {trigger.kind for trigger in found}
        fresh = [trigger for trigger in found if self._quiet.get(trigger.kind, self._rest) >= self._rest]
        self._quiet = {kind: quiet + 1 for kind, quiet in self._quiet.items()} | dict.fromkeys(kinds, 0)
        return fresh

    def _judge_nonfinite(
        self, iteration: int, nonfinite: FloatArray | None, first_of: Callable[[Sequence[str]], str]
    ) -> Trigger:
        if nonfinite is None:
            return Trigger(iteration, "nonfinite", "", (), 0.0, math.nan)
        counts = nonfinite.sum(axis=0)
        broken = {self._layers[layer].name: layer for layer in np.unique(self._layer_of[counts > 0]).tolist()}
        layer = broken[first_of(list(broken))]
        return self._named(iteration, "nonfinite", layer, counts > 0, float(nonfinite[1:].sum()), math.nan)

    def _judge_total(self, iteration: int, kind: str, value: float) -> Trigger | None:
        """Judge a number of the whole network by its logarithm; numbers up to zero are not judged."""
        logarithm = math.log(value) if value > 0 else math.nan
        series = {kind: logarithm}
        recent = self._recent.get(kind)
        if recent is not None and not math.isnan(logarithm):
            recent.append(logarithm)
            # One batch alone dates a large jump to its very iteration, which the mean of four does not.
            series = {f"{kind} at once": logarithm, kind: sum(recent) / len(recent)}
        found = [(name, *self._histories[name].judge(np.array([value]))) for name, value in series.items()]
        for name, score, above in found:
            if _fires(name, float(score[0]), float(above[0])):
                return Trigger(iteration, kind, "", (), float(score[0]), math.exp(float(above[0])))
        return None

    def _judge_filters(self, iteration: int, updates: FloatArray) -> Trigger | None:
        """Judge how much more each filter changed than the median filter of its layer."""
        logarithms = np.log(np.where(updates > 0, updates, np.nan).astype(np.float64))
        for table in self._tables:
            values = logarithms[table]
            logarithms[table] = values - np.nan_to_num(_middle(values))
        score, above = self._filters.judge(logarithms)
        limit = LIMITS["filter"]
        fires = (score > limit.score) & (above > math.log(limit.times))
        if not fires.any():
            return None
        worst = int(np.where(fires, score, -np.inf).argmax())
        times = math.exp(min(float(above[worst]), 700.0))
        return self._named(iteration, "filter", int(self._layer_of[worst]), fires, float(score[worst]), times)

    def _named(self, iteration: int, kind: str, layer: int, which: BoolArray, score: float, times: float) -> Trigger:
        """Return a trigger that names a layer and the affected filters."""
        filters = np.flatnonzero(which[self._layers[layer].filter_rows])[:MOST_TRIGGER_FILTERS]
        return Trigger(iteration, kind, self._layers[layer].name, tuple(filters.tolist()), score, times)


def _fires(kind: str, score: float, above: float) -> bool:
    limit = LIMITS[kind]
    return score > limit.score and above > math.log(limit.times)


def _middle(values: _Float64) -> _Float64:
    """Return the lower median of each row, shape (rows, 1); NaN sorts last, so the result is NaN if half are NaN."""
    half = (values.shape[1] - 1) // 2
    middle: _Float64 = np.partition(values, half, axis=1)[:, half : half + 1]
    return middle
