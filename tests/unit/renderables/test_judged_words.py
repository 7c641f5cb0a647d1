"""Scores in words, as many digits as tell on which side of the threshold they are."""

from __future__ import annotations

import pytest

from dtui.model import ImageVerdict
from dtui.model.judging import BY_THRESHOLD, HIGHER, Judging
from dtui.tui.renderables.parts.words.judged_words import score_beside, score_words

IOU = Judging("IoU", HIGHER, BY_THRESHOLD, 0.5, 2)


@pytest.mark.parametrize(
    ("score", "words"), [(0.4996, "0.4996"), (0.5, "0.50"), (0.503, "0.503"), (0.83, "0.83"), (0.0, "0")]
)
def test_a_score_near_the_threshold_does_not_read_as_the_threshold(score: float, words: str) -> None:
    assert score_beside(score, IOU) == words


def test_without_a_threshold_a_score_is_short() -> None:
    assert score_beside(0.4996, None) == "0.50"


def test_where_room_is_short_the_name_is_cut_and_never_the_score() -> None:
    judging = Judging("taken for real", HIGHER, BY_THRESHOLD, 0.5, 2)
    verdict = ImageVerdict(0, "a", 0, 2, 0.0, 10, 1, 2, None, judging, 0.4996)
    assert score_words(verdict) == "taken for real 0.4996"
    assert score_words(verdict, 13) == "taken… 0.4996"
