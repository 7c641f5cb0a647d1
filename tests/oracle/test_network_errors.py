from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.analysis.rises.network_errors import NetworkErrors
from tests.oracle.network_errors import network_rises


def training(seed: int, validations: int, images: int, gaps: float = 0.0) -> np.ndarray:
    """Mean error of a network that learns and moves, with rises of all sizes."""
    random = np.random.default_rng(seed)
    chance = 0.1 + 0.4 * np.exp(-np.arange(validations) / 6) + random.normal(0, 0.004, validations).cumsum() / 8
    for _ in range(int(random.integers(0, 8))):
        at, held = random.integers(validations + 1), random.integers(1, 6)
        chance[at : at + held] += random.choice([0.02, 0.04, 0.07, 0.1, 0.2, 0.4])
    errors = random.binomial(images, np.clip(chance, 0, 1)) / images
    errors[random.random(validations) < gaps] = np.nan
    return errors


runs = {
    "seed": st.integers(0, 10_000),
    "validations": st.integers(0, 160),
    "images": st.sampled_from([100, 1000, 3000, 20_000]),
    "gaps": st.sampled_from([0.0, 0.02, 0.2]),
}


@settings(max_examples=150, deadline=None)
@given(**runs)
def test_rises_are_those_of_the_rule(seed, validations, images, gaps):
    errors = training(seed, validations, images, gaps)
    found = NetworkErrors(images).add(errors)
    assert [(rise.validation, rise.late, rise.rise) for rise in found] == network_rises(errors.tolist(), images)


def test_the_trainings_of_these_tests_have_rises_of_both_kinds():
    late = [rise.late for seed in range(40) for rise in NetworkErrors().add(training(seed, 160, 1000, 0.02))]
    assert {0, 1} <= set(late)
    assert len(late) > 20


@settings(max_examples=60, deadline=None)
@given(**runs, cut=st.floats(0, 1))
def test_however_the_validations_are_cut_the_rises_are_the_same(seed, validations, images, gaps, cut):
    errors = training(seed, validations, images, gaps)
    whole = NetworkErrors(images).add(errors)
    at = int(cut * validations)
    finder = NetworkErrors(images)
    first = finder.add(errors[:at])
    assert first + finder.add(errors[at:]) == whole
    assert first == [rise for rise in whole if rise.validation + rise.late < at]
