from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from dtui.analysis.rises.class_drops import ClassDrops

SIZES = np.full(10, 50)


def quiet(classes: int = 10, validations: int = 60, seed: int = 0) -> np.ndarray:
    """Errors of a network that has converged: a tenth, and binomial scatter of 50 images."""
    return np.random.default_rng(seed).binomial(50, 0.1, (classes, validations)) / 50


def test_a_quiet_network_has_no_drop():
    assert [ClassDrops(SIZES).add(quiet(seed=seed)) for seed in range(10)] == [[]] * 10


def test_a_class_that_loses_all_is_told_at_once():
    errors = quiet()
    errors[3, 40:] = 1.0
    (drop,) = ClassDrops(SIZES).add(errors)
    assert (drop.validation, drop.late, drop.length, drop.classes) == (40, 0, 1, (3,))
    assert drop.rises[0] == pytest.approx(1.0 - np.median(errors[3, 30:40]))
    assert drop.score >= drop.level > 0
    assert drop.usual == 0.0
    assert 0.7 < drop.concentration <= 1.0
    with pytest.raises(FrozenInstanceError):
        drop.level = 0.0


def test_a_small_rise_is_told_once_it_has_held():
    errors = quiet()
    errors[3, 40:] += 0.3
    drops = ClassDrops(SIZES).add(errors[:, :41])
    assert drops == []
    (drop,) = ClassDrops(SIZES).add(errors)
    assert (drop.validation, drop.classes) == (40, (3,))
    assert drop.late == drop.length - 1 >= 1


def test_an_error_that_jumps_and_stays_is_one_drop():
    errors = np.full((10, 200), 0.1)
    errors[4, 100:] = 0.9
    drops = ClassDrops(SIZES).add(errors)
    assert [(drop.validation, drop.classes) for drop in drops] == [(100, (4,))]


def test_the_worst_class_comes_first_and_equal_ones_by_label():
    errors = np.full((10, 60), 0.1)
    errors[[2, 7], 40:42] = 0.8
    errors[5, 40:42] = 1.0
    (drop,) = ClassDrops(SIZES).add(errors)
    assert drop.classes == (5, 2, 7)
    assert drop.rises == pytest.approx((0.9, 0.7, 0.7))
    assert drop.concentration == pytest.approx(0.9 / 2.3)


def test_a_gain_is_no_drop():
    errors = np.full((10, 60), 0.9)
    errors[3, 40:] = 0.0
    assert ClassDrops(SIZES).add(errors) == []


def test_what_all_classes_rise_is_the_drop_of_none():
    errors = quiet()
    errors[:, 40:44] += 0.5
    assert ClassDrops(SIZES).add(errors) == []


def test_one_class_has_nothing_beside_it_and_never_drops():
    errors = np.full((1, 60), 0.1)
    errors[0, 40:] = 1.0
    assert ClassDrops(np.array([50])).add(errors) == []


def test_of_two_classes_the_one_that_drops_is_told():
    errors = quiet(2)
    errors[1, 40:44] = 1.0
    drops = ClassDrops(np.array([50, 50])).add(errors)
    assert [(drop.validation, drop.classes) for drop in drops] == [(40, (1,))]


@pytest.mark.parametrize("label", [0, 4, 9])
def test_a_class_without_images_is_passed_over(label):
    errors, sizes = quiet(), SIZES.copy()
    errors[3 if label != 3 else 5, 40:] = 1.0
    without = np.delete(errors, label, axis=0)
    expected = ClassDrops(np.delete(sizes, label)).add(without)
    errors[label], sizes[label] = np.nan, 0
    found = ClassDrops(sizes).add(errors)
    assert [drop.classes for drop in found] == [(3,)]
    assert [(drop.score, drop.level, drop.usual) for drop in found] == [
        (drop.score, drop.level, drop.usual) for drop in expected
    ]


@pytest.mark.parametrize("sizes", [np.zeros(4, int), np.zeros(0, int)])
def test_without_images_there_is_nothing_to_find(sizes):
    finder = ClassDrops(sizes)
    assert finder.add(np.full((len(sizes), 40), np.nan)) == []
    assert finder.add(np.zeros((len(sizes), 40))) == []


def test_where_nothing_was_judged_nothing_is_found():
    assert ClassDrops(SIZES).add(np.full((10, 60), np.nan)) == []


def test_a_class_that_was_not_judged_for_long_needs_five_validations_again():
    for judged, expected in ((4, []), (5, [(3,)])):
        errors = quiet()
        errors[3, 25 : 40 - judged] = np.nan
        errors[3, 40:] = 1.0
        drops = ClassDrops(SIZES).add(errors[:, :41])
        assert [drop.classes for drop in drops] == expected


