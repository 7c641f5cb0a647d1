from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.flip_table import ClassFlips, FlipCounts
from dtui.analysis.thresholds import advise, validations_needed
from dtui.model import AnomalySettings


def run_of(lost: np.ndarray, images: tuple[int, ...] = (100,)) -> ClassFlips:
    """A run whose left rule with window 5 finds these losses, and nothing else does."""

    def flips(rule: str, window: int) -> FlipCounts:
        assert (rule, window) == ("left", 5)
        return FlipCounts(np.full_like(lost, 99), lost)

    return ClassFlips(np.arange(len(lost)) * 10, np.array(images), flips)


def losses(validations: int, **at: int) -> np.ndarray:
    lost = np.zeros((validations, 1), np.uint32)
    for name, count in at.items():
        lost[int(name.removeprefix("at_"))] = count
    return lost


def test_the_smallest_threshold_that_marks_one_validation_in_twenty_is_proposed():
    advice = advise(run_of(losses(120, at_20=50, at_30=25, at_40=25, at_50=25, at_60=25, at_70=14, at_80=7)))
    assert [(row.threshold, row.marked) for row in advice.rows[:4]] == [(0.06, 7), (0.08, 6), (0.1, 6), (0.12, 6)]
    assert (advice.counted, advice.left_out, advice.proposed) == (108, 12, 0.15)
    assert advice.settings == AnomalySettings("left", 5, "share", 0.15)


def test_the_first_tenth_of_a_run_is_not_counted():
    advice = advise(run_of(losses(200, at_5=90, at_19=90, at_20=10)))
    assert [row.marked for row in advice.rows] == [1, 1, 1] + [0] * 8
    assert advice.proposed == 0.06


def test_gains_are_not_counted():
    assert [row.marks for row in advise(run_of(losses(100))).rows] == [0] * 11


def test_where_every_threshold_marks_too_much_none_is_proposed():
    advice = advise(run_of(np.full((100, 1), 70, np.uint32)))
    assert advice.proposed is None
    assert advice.settings is None
    assert {row.marked for row in advice.rows} == {90}


def test_a_class_without_images_is_never_marked():
    advice = advise(run_of(np.zeros((100, 2), np.uint32), (0, 10)))
    assert {row.marks for row in advice.rows} == {0}


def test_a_run_with_too_few_validations_is_refused():
    needed = validations_needed()
    assert needed == 25
    assert advise(run_of(losses(needed))).counted == 20
    with pytest.raises(ValueError, match="24 validations; a threshold needs 25"):
        advise(run_of(losses(needed - 1)))
