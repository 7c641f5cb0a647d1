"""What fires on invented watches: jumps, and nothing else."""

from __future__ import annotations

import math
import statistics
from dataclasses import replace

import numpy as np
import pytest

from dtui.model import Layer
from dtui.model.records import MOST_TRIGGER_FILTERS
from dtui.record.flight.norm_meter import Norm
from dtui.record.flight.triggers import CLIP, LIMITS, MEMORY, SOFTENING, WARM_UP, History, Judge, _middle

LAYERS = (
    Layer(0, "conv", "Conv2d", (8, 1, 3, 3), 0),
    Layer(1, "fc", "Linear", (8, 9), 8),
    Layer(2, "out", "Linear", (3, 8), 16),
)
FILTERS = 19


class Training:
    """Invented watches: every filter has a size of its own, and all of them noise."""

    def __init__(self, rest: int = 20) -> None:
        self.random = np.random.default_rng(0)
        self.sizes = np.exp(self.random.normal(0, 1, FILTERS))
        self.judge = Judge(LAYERS, rest)
        self.iteration = 0

    def watch(self, loss: float = 1.0, gradient: float = 1.0, update: float = 1.0, **changed: float) -> list[str]:
        """Judge one more watch; `changed` are factors of single filters, such as f3=50."""
        noise = np.exp(self.random.normal(0, 0.2, (3, FILTERS)))
        norms = (self.sizes * noise).astype(np.float32)
        norms[Norm.GRADIENT] *= gradient
        norms[Norm.UPDATE] *= update
        for name, factor in changed.items():
            norms[Norm.UPDATE, int(name[1:])] *= factor
        found = self.judge.judge(self.iteration, norms, None, loss * math.exp(self.random.normal(0, 0.3)))
        self.iteration += 1
        self.last = found
        return [trigger.kind for trigger in found]

    def run(self, watches: int, **values: float) -> list[str]:
        return [kind for _ in range(watches) for kind in self.watch(**values)]


@pytest.fixture
def training() -> Training:
    made = Training()
    assert made.run(2 * WARM_UP) == []
    return made


def test_a_quiet_training_fires_nothing(training: Training) -> None:
    assert training.run(1000) == []


def test_a_falling_learning_rate_fires_nothing(training: Training) -> None:
    for factor in (0.1, 0.01):
        assert training.run(200, update=factor, loss=0.7, gradient=1.5) == []


def test_one_filter_fires_with_its_name(training: Training) -> None:
    assert training.watch(f11=5000.0) == ["filter"] or "filter" in [trigger.kind for trigger in training.last]
    trigger = next(trigger for trigger in training.last if trigger.kind == "filter")
    assert (trigger.layer, trigger.filters, trigger.iteration) == ("fc", (3,), 2 * WARM_UP)
    assert trigger.score > LIMITS["filter"].score
    assert 500 < trigger.times < 50_000


def test_a_rate_that_multiplies_all_updates_is_one_event_of_the_network(training: Training) -> None:
    assert training.watch(update=50.0) == ["update"]
    assert (training.last[0].layer, training.last[0].filters) == ("", ())


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_a_jump_that_lasts_some_watches_fires_once(training: Training, kind: str) -> None:
    assert training.run(10, **{kind: 30.0}) == [kind]


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_a_large_jump_is_dated_to_its_very_iteration(kind: str) -> None:
    training = Training()
    training.run(2 * WARM_UP)
    assert training.watch(**{kind: {"loss": 5000.0, "gradient": 8.0}[kind]}) == [kind]
    assert training.run(10) == []


def test_what_lasts_fires_once_and_what_comes_again_after_a_rest_fires_again(training: Training) -> None:
    assert training.run(200, update=50.0) == ["update"]
    training.run(10 * MEMORY)
    assert training.watch(update=50.0) == ["update"]


def test_nothing_but_nonfinite_values_fires_before_the_warm_up() -> None:
    training = Training()
    training.run(WARM_UP // 2)
    assert training.watch(loss=100.0, gradient=100.0, update=100.0, f3=1e6) == []
    counts = np.zeros((3, FILTERS), np.float32)
    counts[Norm.GRADIENT, [9, 17]] = 4, 2
    counts[Norm.UPDATE, 9] = 1  # what is counted is weights and gradients
    (trigger,) = training.judge.judge(7, np.ones((3, FILTERS), np.float32), counts, 1.0)
    assert (trigger.kind, trigger.layer, trigger.filters, trigger.score) == ("nonfinite", "fc", (1,), 6.0)
    (trigger,) = Judge(LAYERS, 5).judge(0, np.ones((3, FILTERS), np.float32), None, math.inf)
    assert (trigger.kind, trigger.layer, trigger.filters) == ("nonfinite", "", ())


def test_what_has_no_value_fires_nothing(training: Training) -> None:
    nothing = np.full((3, FILTERS), np.nan, np.float32)
    assert training.judge.judge(1, nothing, None, math.nan) == []
    assert training.judge.judge(2, np.zeros((3, FILTERS), np.float32), None, -1.0) == []
    assert training.run(100) == []


def test_the_history_equals_the_twin() -> None:
    random = np.random.default_rng(3)
    values = random.normal(0, 1, (300, 2))
    values[120, 0], values[130:140, 1] = 500.0, np.nan
    history = History(2)
    means, deviations, counts = [0.0, 0.0], [0.0, 0.0], [0, 0]
    for row in values:
        score, above = history.judge(row)
        for series, value in enumerate(row):
            spread = 1.2533 * deviations[series] + SOFTENING
            wanted = (value - means[series]) / spread if counts[series] >= WARM_UP else math.nan
            assert score[series] == pytest.approx(wanted, nan_ok=True)
            assert above[series] == pytest.approx(wanted * spread, nan_ok=True)
            if math.isnan(value):
                continue
            counts[series] += 1
            away = value - means[series]
            if counts[series] > MEMORY:
                away = statistics.median(
                    [away, -CLIP * (deviations[series] + SOFTENING), CLIP * (deviations[series] + SOFTENING)]
                )
            rate = 1 / min(counts[series], MEMORY)
            means[series] += rate * away
            deviations[series] += rate * (abs(away) - deviations[series])


def test_of_many_filters_the_first_are_named() -> None:
    layers = (replace(LAYERS[0], shape=(MOST_TRIGGER_FILTERS + 6, *LAYERS[0].shape[1:])),)
    counts = np.ones((3, MOST_TRIGGER_FILTERS + 6), np.float32)
    (trigger,) = Judge(layers, 5).judge(0, counts, counts, 1.0)
    assert trigger.filters == tuple(range(MOST_TRIGGER_FILTERS))


@pytest.mark.parametrize(("quiet", "fires"), [(4, False), (5, True)])
def test_a_kind_fires_again_after_its_rest_and_not_before(quiet: int, fires: bool) -> None:
    judge, sound = Judge(LAYERS, 5), np.ones((3, FILTERS), np.float32)
    assert judge.judge(0, sound, None, math.inf)
    for iteration in range(quiet):
        assert judge.judge(iteration + 1, sound, None, 1.0) == []
    assert bool(judge.judge(9, sound, None, math.inf)) is fires


def test_the_middle_of_an_even_number_is_the_lower_one() -> None:
    values = np.array([[1.0, 4.0, 3.0, 2.0], [1.0, np.nan, 3.0, 2.0]])
    assert _middle(values).tolist() == [[2.0], [2.0]]