def test_a_rise_is_not_joined_over_a_validation_that_was_not_judged():
    errors = quiet()
    errors[3, 40:43] += 0.4
    assert [drop.validation for drop in ClassDrops(SIZES).add(errors)] == [40]
    errors[3, [41, 43]] = np.nan
    errors[3, 42] = 0.1
    assert ClassDrops(SIZES).add(errors) == []


def test_an_infinite_error_was_not_judged():
    errors, other = quiet(), quiet()
    errors[3, 20], other[3, 20] = np.inf, np.nan
    errors[4, 40:], other[4, 40:] = 1.0, 1.0
    assert ClassDrops(SIZES).add(errors) == ClassDrops(SIZES).add(other) != []


@pytest.mark.parametrize("validations", [0, 1, 4, 5, 15])
def test_a_run_that_has_just_begun_has_no_drop(validations):
    errors = np.zeros((10, validations))
    errors[3, -1:] = 1.0
    assert ClassDrops(SIZES).add(errors) == []


def test_the_first_drop_is_at_the_sixteenth_validation():
    errors = quiet(validations=16)
    errors[3, 15] = 1.0
    assert [drop.validation for drop in ClassDrops(SIZES).add(errors)] == [15]


@pytest.mark.parametrize("error", [0.0, 1.0])
def test_a_constant_error_drops_only_where_it_changes(error):
    errors = np.full((10, 60), error)
    assert ClassDrops(SIZES).add(errors) == []
    errors[3, 40:42] = 1.0
    assert [drop.classes for drop in ClassDrops(SIZES).add(errors)] == ([(3,)] if error == 0 else [])


def test_a_run_that_drops_again_and_again_says_that_it_is_usual():
    errors = np.full((10, 200), 0.1)
    for at in range(40, 200, 20):
        errors[at // 20 % 10, at] = 1.0
    drops = ClassDrops(SIZES).add(errors)
    assert [drop.validation for drop in drops] == list(range(40, 200, 20))
    assert drops[0].usual == 0.0
    assert drops[-1].usual == pytest.approx(7 / 175)


def test_a_drop_does_not_hide_the_next_one():
    """What dropped is left out of the level for six validations."""
    errors = quiet(validations=80)
    errors[3, 40:46] += 0.5
    errors[6, 52:58] += 0.5
    found = [(drop.validation, drop.classes) for drop in ClassDrops(SIZES).add(errors)]
    assert (40, (3,)) in found
    assert (52, (6,)) in found


def test_a_smaller_alpha_finds_fewer():
    random = np.random.default_rng(3)
    errors = np.clip(0.15 + 0.12 * random.normal(size=(50, 400)), 0, 1)
    errors[random.integers(0, 50, 60), random.integers(20, 400, 60)] += 0.6
    found = [len(ClassDrops(np.full(50, 30), alpha).add(errors)) for alpha in (0.2, 0.01, 0.0001)]
    assert found[0] > found[1] > found[2]


def test_what_is_kept_does_not_grow():
    finder, sizes = ClassDrops(SIZES), []
    for _ in range(4):
        errors = quiet(validations=100)
        errors[3, 50] = 1.0
        finder.add(errors)
        sizes.append(len(pickle.dumps(finder)))
    assert max(sizes[1:]) <= sizes[0] + 200


def test_what_is_kept_is_some_hundred_numbers_a_class():
    finder = ClassDrops(np.full(1000, 50))
    errors = quiet(1000, 70)
    errors[3, 60:] = 1.0
    finder.add(errors)
    assert len(pickle.dumps(finder)) < 160 * 1000 * 8


@pytest.mark.parametrize(
    ("sizes", "alpha", "words"),
    [
        (np.array([5, -1]), 0.01, "images >= 0"),
        (np.ones((2, 2), int), 0.01, "class sizes of shape"),
        (SIZES, 0.0, "alpha 0.0"),
        (SIZES, 1.0, "alpha 1.0"),
        (SIZES, float("nan"), "alpha nan"),
    ],
)
def test_what_makes_no_sense_is_refused(sizes, alpha, words):
    with pytest.raises(ValueError, match=words):
        ClassDrops(sizes, alpha)


@pytest.mark.parametrize("shape", [(9, 5), (10,), (10, 5, 1)])
def test_errors_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"use \(10, validations\)"):
        ClassDrops(SIZES).add(np.zeros(shape))
