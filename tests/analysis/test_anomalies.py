from __future__ import annotations

import numpy as np
import pytest

from dtui.analysis.anomalies import with_decisions
from dtui.analysis.correctness import PackedLayout
from dtui.analysis.flip_table import ClassFlips, FlipCounts, count_flips
from dtui.errors import UsageError
from dtui.model import DEFAULT_WINDOW, AnomalySettings
from tests.anomalies import class_anomaly, find_anomalies, watch_anomaly

CLASSES, PER_CLASS, VALIDATIONS = 3, 20, 60


def evidence(correct: np.ndarray) -> ClassFlips:
    """correct (validations, images), 20 images a class."""
    targets = np.repeat(np.arange(CLASSES), PER_CLASS).astype(np.uint16)
    layout = PackedLayout.of(targets, CLASSES)
    packed = layout.pack(correct)
    return ClassFlips(
        np.arange(len(correct)) * 10 + 9, layout.images, lambda rule, window: count_flips(layout, packed, rule, window)
    )


def steady() -> np.ndarray:
    return np.ones((VALIDATIONS, CLASSES * PER_CLASS), dtype=bool)


def test_a_class_that_loses_images_for_good_is_found_by_both_rules():
    correct = steady()
    correct[30:, 20:26] = False
    found = find_anomalies(evidence(correct), AnomalySettings())
    assert [
        (a.evidence.rule, a.iteration, a.class_index, a.evidence.direction, a.evidence.count, a.evidence.share)
        for a in found
    ] == [
        ("left", 309, 1, "lost", 6, 0.3),
        ("right", 309, 1, "lost", 6, 0.3),
    ]
    assert found[0].id == "class-left-1-309-lost"
    assert found[0].score == pytest.approx(0.3 * np.sqrt(6))
    assert found[0].evidence.threshold == 0.2


def test_a_class_that_comes_back_at_once_is_an_anomaly_by_the_left_rule_one_way_and_the_right_rule_the_other():
    correct = steady()
    correct[30, 20:26] = False
    found = find_anomalies(evidence(correct), AnomalySettings())
    assert [(a.evidence.rule, a.iteration, a.evidence.direction) for a in found] == [
        ("left", 309, "lost"),
        ("right", 319, "gained"),
    ]


def test_both_directions_at_once_are_one_anomaly():
    correct = steady()
    correct[:30, 20:25] = False
    correct[30:, 25:32] = False
    found = find_anomalies(evidence(correct), AnomalySettings(rule="left"))
    assert [(a.id, a.evidence.direction, a.evidence.count) for a in found] == [("class-left-1-309-both", "both", 12)]


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        (AnomalySettings("left", None, "share", 0.2), 1),
        (AnomalySettings("left", None, "share", 0.2001), 0),
        (AnomalySettings("left", None, "images", 4), 1),
        (AnomalySettings("left", None, "images", 5), 0),
        (AnomalySettings("left", 30, "images", 4), 1),
        (AnomalySettings("left", 31, "images", 4), 0),
        (AnomalySettings("either", 30, "images", 4), 2),
        (AnomalySettings("either", 31, "images", 4), 0),
    ],
)
def test_thresholds_and_windows_hold_at_their_edges(settings, found):
    correct = steady()
    correct[30:, 20:24] = False
    assert len(find_anomalies(evidence(correct), settings)) == found


def test_a_share_of_the_images_counts_as_that_many_images_in_floating_point_too():
    assert 0.14 * 50 > 7
    counts = FlipCounts(np.array([[7], [0]], dtype=np.uint8), np.array([[0], [7]], dtype=np.uint8))
    seen = ClassFlips(np.array([9, 19]), np.array([50]), lambda rule, window: counts)
    found = find_anomalies(seen, AnomalySettings("left", 1, threshold=0.14))
    assert [(a.iteration, a.evidence.direction) for a in found] == [(9, "gained"), (19, "lost")]
    assert find_anomalies(seen, AnomalySettings("left", 1, threshold=float("inf"))) == ()


def test_by_iteration_then_by_falling_score():
    correct = steady()
    correct[30:, 0:6] = False
    correct[30:, 20:32] = False
    correct[20:, 40:45] = False
    found = find_anomalies(evidence(correct), AnomalySettings("left"))
    assert [(a.iteration, a.class_index) for a in found] == [(209, 2), (309, 1), (309, 0)]


def test_ids_stay_while_the_run_grows_and_under_other_settings():
    correct = steady()
    correct[30:, 20:26] = False
    whole = find_anomalies(evidence(correct), AnomalySettings("left"))
    part = find_anomalies(evidence(correct[:50]), AnomalySettings("either", 7, "images", 2))
    assert whole[0].id in [anomaly.id for anomaly in part]


def test_nothing_is_judged_before_the_window_has_passed_and_nothing_is_taken_back():
    """What is found in a short run stands when the run has grown: the window does not depend on its length."""
    correct = steady()
    correct[3:, 20:26] = False  # too early for the left rule, early enough for the right one
    correct[30:, 0:8] = False
    settings, before = AnomalySettings(), set()
    for validations in range(1, len(correct) + 1):
        found = {anomaly.id for anomaly in find_anomalies(evidence(correct[:validations]), settings)}
        assert before <= found
        assert not found or validations >= settings.validations_needed == DEFAULT_WINDOW + 1
        before = found
    assert {"class-right-1-39-lost", "class-left-0-309-lost", "class-right-0-309-lost"} <= before


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        (AnomalySettings(rule="up"), "rule"),
        (AnomalySettings(unit="percent"), "unit"),
        (AnomalySettings(window=0), "window"),
        (AnomalySettings(threshold=0), "threshold"),
        (AnomalySettings(threshold=float("nan")), "threshold"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, what):
    with pytest.raises(UsageError, match=what):
        find_anomalies(evidence(steady()), settings)


def test_decisions_follow_the_event_over_its_directions():
    correct = steady()
    correct[30:, 20:26] = False
    (lost,) = find_anomalies(evidence(correct), AnomalySettings("left"))
    decided = {"class-left-1-309-both": ("flagged", "look"), "class-left-1-310-lost": ("dismissed", "")}
    assert with_decisions([lost], decided)[0].status == "flagged"
    decided[lost.id] = ("dismissed", "seen")
    assert (with_decisions([lost], decided)[0].status, with_decisions([lost], decided)[0].note) == ("dismissed", "seen")
    assert with_decisions([lost], {})[0].status == "new"


@pytest.mark.parametrize("way", ["gained", "lost"])
def test_a_decision_on_one_direction_holds_for_both_unless_both_has_its_own(way):
    both = class_anomaly(309, "both", label=1)
    decided = {f"class-left-1-309-{way}": ("flagged", "look"), "class-right-1-309-both": ("dismissed", "")}
    assert [(one.status, one.note) for one in with_decisions([both], decided)] == [("flagged", "look")]
    assert with_decisions([both], decided | {both.id: ("dismissed", "")})[0].status == "dismissed"
    watch = watch_anomaly(309, "loss")
    assert with_decisions([watch], {f"{watch.id}-both": ("flagged", "")}) == (watch,)


def test_counts_may_be_remembered_by_whoever_asks():
    asked = []

    def flips(rule, window):
        asked.append((rule, window))
        return FlipCounts(np.zeros((60, 3), dtype=int), np.zeros((60, 3), dtype=int))

    find_anomalies(ClassFlips(np.arange(60), np.full(3, 20), flips), AnomalySettings())
    assert asked == [("left", 5), ("right", 5)]
