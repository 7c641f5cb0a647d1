from __future__ import annotations

from dataclasses import asdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dtui.analysis.rises.class_drops import ClassDrops
from tests.oracle.class_drops import ClassRuleTwin


def training(classes: int, validations: int, seed: int, gaps: float = 0.0):
    """Error of classes that are learned and scatter, some of which drop for a while; sizes of the classes."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 60, classes)
    sizes[random.random(classes) < 0.1] = 0
    chance = 0.05 + 0.5 * np.exp(-np.arange(validations) / 8) + 0.1 * random.random((classes, 1))
    for _ in range(int(random.integers(0, 5))):
        label, at, held = random.integers(classes), random.integers(validations), random.integers(1, 12)
        chance[label, at : at + held] += random.uniform(0.2, 1.0)
    if seed % 3 == 0:
        chance[:, validations // 2 : validations // 2 + 3] += 0.3
    errors = random.binomial(np.maximum(sizes, 1)[:, None], np.clip(chance, 0, 1)) / np.maximum(sizes, 1)[:, None]
    errors[sizes == 0] = np.nan
    errors[random.random(errors.shape) < gaps] = np.nan
    return errors, sizes


def borderline(seed: int):
    """Classes with rises of every length that are about as high as they must be to count."""
    random = np.random.default_rng(seed)
    classes, validations = int(random.choice([4, 9, 16])), 100
    size = int(random.choice([12, 60, 500]))
    usual, is_even = random.choice([0.0, 0.1]), random.random() < 0.5
    errors = np.where(is_even, usual, random.binomial(size, usual, (classes, validations)) / size)
    for at in range(16 + seed % 7, validations - 8, 9):
        held = int(random.choice([1, 2, 4, 8]))
        least = {1: 0.7, 2: 0.25, 4: 0.17, 8: 0.12}[held] * (1.5 if at < 30 and held > 1 else 1.0)
        errors[random.integers(classes), at : at + held] = usual + least * random.uniform(0.9, 1.5)
    return np.minimum(errors, 1.0), np.full(classes, size)


def in_pieces(errors, sizes, cuts, alpha=0.01):
    finder, found, known = ClassDrops(sizes, alpha), [], []
    edges = [0, *sorted(cuts), errors.shape[1]]
    for first, stop in pairwise(edges):
        told = finder.add(errors[:, first:stop])
        found += told
        known += [stop] * len(told)
    return found, known


@settings(max_examples=40, deadline=None)
@given(
    classes=st.integers(1, 6),
    validations=st.integers(1, 70),
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.0, 0.02, 0.2]),
    alpha=st.sampled_from([0.001, 0.01, 0.2]),
)
def test_drops_are_those_of_the_rule(classes, validations, seed, gaps, alpha):
    assert_same_as_twin(*training(classes, validations, seed, gaps), alpha)


def assert_same_as_twin(errors, sizes, *alpha):
    """Both have their own usual alpha."""
    found = ClassDrops(sizes, *alpha).add(errors)
    twin = ClassRuleTwin(errors, sizes.tolist(), *alpha).drops
    assert [(drop.validation, drop.length, drop.classes) for drop in found] == [
        (drop["validation"], drop["length"], drop["classes"]) for drop in twin
    ]
    for ours, theirs in zip(found, twin, strict=True):
        assert asdict(ours) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("seed", range(16))
def test_drops_that_are_only_just_so_are_those_of_the_rule(seed):
    assert_same_as_twin(*borderline(seed))


def test_the_trainings_of_these_tests_have_drops_of_every_length():
    lengths = set()
    for errors, sizes in map(borderline, range(16)):
        for drop in ClassDrops(sizes).add(errors):
            lengths.add(drop.length)
    assert lengths == {1, 2, 4, 8}


@settings(max_examples=15, deadline=None)
@given(
    classes=st.integers(1, 40),
    validations=st.integers(1, 120),
    seed=st.integers(0, 10_000),
    gaps=st.sampled_from([0.0, 0.02]),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
def test_however_the_validations_are_cut_the_drops_are_the_same(classes, validations, seed, gaps, cuts):
    errors, sizes = training(classes, validations, seed, gaps)
    whole = ClassDrops(sizes).add(errors)
    cut, known = in_pieces(errors, sizes, [int(cut * validations) for cut in cuts])
    assert cut == whole
    assert all(drop.validation + drop.late < stop for drop, stop in zip(cut, known, strict=True))
    one_by_one, known = in_pieces(errors, sizes, range(1, validations))
    assert one_by_one == whole
    assert [drop.validation + drop.late + 1 for drop in one_by_one] == known


def test_errors_in_single_precision_have_the_same_drops():
    """A run holds them so, and a rise is often exactly as high as it must be."""
    found = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        errors = random.binomial(50, 0.1, (10, 70)) / 50
        for at in range(30, 62, 12):
            label, held = random.integers(10), int(random.choice([1, 2, 4]))
            errors[label, at - 10 : at] = 0.1
            errors[label, at : at + held] = 0.1 + {1: 0.6, 2: 0.2, 4: 0.16}[held]
        both = [ClassDrops(np.full(10, 50)).add(kind) for kind in (errors, errors.astype(np.float32))]
        told = [[(drop.validation, drop.length, set(drop.classes), drop.usual) for drop in drops] for drops in both]
        assert told[0] == told[1]
        found += told[0]
    assert len(found) > 20


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), stop=st.integers(0, 120))
def test_a_part_of_a_run_has_the_drops_that_the_whole_run_has_up_to_there(seed, stop):
    errors, sizes = training(12, 120, seed)
    whole = ClassDrops(sizes).add(errors)
    assert ClassDrops(sizes).add(errors[:, :stop]) == [drop for drop in whole if drop.validation + drop.late < stop]
