"""The class rules, image by image, against the detector."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dtui.analysis.correctness import PackedLayout
from dtui.analysis.detectors.registry import Detector, detector_named
from dtui.analysis.flip_table import ClassFlips, count_flips
from dtui.model import AnomalySettings, Evidence
from tests.anomalies import values_of
from tests.oracle import twins

PER_CLASS, EVERY = (7, 0, 12, 5), 10


def judged(seed: int, validations: int = 40) -> tuple[np.ndarray, np.ndarray, ClassFlips]:
    random = np.random.default_rng(seed)
    targets = np.repeat(np.arange(len(PER_CLASS)), PER_CLASS).astype(np.uint16)
    correct = np.logical_xor.accumulate(random.random((validations, len(targets))) < 0.12)
    layout = PackedLayout.of(targets, len(PER_CLASS))
    packed = layout.pack(correct)
    flips = ClassFlips(
        np.arange(validations) * EVERY, layout.images, lambda rule, window: count_flips(layout, packed, rule, window)
    )
    return targets, correct, flips


def twin(targets: np.ndarray, correct: np.ndarray, settings: AnomalySettings) -> set[Evidence]:
    """Count the flips of each class by hand, and keep those that are enough."""
    found = set()
    for rule in ("left", "right") if settings.rule == "either" else (settings.rule,):
        flips = twins.flips(correct, rule, settings.window or 5)
        for label, images in enumerate(PER_CLASS):
            for at, row in enumerate(flips[:, targets == label]):
                up, down = int((row == 1).sum()), int((row == -1).sum())
                enough = settings.threshold * (images if settings.unit == "share" else 1) - 1e-9
                told = [(n, way) for n, way in ((up, "gained"), (down, "lost")) if n and n >= enough]
                if told:
                    count, way = sum(n for n, _ in told), told[0][1] if len(told) == 1 else "both"
                    share, passed = count / images, settings.threshold
                    score = share * math.sqrt(count)
                    found.add(
                        Evidence(
                            "class_rules", at * EVERY, rule, way, None, (), (label,), score, count, share, None, passed
                        )
                    )
    return found


@pytest.mark.parametrize("rule", ["left", "right", "either"])
@pytest.mark.parametrize("window", [None, 1, 3])
@pytest.mark.parametrize(("unit", "threshold"), [("share", 0.2), ("share", 0.05), ("images", 2.0), ("images", 1.5)])
def test_the_evidence_is_that_of_the_definition(rule, window, unit, threshold):
    settings = AnomalySettings(rule, window, unit, threshold)
    targets, correct, flips = judged(window or 0)
    found = detector_named("class_rules").find(values_of(flips, settings))
    assert len(found) == len(set(found))
    assert set(found) == twin(targets, correct, settings)
    assert [one.strength for one in found] == sorted((one.strength for one in found), reverse=True)
    rules = detector_named("class_rules")
    assert [rules.identify(one) for one in found] == [Detector.identify(rules, one) for one in found]


def test_a_prefix_of_the_run_gives_the_same_as_far_as_it_can_tell():
    settings = AnomalySettings("left", 3, "share", 0.1)
    whole = set(detector_named("class_rules").find(values_of(judged(2)[2], settings)))
    for validations in range(1, 40):
        part = twin(judged(2)[0], judged(2)[1][:validations], settings)
        assert part == {one for one in whole if one.iteration < validations * EVERY}
