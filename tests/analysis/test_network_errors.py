from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.rises.network_errors import NetworkErrors, mean_error


def quiet(validations: int = 60) -> np.ndarray:
    return np.where(np.arange(validations) % 2, 0.1, 0.104)


def test_a_quiet_network_does_not_rise():
    assert NetworkErrors().add(quiet()) == []


def test_a_rise_is_told_when_half_of_it_holds_at_the_next_validation():
    errors = quiet()
    errors[40], errors[41] = 0.2, 0.16
    finder = NetworkErrors()
    assert finder.add(errors[:41]) == []
    (rise,) = finder.add(errors[41:])
    assert (rise.validation, rise.late) == (40, 1)
    assert rise.before == pytest.approx(0.102)
    assert rise.rise == pytest.approx(0.098)
    assert rise.rise >= rise.level >= 0.05
    assert rise.score > 5


def test_a_rise_that_is_gone_at_the_next_validation_is_none():
    errors = quiet()
    errors[40], errors[41] = 0.2, 0.14
    assert NetworkErrors().add(errors) == []


def test_a_large_rise_is_told_at_once():
    errors = quiet()
    errors[40] = 0.5
    (rise,) = NetworkErrors().add(errors[:41])
    assert (rise.validation, rise.late) == (40, 0)


def test_an_error_that_jumps_and_stays_is_told_until_it_is_usual():
    errors = quiet(200)
    errors[100:] += 0.4
    found = [rise.validation for rise in NetworkErrors().add(errors)]
    assert found[0] == 100
    assert max(found) <= 105


def test_a_validation_that_was_not_judged_is_waited_over():
    errors = quiet()
    errors[40:44] = 0.2
    errors[41] = np.nan
    found = [(rise.validation, rise.late) for rise in NetworkErrors().add(errors)]
    assert found[0] == (40, 2)


def test_the_network_rises_less_where_many_images_are_judged():
    errors = quiet()
    errors[40:43] += 0.04
    assert NetworkErrors(1000).add(errors) == []
    assert NetworkErrors(10).add(errors) == []
    assert [rise.validation for rise in NetworkErrors(6000).add(errors)][:1] == [40]


def test_a_rise_of_a_hundredth_is_none_however_many_images_are_judged():
    errors = np.full(60, 0.1)
    errors[40:43] += 0.015
    assert NetworkErrors(10**9).add(errors) == []


def test_what_a_run_does_twice_in_thirty_validations_is_usual():
    errors = quiet(120)
    for at in range(20, 100, 12):
        errors[at : at + 2] += 0.08
    assert [rise.validation for rise in NetworkErrors().add(errors)] == [20]


@pytest.mark.parametrize("validations", [0, 1, 5, 15])
def test_a_run_that_has_just_begun_does_not_rise(validations):
    errors = np.zeros(validations)
    errors[-1:] = 1.0
    assert NetworkErrors().add(errors) == []


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_a_constant_error_does_not_rise(value):
    assert NetworkErrors().add(np.full(60, value)) == []


def test_the_mean_is_of_the_classes_with_images():
    errors = np.array([[0.2, 0.4, np.nan], [np.nan, np.nan, np.nan], [0.4, 0.6, 0.1]])
    np.testing.assert_allclose(mean_error(errors, np.array([5, 0, 50])), [0.3, 0.5, np.nan])
    np.testing.assert_array_equal(mean_error(errors, np.zeros(3, int)), [np.nan] * 3)
    assert mean_error(np.zeros((0, 2)), np.zeros(0, int)).shape == (2,)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="0 images"):
        NetworkErrors(0)
    with pytest.raises(ValueError, match="mean errors of shape"):
        NetworkErrors().add(np.zeros((2, 5)))
